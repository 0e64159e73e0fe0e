//! Sessions for tests, and everything they measured.

use std::{sync::Arc, time::Duration};

use crate::{
    collector::Collector,
    metric::EngineKind,
    packet::live_tests,
    proto::{Filter, Probe, Sample, SessionSpec, Totals, probe::Kind},
    session::Session,
    span::SpanEngine,
};

pub(super) fn collector() -> Collector {
    Collector::new(
        "nodes/test".into(),
        vec![(EngineKind::Span, Arc::new(SpanEngine::new()))],
    )
}

/// One probe, of these processes alone.
pub(super) fn spec(kind: Kind, pids: &[u32]) -> SessionSpec {
    SessionSpec {
        probes: vec![Probe {
            kind: Some(kind),
            timeout: None,
        }],
        filters: vec![Filter {
            pids: pids.to_vec(),
            ..Filter::default()
        }],
        ..SessionSpec::default()
    }
}

/// One probe, of everything.
pub(super) fn unfiltered(kind: Kind) -> SessionSpec {
    SessionSpec {
        filters: Vec::new(),
        ..spec(kind, &[])
    }
}

/// How long a sample lasted.
pub(super) fn latency(sample: &Sample) -> Duration {
    sample.latency.unwrap().try_into().unwrap()
}

/// Everything in a session's history, and its totals.
pub(super) fn read(session: &Arc<Session>) -> (Vec<Sample>, Totals) {
    let (samples, _, totals) = live_tests::read(session, Sample::clone);
    (samples, totals)
}
