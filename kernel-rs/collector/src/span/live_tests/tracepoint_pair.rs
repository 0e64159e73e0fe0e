//! `METRIC_TRACEPOINT_PAIR`: real tracepoints, fired by a child.

use std::time::Duration;

use super::{
    child::{Child, sleep},
    disk::{BLOCKS, Disk},
    sessions::{collector, latency, read, spec, unfiltered},
};
use crate::{
    failure::Reason,
    proto::{
        EndReason, KeyField, Refusal, RefusalReason, Totals, TracepointPairProbe, probe::Kind,
    },
};

const NAP: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_millis(400);

fn pair(start: &str, end: &str, keys: &[(&str, &str)]) -> Kind {
    Kind::TracepointPair(TracepointPairProbe {
        start: start.into(),
        end: end.into(),
        key_fields: keys
            .iter()
            .map(|(start, end)| KeyField {
                start: (*start).into(),
                end: (*end).into(),
            })
            .collect(),
    })
}

fn unmatched(totals: &Totals) -> u64 {
    let refused = |it: &&Refusal| it.reason() == RefusalReason::UnmatchedStart;
    totals
        .refusals
        .iter()
        .find(refused)
        .map_or(0, |it| it.count)
}

fn system_call(number: libc::c_long, argument: libc::c_long) {
    // SAFETY: the calls of these tests take numbers only.
    unsafe { libc::syscall(number, argument) };
}

#[test]
fn rule_25_a_process_is_followed_from_its_fork_to_its_exit_by_its_number() {
    let mut child = Child::new(|| {
        for _ in 0..3 {
            // SAFETY: the grandchild sleeps and ends.
            unsafe {
                if libc::fork() == 0 {
                    sleep(NAP);
                    libc::_exit(0);
                }
                libc::wait(std::ptr::null_mut());
            }
        }
    });
    let collector = collector();
    let (fork, exit) = ("sched:sched_process_fork", "sched:sched_process_exit");
    let session = collector
        .start(&spec(
            pair(fork, exit, &[("child_pid", "pid")]),
            &[child.pid],
        ))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (3, 3), "{totals:?}");
    for sample in &samples {
        assert!((NAP..NAP + LATE).contains(&latency(sample)), "{sample:?}");
        assert_eq!(sample.subject, format!("{fork}-{exit}"));
        // In whose context it began.
        assert_eq!(sample.process.as_ref().unwrap().pid, child.pid);
    }
    assert_eq!((totals.losses, totals.refusals), (vec![], vec![]));
}

#[test]
fn rule_25_without_a_key_a_pair_is_of_one_thread() {
    const THREADS: usize = 30;
    let mut child = Child::new(|| {
        let all: Vec<_> = (0..THREADS)
            .map(|_| std::thread::spawn(|| sleep(NAP)))
            .collect();
        for it in all {
            it.join().unwrap();
        }
    });
    let collector = collector();
    let (enter, exit) = ("raw_syscalls:sys_enter", "raw_syscalls:sys_exit");
    let session = collector
        .start(&spec(pair(enter, exit, &[]), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    let naps: Vec<_> = samples.iter().filter(|it| latency(it) >= NAP).collect();
    let mut threads: Vec<u32> = naps
        .iter()
        .map(|it| it.process.as_ref().unwrap().tid)
        .filter(|it| *it != child.pid)
        .collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), THREADS, "{naps:?}");
    assert!(naps.iter().all(|it| latency(it) < NAP + LATE), "{naps:?}");
    // Whoever ends in exit or exit_group has begun what has no end.
    assert_eq!(unmatched(&totals), THREADS as u64 + 1);
}

#[test]
fn rule_25_a_start_that_another_replaces_is_told_to_have_no_end() {
    const CALLS: u64 = 20;
    let mut child = Child::new(|| {
        for _ in 0..CALLS {
            system_call(libc::SYS_getpid, 0);
        }
    });
    child.wait_until_it_is_in(libc::SYS_read);
    let collector = collector();
    let kind = pair("raw_syscalls:sys_enter", "sched:sched_process_exec", &[]);
    let session = collector.start(&spec(kind, &[child.pid])).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (0, 0));
    // And the last, exit_group, with the thread.
    assert_eq!(unmatched(&totals), CALLS + 1, "{totals:?}");
}

#[test]
fn what_a_full_table_forgets_is_told_and_the_latest_is_kept() {
    const CALLS: i64 = 30_000;
    const ROOM: u64 = 8192;
    let mut child = Child::new(|| {
        for n in 0..CALLS {
            system_call(libc::SYS_close, 100_000 + n);
        }
        system_call(libc::SYS_dup, 100_000 + CALLS - 1);
    });
    let collector = collector();
    let kind = pair(
        "syscalls:sys_enter_close",
        "syscalls:sys_enter_dup",
        &[("fd", "fildes")],
    );
    let session = collector.start(&spec(kind, &[child.pid])).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (1, 1), "{totals:?}");
    let gone = CALLS as u64 - 1 - ROOM..CALLS as u64;
    assert!(gone.contains(&unmatched(&totals)), "{totals:?}");
}

#[test]
fn sessions_that_share_a_tracepoint_have_each_its_own_pairs() {
    const CALLS: usize = 12;
    let mut child = Child::new(|| {
        for _ in 0..CALLS {
            system_call(libc::SYS_getpid, 0);
            system_call(libc::SYS_getppid, 0);
        }
    });
    child.wait_until_it_is_in(libc::SYS_read);
    let collector = collector();
    let (first, second) = ("syscalls:sys_enter_getpid", "syscalls:sys_enter_getppid");
    let kinds = [
        (pair(first, second, &[]), CALLS),
        (pair(first, second, &[]), CALLS),
        (pair(second, first, &[]), CALLS - 1),
        // From one to the next.
        (pair(first, first, &[]), CALLS - 1),
    ];
    let sessions: Vec<_> = kinds
        .into_iter()
        .map(|(kind, count)| {
            let session = collector.start(&spec(kind, &[child.pid])).unwrap();
            (session, count)
        })
        .collect();
    child.run();
    for (session, count) in sessions {
        session.stop(EndReason::SessionStopped);
        let (samples, totals) = read(&session);
        assert_eq!((samples.len(), totals.measured), (count, count as u64));
        assert!(samples.iter().all(|it| latency(it) < LATE), "{samples:?}");
    }
}

#[test]
fn rule_26_an_interrupt_is_nobodys() {
    let mut child = Child::new(|| {
        let begun = std::time::Instant::now();
        while begun.elapsed() < 5 * NAP {}
    });
    let collector = collector();
    let kind = pair("irq:softirq_entry", "irq:softirq_exit", &[]);
    let session = collector.start(&unfiltered(kind)).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, _) = read(&session);
    assert!(samples.iter().any(|it| it.process.is_none()));
    for process in samples.iter().filter_map(|it| it.process.as_ref()) {
        assert!(process.comm.starts_with("ksoftirqd"), "{process:?}");
    }
}

#[test]
fn requests_of_a_disk_are_told_apart_by_disk_and_sector() {
    let disk = Disk::new();
    let mut child = Child::new(|| disk.read_all());
    let collector = collector();
    let kind = pair(
        "block:block_rq_issue",
        "block:block_rq_complete",
        &[("dev", ""), ("sector", "sector")],
    );
    let session = collector.start(&spec(kind, &[child.pid])).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!(samples.len() as u64, BLOCKS, "{totals:?}");
    assert!(
        samples
            .iter()
            .all(|it| latency(it) < Duration::from_secs(5))
    );
}

#[test]
fn what_is_not_there_is_refused_by_its_path_and_nothing_is_attached() {
    let collector = collector();
    let refused = collector
        .start(&unfiltered(pair(
            "sched:nothing",
            "sched:sched_switch",
            &[("a", "b")],
        )))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::FieldInvalid);
    assert_eq!(
        refused.violations()[0].field,
        "spec.probes[0].tracepoint_pair.start"
    );
}
