//! `next` waits, and is answered.

use super::*;

#[tokio::test]
async fn next_waits_for_samples_and_for_nobody_else() {
    let session = session(1 << 20, 1 << 20);
    let reader = Arc::new(
        Reader::open(
            session.clone(),
            &from_oldest(),
            (NODE, "sessions/s"),
            &Scope::default(),
        )
        .unwrap(),
    );
    reader.next().await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.next().await }
    });
    while !reader.busy.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        reader.next().await.unwrap_err().reason(),
        Reason::NextConcurrent
    );
    append(&session, 1);
    let message = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(
        latencies(&StreamSamplesResponse::decode(&message[..]).unwrap()),
        [0]
    );
    assert_eq!(session.stats().unwrap().subscribers, 1);
}

#[tokio::test]
async fn close_answers_a_pending_next() {
    let session = session(1 << 20, 1 << 20);
    let reader = Arc::new(
        Reader::open(
            session.clone(),
            &from_oldest(),
            (NODE, "sessions/s"),
            &Scope::default(),
        )
        .unwrap(),
    );
    reader.next().await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.next().await }
    });
    while !reader.busy.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    reader.close();
    reader.close();
    assert_eq!(waiting.await.unwrap(), Ok(None));
    assert_eq!(reader.next().await, Ok(None));
    drop(reader);
    assert_eq!(session.stats().unwrap().subscribers, 0);
}

#[tokio::test]
async fn changes_are_told_until_the_session_is_closed() {
    let session = session(1 << 20, 1 << 20);
    let next = tokio::spawn({
        let session = session.clone();
        async move { session.next_change().await }
    });
    session.stop(EndReason::SessionStopped);
    let change = next.await.unwrap().unwrap();
    assert_eq!(change.state, SessionState::Stopped as i32);
    let next = tokio::spawn({
        let session = session.clone();
        async move { session.next_change().await }
    });
    session.close();
    assert_eq!(next.await.unwrap(), None);
}
