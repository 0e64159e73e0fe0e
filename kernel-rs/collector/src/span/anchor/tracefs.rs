//! The kernel's own description of its tracepoints.

use std::{
    ffi::CStr,
    fs::{self, File},
    io::{self, Read as _},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::Path,
    sync::OnceLock,
};

use crate::{
    failure::{Failure, Reason},
    privilege,
};

/// Where it is mounted where it is.
const MOUNTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// A file below `events/`.
///
/// # Errors
/// Of the kind `NotFound` where there is no such tracepoint.
pub(super) fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    open(&format!("events/{path}"))?.read_to_string(&mut text)?;
    Ok(text)
}

/// Whether tracepoints can be looked up at all.
///
/// # Errors
/// `HOOK_UNAVAILABLE` where tracefs is not mounted and the service may not mount one of its own; `PRIVILEGE_MISSING` where it may not
/// for want of `CAP_SYS_ADMIN`, or may not read it for want of `CAP_DAC_READ_SEARCH`.
pub(super) fn there() -> Result<(), Failure> {
    let denied = |path: &str| {
        fs::exists(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let Err(why) = root() else {
        return match open("events/sched") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(unreadable(&error))
            }
            _ => Ok(()),
        };
    };
    // As it is mounted by default, nobody but root may look into it.
    let lacking = if denied(&format!("{}/events", MOUNTS[0])) {
        "CAP_DAC_READ_SEARCH"
    } else {
        "CAP_SYS_ADMIN"
    };
    Err(privilege::missing(&[lacking]).unwrap_or_else(|| absent(why)))
}

fn unreadable(error: &io::Error) -> Failure {
    privilege::missing(&["CAP_DAC_READ_SEARCH"])
        .unwrap_or_else(|| Failure::kernel("reading tracefs", error))
}

fn absent(why: &str) -> Failure {
    let text = format!(
        "tracefs is not there, in which the kernel describes its tracepoints ({why}); mount -t tracefs tracefs {}",
        MOUNTS[0]
    );
    Failure::new(Reason::HookUnavailable, text.clone()).with_precondition("STATE", "tracefs", text)
}

fn open(path: &str) -> io::Result<File> {
    let root = root()
        .as_ref()
        .map_err(|why| io::Error::other(why.clone()))?;
    let path = std::ffi::CString::new(path)?;
    // SAFETY: a string that ends, and a descriptor that is open.
    let fd = unsafe {
        libc::openat(
            root.as_raw_fd(),
            path.as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Its root: where it is mounted, else a mount that nobody but this process sees.
fn root() -> &'static Result<OwnedFd, String> {
    static ROOT: OnceLock<Result<OwnedFd, String>> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mounted = MOUNTS
            .iter()
            .find(|it| Path::new(it).join("events").exists());
        match mounted {
            Some(path) => File::open(path).map(OwnedFd::from),
            None => mount(),
        }
        .map_err(|error| error.to_string())
    })
}

fn mount() -> io::Result<OwnedFd> {
    const TRACEFS: &CStr = c"tracefs";
    const NOTHING: *const libc::c_char = std::ptr::null();
    // SAFETY: a string that ends.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, TRACEFS.as_ptr(), 1) })?;
    // SAFETY: the command takes nothing.
    let made = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            NOTHING,
            NOTHING,
            0,
        )
    };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that is open.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, 0) })
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_describes_its_tracepoints() {
        there().unwrap();
        let id: u64 = read("sched/sched_switch/id")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(id > 0);
        let missing = read("sched/sched_nothing/id").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
