//! Attaching a program together with a number that it can ask for (`bpf_get_attach_cookie`): for tracepoints, kprobes and
//! fentry aya has no way to.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

const BPF_LINK_CREATE: libc::c_long = 28;
const PERF_TYPE_TRACEPOINT: u32 = 2;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;

/// `enum bpf_attach_type`
#[derive(Clone, Copy)]
#[repr(u32)]
enum Kind {
    FunctionEnter = 24,
    FunctionLeave = 25,
    PerfEvent = 41,
}

/// The first version of `struct perf_event_attr` that has all that is needed here (`PERF_ATTR_SIZE_VER1`).
#[repr(C)]
#[derive(Default)]
struct PerfEvent {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample: u64,
    read: u64,
    flags: u64,
    wakeup: u32,
    breakpoint: u32,
    /// Of a kprobe: address of the function's name.
    name: u64,
    /// Offset in the function.
    offset: u64,
}

/// `bpf_attr.link_create`
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    kind: u32,
    flags: u32,
    /// Of a perf event the cookie, of fentry and fexit a type's id (0 = the program's own).
    first: u64,
    /// Of fentry and fexit the cookie.
    second: u64,
}

/// Attaches to a tracepoint. Dropping the link detaches.
pub(super) fn tracepoint(program: BorrowedFd<'_>, id: u64, cookie: u64) -> io::Result<OwnedFd> {
    let event = open(PerfEvent {
        kind: PERF_TYPE_TRACEPOINT,
        config: id,
        ..PerfEvent::default()
    })?;
    of_event(program, &event, cookie)
}

/// Attaches to a function's begin, or to its returns. Dropping the link detaches.
pub(super) fn kprobe(
    program: BorrowedFd<'_>,
    function: &str,
    returns: bool,
    cookie: u64,
) -> io::Result<OwnedFd> {
    let name = CString::new(function)?;
    let event = open(PerfEvent {
        kind: kprobe_type()?,
        config: u64::from(returns),
        name: name.as_ptr() as u64,
        ..PerfEvent::default()
    })?;
    of_event(program, &event, cookie)
}

/// The number of the kernel's source of kprobe events.
fn kprobe_type() -> io::Result<u32> {
    let path = "/sys/bus/event_source/devices/kprobe/type";
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            io::ErrorKind::Unsupported,
            "the kernel was built without CONFIG_KPROBES",
        ),
        _ => error,
    })?;
    text.trim().parse().map_err(io::Error::other)
}

/// Attaches a program that was loaded for one function. Dropping the link detaches.
pub(super) fn function(program: BorrowedFd<'_>, leaves: bool, cookie: u64) -> io::Result<OwnedFd> {
    create(&LinkCreate {
        program: program.as_raw_fd() as u32,
        target: 0,
        kind: if leaves {
            Kind::FunctionLeave
        } else {
            Kind::FunctionEnter
        } as u32,
        flags: 0,
        first: 0,
        second: cookie,
    })
}

fn of_event(program: BorrowedFd<'_>, event: &OwnedFd, cookie: u64) -> io::Result<OwnedFd> {
    create(&LinkCreate {
        program: program.as_raw_fd() as u32,
        target: event.as_raw_fd() as u32,
        kind: Kind::PerfEvent as u32,
        flags: 0,
        first: cookie,
        second: 0,
    })
}

/// Opens an event of all processes; eBPF programs see it on every CPU, whichever is named.
fn open(mut event: PerfEvent) -> io::Result<OwnedFd> {
    event.size = size_of::<PerfEvent>() as u32;
    // SAFETY: the kernel reads `size` bytes of the event, and the name that it points to.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const event,
            -1,
            0,
            -1,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    owned(fd)
}

fn create(link: &LinkCreate) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as it is told.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_LINK_CREATE,
            &raw const *link,
            size_of::<LinkCreate>(),
        )
    };
    owned(fd)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
