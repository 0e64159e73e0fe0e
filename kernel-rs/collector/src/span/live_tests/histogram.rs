//! Histograms that the kernel counts, against the samples of the same spans.

use std::{collections::BTreeMap, time::Duration};

use super::{
    child::{Child, sleep},
    sessions::{collector, latency, read, spec},
};
use crate::{
    histogram::Histogram,
    proto::{EndReason, Group, GroupBy, Sample, SyscallProbe, probe::Kind},
    testing::trimmed,
};

fn all_calls() -> Kind {
    Kind::Syscall(SyscallProbe::default())
}

fn of_samples(samples: &[Sample]) -> Histogram {
    let mut histogram = Histogram::new(3);
    for sample in samples {
        histogram.record(latency(sample).as_nanos() as u64);
    }
    histogram
}

#[test]
fn rule_28_the_kernel_counts_what_the_samples_show() {
    let collector = collector();
    let mut child = Child::new(|| {
        for _ in 0..3000 {
            // SAFETY: takes nothing.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
        sleep(Duration::from_millis(3));
    });
    let session = collector.start(&spec(all_calls(), &[child.pid])).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let histograms = session.histograms().unwrap();
    let (samples, totals) = read(&session);
    assert!(samples.len() > 3000, "{totals:?}");
    assert_eq!(totals.measured, samples.len() as u64);
    let [(group, counted)] = &histograms[..] else {
        panic!("{histograms:?}");
    };
    assert_eq!((group.keys.len(), group.other), (0, false));
    assert_eq!(trimmed(counted), trimmed(&of_samples(&samples)));
}

#[test]
fn groups_are_told_apart_by_subject_and_name() {
    let collector = collector();
    let mut child = Child::new(|| {
        for _ in 0..7 {
            // SAFETY: takes nothing.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
        (0..3).for_each(|_| sleep(Duration::from_millis(1)));
    });
    let mut spec = spec(all_calls(), &[child.pid]);
    spec.collection.get_or_insert_default().group_by =
        vec![GroupBy::Subject as i32, GroupBy::Comm as i32];
    spec.collection.get_or_insert_default().histograms_only = true;
    let session = collector.start(&spec).unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    let counts: BTreeMap<String, u64> = session
        .histograms()
        .unwrap()
        .into_iter()
        .map(|(Group { keys, .. }, histogram)| {
            assert_eq!(keys["comm"], comm.trim_end());
            (keys["subject"].clone(), histogram.count())
        })
        .collect();
    assert_eq!((counts["getppid"], counts["clock_nanosleep"]), (7, 3));
    let (samples, totals) = read(&session);
    assert_eq!(samples, []);
    assert_eq!(totals.aggregated_only, totals.measured);
    assert_eq!(totals.measured, counts.values().sum::<u64>());
}

#[test]
fn sessions_of_the_same_spans_count_alike_whatever_they_group_by() {
    let collector = collector();
    let mut child = Child::new(|| {
        for _ in 0..500 {
            // SAFETY: takes nothing.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
    });
    let plain = spec(all_calls(), &[child.pid]);
    let mut grouped = plain.clone();
    grouped.collection.get_or_insert_default().group_by = vec![GroupBy::Subject as i32];
    let sessions = [plain, grouped].map(|it| collector.start(&it).unwrap());
    child.run();
    let sums = sessions.map(|session| {
        session.stop(EndReason::SessionStopped);
        let mut sum = Histogram::new(3);
        for (_, histogram) in session.histograms().unwrap() {
            sum.merge(&histogram);
        }
        assert_eq!(sum.count(), session.totals().measured);
        trimmed(&sum)
    });
    assert_eq!(sums[0].count, 500);
    assert_eq!(sums[0], sums[1]);
}
