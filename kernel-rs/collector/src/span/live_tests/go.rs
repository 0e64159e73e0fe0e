//! `METRIC_USER_FUNCTION` of Go programs.

use std::{path::Path, time::Duration};

use super::{
    program::Program,
    sessions::{collector, latency, read, unfiltered},
};
use crate::{
    failure::Reason,
    proto::{
        EndReason, RefusalReason, Sample, SessionSpec, Totals, UserFunctionProbe, probe::Kind,
        user_function_probe::Target,
    },
};

const BUILD: &[&str] = &["go", "build", "-o", "OUTPUT", "SOURCE"];

fn function(path: &Path, symbol: &str) -> SessionSpec {
    unfiltered(Kind::UserFunction(UserFunctionProbe {
        binary: path.to_str().unwrap().into(),
        target: Some(Target::Symbol(symbol.into())),
        pid: 0,
    }))
}

/// What the program says of each call, and what was measured of them.
fn run(act: &str, symbol: &str) -> Option<(Vec<[u64; 3]>, Vec<Sample>, Totals)> {
    let program = Program::build("naps.go", BUILD)?;
    let running = program.start(&[act]);
    let pid = running.pid();
    let session = collector()
        .start(&function(&program.path(), symbol))
        .unwrap();
    let text = running.run();
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    for sample in &samples {
        assert_eq!(sample.process.as_ref().unwrap().pid, pid);
        assert_eq!(sample.subject, symbol);
    }
    let numbers = |line: &str| {
        let words: Vec<u64> = line.split(' ').map(|it| it.parse().unwrap()).collect();
        <[u64; 3]>::try_from(words).unwrap()
    };
    Some((text.lines().map(numbers).collect(), samples, totals))
}

/// Every call lasted at least as long as it was inside, and no longer than it took its caller. Where each of two lists is below
/// another one by one, it is so in order.
fn each_between(told: &[[u64; 3]], samples: &[Sample]) {
    let sorted = |mut list: Vec<u64>| {
        list.sort_unstable();
        list
    };
    let inside = sorted(told.iter().map(|it| it[0]).collect());
    let around = sorted(told.iter().map(|it| it[1]).collect());
    let measured = sorted(
        samples
            .iter()
            .map(|it| latency(it).as_nanos() as u64)
            .collect(),
    );
    assert_eq!(measured.len(), told.len());
    for n in 0..told.len() {
        assert!(inside[n] <= measured[n], "{inside:?} {measured:?}");
        assert!(measured[n] <= around[n], "{measured:?} {around:?}");
    }
}

#[test]
fn rule_25_goroutines_sleep_at_once_and_each_call_is_its_own() {
    let Some((told, samples, totals)) = run("nap", "main.nap") else {
        return;
    };
    assert_eq!((told.len(), totals.measured), (20, 20), "{totals:?}");
    each_between(&told, &samples);
}

#[test]
fn rule_25_a_goroutine_that_moves_between_threads_is_in_one_call() {
    let Some((told, samples, totals)) = run("wander", "main.wander") else {
        return;
    };
    assert!(told.iter().any(|it| it[2] > 1), "none moved: {told:?}");
    assert_eq!(totals.measured, 16, "{totals:?}");
    each_between(&told, &samples);
}

#[test]
fn rule_25_a_stack_that_moves_is_the_same_stack() {
    const DEPTH: u32 = 12;
    let Some((_, samples, totals)) = run("recurse", "main.recurse") else {
        return;
    };
    assert_eq!(
        (samples.len() as u32, totals.measured),
        (DEPTH, DEPTH.into())
    );
    assert_eq!(totals.refusals, []);
    // The innermost returns first, and each holds those inside it.
    for (n, sample) in samples.iter().enumerate() {
        let least = Duration::from_millis(2) * (n as u32 + 1);
        assert!(latency(sample) >= least, "{n} {samples:?}");
    }
}

#[test]
fn rule_25_a_goroutine_that_dies_inside_a_function_is_told_to_have_no_end() {
    let Some((_, samples, totals)) = run("die", "main.nap") else {
        return;
    };
    assert_eq!((samples.len(), totals.measured), (1, 1));
    let refusals: Vec<_> = totals
        .refusals
        .iter()
        .map(|it| (it.reason(), it.count))
        .collect();
    assert_eq!(refusals, [(RefusalReason::UnmatchedStart, 1)]);
}

#[test]
fn what_cannot_be_told_of_a_go_program_is_refused_with_the_reason() {
    let stripped = ["go", "build", "-ldflags=-s -w", "-o", "OUTPUT", "SOURCE"];
    let Some(stripped) = Program::build("naps.go", &stripped) else {
        return;
    };
    let whole = Program::build("naps.go", BUILD).unwrap();
    for (program, symbol, why) in [
        (&stripped, "main.nap", "it is stripped"),
        (&whole, "runtime.mcall", "R14"),
        (&whole, "runtime.gogo.abi0", "it never returns"),
    ] {
        let failure = collector()
            .start(&function(&program.path(), symbol))
            .unwrap_err();
        assert_eq!(failure.reason(), Reason::HookUnavailable);
        assert!(failure.message().contains(why), "{}", failure.message());
    }
    let failure = collector()
        .start(&function(&whole.path(), "main.none"))
        .unwrap_err();
    assert_eq!(failure.reason(), Reason::FieldInvalid);
}
