//! Hears that interfaces come, go, or change.

use std::{
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        eventfd::{EfdFlags, EventFd},
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv,
            socket,
        },
    },
};

use crate::failure::Failure;

/// Changes within this time are told as one: a container brings several.
const SETTLE_MS: u8 = 20;

/// However many come, they are told after this.
const LONGEST: Duration = Duration::from_millis(200);

/// Why it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Interfaces changed.
    Interfaces,
    /// Some time has passed.
    Time,
}

/// A thread that calls back after every change; dropping it ends the thread.
pub(super) struct Monitor {
    alarm: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Listens to the namespace that this thread is in; calls after every change, and when nothing changed for so long.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn start(
        every: PollTimeout,
        changed: impl Fn(News) + Send + 'static,
    ) -> Result<Self, Failure> {
        let failed = |error: nix::Error| Failure::kernel("listening to rtnetlink", &error);
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )
        .map_err(failed)?;
        let links = NetlinkAddr::new(0, libc::RTMGRP_LINK as u32);
        bind(netlink.as_raw_fd(), &links).map_err(failed)?;
        let alarm =
            EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed)?;
        let alarm = Arc::new(alarm);
        let ends = alarm.clone();
        let thread = std::thread::Builder::new()
            .name("latscope-links".into())
            .spawn(move || listen(&netlink, &ends, every, changed))
            .map_err(|error| Failure::kernel("starting the monitor thread", &error))?;
        Ok(Self {
            alarm,
            thread: Some(thread),
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.alarm.write(1);
        // Not joined: it may be waiting for the lock under which this is dropped.
        self.thread.take();
    }
}

fn listen(netlink: &OwnedFd, ends: &EventFd, every: PollTimeout, changed: impl Fn(News)) {
    let wait = |timeout: PollTimeout| {
        let mut fds = [
            PollFd::new(netlink.as_fd(), PollFlags::POLLIN),
            PollFd::new(ends.as_fd(), PollFlags::POLLIN),
        ];
        let _ = poll(&mut fds, timeout);
        let raised = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        (raised(&fds[0]), raised(&fds[1]))
    };
    loop {
        let (news, ended) = wait(every);
        if ended {
            return;
        }
        if !news {
            changed(News::Time);
            continue;
        }
        let begun = Instant::now();
        // What the messages say is asked for anew; an overrun (ENOBUFS) is as good as a message.
        loop {
            let mut buffer = [0; 8192];
            while recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty()).is_ok() {}
            let (more, ended) = wait(PollTimeout::from(SETTLE_MS));
            if ended {
                return;
            }
            if !more || begun.elapsed() > LONGEST {
                break;
            }
        }
        changed(News::Interfaces);
    }
}
