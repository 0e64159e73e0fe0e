//! How a stream ends with its session, and without it.

use super::*;

#[test]
fn stopping_lets_readers_finish() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 300);
    let mut client = Client::open(&session, &from_oldest());
    client.step();
    session.stop(EndReason::SessionStopped);
    session.stop(EndReason::Draining);
    assert_eq!(client.drain(), Outcome::Done);
    assert_eq!(client.latencies().len(), 300);
    assert_eq!(client.end().reason, EndReason::SessionStopped as i32);
    assert!(client.events().contains(&"change"));
    let mut late = Client::open(&session, &from_oldest());
    late.drain();
    assert_eq!(
        (late.latencies().len(), late.end().reason),
        (300, EndReason::SessionStopped as i32)
    );
}

#[test]
fn deleting_ends_readers_at_once() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 300);
    let mut client = Client::open(&session, &from_oldest());
    client.step();
    session.close();
    assert_eq!(client.drain(), Outcome::Done);
    assert_eq!(client.events(), ["start", "end"]);
    assert_eq!(client.end().reason, EndReason::SessionDeleted as i32);
}

#[test]
fn ending_one_reader_leaves_the_session() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 1);
    let mut client = Client::open(&session, &from_oldest());
    client.step();
    client.reader.end(EndReason::AccessRevoked);
    assert_eq!(client.drain(), Outcome::Done);
    assert_eq!(client.events(), ["start", "end"]);
    assert_eq!(client.end().reason, EndReason::AccessRevoked as i32);
}
