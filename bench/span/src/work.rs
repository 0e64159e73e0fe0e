//! What is measured: processes that do one thing as often as they can.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::{
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, fork},
};

/// Something done over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One process calls getppid.
    Calls,
    /// Two processes wake each other through pipes.
    Switches,
    /// One process calls [`latscope_bench_nothing`] 2000 times a second, a thousand times at once.
    Functions,
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn latscope_bench_nothing(n: u64) -> u64 {
    black_box(n)
}

impl Work {
    /// Does it for so long, in processes of their own: how often a second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "figures of a bench have fewer digits"
    )]
    pub(crate) fn run(self, time: Duration) -> anyhow::Result<f64> {
        let mut told = [0; 2];
        // SAFETY: an array of two.
        ensure!(unsafe { libc::pipe(told.as_mut_ptr()) } == 0, "no pipe");
        // SAFETY: the child only makes system calls and computes.
        match unsafe { fork() }.context("forking")? {
            ForkResult::Child => {
                let begun = Instant::now();
                let count = match self {
                    Self::Calls => calls(time),
                    Self::Switches => switches(time),
                    Self::Functions => functions(time),
                };
                let rate = count as f64 / begun.elapsed().as_secs_f64();
                // SAFETY: eight bytes, and the end of the process.
                unsafe {
                    libc::write(told[1], (&raw const rate).cast(), 8);
                    libc::_exit(0)
                }
            }
            ForkResult::Parent { child } => {
                let mut rate = 0_f64;
                // SAFETY: room for eight bytes; descriptors of its own.
                let read = unsafe {
                    libc::close(told[1]);
                    let read = libc::read(told[0], (&raw mut rate).cast(), 8);
                    libc::close(told[0]);
                    read
                };
                let ended = waitpid(child, None)?;
                ensure!(
                    read == 8 && matches!(ended, WaitStatus::Exited(_, 0)),
                    "the work ended with {ended:?}"
                );
                Ok(rate)
            }
        }
    }
}

fn calls(time: Duration) -> u64 {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        for _ in 0..1000 {
            // SAFETY: takes nothing.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
        count += 1000;
    }
    count
}

/// Round trips between two processes; each is two switches away and two wake-ups.
fn switches(time: Duration) -> u64 {
    let (mut there, mut back) = ([0; 2], [0; 2]);
    // SAFETY: arrays of two.
    unsafe {
        libc::pipe(there.as_mut_ptr());
        libc::pipe(back.as_mut_ptr());
    }
    let pass = |from: i32, to: i32| {
        let mut byte = 0_u8;
        // SAFETY: one byte each.
        unsafe {
            libc::read(from, (&raw mut byte).cast(), 1) == 1
                && libc::write(to, (&raw const byte).cast(), 1) == 1
        }
    };
    // SAFETY: the child only passes bytes on, until there are none.
    if unsafe { libc::fork() } == 0 {
        // SAFETY: its own descriptors, and the end of the process.
        unsafe {
            libc::close(there[1]);
            while pass(there[0], back[1]) {}
            libc::_exit(0)
        }
    }
    let begun = Instant::now();
    let mut count = 0;
    // SAFETY: one byte, which goes round from here on.
    unsafe { libc::write(there[1], [1_u8].as_ptr().cast(), 1) };
    while begun.elapsed() < time {
        for _ in 0..100 {
            pass(back[0], there[1]);
        }
        count += 100;
    }
    // SAFETY: its own descriptors; the other process ends when it reads no more.
    unsafe {
        libc::close(there[1]);
        libc::wait(std::ptr::null_mut());
    }
    count
}

fn functions(time: Duration) -> u64 {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        for _ in 0..1000 {
            black_box(latscope_bench_nothing(black_box(count)));
            count += 1;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    count
}
