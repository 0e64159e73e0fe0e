//! What the engine says it can do is what it can do here.

use super::sessions::collector;
use crate::{metric, proto::Metric};

#[test]
fn every_metric_of_the_engine_is_tried_and_says_by_which_hook() {
    let found = collector().capabilities().unwrap().capabilities;
    for row in metric::TABLE
        .iter()
        .filter(|row| row.engine == metric::EngineKind::Span)
    {
        let it = found.iter().find(|it| it.metric() == row.metric).unwrap();
        if row.metric == Metric::KernelFunction && !super::kernel_function::kprobes() {
            assert!(
                !it.supported && it.reason.contains("CONFIG_KPROBES"),
                "{it:?}"
            );
            continue;
        }
        assert!(it.supported, "{it:?}");
        let hook = match row.metric {
            Metric::UserFunction => "uprobe",
            Metric::KernelFunction => "fentry",
            Metric::TracepointPair => "tracepoint",
            Metric::CpuStall => "perf_event",
            _ => "tp_btf",
        };
        assert_eq!((&*it.hook, &*it.reason), (hook, ""), "{it:?}");
    }
    let attached = std::fs::read_dir("/proc/self/fd").unwrap().count();
    collector().capabilities().unwrap();
    // Other tests of this process open and close descriptors meanwhile.
    assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() < attached + 60);
}

/// Sessions of every kind come and go, and leave nothing behind in the tables or attached.
#[test]
fn sessions_of_mixed_kinds_leave_nothing_attached() {
    use super::sessions::unfiltered;
    use crate::proto::{
        BlockIoProbe, CpuStallProbe, EndReason, OffCpuProbe, RunQueueProbe, SoftirqProbe,
        SyscallProbe, probe::Kind,
    };
    let collector = collector();
    let kinds = || {
        [
            Kind::Syscall(SyscallProbe::default()),
            Kind::RunQueue(RunQueueProbe {}),
            Kind::OffCpu(OffCpuProbe::default()),
            Kind::BlockIo(BlockIoProbe::default()),
            Kind::Softirq(SoftirqProbe { hard_irqs: true }),
            Kind::CpuStall(CpuStallProbe::default()),
        ]
    };
    for round in 0..3 {
        let mut sessions: Vec<_> = kinds()
            .into_iter()
            .map(|it| {
                let mut spec = unfiltered(it);
                spec.collection.get_or_insert_default().histograms_only = true;
                collector.start(&spec).unwrap()
            })
            .collect();
        sessions.rotate_left(round);
        for session in &sessions {
            session.stop(EndReason::SessionStopped);
        }
        let programs = sessions[0].stats().unwrap().programs;
        assert!(
            programs.iter().all(|it| it.attached_to.is_empty()),
            "{programs:?}"
        );
    }
}
