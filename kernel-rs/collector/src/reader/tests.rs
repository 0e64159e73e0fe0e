use std::time::Duration;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{
    failure::Reason,
    log::SessionLog,
    proto::{
        self, Encoding, Filter, LossStage, OverflowPolicy, PortRange, Position, SessionSpec,
        SessionState, StreamSamplesResponse, TcpProbe, stream_samples_request::Start,
        stream_samples_response::Event,
    },
    spec::{self, compiled::Limits},
    testing,
};

const NODE: &str = "nodes/a";

/// A session that no engine writes to but the test.
fn session(history_bytes: u64, queue_bytes: u64) -> Arc<Session> {
    let kind = proto::probe::Kind::Tcp(TcpProbe::default());
    let spec = SessionSpec {
        probes: vec![proto::Probe {
            kind: Some(kind),
            timeout: None,
        }],
        ..SessionSpec::default()
    };
    let limits = Limits {
        history_bytes,
        ..testing::limits()
    };
    let log = SessionLog::with_queue(&limits, queue_bytes);
    Session::start_with([], spec::check(&spec).unwrap(), log).unwrap()
}

/// Samples whose latency is their index, and whose server port is 443 for every third one.
fn append(session: &Session, count: u64) {
    let first = session.log().next_index();
    let samples = (first..first + count).map(numbered).collect::<Vec<_>>();
    session
        .log()
        .append(samples.iter().map(testing::Owned::sample));
}

fn numbered(index: u64) -> testing::Owned {
    let mut sample = testing::sample(1_000_000 + index, index);
    sample.flow.as_mut().unwrap().server_port = if index.is_multiple_of(3) { 443 } else { 80 };
    sample
}

fn from_oldest() -> StreamSamplesRequest {
    StreamSamplesRequest {
        start: Some(Start::Position(Position::Oldest as i32)),
        ..StreamSamplesRequest::default()
    }
}

fn port_443() -> Filter {
    Filter {
        server_ports: vec![PortRange {
            first: 443,
            last: 0,
        }],
        ..Filter::default()
    }
}

/// A reader whose clock stands still but for the test.
struct Client {
    reader: Reader,
    now: Instant,
    received: Vec<StreamSamplesResponse>,
}

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Message,
    Waiting,
    Done,
}

impl Client {
    fn open(session: &Arc<Session>, request: &StreamSamplesRequest) -> Self {
        let reader = Reader::open(
            session.clone(),
            request,
            (NODE, "sessions/s"),
            &Scope::default(),
        )
        .unwrap();
        Self {
            reader,
            now: Instant::now(),
            received: Vec::new(),
        }
    }

    fn try_step(&mut self) -> Result<Outcome, Failure> {
        loop {
            match self.reader.step_at(self.now, 0)? {
                Step::Send(bytes) => {
                    assert!(bytes.len() <= 1 << 20);
                    self.received
                        .push(StreamSamplesResponse::decode(&bytes[..]).unwrap());
                    return Ok(Outcome::Message);
                }
                Step::Again => {}
                Step::Wait { .. } => return Ok(Outcome::Waiting),
                Step::Done => return Ok(Outcome::Done),
            }
        }
    }

    fn step(&mut self) -> Outcome {
        self.try_step().unwrap()
    }

    /// Takes messages until there is none now.
    fn drain(&mut self) -> Outcome {
        loop {
            match self.step() {
                Outcome::Message => {}
                outcome => return outcome,
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn events(&self) -> Vec<&'static str> {
        self.received
            .iter()
            .map(|it| name(it.event.as_ref().unwrap()))
            .collect()
    }

    fn latencies(&self) -> Vec<u64> {
        self.received.iter().flat_map(latencies).collect()
    }

    fn end(&self) -> &proto::End {
        let Some(Event::End(end)) = &self.received.last().unwrap().event else {
            panic!("{:?}", self.events())
        };
        end
    }

    fn losses(&self) -> Vec<(LossStage, u64)> {
        let losses = self.received.iter().filter_map(|it| match &it.event {
            Some(Event::Loss(loss)) => Some((LossStage::try_from(loss.stage).unwrap(), loss.count)),
            _ => None,
        });
        losses.collect()
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Rows(_) => "rows",
        Event::Columns(_) => "columns",
        Event::Loss(_) => "loss",
        Event::Heartbeat(_) => "heartbeat",
        Event::SessionChange(_) => "change",
        Event::End(_) => "end",
        Event::NodeStatus(_) => "node",
        Event::Start(_) => "start",
    }
}

fn samples(message: &StreamSamplesResponse) -> Vec<proto::Sample> {
    match &message.event {
        Some(Event::Rows(rows)) => rows.samples.clone(),
        Some(Event::Columns(columns)) => testing::rows_of(columns),
        _ => Vec::new(),
    }
}

fn latencies(message: &StreamSamplesResponse) -> Vec<u64> {
    let latency = |it: &proto::Sample| {
        let latency = it.latency.unwrap();
        latency.seconds as u64 * 1_000_000_000 + latency.nanos as u64
    };
    samples(message).iter().map(latency).collect()
}

/// Indexes that a message accounts for by what is in it.
fn accounted(message: &StreamSamplesResponse) -> u64 {
    let lost = match &message.event {
        Some(Event::Loss(loss)) if loss.stage >= LossStage::HistoryEvicted as i32 => loss.count,
        _ => 0,
    };
    samples(message).len() as u64 + message.filtered + lost
}

/// Each message accounts for its own range, and no range is missing.
fn assert_no_gap(received: &[StreamSamplesResponse]) {
    for message in received {
        assert_eq!(
            message.next_index - message.first_index,
            accounted(message),
            "{message:?}"
        );
    }
    for pair in received.windows(2) {
        assert_eq!(pair[0].next_index, pair[1].first_index);
    }
}

#[test]
fn start_then_samples_then_a_heartbeat_each_second() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 3);
    let mut client = Client::open(&session, &from_oldest());
    assert_eq!(client.drain(), Outcome::Waiting);
    assert_eq!(client.events(), ["start", "rows"]);
    assert_eq!(client.latencies(), [0, 1, 2]);
    client.pass(Duration::from_millis(999));
    assert_eq!(client.drain(), Outcome::Waiting);
    assert_eq!(client.received.len(), 2);
    client.pass(Duration::from_millis(1));
    session.log().set_watermark(0, 5_000_000_000);
    assert_eq!(client.drain(), Outcome::Waiting);
    let Some(Event::Heartbeat(heartbeat)) = &client.received[2].event else {
        panic!("{:?}", client.events())
    };
    assert_eq!(heartbeat.watermark.unwrap().seconds, 5);
    assert_eq!(
        (&*client.received[1].node, &*client.received[1].session),
        (NODE, "sessions/s")
    );
    assert_no_gap(&client.received);
}

#[test]
fn latest_sees_only_what_comes_later() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 3);
    let mut client = Client::open(&session, &StreamSamplesRequest::default());
    assert_eq!(client.drain(), Outcome::Waiting);
    append(&session, 2);
    client.drain();
    assert_eq!(client.latencies(), [3, 4]);
    assert_eq!(client.received[0].first_index, 3);
}

#[test]
fn the_first_batch_leaves_at_once_and_later_ones_wait_to_fill() {
    let session = session(1 << 20, 1 << 20);
    let mut client = Client::open(&session, &StreamSamplesRequest::default());
    client.drain();
    append(&session, 1);
    client.drain();
    append(&session, 1);
    assert_eq!(client.drain(), Outcome::Waiting);
    assert_eq!(client.latencies(), [0]);
    client.pass(Duration::from_millis(100));
    client.drain();
    assert_eq!(client.latencies(), [0, 1]);
    append(&session, 1000);
    client.drain();
    assert!(
        client.latencies().len() > 800,
        "full batches do not wait: {}",
        client.latencies().len()
    );
}

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
fn a_filter_leaves_out_and_counts() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 9);
    let request = StreamSamplesRequest {
        filters: vec![port_443()],
        no_follow: true,
        ..from_oldest()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    assert_eq!(client.latencies(), [0, 3, 6]);
    let totals = client.end().totals.as_ref().unwrap();
    assert_eq!((totals.delivered, totals.filtered), (3, 6));
    assert_no_gap(&client.received);
    let Some(Event::Start(start)) = &client.received[0].event else {
        panic!("start first")
    };
    assert_eq!(
        start.reader_filters[0].server_ports,
        [PortRange {
            first: 443,
            last: 443
        }]
    );
}

#[test]
fn exclude_wins_and_latency_counts() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 9);
    let slow = Filter {
        min_latency: Some(prost_types::Duration {
            seconds: 0,
            nanos: 4,
        }),
        ..Filter::default()
    };
    let request = StreamSamplesRequest {
        filters: vec![slow],
        exclude: vec![port_443()],
        no_follow: true,
        ..from_oldest()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    assert_eq!(client.latencies(), [4, 5, 7, 8]);
    assert_no_gap(&client.received);
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

#[test]
fn all_that_is_wrong_with_a_request_is_told_at_once() {
    let session = session(1 << 20, 1 << 20);
    let request = StreamSamplesRequest {
        start: Some(Start::Position(9)),
        overflow: 99,
        encoding: 99,
        max_batch_bytes: 2 << 20,
        max_batch_delay: Some(prost_types::Duration {
            seconds: -1,
            nanos: 0,
        }),
        until: Some(prost_types::Timestamp {
            seconds: -1,
            nanos: 0,
        }),
        filters: vec![Filter {
            cidrs: vec!["x".into()],
            ..Filter::default()
        }],
        exclude: vec![Filter::default()],
        ..StreamSamplesRequest::default()
    };
    let failure =
        Reader::open(session, &request, (NODE, "sessions/s"), &Scope::default()).unwrap_err();
    let fields = failure
        .violations()
        .iter()
        .map(|it| &*it.field)
        .collect::<Vec<_>>();
    let wanted = [
        "overflow",
        "encoding",
        "max_batch_bytes",
        "max_batch_delay",
        "until",
        "filters[0].cidrs[0]",
        "exclude[0]",
        "position",
    ];
    assert_eq!(fields, wanted);
}

/// More than a log with a queue of 64 KiB keeps.
const TOO_MUCH: u64 = 20_000;

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

/// A client that reads nothing while too much happens.
fn slow(overflow: OverflowPolicy) -> (Arc<Session>, Client) {
    let session = session(64 << 10, 64 << 10);
    let request = StreamSamplesRequest {
        overflow: overflow as i32,
        ..Default::default()
    };
    let mut client = Client::open(&session, &request);
    client.drain();
    for _ in 0..TOO_MUCH / 500 {
        append(&session, 500);
    }
    (session, client)
}

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

#[test]
fn readers_at_the_same_place_share_what_is_encoded() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 1000);
    let mut clients = [0; 3].map(|_| Client::open(&session, &from_oldest()));
    for client in &mut clients {
        client.drain();
    }
    let [one, ..] = &clients;
    let batches = one
        .received
        .iter()
        .filter(|it| !samples(it).is_empty())
        .count() as u64;
    assert!(batches > 1);
    assert_eq!(session.log().cache().hits(), 2 * batches);
    assert!(
        clients
            .iter()
            .all(|it| it.received[1..] == one.received[1..])
    );
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

/// What happens to a session and its readers.
#[derive(Clone, Debug)]
enum Act {
    Append(u64),
    KernelLoss(u64),
    Read(usize, u8),
    Pass(usize, u64),
    Resume(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..3000_u64).prop_map(Act::Append),
        1 => (1..9_u64).prop_map(Act::KernelLoss),
        6 => (0..3_usize, 1..30_u8).prop_map(|(who, steps)| Act::Read(who, steps)),
        2 => (0..3_usize, 1..1500_u64).prop_map(|(who, milliseconds)| Act::Pass(who, milliseconds)),
        1 => (0..3_usize).prop_map(Act::Resume),
    ]
}

fn any_request() -> impl Strategy<Value = StreamSamplesRequest> {
    let overflow = prop_oneof![
        Just(OverflowPolicy::DropOldest),
        Just(OverflowPolicy::DropNewest),
        Just(OverflowPolicy::Sample)
    ];
    let encoding = prop_oneof![Just(Encoding::Rows), Just(Encoding::Columns)];
    (
        overflow,
        encoding,
        any::<bool>(),
        any::<bool>(),
        prop_oneof![Just(0), 1..40_000_u32],
    )
        .prop_map(|(overflow, encoding, oldest, filtered, max_batch_bytes)| {
            StreamSamplesRequest {
                start: oldest.then_some(Start::Position(Position::Oldest as i32)),
                overflow: overflow as i32,
                encoding: encoding as i32,
                max_batch_bytes,
                filters: if filtered {
                    vec![port_443()]
                } else {
                    Vec::new()
                },
                ..StreamSamplesRequest::default()
            }
        })
}

/// One client through all its reconnects.
struct Follower {
    request: StreamSamplesRequest,
    client: Client,
    earlier: Vec<Vec<StreamSamplesResponse>>,
}

impl Follower {
    fn resume(&mut self, session: &Arc<Session>) {
        let Some(last) = self.client.received.last() else {
            return;
        };
        let start = Some(Start::Cursor(last.cursor.clone()));
        let next = Client::open(
            session,
            &StreamSamplesRequest {
                start,
                ..self.request.clone()
            },
        );
        self.earlier
            .push(std::mem::replace(&mut self.client, next).received);
    }

    fn streams(&self) -> Vec<&Vec<StreamSamplesResponse>> {
        self.earlier.iter().chain([&self.client.received]).collect()
    }

    /// Received, left out and told: everything that existed since the first stream began, once.
    fn assert_complete(&self, existing: u64) {
        let streams = self.streams();
        for stream in &streams {
            assert_no_gap(stream);
        }
        for pair in streams.windows(2) {
            assert_eq!(pair[0].last().unwrap().next_index, pair[1][0].first_index);
        }
        let all = streams.iter().copied().flatten();
        assert_eq!(
            all.clone().map(accounted).sum::<u64>(),
            existing - streams[0][0].first_index
        );
        let latencies = all.flat_map(latencies).collect::<Vec<_>>();
        assert!(
            latencies.is_sorted_by(|a, b| a < b),
            "nothing twice and nothing out of order"
        );
        assert!(self.request.filters.is_empty() || latencies.iter().all(|it| it.is_multiple_of(3)));
        let last = &self.client.received;
        let totals = self.client.end().totals.as_ref().unwrap();
        assert_eq!(
            last.last().unwrap().next_index - last[0].first_index,
            totals.delivered
                + totals.filtered
                + totals.losses.iter().map(|it| it.count).sum::<u64>()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_books_of_every_reader_balance_whatever_happens(
        acts in proptest::collection::vec(any_act(), 1..60),
        requests in proptest::collection::vec(any_request(), 3),
        history_bytes in prop_oneof![Just(0), Just(8 << 10), Just(128 << 10)],
    ) {
        let session = session(history_bytes, 32 << 10);
        let mut followers = requests.into_iter().map(|request| {
            Follower { client: Client::open(&session, &request), request, earlier: Vec::new() }
        }).collect::<Vec<_>>();
        let mut kernel_losses = 0;
        for act in acts {
            match act {
                Act::Append(count) => append(&session, count),
                Act::KernelLoss(count) => {
                    kernel_losses += count;
                    session.log().loss(LossStage::KernelRingFull, count, 1, 1);
                }
                Act::Read(who, steps) => for _ in 0..steps {
                    followers[who].client.step();
                },
                Act::Pass(who, milliseconds) => followers[who].client.pass(Duration::from_millis(milliseconds)),
                Act::Resume(who) => followers[who].resume(&session),
            }
            prop_assert!(session.log().bytes() <= history_bytes.max(32 << 10) + (32 << 10));
        }
        session.stop(EndReason::SessionStopped);
        let existing = session.log().next_index();
        for follower in &mut followers {
            prop_assert_eq!(follower.client.drain(), Outcome::Done);
            follower.assert_complete(existing);
            for stream in follower.streams() {
                let told = stream.iter().filter_map(|it| match &it.event {
                    Some(Event::Loss(loss)) if loss.stage == LossStage::KernelRingFull as i32 => Some(loss.count),
                    _ => None,
                });
                prop_assert!(told.sum::<u64>() <= kernel_losses);
            }
        }
    }
}

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

mod contract;
mod filter;
#[path = "scope_tests.rs"]
mod scoped;
