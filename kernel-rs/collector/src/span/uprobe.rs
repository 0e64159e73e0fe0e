//! Places in programs and libraries, and a program put there. The library that loads programs knows no semaphores.

use std::{
    ffi::CString,
    fs, io,
    num::NonZeroU32,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use aya_obj::generated::perf_event_attr;

const PMU: &str = "/sys/bus/event_source/devices/uprobe";

/// A place in a file, in bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Of the instruction.
    pub(super) offset: u64,
    /// Of a 16-bit counter that the kernel raises for as long as a program is there: a USDT probe is switched on by it.
    pub(super) semaphore: Option<NonZeroU32>,
}

impl Place {
    /// One that nothing switches on.
    pub(super) const fn at(offset: u64) -> Self {
        Self {
            offset,
            semaphore: None,
        }
    }
}

/// When a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the instruction.
    Reached,
    /// When the function that begins there has returned.
    Returned,
}

/// Puts a program at a place of a file, for one process or all. Dropping what is returned takes it off.
///
/// # Errors
/// What the kernel answers.
pub(super) fn attach(
    program: BorrowedFd<'_>,
    (path, place): (&Path, Place),
    when: When,
    cookie: u64,
    pid: Option<NonZeroU32>,
) -> io::Result<OwnedFd> {
    let event = open(path, place, when, pid)?;
    link(program, &event, cookie)
}

/// The event of a place (`perf_event_open`, uprobe PMU).
fn open(path: &Path, place: Place, when: When, pid: Option<NonZeroU32>) -> io::Result<OwnedFd> {
    /// Bits of `config` that the counter's offset stands in (`PERF_UPROBE_REF_CTR_OFFSET_SHIFT`).
    const COUNTER_SHIFT: u32 = 32;
    /// `PERF_FLAG_FD_CLOEXEC`
    const CLOSE_ON_EXEC: libc::c_ulong = 8;
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: plain numbers, for which zeros are valid.
    let mut attributes: perf_event_attr = unsafe { std::mem::zeroed() };
    attributes.size = size_of::<perf_event_attr>() as u32;
    attributes.type_ = number(&fs::read_to_string(format!("{PMU}/type"))?)?;
    attributes.config = match place.semaphore {
        Some(offset) => u64::from(offset.get()) << COUNTER_SHIFT,
        None => 0,
    };
    if when == When::Returned {
        let format = fs::read_to_string(format!("{PMU}/format/retprobe"))?;
        let bit = format.trim().strip_prefix("config:").unwrap_or_default();
        attributes.config |= 1 << number::<u32>(bit)?;
    }
    attributes.__bindgen_anon_3.config1 = path.as_ptr() as u64;
    attributes.__bindgen_anon_4.config2 = place.offset;
    let (pid, cpu) = match pid {
        Some(pid) => (pid.get() as libc::pid_t, -1),
        None => (-1, 0),
    };
    // SAFETY: the attributes and the path live through the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            pid,
            cpu,
            -1,
            CLOSE_ON_EXEC,
        )
    };
    owned(fd)
}

/// Has the program run at the event, with a number of its own.
fn link(program: BorrowedFd<'_>, event: &OwnedFd, cookie: u64) -> io::Result<OwnedFd> {
    const LINK_CREATE: libc::c_long = 28;
    const PERF_EVENT: u32 = 41;

    /// The beginning of `union bpf_attr`.
    #[repr(C)]
    struct Attribute {
        program: u32,
        target: u32,
        kind: u32,
        flags: u32,
        cookie: u64,
    }

    let attribute = Attribute {
        program: program.as_raw_fd() as u32,
        target: event.as_raw_fd() as u32,
        kind: PERF_EVENT,
        flags: 0,
        cookie,
    };
    // SAFETY: the kernel reads as much as it is told. The link holds the event.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            LINK_CREATE,
            &raw const attribute,
            size_of::<Attribute>(),
        )
    };
    owned(fd)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(fd) {
        // SAFETY: just opened, and nobody else's.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    let parsed = text.trim().parse();
    parsed.map_err(|_| io::Error::other(format!("{PMU} says {text:?}")))
}
