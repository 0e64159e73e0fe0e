//! Sentences of `StreamSamplesRequest` and `StreamSamplesResponse`, one by one.

use super::*;
use crate::proto::{Loss, Resume, SessionChange};

fn start(client: &Client) -> &proto::Start {
    match &client.received[0].event {
        Some(Event::Start(start)) => start,
        other => panic!("{other:?}"),
    }
}

#[test]
fn start_says_what_the_server_made_of_the_request() {
    let session = session(1 << 20, 1 << 20);
    let mut plain = Client::open(&session, &StreamSamplesRequest::default());
    plain.step();
    let told = start(&plain);
    assert_eq!(
        (told.overflow, told.encoding),
        (OverflowPolicy::DropOldest as i32, Encoding::Rows as i32)
    );
    assert_eq!(told.effective_spec, Some(session.effective_spec()));
    let request = StreamSamplesRequest {
        overflow: OverflowPolicy::Sample as i32,
        encoding: Encoding::Columns as i32,
        ..StreamSamplesRequest::default()
    };
    let mut other = Client::open(&session, &request);
    other.step();
    let told = start(&other);
    assert_eq!(
        (told.overflow, told.encoding),
        (request.overflow, request.encoding)
    );
}

#[test]
fn where_it_begins_without_a_word_depends_on_whether_it_follows() {
    let of = |position: Position, no_follow| {
        let session = session(1 << 20, 1 << 20);
        append(&session, 3);
        let request = StreamSamplesRequest {
            start: Some(Start::Position(position as i32)),
            no_follow,
            ..StreamSamplesRequest::default()
        };
        let mut client = Client::open(&session, &request);
        let outcome = client.drain();
        (client.latencies().len(), outcome)
    };
    assert_eq!(of(Position::Unspecified, false), (0, Outcome::Waiting));
    assert_eq!(of(Position::Unspecified, true), (3, Outcome::Done));
    assert_eq!(of(Position::Latest, false), (0, Outcome::Waiting));
    assert_eq!(of(Position::Latest, true), (0, Outcome::Done));
    assert_eq!(of(Position::Oldest, false), (3, Outcome::Waiting));
}

#[test]
fn resume_takes_the_cursor_of_its_own_node() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 4);
    let request = StreamSamplesRequest {
        max_samples: 2,
        ..from_oldest()
    };
    let mut broken = Client::open(&session, &request);
    broken.drain();
    let cursor = broken.received[1].cursor.clone();
    let foreign = cursor.replace(NODE, "nodes/b");
    let resume = |cursors: Vec<String>| StreamSamplesRequest {
        start: Some(Start::Resume(Resume { cursors })),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let mut resumed = Client::open(&session, &resume(vec![foreign.clone(), cursor]));
    resumed.drain();
    assert_eq!(resumed.latencies(), [2, 3]);
    let failure = Reader::open(
        session,
        &resume(vec![foreign]),
        (NODE, "sessions/s"),
        &Scope::default(),
    )
    .unwrap_err();
    assert_eq!(&*failure.violations()[0].field, "resume.cursors");
}

#[test]
fn since_a_time_whose_samples_are_gone_tells_so_and_goes_on_from_the_oldest() {
    let session = session(16 << 10, 64 << 10);
    append(&session, TOO_MUCH);
    let request = StreamSamplesRequest {
        start: Some(Start::Since(prost_types::Timestamp {
            seconds: 0,
            nanos: 1_000_000,
        })),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    let [(LossStage::HistoryEvicted, lost)] = client.losses()[..] else {
        panic!("{:?}", client.losses())
    };
    assert!(lost > 0);
    assert_eq!(client.latencies().len() as u64 + lost, TOO_MUCH);
    assert_eq!(client.latencies()[0], lost);
    assert_no_gap(&client.received);
}

#[test]
fn a_cursor_whose_samples_are_gone_tells_so_and_goes_on_from_the_oldest() {
    let session = session(16 << 10, 64 << 10);
    append(&session, 10);
    let mut broken = Client::open(&session, &from_oldest());
    broken.drain();
    let cursor = broken.received.last().unwrap().cursor.clone();
    for _ in 0..TOO_MUCH / 500 {
        append(&session, 500);
    }
    let request = StreamSamplesRequest {
        start: Some(Start::Cursor(cursor)),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let mut resumed = Client::open(&session, &request);
    resumed.drain();
    let [(LossStage::HistoryEvicted, lost)] = resumed.losses()[..] else {
        panic!("{:?}", resumed.losses())
    };
    assert_eq!(resumed.received[0].first_index, 10);
    assert_eq!(resumed.latencies()[0], 10 + lost);
    assert_no_gap(&resumed.received);
}

#[test]
fn a_batch_is_no_larger_than_asked() {
    for encoding in [Encoding::Rows, Encoding::Columns] {
        for asked in [0, 1000, 100_000] {
            let session = session(8 << 20, 1 << 20);
            append(&session, 20_000);
            let request = StreamSamplesRequest {
                max_batch_bytes: asked,
                encoding: encoding as i32,
                no_follow: true,
                ..from_oldest()
            };
            let mut client = Client::open(&session, &request);
            client.drain();
            let most = if asked == 0 { 16_384 } else { asked as usize };
            let sizes = client.received.iter().filter_map(|it| match &it.event {
                Some(Event::Rows(rows)) => Some(rows.encoded_len()),
                Some(Event::Columns(columns)) => Some(columns.encoded_len()),
                _ => None,
            });
            let sizes = sizes.collect::<Vec<_>>();
            let largest = *sizes.iter().max().unwrap();
            assert!(largest <= most, "{largest} of {most}");
            assert_eq!(client.latencies(), (0..20_000).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_thinned_sample_stands_for_as_many_as_its_weight_says() {
    let (session, mut client) = slow(OverflowPolicy::Sample);
    session.stop(EndReason::SessionStopped);
    client.drain();
    let mut heavy = 0;
    for message in &client.received {
        let samples = samples(message);
        let indexes = latencies(message);
        for (pair, sample) in indexes.windows(2).zip(&samples) {
            let weight = u64::from(sample.weight.max(1));
            assert_eq!(pair[1] - pair[0], weight, "one in {weight}");
            heavy += usize::from(weight > 1);
        }
    }
    assert!(heavy > 10);
}

#[test]
fn a_loss_of_its_own_is_told_at_most_once_a_second_and_at_the_end() {
    let (session, mut client) = slow(OverflowPolicy::DropOldest);
    let flood = |client: &mut Client| {
        for _ in 0..TOO_MUCH / 500 {
            append(&session, 500);
        }
        client.drain();
    };
    client.drain();
    assert_eq!(client.losses().len(), 1);
    flood(&mut client);
    flood(&mut client);
    assert_eq!(client.losses().len(), 1, "less than a second later");
    client.pass(Duration::from_secs(1));
    client.drain();
    assert_eq!(client.losses().len(), 2, "both as one");
    flood(&mut client);
    session.stop(EndReason::SessionStopped);
    client.drain();
    assert_eq!(client.losses().len(), 3, "what is left, before End");
    assert!(matches!(
        client.received.last().unwrap().event,
        Some(Event::End(_))
    ));
    let (delivered, lost) = (
        client.latencies().len() as u64,
        client.losses().iter().map(|it| it.1).sum::<u64>(),
    );
    assert_eq!(delivered + lost, 4 * TOO_MUCH);
    assert_no_gap(&client.received);
}

#[test]
fn a_loss_says_when() {
    let session = session(1 << 20, 1 << 20);
    let mut client = Client::open(&session, &StreamSamplesRequest::default());
    session
        .log()
        .loss(LossStage::KernelRingFull, 2, 1_000_000_001, 2_000_000_002);
    client.drain();
    let time = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
    let told = Loss {
        stage: LossStage::KernelRingFull as i32,
        count: 2,
        first_time: time(1, 1),
        last_time: time(2, 2),
    };
    assert_eq!(client.received[1].event, Some(Event::Loss(told)));
}

#[test]
fn a_stream_whose_filter_leaves_nothing_lives_by_heartbeats() {
    let session = session(1 << 20, 1 << 20);
    let nothing = Filter {
        vlan_ids: vec![9],
        ..Filter::default()
    };
    let request = StreamSamplesRequest {
        filters: vec![nothing],
        ..StreamSamplesRequest::default()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    for second in 1..=3 {
        append(&session, 10);
        client.drain();
        client.pass(Duration::from_secs(1));
        client.drain();
        assert_eq!(client.events().len(), 1 + second, "{:?}", client.events());
        let last = client.received.last().unwrap();
        assert_eq!((last.filtered, last.next_index), (10, 10 * second as u64));
        let Some(Event::Heartbeat(heartbeat)) = &last.event else {
            panic!("{last:?}")
        };
        assert_eq!(heartbeat.queued_bytes, 0);
    }
    assert_no_gap(&client.received);
}

#[test]
fn a_change_of_the_session_is_told_with_its_reason() {
    let session = session(1 << 20, 1 << 20);
    let mut client = Client::open(&session, &StreamSamplesRequest::default());
    client.drain();
    session.log().change(SessionState::Degraded, "eth1 is gone");
    client.drain();
    let change = SessionChange {
        state: SessionState::Degraded as i32,
        reason: "eth1 is gone".into(),
    };
    assert_eq!(client.received[1].event, Some(Event::SessionChange(change)));
}

#[test]
fn a_session_that_failed_ends_its_streams_with_that() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 2);
    let mut client = Client::open(&session, &from_oldest());
    session.stop(EndReason::SessionFailed);
    assert_eq!(client.drain(), Outcome::Done);
    assert_eq!(client.latencies(), [0, 1]);
    assert_eq!(client.end().reason, EndReason::SessionFailed as i32);
}

#[test]
fn rows_and_columns_say_the_same() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 300);
    let [rows, columns] = [Encoding::Rows, Encoding::Columns].map(|encoding| {
        let request = StreamSamplesRequest {
            encoding: encoding as i32,
            no_follow: true,
            ..from_oldest()
        };
        let mut client = Client::open(&session, &request);
        client.drain();
        client.received.iter().flat_map(samples).collect::<Vec<_>>()
    });
    assert_eq!(rows.len(), 300);
    assert_eq!(rows, columns);
}
