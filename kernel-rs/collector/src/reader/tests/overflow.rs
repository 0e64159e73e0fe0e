//! A client that is too slow, by its policy.

use super::*;

#[test]
fn drop_oldest_keeps_the_newest() {
    let (session, mut client) = slow(OverflowPolicy::DropOldest);
    session.stop(EndReason::SessionStopped);
    client.drain();
    let [(LossStage::SubscriberQueue, lost)] = client.losses()[..] else {
        panic!("{:?}", client.losses())
    };
    assert_eq!(client.latencies(), (lost..TOO_MUCH).collect::<Vec<_>>());
    assert_no_gap(&client.received);
}

#[test]
fn drop_newest_keeps_the_oldest() {
    let (session, mut client) = slow(OverflowPolicy::DropNewest);
    session.stop(EndReason::SessionStopped);
    client.drain();
    let latencies = client.latencies();
    assert_eq!(latencies[..1000], (0..1000).collect::<Vec<_>>());
    let [(LossStage::SubscriberQueue, lost)] = client.losses()[..] else {
        panic!("{:?}", client.losses())
    };
    assert_eq!(latencies.len() as u64 + lost, TOO_MUCH);
    assert_no_gap(&client.received);
}

#[test]
fn sample_thins_with_weight() {
    let (session, mut client) = slow(OverflowPolicy::Sample);
    session.stop(EndReason::SessionStopped);
    client.drain();
    let weights = client
        .received
        .iter()
        .flat_map(samples)
        .map(|it| it.weight)
        .collect::<Vec<_>>();
    assert!(weights.iter().any(|it| *it > 1));
    let told = client.losses().iter().map(|it| it.1).sum::<u64>();
    assert_eq!(weights.len() as u64 + told, TOO_MUCH);
    assert!(
        client
            .losses()
            .iter()
            .any(|it| it.0 == LossStage::SubscriberSampled)
    );
    assert_no_gap(&client.received);
}

#[test]
fn disconnect_hands_over_a_cursor() {
    let session = session(64 << 10, 64 << 10);
    let request = StreamSamplesRequest {
        overflow: OverflowPolicy::Disconnect as i32,
        ..Default::default()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    append(&session, 2_000);
    let failure = client.try_step().unwrap_err();
    assert_eq!(failure.reason(), Reason::ReaderTooSlow);
    assert_eq!(client.step(), Outcome::Done);
    let cursor = failure.metadata()["cursor"].clone();
    let request = StreamSamplesRequest {
        start: Some(Start::Cursor(cursor)),
        no_follow: true,
        ..Default::default()
    };
    let mut resumed = Client::open(&session, &request);
    resumed.drain();
    assert_eq!(resumed.latencies(), (0..2_000).collect::<Vec<_>>());
}
