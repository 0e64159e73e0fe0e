//! Sessions for tests, and everything they measured.

use std::{sync::Arc, time::Duration};

use prost::Message as _;

use crate::{
    collector::Collector,
    metric::EngineKind,
    proto::{
        Filter, Probe, Sample, SessionSpec, StreamSamplesRequest, StreamSamplesResponse, Totals,
        probe::Kind, stream_samples_request, stream_samples_response::Event,
    },
    reader::Reader,
    scope::Scope,
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
    let request = StreamSamplesRequest {
        source: Some(stream_samples_request::Source::Session(
            "sessions/test".into(),
        )),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let reader = Reader::open(
        session.clone(),
        &request,
        ("nodes/test", "sessions/test"),
        &Scope::default(),
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut samples = Vec::new();
    runtime.block_on(async {
        while let Some(bytes) = reader.next().await.unwrap() {
            let message = StreamSamplesResponse::decode(&bytes[..]).unwrap();
            match message.event.unwrap() {
                Event::Rows(rows) => samples.extend(rows.samples),
                Event::End(end) => return (samples, end.session_totals.unwrap()),
                _ => {}
            }
        }
        panic!("the stream had no End");
    })
}
