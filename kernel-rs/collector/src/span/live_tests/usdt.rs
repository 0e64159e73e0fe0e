//! `METRIC_USER_FUNCTION` between two USDT probes.

use std::{path::Path, time::Duration};

use super::{
    program::Program,
    sessions::{collector, latency, read, unfiltered},
};
use crate::failure::Reason;
use crate::proto::{
    EndReason, SessionSpec, UsdtPair, UserFunctionProbe, probe::Kind, user_function_probe::Target,
};

fn points(path: &Path, pid: u32) -> SessionSpec {
    unfiltered(Kind::UserFunction(UserFunctionProbe {
        binary: path.to_str().unwrap().into(),
        target: Some(Target::Usdt(UsdtPair {
            provider: "latscope".into(),
            start: "begin".into(),
            end: "end".into(),
        })),
        pid,
    }))
}

#[test]
fn rule_25_probes_are_switched_on_by_their_semaphores_and_off_again() {
    const NAP: Duration = Duration::from_millis(10);
    let Some(program) = Program::build("points.c", &["cc", "-O2", "-o", "OUTPUT", "SOURCE"]) else {
        return;
    };
    for of_one in [true, false] {
        let (one, other) = (program.start(&[]), program.start(&[]));
        let pid = if of_one { one.pid() } else { 0 };
        let (one_pid, other_pid) = (one.pid(), other.pid());
        let session = collector().start(&points(&program.path(), pid)).unwrap();
        let told = [one.run(), other.run()];
        assert_eq!(told, ["5\n", if of_one { "0\n" } else { "5\n" }]);
        session.stop(EndReason::SessionStopped);
        let (samples, totals) = read(&session);
        let expected: &[u32] = if of_one {
            &[one_pid]
        } else {
            &[one_pid, other_pid]
        };
        assert_eq!(totals.measured, 5 * expected.len() as u64);
        for (sample, pid) in samples.iter().zip(expected.iter().flat_map(|it| [*it; 5])) {
            assert_eq!(sample.process.as_ref().unwrap().pid, pid);
            assert_eq!(sample.subject, "latscope:begin-end");
            assert!((NAP..NAP * 40).contains(&latency(sample)), "{sample:?}");
        }
    }
    assert_eq!(program.start(&[]).run(), "0\n");
}

#[test]
fn a_program_that_its_process_alone_can_see_is_found_by_the_process() {
    let Some(program) = Program::build("points.c", &["cc", "-O2", "-o", "OUTPUT", "SOURCE"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    // As in a container: a mount namespace with a file system of its own.
    let hidden = program.start_hidden(&inside);
    let pid = hidden.pid();
    let failure = collector().start(&points(&inside, 0)).unwrap_err();
    assert_eq!(failure.reason(), Reason::FieldInvalid);
    let session = collector().start(&points(&inside, pid)).unwrap();
    assert_eq!(hidden.run(), "5\n");
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert_eq!((samples.len(), totals.measured), (5, 5));
    assert!(
        samples
            .iter()
            .all(|it| it.process.as_ref().unwrap().pid == pid)
    );
}
