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

/// More than a log with a queue of 64 KiB keeps.
const TOO_MUCH: u64 = 20_000;

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

mod books;
mod contract;
mod cursor;
mod end;
mod filter;
mod limits;
mod loss;
mod next;
mod overflow;
mod scoped;
