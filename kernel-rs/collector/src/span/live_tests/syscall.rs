//! `METRIC_SYSCALL`: calls of known length and outcome.

use std::time::{Duration, Instant};

use super::{
    child::{Child, sleep},
    sessions::{collector, latency, read, spec},
};
use crate::proto::{EndReason, SyscallProbe, probe::Kind};

const NAP: Duration = Duration::from_millis(20);
/// What a busy machine may add.
const LATE: Duration = Duration::from_millis(400);

fn syscalls(names: &[&str], failed_only: bool) -> Kind {
    Kind::Syscall(SyscallProbe {
        names: names.iter().map(|it| (*it).to_owned()).collect(),
        failed_only,
    })
}

#[test]
fn rule_25_a_sleep_lasts_as_long_as_it_was_asked_to() {
    let collector = collector();
    let mut child = Child::new(|| (0..5).for_each(|_| sleep(NAP)));
    let session = collector
        .start(&spec(syscalls(&["clock_nanosleep"], false), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!(samples.len(), 5, "{samples:?}");
    for sample in &samples {
        assert!((NAP..NAP + LATE).contains(&latency(sample)), "{sample:?}");
        assert_eq!((&*sample.subject, sample.result), ("clock_nanosleep", 0));
        let process = sample.process.as_ref().unwrap();
        assert_eq!((process.pid, process.tid), (child.pid, child.pid));
        assert!(process.cgroup_path.starts_with('/'), "{process:?}");
    }
    assert_eq!((totals.measured, totals.in_flight), (5, 0));
    assert_eq!(totals.losses, []);
}

#[test]
fn only_what_failed_with_its_errno() {
    let collector = collector();
    let mut child = Child::new(|| {
        // SAFETY: a path that ends with NUL.
        unsafe {
            libc::syscall(libc::SYS_openat, -100, c"/no/such/file".as_ptr(), 0);
            let fd = libc::syscall(libc::SYS_openat, -100, c"/dev/null".as_ptr(), 0);
            libc::syscall(
                libc::SYS_openat,
                -100,
                c"/dev/null".as_ptr(),
                libc::O_DIRECTORY,
            );
            libc::close(fd as i32);
        }
    });
    let session = collector
        .start(&spec(syscalls(&["openat"], true), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    let results: Vec<i64> = samples.iter().map(|it| it.result).collect();
    assert_eq!(results, [i64::from(libc::ENOENT), i64::from(libc::ENOTDIR)]);
    assert_eq!(totals.measured, 2);
}

/// A partner wakes it: the call lasts as long as the partner lets it.
#[test]
fn rule_25_a_wait_for_a_partner_lasts_as_long_as_that_takes() {
    let collector = collector();
    let mut pipe = [0; 2];
    // SAFETY: an array of two.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let mut child = Child::new(|| {
        let mut wait = libc::pollfd {
            fd: pipe[0],
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry.
        unsafe { libc::syscall(libc::SYS_poll, &raw mut wait, 1, -1) };
    });
    let session = collector
        .start(&spec(syscalls(&["poll"], false), &[child.pid]))
        .unwrap();
    child.go();
    child.wait_until_it_is_in(libc::SYS_poll);
    let begun = Instant::now();
    sleep(NAP);
    // SAFETY: one byte.
    let written = unsafe { libc::write(pipe[1], [1_u8].as_ptr().cast(), 1) };
    assert_eq!(written, 1);
    child.wait();
    let most = begun.elapsed() + LATE;
    session.stop(EndReason::SessionStopped);
    // SAFETY: its own.
    let _ = pipe.map(|it| unsafe { libc::close(it) });
    let (samples, _) = read(&session);
    assert_eq!(samples.len(), 1, "{samples:?}");
    assert!((NAP..most).contains(&latency(&samples[0])), "{samples:?}");
    assert_eq!(samples[0].result, 0);
}

#[test]
fn rule_25_hundreds_of_threads_at_once_each_have_their_own() {
    const THREADS: usize = 300;
    let collector = collector();
    let mut child = Child::new(|| {
        let all: Vec<_> = (0..THREADS)
            .map(|_| std::thread::spawn(|| sleep(NAP)))
            .collect();
        for it in all {
            it.join().unwrap();
        }
    });
    let session = collector
        .start(&spec(syscalls(&["clock_nanosleep"], false), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (THREADS, THREADS as u64));
    let mut threads: Vec<u32> = samples
        .iter()
        .map(|it| it.process.as_ref().unwrap().tid)
        .collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), THREADS);
    assert!(samples.iter().all(|it| latency(it) >= NAP));
}

#[test]
fn rule_25_who_dies_inside_the_span_ends_nothing_later() {
    let collector = collector();
    // Killed while it sleeps; another process with as many naps lives.
    let mut dies = Child::new(|| sleep(Duration::from_secs(60)));
    let mut lives = Child::new(|| sleep(NAP));
    let session = collector
        .start(&spec(
            syscalls(&["clock_nanosleep"], false),
            &[dies.pid, lives.pid],
        ))
        .unwrap();
    dies.go();
    dies.wait_until_it_is_in(libc::SYS_clock_nanosleep);
    dies.kill();
    lives.run();
    session.stop(EndReason::SessionStopped);
    let (samples, _) = read(&session);
    // The killed call is left on the way out, interrupted; nothing lasts a minute.
    for sample in &samples {
        let killed = sample.process.as_ref().unwrap().pid == dies.pid;
        assert_eq!(
            sample.result,
            if killed { i64::from(libc::EINTR) } else { 0 }
        );
        assert!(latency(sample) < Duration::from_secs(30), "{sample:?}");
    }
    assert!(
        samples
            .iter()
            .any(|it| it.process.as_ref().unwrap().pid == lives.pid)
    );
}

#[test]
fn a_name_that_is_no_call_is_refused_with_its_path() {
    let refused = collector()
        .start(&spec(syscalls(&["openat", "openatt"], false), &[1]))
        .unwrap_err();
    assert_eq!(
        refused.violations()[0].field,
        "spec.probes[0].syscall.names[1]"
    );
}
