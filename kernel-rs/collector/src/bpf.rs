//! What every engine does with the kernel's BPF objects.

use std::{collections::HashSet, os::fd::RawFd, time::Duration};

use aya::{
    Ebpf,
    maps::{Map, MapError},
    programs::{Program, ProgramError, ProgramInfo},
};
use aya_obj::generated::{bpf_map_info, bpf_prog_info};

use crate::{
    failure::{Failure, Reason},
    footprint,
};

/// Takes a map out of a loaded object.
pub(crate) fn take<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, Failure>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or_else(|| absent("map", name))?;
    T::try_from(map).map_err(|error| Failure::kernel(name, &error))
}

/// A program of a loaded object.
///
/// # Errors
/// `INTERNAL` where there is none of this name, `KERNEL_ERROR` where it is of another type.
pub(crate) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, Failure>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or_else(|| absent("program", name))?
        .try_into()
        .map_err(|error| Failure::kernel("program type", &error))
}

/// The object has no such map or program.
pub(crate) fn absent(kind: &str, name: &str) -> Failure {
    Failure::new(
        Reason::Internal,
        format!("{kind} {name} is not in the object"),
    )
}

/// Bytes of kernel memory of all maps that the programs use, each once.
pub(crate) fn map_bytes(programs: impl IntoIterator<Item = ProgramInfo>) -> u64 {
    let ids: HashSet<u32> = programs
        .into_iter()
        .filter_map(|program| program.map_ids().ok()?)
        .flatten()
        .collect();
    let maps = footprint::objects().maps;
    let bytes = ids.iter().filter_map(|id| maps.get(id));
    bytes.map(|it| it.memory_bytes).sum()
}

/// What `BPF_OBJ_GET_INFO_BY_FD` tells of, of a program or a map.
///
/// # Safety
/// A structure of the kernel, or the beginning of one, whose addresses are null or lead to as much room as the length beside them says.
pub(crate) unsafe trait Info {}
// SAFETY: as the kernel's headers have it.
unsafe impl Info for bpf_prog_info {}
// SAFETY: as above.
unsafe impl Info for bpf_map_info {}

/// Fills in what the kernel tells of the object behind a descriptor.
pub(crate) fn info<T: Info>(fd: RawFd, info: &mut T) -> Option<()> {
    const OBJ_GET_INFO_BY_FD: libc::c_long = 15;

    #[repr(C)]
    struct Attribute {
        fd: u32,
        info_len: u32,
        info: u64,
    }

    let mut attribute = Attribute {
        fd: fd.try_into().ok()?,
        info_len: size_of::<T>() as u32,
        info: (&raw mut *info) as u64,
    };
    // SAFETY: the kernel writes at most `info_len` bytes to `info`, and where its addresses lead as much as they have room for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            OBJ_GET_INFO_BY_FD,
            &raw mut attribute,
            size_of::<Attribute>(),
        )
    };
    (result == 0).then_some(())
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
    /// Some clients take 8 KiB of trailers in all.
    const TAIL_BYTES: usize = 2048;
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
    let from = tail.len().saturating_sub(TAIL_BYTES);
    let from = (from..tail.len()).find(|it| tail.is_char_boundary(*it));
    let tail = &tail[from.unwrap_or_default()..];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_verifier_says_is_told_short_and_kept_whole() {
        let failure = crate::engine::refused::load().unwrap_err();
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
