//! Linux capabilities (capabilities(7)): what is needed for what, and giving up all the rest.

use std::{ffi::CString, fs, io, os::unix::ffi::OsStrExt as _};

use caps::{CapSet, Capability, CapsHashSet};

use crate::{
    failure::{Failure, Reason},
    metric::EngineKind,
};

/// What every metric of an engine needs; without one of these none of them can be had.
#[must_use]
pub const fn of_engine(engine: EngineKind) -> &'static [&'static str] {
    match engine {
        EngineKind::Packet | EngineKind::Socket => &["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"],
        EngineKind::Span => &["CAP_BPF", "CAP_PERFMON"],
    }
}

/// What the kernel asks of whoever opens the event of a uprobe (`perf_uprobe_event_init`).
pub(crate) const UPROBE: &[&str] = &["CAP_SYS_ADMIN"];

/// What is needed for more than that, and for what; docs/security.md is its prose.
pub const BEYOND: [(&str, &str); 3] = [
    (
        "CAP_SYS_ADMIN",
        "user functions; other network namespaces; run statistics; tracepoint pairs where tracefs is not mounted",
    ),
    (
        "CAP_SYS_PTRACE",
        "namespaces and functions of one process of somebody else, by its id",
    ),
    (
        "CAP_DAC_READ_SEARCH",
        "tracepoint pairs, unless as root; functions of files that others may not read",
    ),
];

const ENGINES: [EngineKind; 3] = [EngineKind::Packet, EngineKind::Socket, EngineKind::Span];

/// `PRIVILEGE_MISSING`, naming those of `wanted` that this thread lacks; `None` when it has them all.
#[must_use]
pub fn missing(wanted: &[&str]) -> Option<Failure> {
    let effective = effective()?;
    let mut lacking: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| {
            name.parse()
                .is_ok_and(|it: Capability| !effective.contains(&it))
        })
        .collect();
    if lacking.is_empty() {
        return None;
    }
    lacking.sort_unstable();
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
fn effective() -> Option<CapsHashSet> {
    let mut set = caps::read(None, CapSet::Effective).ok()?;
    if set.contains(&Capability::CAP_SYS_ADMIN) {
        set.extend([Capability::CAP_BPF, Capability::CAP_PERFMON]);
    }
    Some(set)
}

/// Gives up what nothing here needs, for good: every capability but those of the engines, of [`BEYOND`] and of `also`; new
/// privileges by execution; the bounding set, where that is allowed.
///
/// Capabilities belong to threads, and a process that runs Node has some from its first moment. Where there is something to give
/// up the program is therefore run again, in place of itself: same process id, same sockets from systemd, one thread that has no
/// more than it needs, and this does not return. Then, and where it was started that way, it returns, and children get nothing.
///
/// `group` is one whose socket root makes: root that is a member may give it a file without `CAP_CHOWN`.
///
/// # Errors
/// `FIELD_INVALID` for a name in `also` that is no capability; `KERNEL_ERROR` where the kernel refuses; this thread may have given
/// up some by then.
pub fn drop_rest(also: &[String], group: Option<u32>) -> Result<(), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::kernel("giving up privileges", error);
    let needed = needed(also)?;
    let permitted = caps::read(None, CapSet::Permitted).map_err(|error| refused(&error))?;
    let restricted = nix::sys::prctl::get_no_new_privs().map_err(|error| refused(&error))?;
    if restricted && permitted.is_subset(&needed) {
        return leave_nothing_to_children().map_err(|error| refused(&error));
    }
    if let Some(group) = group {
        join(group).map_err(|error| refused(&error))?;
    }
    let kept: CapsHashSet = permitted.intersection(&needed).copied().collect();
    restrict(&kept).map_err(|error| refused(&error))?;
    nix::sys::prctl::set_no_new_privs().map_err(|error| refused(&error))?;
    Err(refused(&run_again()))
}

fn needed(also: &[String]) -> Result<CapsHashSet, Failure> {
    let of_engines = ENGINES
        .iter()
        .flat_map(|engine| of_engine(*engine))
        .copied();
    let beyond = BEYOND.iter().map(|(name, _)| *name);
    of_engines
        .chain(beyond)
        .chain(also.iter().map(String::as_str))
        .map(|name| {
            name.parse().map_err(|_| {
                let text = format!("{name:?} is no capability of Linux");
                Failure::field(Reason::FieldInvalid, "also", text)
            })
        })
        .collect()
}

fn leave_nothing_to_children() -> Result<(), caps::errors::CapsError> {
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)
}

/// Without the right to change its groups, who owns the socket shows what is lacking.
fn join(group: u32) -> nix::Result<()> {
    use nix::unistd::{Gid, getegid, getgroups, setgroups};
    let group = Gid::from_raw(group);
    let mut groups = getgroups()?;
    let may = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETGID).unwrap_or(false);
    if !may || getegid() == group || groups.contains(&group) {
        return Ok(());
    }
    groups.push(group);
    setgroups(&groups)
}

/// Leaves `kept` to what this thread executes, and nothing to come by more.
fn restrict(kept: &CapsHashSet) -> Result<(), caps::errors::CapsError> {
    // A set can only be inherited before the bounding set is emptied, and that only as long as `CAP_SETPCAP` is there.
    caps::set(None, CapSet::Inheritable, kept)?;
    caps::set(None, CapSet::Ambient, kept)?;
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        caps::clear(None, CapSet::Bounding)?;
    }
    caps::set(None, CapSet::Effective, kept)?;
    caps::set(None, CapSet::Permitted, kept)
}

/// Executes this program with its own arguments; returns only with what hinders that.
fn run_again() -> io::Error {
    let prepare = || -> io::Result<(CString, Vec<CString>)> {
        let program = std::env::current_exe()?;
        let arguments = fs::read("/proc/self/cmdline")?;
        let arguments = arguments
            .strip_suffix(&[0])
            .unwrap_or(&arguments)
            .split(|byte| *byte == 0)
            .map(CString::new)
            .collect::<Result<_, _>>()?;
        keep_open(passed_by_systemd())?;
        Ok((CString::new(program.as_os_str().as_bytes())?, arguments))
    };
    let executed = prepare().and_then(|(program, arguments)| {
        nix::unistd::execv(&program, &arguments).map_err(io::Error::from)
    });
    match executed {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// How many sockets `sd_listen_fds(3)` would say there are.
fn passed_by_systemd() -> i32 {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    if number("LISTEN_PID") == Some(std::process::id()) {
        number("LISTEN_FDS").map_or(0, |it| it as i32)
    } else {
        0
    }
}

/// Node lets no program that it executes have its descriptors: those that came with it, standard ones and sockets, are to stay.
fn keep_open(sockets: i32) -> io::Result<()> {
    for descriptor in 0..3 + sockets {
        // SAFETY: changes a flag of a descriptor, and no memory; of one that is not open the kernel says so.
        if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EBADF) {
                return Err(error);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capabilities belong to a thread: what this one gives up no other test misses.
    fn with(kept: &[Capability], check: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let kept: CapsHashSet = kept.iter().copied().collect();
                caps::set(None, CapSet::Effective, &kept).expect("needs these capabilities");
                check();
            });
            thread.join().unwrap();
        });
    }

    #[test]
    fn every_engine_says_which_one_of_its_capabilities_is_missing() {
        for engine in ENGINES {
            for name in of_engine(engine) {
                let kept: Vec<Capability> = of_engine(engine)
                    .iter()
                    .filter(|it| *it != name)
                    .map(|it| it.parse().unwrap())
                    .collect();
                with(&kept, || {
                    let failure = missing(of_engine(engine)).unwrap();
                    assert_eq!(failure.reason(), Reason::PrivilegeMissing);
                    assert!(failure.to_json().contains(&format!("lacks {name}:")));
                });
            }
        }
    }

    #[test]
    fn nothing_is_missing_with_exactly_what_an_engine_needs() {
        for engine in ENGINES {
            let kept = of_engine(engine).iter().map(|it| it.parse().unwrap());
            with(&kept.collect::<Vec<_>>(), || {
                assert_eq!(missing(of_engine(engine)), None);
            });
        }
    }

    #[test]
    fn sys_admin_stands_for_bpf_and_perfmon() {
        with(&[Capability::CAP_SYS_ADMIN], || {
            assert_eq!(missing(of_engine(EngineKind::Span)), None);
            let failure = missing(of_engine(EngineKind::Packet)).unwrap();
            assert!(failure.to_json().contains("lacks CAP_NET_ADMIN:"));
        });
    }

    #[test]
    fn what_is_no_capability_is_not_kept() {
        let failure = drop_rest(&["CAP_COFFEE".into()], None).unwrap_err();
        assert_eq!(failure.reason(), Reason::FieldInvalid);
    }
}
