//! The kernel's histograms are those of the samples, bucket by bucket.

use std::collections::HashMap;

use latscope_events::series::{SeriesKey, flags};

use super::{
    Frame, MS, Record, Replay,
    build::{ACK, SYN, frame, ipv4, tcp},
};
use crate::{
    histogram::Histogram,
    packet::Tables,
    proto::{Collection, Filter, GroupBy, Metric, Probe, SessionSpec, TcpProbe, probe},
    spec::{self, CompiledSpec},
};

const SERVER: [u8; 4] = [10, 0, 0, 2];

fn session(collection: Collection, filters: Vec<Filter>) -> CompiledSpec {
    let spec = SessionSpec {
        probes: vec![Probe {
            kind: Some(probe::Kind::Tcp(TcpProbe {
                metrics: vec![Metric::TcpRtt.into()],
            })),
            ..Probe::default()
        }],
        filters,
        collection: Some(Collection {
            max_samples_per_second: Some(0),
            ..collection
        }),
        ..SessionSpec::default()
    };
    spec::check(&spec).unwrap().compiled
}

fn by(group_by: &[GroupBy]) -> Collection {
    Collection {
        group_by: group_by.iter().map(|it| i32::from(*it)).collect(),
        ..Collection::default()
    }
}

/// Shows a connection of `client` to the server's port: `rounds` of one segment each way, whose acknowledgements take as
/// long as is asked.
fn connect(replay: &mut Replay, client: [u8; 4], port: u16, rounds: &[u64]) {
    let mut now = 1_000_000_000;
    let mut see = |from_client: bool, after: u64, seq: u32, ack: u32, bits: u8, payload: &[u8]| {
        now += after;
        let (ports, ends) = if from_client {
            ((40000, port), (client, SERVER))
        } else {
            ((port, 40000), (SERVER, client))
        };
        let bytes = frame(&ipv4(ends, 6, &tcp(ports, seq, ack, bits, payload)));
        let fed = replay.feed(&Frame {
            bytes: &bytes,
            wire_length: bytes.len() as u32,
            time_ns: now,
            raw: false,
            interface: 1,
            outbound: false,
        });
        assert!(fed.unwrap());
    };
    see(true, MS, 0, 0, SYN, b"");
    see(false, MS, 0, 1, SYN | ACK, b"");
    see(true, MS, 1, 1, ACK, b"");
    for (round, latency) in rounds.iter().enumerate() {
        let sent = 1 + 4 * round as u32;
        see(true, MS, sent, 1, ACK, b"ping");
        see(false, *latency, 1, sent + 4, ACK, b"");
    }
}

/// Latencies that are at, just above and far from bounds, and one beyond the last bucket.
const LATENCIES: [u64; 8] = [1, 1024, 1025, 999_999, 1 << 20, 7_654_321, 3 * MS, 40 * MS];

type Shape = (u64, u64, Option<(u64, u64)>);

fn shape(histogram: &Histogram) -> Shape {
    (
        histogram.count(),
        histogram.sum_ns(),
        histogram.min_ns().zip(histogram.max_ns()),
    )
}

fn of(latencies: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::new(3);
    for latency in latencies {
        histogram.record(latency);
    }
    histogram
}

/// The same counts, wherever the empty buckets begin and end.
fn assert_same(kernel: &Histogram, expected: &Histogram) {
    assert_eq!(shape(kernel), shape(expected));
    for step in 0..=256_u32 {
        let quantile = f64::from(step) / 256.0;
        assert_eq!(kernel.quantile(quantile), expected.quantile(quantile));
    }
}

#[test]
fn a_histogram_counts_what_the_samples_say() {
    let mut replay = Replay::for_sessions(&[session(by(&[]), vec![])], false).unwrap();
    connect(&mut replay, [10, 0, 0, 1], 443, &LATENCIES);
    let latencies = replay.records().into_iter().map(|it| it.sample.latency_ns);
    let expected = of(latencies);
    assert_eq!(expected.count(), LATENCIES.len() as u64);
    assert_same(&expected, &of(LATENCIES));
    let histograms = replay.histograms().unwrap();
    assert_eq!(histograms.len(), 1);
    assert_same(&histograms[0].1, &expected);
    // A second look adds what came since, and only that.
    connect(&mut replay, [10, 0, 0, 3], 443, &[5 * MS]);
    let histograms = replay.histograms().unwrap();
    assert_same(&histograms[0].1, &of(LATENCIES.into_iter().chain([5 * MS])));
}

#[test]
fn histograms_only_writes_no_record() {
    let only = Collection {
        histograms_only: true,
        ..Collection::default()
    };
    let mut replay = Replay::for_sessions(&[session(only, vec![])], false).unwrap();
    connect(&mut replay, [10, 0, 0, 1], 443, &LATENCIES);
    assert!(replay.records().is_empty());
    assert_same(&replay.histograms().unwrap()[0].1, &of(LATENCIES));
}

#[test]
fn faster_than_asked_for_is_in_the_histogram_alone() {
    let slow = Collection {
        sample_min_latency: std::time::Duration::from_millis(3).try_into().ok(),
        ..Collection::default()
    };
    let mut replay = Replay::for_sessions(&[session(slow, vec![])], false).unwrap();
    connect(&mut replay, [10, 0, 0, 1], 443, &LATENCIES);
    let latencies: Vec<u64> = replay
        .records()
        .iter()
        .map(|it| it.sample.latency_ns)
        .collect();
    // What is as large as a power of two below the bound passes; the user side leaves it out.
    assert_eq!(latencies, [7_654_321, 3 * MS, 40 * MS]);
    assert_same(&replay.histograms().unwrap()[0].1, &of(LATENCIES));
}

/// What a series is told by, for a test.
fn told(key: &SeriesKey) -> (u64, [u8; 4], [u8; 4], u16) {
    let bytes = |words: [u32; 4]| words[0].to_ne_bytes();
    (
        key.sessions,
        bytes(key.client),
        bytes(key.server),
        key.server_port,
    )
}

#[test]
fn sessions_that_group_alike_share_a_series_and_others_have_their_own() {
    let nobody = Filter {
        client_cidrs: vec!["10.9.0.0/16".into()],
        ..Filter::default()
    };
    let sessions = [
        session(by(&[]), vec![]),
        session(by(&[]), vec![]),
        session(by(&[GroupBy::ClientPrefix]), vec![]),
        session(by(&[GroupBy::ServerPrefix, GroupBy::ServerPort]), vec![]),
        session(by(&[GroupBy::ClientPrefix]), vec![nobody]),
    ];
    let mut replay = Replay::for_sessions(&sessions, false).unwrap();
    connect(&mut replay, [10, 1, 1, 1], 80, &[MS]);
    connect(&mut replay, [10, 1, 1, 9], 443, &[2 * MS, 3 * MS]);
    connect(&mut replay, [10, 1, 2, 1], 443, &[4 * MS]);
    let mut told: Vec<_> = replay
        .histograms()
        .unwrap()
        .iter()
        .map(|(key, histogram)| (told(key), histogram.count(), histogram.sum_ns()))
        .collect();
    told.sort_unstable();
    let none = [0; 4];
    let server = [10, 0, 0, 0];
    assert_eq!(
        told,
        [
            ((0b11, none, none, 0), 4, 10 * MS),
            ((0b100, [10, 1, 1, 0], none, 0), 3, 6 * MS),
            ((0b100, [10, 1, 2, 0], none, 0), 1, 4 * MS),
            ((0b1000, none, server, 80), 1, MS),
            ((0b1000, none, server, 443), 3, 9 * MS),
        ]
    );
}

#[test]
fn what_is_too_long_for_one_session_is_in_the_histogram_of_the_others() {
    let mut hasty = session(by(&[]), vec![]);
    hasty.probes[0].timeout_ns = Some(5 * MS);
    let sessions = [hasty, session(by(&[]), vec![])];
    for rounds in [[1, 9, 2, 7], [9, 1, 7, 2]] {
        let mut replay = Replay::for_sessions(&sessions, false).unwrap();
        connect(&mut replay, [10, 0, 0, 1], 443, &rounds.map(|it| it * MS));
        let mut told: Vec<_> = replay
            .histograms()
            .unwrap()
            .iter()
            .map(|(key, histogram)| (key.sessions, histogram.count(), histogram.sum_ns() / MS))
            .collect();
        told.sort_unstable();
        assert_eq!(told, [(0b10, 2, 16), (0b11, 2, 3)], "{rounds:?}");
    }
}

#[test]
fn what_has_no_room_is_counted_together() {
    let each = Collection {
        ipv4_prefix_length: 32,
        max_groups: 65_536,
        ..by(&[GroupBy::ClientPrefix])
    };
    let sessions = [session(each, vec![]), session(by(&[]), vec![])];
    let mut replay = Replay::for_sessions(&sessions, false).unwrap();
    let clients = Tables::default().histograms() as u16 + 100;
    let mut records: Vec<Record> = Vec::new();
    for client in 0..clients {
        let [high, low] = client.to_be_bytes();
        connect(
            &mut replay,
            [10, 1, high, low],
            443,
            &[u64::from(client) + 1],
        );
        if client % 100 == 0 {
            records.extend(replay.records());
        }
    }
    records.extend(replay.records());
    let mut groups: HashMap<(u64, u8), (usize, u64, u64)> = HashMap::new();
    for (key, histogram) in replay.histograms().unwrap() {
        let entry = groups
            .entry((key.sessions, key.flags & flags::OTHER))
            .or_default();
        entry.0 += 1;
        entry.1 += histogram.count();
        entry.2 += histogram.sum_ns();
    }
    let (named, other, whole) = (groups[&(1, 0)], groups[&(1, flags::OTHER)], groups[&(2, 0)]);
    assert_eq!(groups.len(), 3);
    // Two ways of grouping share the room, but for an eighth.
    let room = Tables::default().histograms();
    assert_eq!(named.0, ((room - room / 8) / 2) as usize);
    assert_eq!((other.0, whole.0), (1, 1));
    assert_eq!(named.1 + other.1, u64::from(clients));
    assert_eq!(named.2 + other.2, whole.2);
    assert_eq!(whole.1, u64::from(clients));
    assert_eq!(records.len(), usize::from(clients));
}
