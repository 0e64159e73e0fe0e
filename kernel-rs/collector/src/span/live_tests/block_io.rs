//! `METRIC_BLOCK_IO_DEVICE` and `METRIC_BLOCK_IO_QUEUE`, on a loop device of the test's own.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    process::Command,
};

use super::{
    child::Child,
    sessions::{collector, latency, read, unfiltered},
};
use crate::proto::{BlockIoProbe, EndReason, Metric, probe::Kind};

const BLOCK: usize = 4096;
const BLOCKS: u64 = 64;

/// A loop device over a file; gone with the value.
struct Loop {
    device: PathBuf,
    _file: tempfile::NamedTempFile,
}

impl Loop {
    fn new() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(BLOCKS * BLOCK as u64).unwrap();
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self {
            device: String::from_utf8(made.stdout).unwrap().trim().into(),
            _file: file,
        }
    }

    fn name(&self) -> &str {
        self.device.file_name().unwrap().to_str().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.device).status();
    }
}

#[test]
fn every_request_is_measured_once_from_its_issue_to_its_end() {
    let disk = Loop::new();
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(&disk.device)
        .unwrap();
    let mut room = vec![0_u8; 2 * BLOCK];
    let start = room.as_ptr().align_offset(BLOCK);
    let mut child = Child::new(|| {
        for block in 0..BLOCKS {
            let there = file.seek(SeekFrom::Start(block * BLOCK as u64)).is_ok();
            let whole = there && file.read_exact(&mut room[start..start + BLOCK]).is_ok();
            if !whole {
                // SAFETY: ends the process at once.
                unsafe { libc::_exit(1) };
            }
        }
    });
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
    let (mine, other) = (Loop::new(), Loop::new());
    let collector = collector();
    let session = collector
        .start(&unfiltered(Kind::BlockIo(BlockIoProbe {
            include_queue_time: false,
            devices: vec![mine.name().into()],
        })))
        .unwrap();
    let read_all = |it: &Loop| {
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
