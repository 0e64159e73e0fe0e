//! What every engine does with the kernel's BPF objects.

use std::{collections::HashSet, time::Duration};

use aya::{
    Ebpf,
    maps::{Map, MapError, MapInfo},
    programs::{ProgramError, ProgramInfo},
};

use crate::failure::{Failure, Reason};

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
    ids.into_iter().filter_map(map_memlock).sum()
}

/// The kernel's own figure for a map, which it gives in `/proc/self/fdinfo`.
fn map_memlock(id: u32) -> Option<u64> {
    use std::os::fd::{AsFd as _, AsRawFd as _};
    let fd = MapInfo::from_id(id).ok()?.fd().ok()?;
    let text =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())).ok()?;
    text.lines()
        .find_map(|it| it.strip_prefix("memlock:"))?
        .trim()
        .parse()
        .ok()
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

/// A program was not loaded; with the end of the verifier's log.
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
}
