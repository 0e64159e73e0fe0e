//! A process in a pid namespace is known by the host's ids.

use std::{process::Command, time::Duration};

use super::sessions::{collector, latency, read, unfiltered};
use crate::proto::{EndReason, Filter, SyscallProbe, probe::Kind};

#[test]
fn rule_25_a_process_in_a_pid_namespace_has_the_host_s_ids() {
    let collector = collector();
    let mut spec = unfiltered(Kind::Syscall(SyscallProbe {
        names: vec!["clock_nanosleep".into()],
        failed_only: false,
    }));
    spec.filters = vec![Filter {
        comms: vec!["latscope-pidns".into()],
        ..Filter::default()
    }];
    let session = collector.start(&spec).unwrap();
    // Process 1 of a namespace of its own, under a name of its own.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("latscope-pidns");
    std::os::unix::fs::symlink("/usr/bin/sleep", &program).unwrap();
    let mut child = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child"])
        .arg(&program)
        .arg("0.05")
        .spawn()
        .unwrap();
    let outside = child.id();
    assert!(child.wait().unwrap().success());
    session.stop(EndReason::SessionStopped);
    let (samples, _) = read(&session);
    assert_eq!(samples.len(), 1, "{samples:?}");
    assert!(latency(&samples[0]) >= Duration::from_millis(50));
    let pid = samples[0].process.as_ref().unwrap().pid;
    assert!(pid != 1 && pid != outside, "{pid} {outside}");
}
