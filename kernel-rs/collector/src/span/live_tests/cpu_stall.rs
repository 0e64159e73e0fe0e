//! `METRIC_CPU_STALL`.

use std::time::{Duration, Instant};

use super::sessions::{collector, latency, read, unfiltered};
use crate::{
    failure::Reason,
    proto::{CpuStallProbe, EndReason, probe::Kind},
};

fn every(milliseconds: i32) -> Kind {
    Kind::CpuStall(CpuStallProbe {
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: milliseconds * 1_000_000,
        }),
    })
}

#[test]
fn a_timer_fires_on_every_cpu_and_how_late_is_told() {
    let collector = collector();
    let begun = Instant::now();
    let session = collector.start(&unfiltered(every(5))).unwrap();
    let cpus = aya::util::online_cpus().unwrap().len() as u64;
    while session.totals().measured < 20 * cpus {
        assert!(begun.elapsed() < Duration::from_secs(20), "no timer fires");
        std::thread::yield_now();
    }
    session.stop(EndReason::SessionStopped);
    let wall = begun.elapsed();
    let (samples, totals) = read(&session);
    assert_eq!(totals.measured, samples.len() as u64);
    // Each CPU fires once an interval at most, and what it was late is part of the time that passed.
    let most = cpus * (wall.as_millis() as u64 / 5 + 2);
    assert!(samples.len() as u64 <= most, "{} {most}", samples.len());
    let late: Duration = samples.iter().map(latency).sum();
    assert!(late <= wall * cpus as u32, "{late:?} {wall:?}");
    assert!(
        samples
            .iter()
            .all(|it| it.process.is_none() && it.subject.is_empty())
    );
}

#[test]
fn sessions_have_to_agree_on_the_interval() {
    let collector = collector();
    let first = collector.start(&unfiltered(every(5))).unwrap();
    let refused = collector.start(&unfiltered(every(7))).unwrap_err();
    assert_eq!(refused.reason(), Reason::OptionConflict);
    assert!(refused.message().contains("every 5000 us"), "{refused}");
    first.stop(EndReason::SessionStopped);
    collector.start(&unfiltered(every(7))).unwrap();
}
