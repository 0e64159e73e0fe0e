//! A stream goes on where another ended.

use super::*;

#[test]
fn a_resumed_stream_neither_repeats_nor_skips() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 1000);
    let mut first = Client::open(&session, &from_oldest());
    while first.received.len() < 4 {
        first.step();
    }
    let broken = first.received.last().unwrap().clone();
    assert!(broken.cursor.starts_with(NODE));
    let request = StreamSamplesRequest {
        start: Some(Start::Cursor(broken.cursor)),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let mut second = Client::open(&session, &request);
    second.drain();
    let all = first
        .latencies()
        .into_iter()
        .chain(second.latencies())
        .collect::<Vec<_>>();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert_eq!(second.received[0].first_index, broken.next_index);
}

#[test]
fn a_cursor_of_another_session_is_refused() {
    let (one, other) = (session(1 << 20, 1 << 20), session(1 << 20, 1 << 20));
    let mut client = Client::open(&one, &from_oldest());
    client.step();
    let cursor = &client.received[0].cursor;
    for wrong in ["nonsense", cursor] {
        let request = StreamSamplesRequest {
            start: Some(Start::Cursor(wrong.to_owned())),
            ..Default::default()
        };
        let failure = Reader::open(
            other.clone(),
            &request,
            (NODE, "sessions/t"),
            &Scope::default(),
        )
        .unwrap_err();
        assert_eq!(
            (failure.reason(), &*failure.violations()[0].field),
            (Reason::CursorInvalid, "cursor")
        );
    }
    let request = StreamSamplesRequest {
        start: Some(Start::Cursor(cursor.clone())),
        ..Default::default()
    };
    assert!(
        Reader::open(
            one.clone(),
            &request,
            ("nodes/b", "sessions/s"),
            &Scope::default()
        )
        .is_err()
    );
    assert!(Reader::open(one, &request, (NODE, "sessions/s"), &Scope::default()).is_ok());
}
