use std::sync::Arc;

use super::*;
use crate::{
    histogram::testing::{self, Counter},
    proto::{self, EndReason, Metric},
};

fn ask(session: &Arc<Session>, request: &GetSnapshotRequest) -> GetSnapshotResponse {
    session
        .snapshot(request, "nodes/a", &Scope::default())
        .unwrap()
}

fn ports(response: &GetSnapshotResponse) -> Vec<&str> {
    let groups = response.groups.iter().map(|it| it.group.as_ref().unwrap());
    groups.map(|it| it.keys["server_port"].as_str()).collect()
}

/// Port 1: a hundred latencies from 1 to 100 us. Port 2: a slow one. Port 3: two fast ones.
fn counted() -> (Counter, Arc<Session>) {
    let counter = Counter::default();
    let session = testing::session(&counter);
    (1..=100).for_each(|it| counter.record(1, it * 1000));
    counter.record(2, 5_000_000);
    counter.record(3, 10);
    counter.record(3, 30);
    (counter, session)
}

#[test]
fn quantiles_of_the_largest_groups() {
    let (counter, session) = counted();
    let response = ask(&session, &GetSnapshotRequest::default());
    assert_eq!(ports(&response), ["1", "3", "2"]);
    assert_eq!(response.total_groups, 3);
    let largest = &response.groups[0];
    assert_eq!(
        largest.group.as_ref().unwrap().metric,
        Metric::TcpRtt as i32
    );
    assert_eq!((largest.count, largest.mean_seconds), (100, 50.5e-6));
    assert_eq!(
        (largest.min_seconds, largest.max_seconds),
        (Some(1e-6), Some(100e-6))
    );
    let quantiles = largest.quantiles.iter();
    let quantiles = quantiles.map(|it| (it.quantile, it.latency_seconds));
    let exact = [(0.5, 50e-6), (0.9, 90e-6), (0.99, 99e-6), (0.999, 100e-6)];
    for ((asked, told), (quantile, exact)) in quantiles.zip(exact) {
        assert_eq!(asked.to_bits(), f64::to_bits(quantile));
        assert!(
            (exact..=exact * 1.0906).contains(&told),
            "{quantile}: {told}"
        );
    }
    assert_eq!(largest.histogram, None);
    let stats = response.stats.unwrap();
    assert_eq!(stats.totals.unwrap().measured, 103);
    let program = &stats.programs[0];
    assert_eq!(
        (
            program.name.as_str(),
            program.verifier_log.as_str(),
            program.bytecode.len()
        ),
        ("counter", "", 0)
    );
    let response = ask(
        &session,
        &GetSnapshotRequest {
            quantiles: vec![0.0, 1.0],
            top: 1,
            include_histograms: true,
            ..GetSnapshotRequest::default()
        },
    );
    assert_eq!((response.groups.len(), response.total_groups), (1, 3));
    let quantiles = response.groups[0].quantiles.iter();
    assert_eq!(
        quantiles.map(|it| it.latency_seconds).collect::<Vec<_>>(),
        [response.groups[0].quantiles[0].latency_seconds, 100e-6]
    );
    assert_eq!(response.groups[0].histogram, counter.counted(1));
}

#[test]
fn groups_in_the_order_asked_for() {
    let (counter, session) = counted();
    (0..200).for_each(|_| counter.record(3, 20));
    let ordered = |by: &str| {
        let request = GetSnapshotRequest {
            order_by: by.into(),
            ..GetSnapshotRequest::default()
        };
        ports(&ask(&session, &request)).join(" ")
    };
    assert_eq!(ordered("count"), "3 1 2");
    assert_eq!(ordered("max_seconds"), "2 1 3");
    assert_eq!(ordered("p99"), "2 1 3");
    let ungrouped = GetSnapshotRequest {
        ungrouped: true,
        ..GetSnapshotRequest::default()
    };
    let response = ask(&session, &ungrouped);
    assert_eq!((response.total_groups, response.groups[0].count), (1, 303));
}

#[test]
fn a_window_says_when_it_begins() {
    let (counter, session) = counted();
    let window = |seconds| GetSnapshotRequest {
        window: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..GetSnapshotRequest::default()
    };
    let whole = ask(&session, &GetSnapshotRequest::default());
    let long = ask(&session, &window(3600));
    assert_eq!(
        (&long.start_time, &long.groups),
        (&whole.start_time, &whole.groups)
    );
    assert!(session.remember().unwrap());
    counter.record(9, 7);
    let short = ask(
        &session,
        &GetSnapshotRequest {
            window: Some(prost_types::Duration {
                seconds: 0,
                nanos: 1,
            }),
            ..GetSnapshotRequest::default()
        },
    );
    assert_eq!(ports(&short), ["9"]);
    assert_ne!(short.start_time, whole.start_time);
    session.stop(EndReason::SessionStopped);
    assert!(!session.remember().unwrap());
    let last = ask(&session, &window(3600));
    assert_eq!((last.total_groups, last.start_time), (4, whole.start_time));
    session.close();
    let failure = session
        .snapshot(&window(1), "", &Scope::default())
        .unwrap_err();
    assert_eq!(failure.reason(), Reason::Closed);
}

#[test]
fn every_wrong_field_is_named() {
    let request = GetSnapshotRequest {
        quantiles: vec![0.5, -0.1, f64::NAN, 1.1],
        top: 65_537,
        window: Some(prost_types::Duration::default()),
        order_by: "p50".into(),
        group_by: vec![proto::GroupBy::Protocol as i32],
        ungrouped: true,
        ..GetSnapshotRequest::default()
    };
    let fields = |request| {
        let session = testing::session(&Counter::default());
        let failure = session
            .snapshot(&request, "", &Scope::default())
            .unwrap_err();
        assert_eq!(failure.reason().status(), "INVALID_ARGUMENT");
        let fields = failure.violations().iter().map(|it| it.field.clone());
        fields.collect::<Vec<_>>()
    };
    let expected = [
        "quantiles[1]",
        "quantiles[2]",
        "quantiles[3]",
        "top",
        "window",
        "order_by",
        "ungrouped",
    ];
    assert_eq!(fields(request), expected);
    let many = GetSnapshotRequest {
        quantiles: vec![0.5; 101],
        ..GetSnapshotRequest::default()
    };
    assert_eq!(fields(many), ["quantiles"]);
}

#[test]
fn a_message_is_never_above_its_bound() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    for port in 0..2000 {
        counter.record(port, 1_000);
    }
    let response = ask(
        &session,
        &GetSnapshotRequest {
            top: 2000,
            quantiles: vec![0.5; 100],
            ..GetSnapshotRequest::default()
        },
    );
    let bytes = response.encoded_len();
    assert!((1_000_000..=1 << 20).contains(&bytes), "{bytes}");
    assert_eq!(response.total_groups, 1025, "1024 and the rest");
}
