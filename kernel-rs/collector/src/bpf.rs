//! What every engine does with the kernel's BPF objects.

use std::{collections::HashSet, sync::OnceLock, time::Duration};

use aya::{
    Btf, Ebpf,
    maps::{Map, MapError},
    programs::{ProgramError, ProgramInfo},
};

use crate::{
    failure::{Failure, Reason},
    footprint,
};

/// Takes a map out of a loaded object.
pub(crate) fn take<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, Failure>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or_else(|| {
        Failure::new(Reason::Internal, format!("map {name} is not in the object"))
    })?;
    T::try_from(map).map_err(|error| Failure::kernel(name, &error))
}

/// Bytes of kernel memory of all maps that the programs use, each once.
pub(crate) fn map_bytes(programs: impl IntoIterator<Item = ProgramInfo>) -> u64 {
    let ids: HashSet<u32> = programs
        .into_iter()
        .filter_map(|program| program.map_ids().ok()?)
        .flatten()
        .collect();
    let maps = footprint::objects().maps;
    ids.iter().filter_map(|id| maps.get(id)).sum()
}

/// Returns when no program runs any more that began before.
pub(crate) fn grace() {
    const GLOBAL: libc::c_int = 1;
    /// Where membarrier is refused (seccomp, `nohz_full`): programs run for microseconds.
    const LONG: Duration = Duration::from_millis(100);
    // SAFETY: the call takes no memory. It waits for an RCU grace period.
    if unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) } != 0 {
        std::thread::sleep(LONG);
    }
}

/// `what` was refused: for want of one of these privileges, or whatever the kernel says.
pub(crate) fn refused(what: &str, privileges: &[&str], error: &dyn std::fmt::Display) -> Failure {
    crate::privilege::missing(privileges).unwrap_or_else(|| Failure::kernel(what, error))
}

/// A program was not loaded; with the end of the verifier's log for the client, and all of it for the service's own log.
pub(crate) fn not_loaded(name: &str, privileges: &[&str], error: ProgramError) -> Failure {
    const TAIL_LINES: usize = 20;
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return refused(&format!("loading {name}"), privileges, &error);
    };
    if let Some(failure) = crate::privilege::missing(privileges) {
        return failure;
    }
    let log = verifier_log.to_string();
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    Failure::new(
        Reason::ProgramRefused,
        format!("the kernel refused program {name}: {io_error}"),
    )
    .with_metadata("program", name)
    .with_metadata("verifier_log_tail", tail)
    .with_log(log)
}

/// An error with what caused it: aya's outermost says the least.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text = format!("{text}: {error}");
        inner = error.source();
    }
    text
}

/// The kernel's types, for aya.
///
/// # Errors
/// `HOOK_UNAVAILABLE` where the kernel does not show them.
pub(crate) fn kernel_types() -> Result<&'static Btf, Failure> {
    static TYPES: OnceLock<Option<Btf>> = OnceLock::new();
    TYPES
        .get_or_init(|| Btf::from_sys_fs().ok())
        .as_ref()
        .ok_or_else(|| Failure::new(Reason::HookUnavailable, "the kernel's BTF cannot be read"))
}

#[cfg(test)]
mod tests {
    use aya::{EbpfLoader, programs::SchedClassifier};

    use super::*;

    static EMPTY: &[u8] = aya::include_bytes_aligned!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../probes/prebuilt/empty.bpf.o"
    ));

    /// `r0 = -1 ll; exit`, and the same with a register that nobody has written.
    const RETURN: [u8; 24] = [
        0x18, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
    ];
    const REFUSED: [u8; 24] = [
        0xbf, 0x50, 0, 0, 0, 0, 0, 0, 0xbf, 0x50, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn what_the_verifier_says_is_told_short_and_kept_whole() {
        let mut object = EMPTY.to_vec();
        let at = object.windows(24).position(|it| it == RETURN).unwrap();
        object[at..at + 24].copy_from_slice(&REFUSED);
        let mut ebpf = EbpfLoader::new().load(&object).unwrap();
        let program = ebpf.program_mut("latscope_empty").unwrap();
        let program = <&mut SchedClassifier>::try_from(program).unwrap();
        let failure = not_loaded("latscope_empty", &["CAP_BPF"], program.load().unwrap_err());
        assert_eq!(failure.reason(), Reason::ProgramRefused);
        assert!(
            failure
                .message()
                .starts_with("the kernel refused program latscope_empty: Permission denied")
        );
        let tail = &failure.metadata()["verifier_log_tail"];
        assert!(tail.contains("R5 !read_ok"), "{tail}");
        let log = failure.log().unwrap();
        assert!(log.contains("R5 !read_ok") && log.trim_end().ends_with(tail.trim_end()));
        assert!(failure.to_json().contains(r#""log":"#));
    }
}
