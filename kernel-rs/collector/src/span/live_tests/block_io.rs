//! `METRIC_BLOCK_IO_DEVICE` and `METRIC_BLOCK_IO_QUEUE`, on a loop device of the test's own.

use std::process::Command;

use super::{
    child::Child,
    disk::{BLOCKS, Disk},
    sessions::{collector, latency, read, unfiltered},
};
use crate::proto::{BlockIoProbe, EndReason, Metric, probe::Kind};

#[test]
fn every_request_is_measured_once_from_its_issue_to_its_end() {
    let disk = Disk::new();
    let mut child = Child::new(|| disk.read_all());
    let collector = collector();
    let session = collector
        .start(&unfiltered(Kind::BlockIo(BlockIoProbe {
            include_queue_time: true,
            devices: vec![disk.name().into()],
        })))
        .unwrap();
    child.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    let device: Vec<_> = samples
        .iter()
        .filter(|it| it.metric() == Metric::BlockIoDevice)
        .collect();
    assert_eq!(device.len() as u64, BLOCKS, "{samples:?}");
    for sample in &samples {
        assert_eq!((&*sample.subject, sample.result), (disk.name(), 0));
        assert!(latency(sample).as_secs() < 5, "{sample:?}");
    }
    for sample in device {
        let process = sample.process.as_ref().unwrap();
        assert_eq!(process.pid, child.pid, "{sample:?}");
    }
    assert_eq!(totals.measured, samples.len() as u64);
    assert_eq!((totals.losses, totals.refusals), (vec![], vec![]));
}

#[test]
fn another_disk_is_not_this_one() {
    let (mine, other) = (Disk::new(), Disk::new());
    let collector = collector();
    let session = collector
        .start(&unfiltered(Kind::BlockIo(BlockIoProbe {
            include_queue_time: false,
            devices: vec![mine.name().into()],
        })))
        .unwrap();
    let read_all = |it: &Disk| {
        let done = Command::new("dd")
            .args(["iflag=direct", "bs=4096", "of=/dev/null", "status=none"])
            .arg(format!("if={}", it.device.display()))
            .status()
            .unwrap();
        assert!(done.success());
    };
    read_all(&other);
    read_all(&mine);
    session.stop(EndReason::SessionStopped);
    let (samples, _) = read(&session);
    assert_eq!(samples.len() as u64, BLOCKS);
    assert!(
        samples.iter().all(|it| it.subject == mine.name()),
        "{samples:?}"
    );
}
