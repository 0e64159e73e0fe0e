//! Filters by process, name and cgroup, and groups by name, cgroup and subject: every metric of a task honours them in the kernel.

use super::{
    child::Child,
    filters::{Cgroup, name_itself},
    sessions::{collector, latency, read, unfiltered},
    user_function::{function, latscope_test_nap},
};
use crate::proto::{
    EndReason, Filter, GroupBy, OffCpuProbe, RunQueueProbe, SessionSpec, SyscallProbe, probe::Kind,
};

const NAME: &str = "latscope-f";

/// Every metric that has a task of its own, and its subject when the task sleeps.
fn kinds() -> [(Kind, Option<&'static str>); 4] {
    let syscall = SyscallProbe {
        names: vec!["clock_nanosleep".into()],
        failed_only: false,
    };
    [
        (Kind::Syscall(syscall), Some("clock_nanosleep")),
        (Kind::RunQueue(RunQueueProbe {}), None),
        (Kind::OffCpu(OffCpuProbe::default()), None),
        (function("latscope_test_nap"), Some("latscope_test_nap")),
    ]
}

fn grouped(kind: &Kind, filter: Filter) -> SessionSpec {
    let mut spec = SessionSpec {
        filters: vec![filter],
        ..unfiltered(kind.clone())
    };
    let mut keys = vec![GroupBy::Comm, GroupBy::Cgroup];
    if matches!(kind, Kind::Syscall(_) | Kind::UserFunction(_)) {
        keys.push(GroupBy::Subject);
    }
    spec.collection.get_or_insert_default().group_by = keys.iter().map(|it| *it as i32).collect();
    spec
}

#[test]
fn every_metric_of_a_task_honours_every_filter_and_every_group() {
    const NAPS: usize = 5;
    let cgroup = Cgroup::new("everywhere");
    let below = format!("{}/below", cgroup.path());
    for (kind, subject) in kinds() {
        let nap = || {
            for _ in 0..NAPS {
                latscope_test_nap();
            }
        };
        let mut child = Child::new(|| {
            name_itself(NAME);
            nap();
        });
        let mut other = Child::new(nap);
        cgroup.take(&child, "below");
        let filters = [
            Filter {
                pids: vec![child.pid],
                ..Filter::default()
            },
            Filter {
                comms: vec![NAME.into()],
                ..Filter::default()
            },
            Filter {
                cgroup_paths: vec![cgroup.path()],
                ..Filter::default()
            },
        ];
        let collector = collector();
        let sessions = filters.map(|it| collector.start(&grouped(&kind, it)).unwrap());
        other.run();
        child.run();
        for (index, session) in sessions.iter().enumerate() {
            session.stop(EndReason::SessionStopped);
            let histograms = session.histograms().unwrap();
            let (samples, totals) = read(session);
            let what = format!("{kind:?} by filter {index}");
            assert!(samples.len() >= NAPS, "{what}: {samples:?}");
            for sample in &samples {
                let process = sample.process.as_ref().unwrap();
                assert_eq!(process.pid, child.pid, "{what}");
                assert_eq!(process.cgroup_path, below, "{what}");
                assert_eq!(sample.subject, subject.unwrap_or_default(), "{what}");
            }
            for (group, histogram) in &histograms {
                assert_eq!(group.keys["cgroup"], below, "{what}");
                assert_eq!(
                    group.keys.get("subject").map(String::as_str),
                    subject,
                    "{what}"
                );
                let mine = |it: &&crate::proto::Sample| {
                    it.process.as_ref().unwrap().comm == group.keys["comm"]
                };
                let sum: u128 = samples
                    .iter()
                    .filter(mine)
                    .map(|it| latency(it).as_nanos())
                    .sum();
                let counted = (histogram.count(), u128::from(histogram.sum_ns()));
                assert_eq!(
                    counted,
                    (samples.iter().filter(mine).count() as u64, sum),
                    "{what}"
                );
            }
            let sum: u64 = histograms.iter().map(|it| it.1.count()).sum();
            assert_eq!(
                (sum, samples.len() as u64),
                (totals.measured, totals.measured)
            );
        }
    }
}
