//! `METRIC_RUN_QUEUE` and `METRIC_OFF_CPU`.

use std::time::{Duration, Instant};

use super::{
    child::{Child, pin, sleep},
    sessions::{collector, latency, read, spec},
};
use crate::proto::{EndReason, OffCpuProbe, RunQueueProbe, Sample, probe::Kind};

const NAP: Duration = Duration::from_millis(30);

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn sum(samples: &[Sample], pid: u32) -> Duration {
    let mine = |it: &&Sample| it.process.as_ref().is_some_and(|it| it.pid == pid);
    samples.iter().filter(mine).map(latency).sum()
}

#[test]
fn rule_25_off_the_cpu_is_as_long_as_the_sleep() {
    let collector = collector();
    let mut child = Child::new(|| (0..4).for_each(|_| sleep(NAP)));
    let session = collector
        .start(&spec(Kind::OffCpu(OffCpuProbe::default()), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    let naps = samples.iter().filter(|it| latency(it) >= NAP).count();
    assert!(naps >= 4, "{samples:?}");
    assert_eq!(totals.measured, samples.len() as u64);
}

/// Two that only compute share a CPU: each waits about as long as the other runs.
#[test]
fn rule_25_who_is_preempted_waits_for_the_other() {
    const LONG: Duration = Duration::from_millis(200);
    let collector = collector();
    let act = || {
        pin(0);
        spin(LONG);
    };
    let mut children = [Child::new(act), Child::new(act)];
    let pids = [children[0].pid, children[1].pid];
    let session = collector
        .start(&spec(Kind::RunQueue(RunQueueProbe {}), &pids))
        .unwrap();
    let begun = Instant::now();
    let [one, other] = &mut children;
    one.go();
    other.go();
    one.wait();
    other.wait();
    let wall = begun.elapsed();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    // They computed by the clock: while one did the other could not, but for the turns before and after.
    let waited = sum(&samples, pids[0]) + sum(&samples, pids[1]);
    assert!(waited >= LONG / 2, "{waited:?} {samples:?}");
    assert!(waited <= 2 * wall, "{waited:?} {wall:?}");
    assert_eq!(totals.measured, samples.len() as u64);
    for sample in &samples {
        assert!(sample.process.as_ref().is_some_and(|it| it.tid != 0));
    }
}

/// What it waits for the CPU once it is woken has nothing to do with how long it slept.
#[test]
fn rule_25_sleeping_is_not_waiting() {
    const LONG: Duration = Duration::from_millis(150);
    let collector = collector();
    let mut child = Child::new(|| (0..5).for_each(|_| sleep(LONG)));
    let session = collector
        .start(&spec(Kind::RunQueue(RunQueueProbe {}), &[child.pid]))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, _) = read(&session);
    let mut all: Vec<Duration> = samples.iter().map(latency).collect();
    assert!(all.len() >= 5, "{all:?}");
    all.sort_unstable();
    // One in two, for this machine may be busy.
    assert!(all[all.len() / 2] < LONG, "{all:?}");
}
