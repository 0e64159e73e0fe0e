//! `METRIC_USER_FUNCTION`: functions of known length, in this very program.

use std::time::{Duration, Instant};

use super::{
    child::{Child, pin, sleep},
    sessions::{collector, latency, read, spec},
};
use crate::{
    failure::Reason,
    proto::{EndReason, SessionState, UserFunctionProbe, probe::Kind, user_function_probe::Target},
    span::target::CALLS_A_SECOND,
};

const NAP: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_millis(400);

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn latscope_test_nap() -> u32 {
    sleep(NAP);
    std::hint::black_box(1)
}

/// Begins on one CPU and ends on another, where there are two.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn latscope_test_move() -> u32 {
    pin(0);
    sleep(NAP);
    pin(1);
    sleep(NAP);
    std::hint::black_box(1)
}

/// Two processes leave what one entered.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn latscope_test_fork() -> libc::pid_t {
    // SAFETY: the child only returns and ends.
    let child = unsafe { libc::fork() };
    sleep(NAP);
    std::hint::black_box(child)
}

/// Calls itself: the outermost is the longest.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn latscope_test_recurse(depth: u32) -> u32 {
    sleep(NAP);
    if depth > 1 {
        std::hint::black_box(latscope_test_recurse(depth - 1)) + 1
    } else {
        1
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn latscope_test_nothing(n: u32) -> u32 {
    std::hint::black_box(n)
}

/// Ends the process from a signal, whatever function it is in then.
fn leave_soon() {
    unsafe extern "C" fn leave(_: i32) {
        // SAFETY: a system call.
        unsafe { libc::_exit(0) }
    }
    let never = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let once = libc::itimerval {
        it_interval: never,
        it_value: libc::timeval {
            tv_usec: 2000,
            ..never
        },
    };
    // SAFETY: the handler makes a system call only.
    unsafe {
        libc::signal(libc::SIGALRM, leave as *const () as usize);
        libc::setitimer(libc::ITIMER_REAL, &raw const once, std::ptr::null_mut());
    }
}

pub(super) fn function(symbol: &str) -> Kind {
    Kind::UserFunction(UserFunctionProbe {
        binary: std::env::current_exe().unwrap().to_str().unwrap().into(),
        target: Some(Target::Symbol(symbol.into())),
        pid: 0,
    })
}

#[test]
fn rule_25_a_function_lasts_as_long_as_it_sleeps() {
    let collector = collector();
    let mut child = Child::new(|| {
        for _ in 0..4 {
            latscope_test_nap();
        }
    });
    let session = collector
        .start(&spec(function("latscope_test_nap"), &[child.pid]))
        .unwrap();
    child.run();
    let programs = session.stats().unwrap().programs;
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (4, 4), "{totals:?}");
    // What the traps cost is in no statistics of the kernel's: it was measured when the first function was.
    for (program, traps) in [
        ("latscope_call", true),
        ("latscope_return", true),
        ("latscope_exit", false),
    ] {
        let program = programs.iter().find(|it| it.name == program).unwrap();
        let trap = program.trap_time.map(|it| Duration::try_from(it).unwrap());
        assert_eq!(
            trap.is_some_and(|it| it > Duration::ZERO),
            traps,
            "{program:?}"
        );
    }
    for sample in &samples {
        assert!((NAP..NAP + LATE).contains(&latency(sample)), "{sample:?}");
        assert_eq!(sample.subject, "latscope_test_nap");
    }
}

#[test]
fn rule_25_each_call_of_a_recursion_is_its_own() {
    const DEPTH: u32 = 5;
    let collector = collector();
    let mut child = Child::new(|| {
        latscope_test_recurse(DEPTH);
    });
    let session = collector
        .start(&spec(function("latscope_test_recurse"), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, _) = read(&session);
    let latencies: Vec<Duration> = samples.iter().map(latency).collect();
    assert_eq!(latencies.len() as u32, DEPTH, "{latencies:?}");
    // The innermost returns first, and each holds those inside it.
    for (n, latency) in latencies.iter().enumerate() {
        assert!(*latency >= NAP * (n as u32 + 1), "{n} {latencies:?}");
    }
}

#[test]
fn rule_25_who_dies_inside_a_function_is_told_to_have_no_end() {
    let collector = collector();
    let mut child = Child::new(|| {
        latscope_test_nap();
        leave_soon();
        latscope_test_nap();
    });
    let session = collector
        .start(&spec(function("latscope_test_nap"), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (1, 1));
    let unmatched: u64 = totals.refusals.iter().map(|it| it.count).sum();
    assert_eq!(unmatched, 1, "{totals:?}");
}

#[test]
fn rule_25_threads_call_at_once_and_each_return_is_its_own() {
    const THREADS: usize = 300;
    let collector = collector();
    let mut child = Child::new(|| {
        let all: Vec<_> = (0..THREADS)
            .map(|_| std::thread::spawn(|| latscope_test_nap()))
            .collect();
        for it in all {
            it.join().unwrap();
        }
    });
    let session = collector
        .start(&spec(function("latscope_test_nap"), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (THREADS, THREADS as u64));
    assert!(samples.iter().all(|it| latency(it) >= NAP));
}

#[test]
fn rule_25_a_span_that_moves_to_another_cpu_is_one_span() {
    let collector = collector();
    let mut child = Child::new(|| {
        latscope_test_move();
    });
    let session = collector
        .start(&spec(function("latscope_test_move"), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (1, 1));
    assert!(
        (2 * NAP..2 * NAP + LATE).contains(&latency(&samples[0])),
        "{samples:?}"
    );
}

#[test]
fn rule_25_who_was_forked_inside_a_span_ends_nothing() {
    let collector = collector();
    let mut child = Child::new(|| {
        if latscope_test_fork() == 0 {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(0) }
        }
        // SAFETY: nothing is written.
        unsafe { libc::wait(std::ptr::null_mut()) };
    });
    let mut everybody = spec(function("latscope_test_fork"), &[]);
    everybody.filters.clear();
    let session = collector.start(&everybody).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (1, 1), "{samples:?}");
    assert_eq!(samples[0].process.as_ref().unwrap().pid, child.pid);
    assert!(
        (NAP..NAP + LATE).contains(&latency(&samples[0])),
        "{samples:?}"
    );
}

#[test]
fn a_function_called_too_often_is_left_alone_and_that_is_told() {
    const LONG: Duration = Duration::from_secs(4);
    let collector = collector();
    let mut pipe = [0; 2];
    // SAFETY: an array of two.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let mut child = Child::new(|| {
        let begun = Instant::now();
        let mut n = 0;
        while begun.elapsed() < LONG {
            n = latscope_test_nothing(n) + 1;
        }
        // SAFETY: four bytes.
        unsafe { libc::write(pipe[1], (&raw const n).cast(), 4) };
    });
    let session = collector
        .start(&spec(function("latscope_test_nothing"), &[child.pid]))
        .unwrap();
    child.run();
    let mut calls = 0_u32;
    // SAFETY: room for four bytes.
    let read = unsafe { libc::read(pipe[0], (&raw mut calls).cast(), 4) };
    // SAFETY: its own.
    let _ = pipe.map(|it| unsafe { libc::close(it) });
    assert_eq!(read, 4);
    let (probes, state, reason) = session.probes();
    session.stop(EndReason::SessionStopped);
    // A machine that is too slow to call so often has nothing to be spared from; once let go it is called far more often.
    let bound = CALLS_A_SECOND * LONG.as_secs();
    if state == SessionState::Degraded {
        assert!(u64::from(calls) > bound, "{calls}");
        assert!(
            reason.contains("latscope_test_nothing is called more than"),
            "{reason}"
        );
        assert!(!probes[0].attached);
    } else {
        assert!(u64::from(calls) < 2 * bound, "{calls}");
    }
}

#[test]
fn what_is_not_there_is_refused_by_its_path() {
    let refused = collector()
        .start(&spec(function("latscope_no_such_function"), &[1]))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::FieldInvalid);
    assert_eq!(
        refused.violations()[0].field,
        "spec.probes[0].user_function.symbol"
    );
}
