//! Linux capabilities of this process.

use crate::failure::{Failure, Reason};

/// Names of the capabilities that engines ask for, with their numbers (capabilities(7)).
const NUMBERS: [(&str, u32); 5] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYSLOG", 34),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// `PRIVILEGE_MISSING`, naming those of `wanted` that this process lacks; `None` when it has them all.
#[must_use]
pub fn missing(wanted: &[&str]) -> Option<Failure> {
    let effective = effective()?;
    let lacking: Vec<&str> = NUMBERS
        .iter()
        .filter(|(name, number)| wanted.contains(name) && effective >> number & 1 == 0)
        .map(|(name, _)| *name)
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let names = lacking.join(", ");
    let text = format!(
        "the service lacks {names}: run it as root, or give the process these capabilities"
    );
    let failure = Failure::new(Reason::PrivilegeMissing, text.clone());
    Some(
        lacking
            .into_iter()
            .fold(failure, |failure, name| {
                failure.with_precondition("PRIVILEGE", name, text.clone())
            })
            .with_metadata("missing", names),
    )
}

/// The effective set; `CAP_SYS_ADMIN` stands for `CAP_BPF` and `CAP_PERFMON`, as it does for the kernel.
fn effective() -> Option<u64> {
    const SYS_ADMIN: u64 = 1 << 21;
    const IMPLIED: u64 = 1 << 38 | 1 << 39;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("CapEff:"))?;
    let set = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(if set & SYS_ADMIN == 0 {
        set
    } else {
        set | IMPLIED
    })
}
