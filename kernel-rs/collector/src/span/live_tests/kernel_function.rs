//! `METRIC_KERNEL_FUNCTION`: functions whose length is known, on kernels that let them be probed.

use std::{net::TcpListener, path::Path, time::Duration};

use super::{
    child::{Child, sleep},
    sessions::{collector, latency, read, spec, unfiltered},
};
use crate::{
    failure::Reason,
    proto::{EndReason, KernelFunctionProbe, Probe, Sample, SessionSpec, Totals, probe::Kind},
    span::anchor::only_kprobes,
};

const NAP: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_millis(400);

/// Whether this kernel has kprobes; where it has, fentry is expected too.
pub(super) fn kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe").exists()
}

/// Says which capability a test was skipped for.
fn skipped() -> bool {
    if !kprobes() {
        println!(
            "skipped: this kernel has no kprobes (CONFIG_KPROBES), and the host lets nobody load fentry"
        );
    }
    !kprobes()
}

fn function(symbol: &str) -> Kind {
    Kind::KernelFunction(KernelFunctionProbe {
        symbol: symbol.into(),
    })
}

/// What a child's naps give in these functions, and by which hook.
fn naps(symbols: &[&str], count: u32, threads: usize) -> (Vec<Sample>, Totals, String) {
    let collector = collector();
    let mut child = Child::new(|| {
        let nap = || (0..count).for_each(|_| sleep(NAP));
        if threads == 1 {
            return nap();
        }
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(nap);
            }
        });
    });
    let one = spec(function(symbols[0]), &[child.pid]);
    let probe = |it: &&str| Probe {
        kind: Some(function(it)),
        timeout: None,
    };
    let session = collector
        .start(&SessionSpec {
            probes: symbols.iter().map(probe).collect(),
            ..one
        })
        .unwrap();
    let (probes, ..) = session.probes();
    let hook = probes[0].capability.as_ref().unwrap().hook.clone();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    (samples, totals, hook)
}

#[test]
fn a_kernel_that_lets_nobody_probe_says_so_and_what_to_do() {
    if kprobes() {
        return;
    }
    let refused = collector()
        .start(&unfiltered(function("vfs_read")))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::HookUnavailable);
    let told = refused.message();
    for part in [
        "METRIC_KERNEL_FUNCTION cannot be measured here",
        "fentry: Operation not permitted",
        "CONFIG_KPROBES",
        "METRIC_TRACEPOINT_PAIR",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_is_no_function_is_refused_by_its_path() {
    let refused = collector()
        .start(&unfiltered(function("latscope_nothing")))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::FieldInvalid);
    assert_eq!(
        refused.violations()[0].field,
        "spec.probes[0].kernel_function.symbol"
    );
}

#[test]
fn rule_25_a_function_of_the_kernel_lasts_as_long_as_it_sleeps() {
    if skipped() {
        return;
    }
    for hook in ["fentry", "kprobe"] {
        only_kprobes(hook == "kprobe");
        let (samples, totals, by) = naps(&["hrtimer_nanosleep"], 4, 1);
        assert_eq!(by, hook);
        assert_eq!((samples.len(), totals.measured), (4, 4), "{totals:?}");
        for sample in &samples {
            assert!((NAP..NAP + LATE).contains(&latency(sample)), "{sample:?}");
            assert_eq!(sample.subject, "hrtimer_nanosleep");
        }
        assert_eq!((totals.losses, totals.refusals), (vec![], vec![]));
    }
    only_kprobes(false);
}

#[test]
fn rule_25_one_function_inside_another_is_no_longer() {
    if skipped() {
        return;
    }
    for hook in ["fentry", "kprobe"] {
        only_kprobes(hook == "kprobe");
        let (samples, ..) = naps(&["hrtimer_nanosleep", "do_nanosleep"], 4, 1);
        let of = |name: &str| {
            let all = samples.iter().filter(|it| it.subject == name);
            all.map(latency).collect::<Vec<_>>()
        };
        let (outer, inner) = (of("hrtimer_nanosleep"), of("do_nanosleep"));
        assert_eq!((outer.len(), inner.len()), (4, 4), "{samples:?}");
        for (outer, inner) in outer.iter().zip(&inner) {
            assert!(inner >= &NAP && inner <= outer, "{inner:?} {outer:?}");
        }
    }
    only_kprobes(false);
}

#[test]
fn rule_25_threads_that_are_in_a_function_at_once_end_each_their_own() {
    const THREADS: usize = 50;
    if skipped() {
        return;
    }
    let (samples, totals, _) = naps(&["hrtimer_nanosleep"], 1, THREADS);
    assert_eq!(samples.len(), THREADS, "{totals:?}");
    assert!(samples.iter().all(|it| latency(it) >= NAP));
    // A kretprobe watches some returns at once: those that it misses are told.
    only_kprobes(true);
    let (samples, totals, _) = naps(&["hrtimer_nanosleep"], 1, THREADS);
    only_kprobes(false);
    assert!(samples.iter().all(|it| latency(it) >= NAP));
    let refused: u64 = totals.refusals.iter().map(|it| it.count).sum();
    assert_eq!(totals.measured + refused, THREADS as u64, "{totals:?}");
}

#[test]
fn rule_25_each_call_of_a_kernel_recursion_is_its_own() {
    const DEPTH: usize = 4;
    if skipped() {
        return;
    }
    let collector = collector();
    // Some compilers change its arguments, and with them its name.
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let mut names = symbols.lines().filter_map(|it| it.split(' ').nth(2));
    let recursive = names
        .find(|it| it.starts_with("__ep_eventpoll_poll"))
        .unwrap();
    // Each waits for the one before, the first for something that is there.
    // SAFETY: descriptors of its own, that end with the process.
    let (outermost, nested) = unsafe {
        let mut inner = libc::eventfd(1, libc::EFD_CLOEXEC);
        let mut all = vec![inner];
        for _ in 0..DEPTH {
            let outer = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            let mut event = libc::epoll_event {
                events: libc::EPOLLIN as u32,
                u64: 0,
            };
            assert_eq!(
                libc::epoll_ctl(outer, libc::EPOLL_CTL_ADD, inner, &raw mut event),
                0
            );
            all.push(outer);
            inner = outer;
        }
        (inner, all)
    };
    for only in [false, true] {
        only_kprobes(only);
        let mut child = Child::new(|| {
            let mut wait = libc::pollfd {
                fd: outermost,
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: one descriptor.
            unsafe { libc::poll(&raw mut wait, 1, 0) };
        });
        let session = collector
            .start(&spec(function(recursive), &[child.pid]))
            .unwrap();
        child.run();
        session.stop(EndReason::SessionStopped);
        let (samples, totals) = read(&session);
        let latencies: Vec<Duration> = samples.iter().map(latency).collect();
        // The innermost returns first, and each holds those inside it.
        assert_eq!(latencies.len(), DEPTH, "{totals:?}");
        assert!(latencies.is_sorted(), "{latencies:?}");
        assert_eq!(totals.refusals, vec![]);
    }
    only_kprobes(false);
    for fd in nested {
        // SAFETY: its own.
        unsafe { libc::close(fd) };
    }
}

#[test]
fn rule_26_what_an_interrupt_calls_is_nobodys() {
    if skipped() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut child = Child::new(|| drop(std::net::TcpStream::connect(to)));
    for only in [false, true] {
        only_kprobes(only);
        let collector = collector();
        let session = collector
            .start(&unfiltered(function("tcp_v4_rcv")))
            .unwrap();
        if only {
            drop(std::net::TcpStream::connect(to));
        } else {
            child.run();
        }
        session.stop(EndReason::SessionStopped);
        let (samples, totals) = read(&session);
        assert!(samples.len() >= 3, "{totals:?}");
        for process in samples.iter().filter_map(|it| it.process.as_ref()) {
            assert!(process.comm.starts_with("ksoftirqd"), "{process:?}");
        }
    }
    only_kprobes(false);
}
