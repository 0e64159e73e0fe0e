//! What is told of what nobody can have any more.

use super::*;

#[test]
fn losses_in_the_kernel_are_told_once_a_second() {
    let session = session(1 << 20, 1 << 20);
    session.log().loss(LossStage::KernelRingFull, 2, 1, 2);
    let mut client = Client::open(&session, &StreamSamplesRequest::default());
    append(&session, 1);
    session.log().loss(LossStage::KernelRingFull, 3, 3, 4);
    client.drain();
    session.log().loss(LossStage::KernelRingFull, 4, 5, 6);
    session.log().loss(LossStage::KernelRateLimit, 9, 5, 6);
    client.drain();
    assert_eq!(
        client.losses(),
        [
            (LossStage::KernelRingFull, 3),
            (LossStage::KernelRateLimit, 9)
        ]
    );
    client.pass(Duration::from_secs(1));
    client.drain();
    assert_eq!(client.losses()[2..], [(LossStage::KernelRingFull, 4)]);
    assert_no_gap(&client.received);
}

#[test]
fn history_that_is_gone_is_told() {
    let session = session(16 << 10, 64 << 10);
    append(&session, TOO_MUCH);
    let mut client = Client::open(
        &session,
        &StreamSamplesRequest {
            no_follow: true,
            ..from_oldest()
        },
    );
    client.drain();
    let [(LossStage::HistoryEvicted, lost)] = client.losses()[..] else {
        panic!("{:?}", client.losses())
    };
    assert_eq!(client.latencies(), (lost..TOO_MUCH).collect::<Vec<_>>());
    assert!(lost > TOO_MUCH - 2_000, "no more than the history: {lost}");
    assert_no_gap(&client.received);
}

#[test]
fn without_history_there_is_nothing_to_replay() {
    let session = session(0, 64 << 10);
    append(&session, 10);
    let mut client = Client::open(
        &session,
        &StreamSamplesRequest {
            no_follow: true,
            ..from_oldest()
        },
    );
    client.drain();
    assert_eq!(
        (client.latencies().len(), client.losses()),
        (0, vec![(LossStage::HistoryEvicted, 10)])
    );
}
