//! Whole captures through the programs, to the nanosecond.

use std::{collections::BTreeMap, io::Write as _, net::Ipv6Addr};

use etherparse::PacketBuilder;
use latscope_events::refusal::UNMATCHED_START;
use proptest::{prelude::RngExt as _, test_runner::TestRunner};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{
    super::{Account, Capture, Form, Options},
    writer::{MICRO, NANO, Writer},
};
use crate::{failure::Failure, proto::SampleRows, spec::cidr::Cidr};

const MS: u64 = 1_000_000;
/// When the conversation begins.
pub(super) const START: u64 = 1_700_000_000 * 1_000_000_000;
const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];

pub(super) fn options() -> Options {
    Options {
        local: Vec::new(),
        inner: true,
        ignore_vlan: true,
        form: Form::Lines,
    }
}

/// What a replay of a file gives: its bytes, how it ended, and its books.
pub(super) fn replayed(file: &[u8], options: Options) -> (Vec<u8>, Result<(), Failure>, Account) {
    let mut on_disk = NamedTempFile::new().unwrap();
    on_disk.write_all(file).unwrap();
    let mut capture = Capture::open(on_disk.path(), options).unwrap();
    let mut all = Vec::new();
    let end = loop {
        match capture.next_batch() {
            Ok(Some(batch)) => all.extend(batch),
            Ok(None) => break Ok(()),
            Err(failure) => {
                assert_eq!(capture.next_batch(), Ok(None), "an error is told once");
                break Err(failure);
            }
        }
    };
    (all, end, capture.account().unwrap())
}

/// Metric without `METRIC_`, latency, time since [`START`], interface of each sample.
pub(super) fn brief(lines: &[u8]) -> Vec<(String, u64, u64, String)> {
    let text = std::str::from_utf8(lines).unwrap();
    text.lines()
        .map(|line| {
            let sample: Value = serde_json::from_str(line).unwrap();
            (
                sample["metric"].as_str().unwrap()["METRIC_".len()..].to_owned(),
                sample["latency_ns"].as_u64().unwrap(),
                sample["time_ns"].as_u64().unwrap() - START,
                sample["interface"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Of a [`conversation`]: its request was acknowledged and never answered.
fn unanswered() -> BTreeMap<u32, u64> {
    BTreeMap::from([(UNMATCHED_START, 1)])
}

/// A connection with one request that is acknowledged: nanoseconds since its start, and the IP packet.
pub(super) fn conversation(ipv6: bool) -> Vec<(u64, Vec<u8>)> {
    let segment = |from_client: bool, seq: u32, ack: Option<u32>, syn: bool, payload: &[u8]| {
        let (from, to) = if from_client {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let ports = if from_client {
            (40_000, 80)
        } else {
            (80, 40_000)
        };
        let v6 = |it: [u8; 4]| Ipv6Addr::from(u128::from(u32::from_be_bytes(it))).octets();
        let step = if ipv6 {
            PacketBuilder::ipv6(v6(from), v6(to), 64)
        } else {
            PacketBuilder::ipv4(from, to, 64)
        };
        let mut step = step.tcp(ports.0, ports.1, seq, 1000);
        if syn {
            step = step.syn();
        }
        if let Some(ack) = ack {
            step = step.ack(ack);
        }
        let mut bytes = Vec::new();
        step.write(&mut bytes, payload).unwrap();
        bytes
    };
    vec![
        (0, segment(true, 100, None, true, b"")),
        (10 * MS, segment(false, 500, Some(101), true, b"")),
        (11 * MS, segment(true, 101, Some(501), false, b"")),
        (20 * MS, segment(true, 101, Some(501), false, b"question")),
        (50 * MS + 1, segment(false, 501, Some(109), false, b"")),
    ]
}

/// What [`conversation`] comes to.
fn expected(interface: &str) -> Vec<(String, u64, u64, String)> {
    [
        ("TCP_HANDSHAKE_REMOTE", 10 * MS, 10 * MS),
        ("TCP_HANDSHAKE_LOCAL", MS, 11 * MS),
        ("TCP_RTT", 30 * MS + 1, 50 * MS + 1),
    ]
    .map(|(metric, latency, at)| (metric.to_owned(), latency, at, interface.to_owned()))
    .into()
}

/// A pcap file with `head` in front of every packet of the conversation.
fn with_head(link_type: u32, head: &[u8], ipv6: bool) -> Vec<u8> {
    let mut file = Writer::pcap(false, NANO, link_type);
    for (at, packet) in conversation(ipv6) {
        let nanos = at as u32;
        file.record(1_700_000_000, nanos, &[head, &packet].concat());
    }
    file.bytes
}

fn ethernet(kind: [u8; 2]) -> Vec<u8> {
    [&[2; 12][..], &kind].concat()
}

#[test]
fn every_link_type_measures_the_same() {
    let mut cooked = vec![0; 16];
    cooked[14..].copy_from_slice(&[8, 0]);
    let mut cooked_tagged = vec![0; 16];
    cooked_tagged[14..].copy_from_slice(&[0x81, 0]);
    cooked_tagged.extend([0, 5, 8, 0]);
    let mut cooked2 = vec![0; 20];
    cooked2[..2].copy_from_slice(&[8, 0]);
    let pppoe = [&[2; 12][..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 0, 0x21]].concat();
    for (link_type, head) in [
        (1, ethernet([8, 0])),
        (1, [ethernet([0x81, 0]), vec![0, 5, 8, 0]].concat()),
        (1, pppoe),
        (0, vec![2, 0, 0, 0]),
        (108, vec![0, 0, 0, 2]),
        (9, vec![0xff, 3, 0, 0x21]),
        (50, vec![0xff, 3, 0, 0x21]),
        (12, vec![]),
        (14, vec![]),
        (101, vec![]),
        (228, vec![]),
        (113, cooked),
        (113, cooked_tagged),
        (276, cooked2),
    ] {
        let (lines, end, account) = replayed(&with_head(link_type, &head, false), options());
        assert_eq!(brief(&lines), expected(""), "link type {link_type}");
        assert_eq!(end, Ok(()));
        assert_eq!((account.packets, account.measured), (5, 3));
        assert_eq!(account.span_ns, 50 * MS + 1);
        assert!(account.unparsed.is_empty());
        assert_eq!(account.refusals, unanswered());
    }
    for (link_type, head) in [(1, ethernet([0x86, 0xdd])), (229, vec![])] {
        let (lines, _, _) = replayed(&with_head(link_type, &head, true), options());
        assert_eq!(brief(&lines), expected(""), "link type {link_type}");
    }
}

#[test]
fn a_vlan_tag_of_a_cooked_capture_is_told() {
    let head = [&[0; 14][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    let (lines, _, _) = replayed(&with_head(113, &head, false), options());
    let first: Value =
        serde_json::from_slice(lines.split(|it| *it == b'\n').next().unwrap()).unwrap();
    assert_eq!(first["vlan_id"], 5);
}

#[test]
fn two_interfaces_of_a_file_see_one_packet_once() {
    let mut file = Writer::pcapng(false, &[1, 101]);
    for (at, packet) in conversation(false) {
        file.packet(0, START + at, &[ethernet([8, 0]), packet.clone()].concat());
        file.packet(1, START + at + 1000, &packet);
    }
    let (lines, end, account) = replayed(&file.bytes, options());
    assert_eq!(brief(&lines), expected("eth0"));
    assert_eq!((end, account.packets), (Ok(()), 10));
    assert_eq!(account.refusals, unanswered());
}

#[test]
fn a_capture_may_begin_at_time_zero() {
    let mut file = Writer::pcap(true, MICRO, 101);
    for (at, packet) in conversation(false) {
        file.record(0, (at / 1000) as u32, &packet);
    }
    let (lines, _, _) = replayed(&file.bytes, options());
    let text = String::from_utf8(lines).unwrap();
    let times: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["time_ns"].clone())
        .collect();
    assert_eq!(times, [10 * MS, 11 * MS, 50 * MS]);
}

#[test]
fn direction_is_told_by_the_opener_or_by_the_addresses_given() {
    let direction = |local: &[&str]| {
        let local = local.iter().map(|it| Cidr::parse(it).unwrap()).collect();
        let file = with_head(101, &[], false);
        let (lines, _, _) = replayed(&file, Options { local, ..options() });
        assert_eq!(brief(&lines), expected(""), "values do not depend on it");
        let first = lines.split(|it| *it == b'\n').next().unwrap();
        let sample: Value = serde_json::from_slice(first).unwrap();
        sample["direction"].as_str().unwrap().to_owned()
    };
    assert_eq!(direction(&[]), "DIRECTION_OUTBOUND");
    assert_eq!(direction(&["10.0.0.1"]), "DIRECTION_OUTBOUND");
    assert_eq!(direction(&["fd00::/8", "10.0.0.2/32"]), "DIRECTION_INBOUND");
    assert_eq!(direction(&["192.0.2.0/24"]), "DIRECTION_FORWARDED");
}

#[test]
fn rows_are_the_same_samples() {
    let file = with_head(101, &[], false);
    let (bytes, _, _) = replayed(
        &file,
        Options {
            form: Form::Rows,
            ..options()
        },
    );
    let rows = <SampleRows as prost::Message>::decode(&bytes[..]).unwrap();
    let found: Vec<_> = rows
        .samples
        .iter()
        .map(|it| {
            let (time, latency) = (it.time.unwrap(), it.latency.unwrap());
            (it.metric, time.seconds, time.nanos, latency.nanos)
        })
        .collect();
    let ms = |it: i32| it * MS as i32;
    assert_eq!(
        found,
        [
            (1, 1_700_000_000, ms(10), ms(10)),
            (2, 1_700_000_000, ms(11), ms(1)),
            (3, 1_700_000_000, ms(50) + 1, ms(30) + 1),
        ]
    );
}

#[test]
fn what_cannot_be_parsed_is_counted_by_reason() {
    let mut file = Writer::pcapng(false, &[1, 127]);
    file.packet(0, START, &[0; 13]);
    file.packet(0, START, &[&ethernet([8, 0])[..], &[0x45, 0]].concat());
    file.packet(1, START, &[0; 60]);
    file.simple_packet(&[0; 60]);
    file.packet(0, START, &[&ethernet([8, 6])[..], &[0; 46]].concat());
    let (lines, end, account) = replayed(&file.bytes, options());
    assert_eq!((lines.len(), end, account.packets), (0, Ok(()), 5));
    let unparsed: Vec<_> = account
        .unparsed
        .iter()
        .map(|(why, n)| (&why[..], *n))
        .collect();
    assert_eq!(
        unparsed,
        [
            ("cut short or malformed", 2),
            ("link type 127 (IEEE 802.11 with radiotap)", 1),
            ("no time stamp", 1)
        ]
    );
}

#[test]
fn a_file_of_a_link_type_that_is_not_read_is_an_error() {
    let mut file = Writer::pcap(false, MICRO, 105);
    file.record(1, 0, &[0; 60]);
    let (_, end, account) = replayed(&file.bytes, options());
    let message = end.unwrap_err().message().to_owned();
    assert!(
        message.ends_with(
            ": is of link type 105 (IEEE 802.11); Ethernet, Linux cooked v1 and v2, raw IP, null/loopback and PPP are read"
        ),
        "{message}"
    );
    assert_eq!(account.packets, 1);
}

#[test]
fn a_cut_file_gives_what_came_before_and_then_the_error() {
    let mut file = with_head(101, &[], false);
    file.truncate(file.len() - 1);
    let (lines, end, _) = replayed(&file, options());
    assert_eq!(brief(&lines), expected("")[..2]);
    let message = end.unwrap_err().message().to_owned();
    assert!(
        message.ends_with(": packet 5: the file ends after 39 of 40 bytes"),
        "{message}"
    );
}

#[test]
fn files_that_are_none_are_refused() {
    let refused = |path: &str| Capture::open(path.as_ref(), options()).err().unwrap();
    assert_eq!(refused("/nowhere\n/x").reason().code(), "CAPTURE_INVALID");
    assert!(
        refused("/nowhere\n/x")
            .message()
            .starts_with("/nowhere\\x0a/x: ")
    );
    assert_eq!(refused("/").reason().code(), "CAPTURE_INVALID");
    assert_eq!(refused("/dev/null").message(), "/dev/null: is empty");
}

#[test]
fn mutated_frames_give_no_failure_and_no_latency_longer_than_the_capture() {
    const FRAMES: u64 = 30_000;
    const LINKS: [(u16, &[u8]); 4] = [
        (1, &[2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 8, 0]),
        (101, &[]),
        (0, &[2, 0, 0, 0]),
        (
            276,
            &[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
    ];
    let mut random = TestRunner::deterministic().new_rng();
    let mut file = Writer::pcapng(true, &LINKS.map(|(link_type, _)| link_type));
    let seeds = [conversation(false), conversation(true)].concat();
    for n in 0..FRAMES {
        let (_, packet) = &seeds[random.random_range(0..seeds.len())];
        let link = random.random_range(0..LINKS.len());
        let mut frame = [LINKS[link].1, packet].concat();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..frame.len());
            frame[at] = random.random();
        }
        if random.random_range(0..8) == 0 {
            frame.truncate(random.random_range(0..frame.len()));
        }
        file.packet(link as u32, START + n * 1000, &frame);
    }
    let (lines, end, account) = replayed(&file.bytes, options());
    assert_eq!((end, account.packets), (Ok(()), FRAMES));
    let samples = brief(&lines);
    assert!(!samples.is_empty());
    for (metric, latency, at, _) in samples {
        assert!(
            latency <= at && at <= account.span_ns,
            "{metric} {latency} at {at}"
        );
    }
}
