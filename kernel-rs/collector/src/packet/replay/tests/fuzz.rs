//! Mutated frames: none is changed or given a verdict, none gives an error, and none makes a flow that was not mutated report
//! anything else than it does alone.

use aya::programs::{TestRun as _, TestRunOptions};
use latscope_events::metric::TCP_RTT;
use latscope_traffic::{Scenario, frame as made, judge::Report, monitor, run};

use super::{
    super::context,
    build::{self, ACK, SYN, ethernet, ipv4, ipv4_with, ipv6, kind, tcp, udp},
    *,
};
use crate::packet::object::Hook;

const USUAL: u32 = 60_000;
/// Mutated frames between two that are not.
const BETWEEN: u32 = 20;
/// Verdict of every program: none (`TC_ACT_UNSPEC`, which is `TCX_NEXT`).
const UNSPEC: u32 = u32::MAX;

/// Frames of every form that is parsed, none of them of a simulated flow.
fn corpus() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut add = |packet: Vec<u8>| {
        let tag = [&[0x00, 0x07][..], &kind(&packet).to_be_bytes()[..], &packet].concat();
        let label = [&[0, 16, 0x01, 64][..], &packet].concat();
        let session = [&[0x11, 0, 0, 9, 0, 200, 0, 0x21][..], &packet].concat();
        frames.push(ethernet(0x8100, &tag));
        frames.push(ethernet(0x8847, &label));
        frames.push(ethernet(0x8864, &session));
        frames.push(packet.clone());
        frames.push(build::frame(&packet));
    };
    for form in [ipv4, ipv6] {
        build::conversation(|_, segment, forward| {
            let ends = build::ends(forward);
            add(form(ends, 6, &segment));
            let packet = form(ends, 6, &segment);
            let vxlan = [&[8, 0, 0, 0, 0, 0, 5, 0][..], &build::frame(&packet)[..]].concat();
            add(ipv4(ends, 17, &udp((3333, 4789), &vxlan)));
            let gre = [&[0, 0][..], &kind(&packet).to_be_bytes()[..], &packet].concat();
            add(ipv4(ends, 47, &gre));
        });
        for forward in [true, false] {
            let ends = build::ends(forward);
            let ports = |server: u16| {
                if forward {
                    (5300, server)
                } else {
                    (server, 5300)
                }
            };
            let message = build::dns(7, !forward, 0, &[b"www", b"example", b"org"], 1);
            add(form(ends, 17, &udp(ports(53), &message)));
            let mut stream = (message.len() as u16).to_be_bytes().to_vec();
            stream.extend(&message);
            add(form(ends, 6, &tcp(ports(53), 100, 500, ACK, &stream)));
            let initial = [&[0xc0, 0, 0, 0, 1][..], &[0; 40][..]].concat();
            add(form(ends, 17, &udp(ports(443), &initial)));
            add(form(ends, 17, &udp(ports(443), &[0x60; 30])));
            let (request, reply) = if form(ends, 1, &[])[0] >> 4 == 4 {
                ((1, 8), (1, 0))
            } else {
                ((58, 128), (58, 129))
            };
            let (protocol, message) = if forward { request } else { reply };
            add(form(ends, protocol, &[message, 0, 0, 0, 0, 7, 0, 1, 9, 9]));
        }
    }
    let ends = build::ends(true);
    let syn = ipv4(ends, 6, &tcp((40_000, 80), 100, 0, SYN, &[]));
    add(ipv4(
        build::ends(false),
        1,
        &[&[3, 1, 0, 0, 0, 0, 0, 0][..], &syn].concat(),
    ));
    add(ipv4_with(
        ends,
        17,
        &[1, 1, 1, 1, 7, 7, 4, 0],
        0x2000,
        &udp((5, 7), &[0; 64]),
    ));
    let mut stamped = tcp(
        (40_000, 80),
        101,
        501,
        ACK,
        &[
            1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0,
        ],
    );
    stamped[12] = 11 << 4;
    add(ipv4(ends, 6, &stamped));
    let mut extended = vec![43, 0, 1, 4, 0, 0, 0, 0, 60, 2, 4, 0, 0, 0, 0, 0];
    extended.extend([0; 16]);
    extended.extend([44, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    extended.extend([6, 0, 0, 0, 0, 0, 0, 9]);
    extended.extend(tcp((1, 2), 0, 0, SYN, &[]));
    add(ipv6(ends, 0, &extended));
    frames
}

/// One to eight changes: a bit, a byte, a word, a piece that is missing, doubled or cut off.
fn mutate(frame: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    for _ in 0..rng.u32(1..=8) {
        let at = rng.usize(..frame.len());
        match rng.u8(..8) {
            0..3 => frame[at] ^= 1 << rng.u8(..8),
            3 => frame[at] = rng.u8(..),
            4 => {
                let extreme = rng.choice([0, 1, 0x7f, 0x80, 0xff]).unwrap_or(0);
                frame[at..]
                    .iter_mut()
                    .take(rng.usize(1..=4))
                    .for_each(|it| *it = extreme);
            }
            5 => frame.truncate(at.max(1)),
            6 => {
                let piece = frame[at..].iter().take(rng.usize(1..=40)).copied();
                let piece: Vec<u8> = piece.collect();
                frame.splice(at..at, piece);
            }
            _ => {
                let end = frame.len().min(at + rng.usize(1..=20));
                frame.drain(at..end);
            }
        }
        if frame.is_empty() {
            frame.push(0);
        }
    }
    frame.resize(frame.len().clamp(14, 1800), 0);
}

/// Pushes a frame through one of the programs and looks at what comes out. Whether the kernel took it: newer ones refuse some
/// that are shorter than an IP header, and none refuses any other.
fn push(bench: &mut Bench, frame: &Frame<'_>) -> bool {
    const HEADERS: usize = 14 + 40;
    let context = context(frame, frame.bytes.len() as u32);
    let (mut data, mut after) = ([0; 4096], [0; 192]);
    let hook = Hook {
        raw: frame.raw,
        egress: frame.outbound,
    };
    let mut options = TestRunOptions::new();
    options.data_in = Some(frame.bytes);
    options.data_out = Some(&mut data);
    options.ctx_in = Some(&context);
    options.ctx_out = Some(&mut after);
    match bench.replay.object.program(hook).unwrap().test_run(options) {
        Ok(result) => {
            assert_eq!(result.return_value, UNSPEC, "{frame:?}");
            assert_eq!(&data[..result.data_size_out as usize], frame.bytes);
            assert_eq!(after, context, "{frame:?}");
            true
        }
        Err(error) => {
            assert!(frame.bytes.len() < HEADERS, "{error}: {frame:?}");
            false
        }
    }
}

/// Reports of the simulated flows among all that was measured; nothing else may be older than the first frame.
fn reports(bench: &mut Bench, until_ns: u64) -> Vec<Report> {
    let simulated = |port| port == made::SERVER_PORT;
    bench
        .records()
        .iter()
        .map(|it| {
            assert!(it.sample.latency_ns <= until_ns, "{:?}", it.sample);
            &it.sample
        })
        .filter(|it| simulated(it.server_port) && it.metric <= TCP_RTT)
        .map(Report::from)
        .collect()
}

#[test]
fn mutated_frames_disturb_nobody() {
    let corpus = corpus();
    let mut rest = packets(USUAL);
    let mut taken = 0;
    for seed in 0.. {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut scenario = Scenario {
            flows: 30,
            packets: 3000,
            ipv6: seed % 2 == 1,
            timestamp_tick_ns: (seed % 4 < 2).then_some(MS),
            ..Scenario::plain(seed)
        };
        for leg in &mut scenario.legs {
            leg.loss = [0.01; 2];
        }
        let capture = run(&scenario);
        let mut alone = monitor::reports(&capture);
        let mut bench = Bench::looking(rng.bool());
        let mut found = Vec::new();
        for packet in &capture.packets {
            let whole = made::frame(packet, capture.ipv6);
            let mut bytes = whole.bytes.clone();
            bytes.resize(whole.wire_length as usize, 0);
            let frame = Frame {
                bytes: &bytes,
                wire_length: whole.wire_length,
                time_ns: packet.time_ns,
                raw: false,
                interface: 1,
                outbound: packet.side == 0,
            };
            assert!(push(&mut bench, &frame));
            for _ in 0..BETWEEN.min(rest) {
                rest -= 1;
                let mut bytes = rng.choice(&corpus).unwrap().clone();
                mutate(&mut bytes, &mut rng);
                let frame = Frame {
                    bytes: &bytes,
                    wire_length: rng.u32(bytes.len() as u32..70_000),
                    time_ns: packet.time_ns,
                    raw: rng.bool(),
                    interface: 1,
                    outbound: rng.bool(),
                };
                taken += u32::from(push(&mut bench, &frame));
            }
            found.extend(reports(&mut bench, packet.time_ns));
        }
        alone.sort();
        found.sort();
        assert_eq!(found, alone, "seed {seed}");
        assert!(alone.len() > 500, "{}", alone.len());
        if rest == 0 {
            break;
        }
    }
    let all = packets(USUAL);
    assert!(taken > all / 2, "the kernel took {taken} of {all}");
}
