//! What a client asked for, and no more: of history, of time, of samples.

use super::*;

#[test]
fn no_follow_ends_at_the_end_of_history() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 500);
    let mut client = Client::open(
        &session,
        &StreamSamplesRequest {
            no_follow: true,
            ..Default::default()
        },
    );
    append(&session, 10);
    assert_eq!(client.drain(), Outcome::Done);
    assert_eq!(client.end().reason, EndReason::EndOfHistory as i32);
    assert_eq!(client.latencies(), (0..500).collect::<Vec<_>>());
    let totals = client.end().totals.as_ref().unwrap();
    assert_eq!(
        (totals.delivered, totals.filtered, totals.losses.len()),
        (500, 0, 0)
    );
    assert_eq!(client.end().session_totals.as_ref().unwrap().delivered, 510);
    assert_no_gap(&client.received);
}

#[test]
fn max_samples_ends_the_stream_exactly() {
    for encoding in [Encoding::Rows, Encoding::Columns] {
        let session = session(1 << 20, 1 << 20);
        append(&session, 500);
        let request = StreamSamplesRequest {
            max_samples: 7,
            encoding: encoding as i32,
            ..from_oldest()
        };
        let mut client = Client::open(&session, &request);
        assert_eq!(client.drain(), Outcome::Done);
        assert_eq!(client.latencies(), (0..7).collect::<Vec<_>>());
        assert_eq!(client.end().reason, EndReason::ReaderLimit as i32);
        assert_no_gap(&client.received);
    }
}

#[test]
fn since_and_until_bound_by_time() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 10);
    let at = |index: i32| prost_types::Timestamp {
        seconds: 0,
        nanos: 1_000_000 + index,
    };
    let request = StreamSamplesRequest {
        start: Some(Start::Since(at(4))),
        until: Some(at(6)),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    assert_eq!(client.latencies(), [4, 5, 6]);
    assert_no_gap(&client.received);
}

#[test]
fn until_ends_a_following_reader_when_the_watermark_has_passed() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 3);
    let until = prost_types::Timestamp {
        seconds: 0,
        nanos: 1_000_001,
    };
    let mut client = Client::open(
        &session,
        &StreamSamplesRequest {
            until: Some(until),
            ..from_oldest()
        },
    );
    assert_eq!(client.drain(), Outcome::Waiting);
    session.log().set_watermark(0, 1_000_002);
    assert_eq!(client.drain(), Outcome::Done);
    assert_eq!(client.latencies(), [0, 1]);
    assert_eq!(client.end().reason, EndReason::ReaderLimit as i32);
}

#[test]
fn the_session_limit_is_exact_and_told() {
    let session = session(1 << 20, 1 << 20);
    let mut client = Client::open(&session, &from_oldest());
    session.log().set_limits(&Limits {
        max_samples: Some(5),
        ..testing::limits()
    });
    append(&session, 8);
    client.drain();
    assert_eq!(client.latencies().len(), 5);
    let totals = session.totals();
    assert_eq!(
        (totals.measured, totals.delivered, totals.aggregated_only),
        (8, 5, 3)
    );
    session.stop(EndReason::SessionStopped);
    assert_eq!(client.drain(), Outcome::Done);
    let told = client.events().iter().filter(|it| **it == "change").count();
    assert_eq!(told, 1);
    let change = session.log().nth_change(0).unwrap();
    assert_eq!(
        (change.state, &*change.reason),
        (SessionState::Stopped as i32, "STOP_REASON_MAX_SAMPLES")
    );
}
