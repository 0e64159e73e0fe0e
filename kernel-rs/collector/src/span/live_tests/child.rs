//! Processes that do what is measured.

use std::{io::Write as _, os::fd::FromRawFd as _, time::Duration};

use nix::{
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, Pid, fork},
};

/// A forked process that waits until it is told to go.
pub(super) struct Child {
    pub(super) pid: u32,
    go: Option<std::fs::File>,
}

impl Child {
    /// Forks. `act` runs in a copy of a process with many threads: it must only make system calls and compute.
    pub(super) fn new(act: impl FnOnce()) -> Self {
        let mut pipe = [0; 2];
        // SAFETY: an array of two.
        let made = unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) };
        assert_eq!(made, 0);
        // SAFETY: the child makes system calls only, and leaves without running anything of its parent's.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                let mut byte = 0_u8;
                // SAFETY: system calls on descriptors of its own.
                unsafe {
                    libc::close(pipe[1]);
                    libc::read(pipe[0], (&raw mut byte).cast(), 1);
                }
                act();
                // SAFETY: ends the process at once.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => {
                // SAFETY: just made, and nobody else's.
                unsafe { libc::close(pipe[0]) };
                Self {
                    pid: child.as_raw() as u32,
                    // SAFETY: as above.
                    go: Some(unsafe { std::fs::File::from_raw_fd(pipe[1]) }),
                }
            }
        }
    }

    /// Lets it act.
    pub(super) fn go(&mut self) {
        // The end of the pipe would tell it nothing: later children hold it open too.
        if let Some(mut go) = self.go.take() {
            go.write_all(&[1]).unwrap();
        }
    }

    /// Waits until it has.
    pub(super) fn wait(&mut self) {
        let ended = waitpid(Pid::from_raw(self.pid as i32), None).unwrap();
        assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
    }

    /// Waits until it sleeps in a system call.
    pub(super) fn wait_until_it_is_in(&self, call: libc::c_long) {
        let begun = std::time::Instant::now();
        let path = format!("/proc/{}/syscall", self.pid);
        while !std::fs::read_to_string(&path)
            .unwrap()
            .starts_with(&format!("{call} "))
        {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it does not sleep"
            );
            std::thread::yield_now();
        }
    }

    /// Kills it.
    pub(super) fn kill(&mut self) {
        let pid = Pid::from_raw(self.pid as i32);
        // SAFETY: a child of its own that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid.as_raw(), libc::SIGKILL) }, 0);
        let ended = waitpid(pid, None).unwrap();
        assert!(matches!(ended, WaitStatus::Signaled(..)), "{ended:?}");
    }

    /// Lets it act, and waits until it has.
    pub(super) fn run(&mut self) {
        self.go();
        self.wait();
    }
}

/// Sleeps.
pub(super) fn sleep(time: Duration) {
    let time = libc::timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    // SAFETY: nothing is written.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            0,
            &raw const time,
            std::ptr::null_mut(),
        )
    };
}

/// Has the calling thread run on one CPU only.
pub(super) fn pin(cpu: usize) {
    // SAFETY: a set of its own.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}
