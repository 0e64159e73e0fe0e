//! The loop that takes frames in, holds them for their delay, and sends them on.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::args::RelayOptions;
use crate::drops::Drops;
use crate::link::{Frame, Link};

/// Frames fetched from one interface before frames that are due get their turn again.
const BURST: usize = 64;

/// One way through the relay. Frames leave in the order they came: the delay is the same for all of them.
struct Way {
    delay: Duration,
    drops: Drops,
    held: VecDeque<(Instant, Frame)>,
    forwarded: u64,
    dropped: u64,
}

impl Way {
    fn take_in(&mut self, from: &mut Link) -> io::Result<()> {
        for _ in 0..BURST {
            let Some(frame) = from.receive()? else { break };
            if self.drops.takes(frame.ethernet()) {
                self.dropped += 1;
            } else {
                self.held.push_back((frame.arrived + self.delay, frame));
            }
        }
        Ok(())
    }

    fn send_due(&mut self, to: &Link) -> io::Result<()> {
        while let Some((due, frame)) = self.held.front() {
            if *due > Instant::now() {
                break;
            }
            to.send(frame)?;
            self.forwarded += 1;
            self.held.pop_front();
        }
        Ok(())
    }

    fn next_due(&self) -> Option<Instant> {
        self.held.front().map(|(due, _)| *due)
    }
}

/// Relays until standard input ends, then prints the counters: frames forwarded, dropped on purpose, and overrun (fetched too
/// late, always 0 in a valid test), each as arrived at the first and at the second interface.
///
/// # Errors
/// An interface that cannot be opened, or that goes away or refuses a frame while relaying.
pub(crate) fn run(options: &RelayOptions) -> io::Result<()> {
    let [name_a, name_b] = &options.interfaces;
    let mut links = [Link::open(name_a)?, Link::open(name_b)?];
    let mut ways = [0, 1].map(|side| Way {
        delay: options.delays[side],
        drops: Drops::new(options.drops[side].clone()),
        held: VecDeque::new(),
        forwarded: 0,
        dropped: 0,
    });
    // Without this the kernel may wake a sleeper 50 us late.
    // SAFETY: no pointers are passed.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
    println!("READY");
    loop {
        let due = ways.iter().filter_map(Way::next_due).min();
        let [frames_a, frames_b, input] =
            wait([links[0].raw(), links[1].raw(), libc::STDIN_FILENO], due)?;
        if input && input_ended()? {
            break;
        }
        for (side, readable) in [frames_a, frames_b].into_iter().enumerate() {
            if readable {
                ways[side].take_in(&mut links[side])?;
            }
        }
        for side in [0, 1] {
            ways[side].send_due(&links[1 - side])?;
        }
    }
    let [there, back] = &ways;
    writeln!(
        io::stdout(),
        r#"{{"forwarded":[{},{}],"dropped":[{},{}],"overrun":[{},{}]}}"#,
        there.forwarded,
        back.forwarded,
        there.dropped,
        back.dropped,
        links[0].overruns()?,
        links[1].overruns()?,
    )
}

/// Waits until one of the descriptors is readable or the time has come; says which are readable.
fn wait<const N: usize>(descriptors: [RawFd; N], until: Option<Instant>) -> io::Result<[bool; N]> {
    let mut polled = descriptors.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        libc::timespec {
            tv_sec: left.as_secs() as libc::time_t,
            tv_nsec: left.subsec_nanos().into(),
        }
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array and the timeout live through the call; no signal mask is passed.
    let ready = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            N as libc::nfds_t,
            timeout,
            std::ptr::null(),
        )
    };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok([false; N]);
    }
    Ok(polled.map(|one| one.revents != 0))
}

fn input_ended() -> io::Result<bool> {
    let mut scratch = [0_u8; 256];
    // SAFETY: the buffer lives through the call.
    let read = unsafe {
        libc::read(
            libc::STDIN_FILENO,
            scratch.as_mut_ptr().cast(),
            scratch.len(),
        )
    };
    if read < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(read == 0)
    }
}
