//! Rules 1 to 8 and 24.

use latscope_events::metric::quality;

use super::{super::Frame, *};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// A TCP conversation under construction: who sends what, when.
struct Wire {
    replay: Replay,
    ipv6: bool,
    ports: (u16, u16),
}

/// A segment to send.
#[derive(Clone, Copy, Default)]
struct Out {
    seq: u32,
    ack: u32,
    flags: u8,
    payload: u16,
    timestamps: Option<(u32, u32)>,
}

impl Wire {
    fn new() -> Self {
        Self {
            replay: Replay::open(false, false).expect("needs root and BPF"),
            ipv6: false,
            ports: (40000, 80),
        }
    }

    fn client(&mut self, at_ms: u64, out: Out) {
        self.send(at_ms * MS, out, true);
    }

    fn server(&mut self, at_ms: u64, out: Out) {
        self.send(at_ms * MS, out, false);
    }

    fn send(&mut self, at: u64, out: Out, from_client: bool) {
        let frame = frame(out, from_client, self.ipv6, self.ports);
        let fed = self.replay.feed(&Frame {
            bytes: &frame,
            wire_length: frame.len() as u32,
            time_ns: at + 1_000_000_000,
            raw: false,
            interface: 1,
            outbound: from_client,
        });
        assert!(fed.unwrap());
    }

    /// (metric, latency in ms, quality without `INCLUDES_LOCAL_HOST`, from server, retries, result) of everything measured.
    fn found(&mut self) -> Vec<(u8, u64, u16, bool, u8, i32)> {
        self.replay
            .records()
            .iter()
            .map(|Record { sample: it, .. }| {
                assert_eq!(it.latency_ns % MS, 0, "exact to the nanosecond");
                (
                    it.metric,
                    it.latency_ns / MS,
                    it.quality & !quality::INCLUDES_LOCAL_HOST,
                    it.flags & latscope_events::sample::flags::FROM_SERVER != 0,
                    it.retries,
                    it.result,
                )
            })
            .collect()
    }

    fn refused(&self, reason: u32) -> u64 {
        self.replay.refusals().unwrap()[reason as usize]
    }

    /// SYN at 0, SYN-ACK at 10, ACK at 11; the client's first byte is 101, the server's 501.
    fn open(&mut self) {
        self.client(
            0,
            Out {
                seq: 100,
                flags: SYN,
                ..Out::default()
            },
        );
        self.server(
            10,
            Out {
                seq: 500,
                ack: 101,
                flags: SYN | ACK,
                ..Out::default()
            },
        );
        self.client(
            11,
            Out {
                seq: 101,
                ack: 501,
                flags: ACK,
                ..Out::default()
            },
        );
        self.found();
    }
}

fn frame(out: Out, from_client: bool, ipv6: bool, ports: (u16, u16)) -> Vec<u8> {
    let (sport, dport) = if from_client {
        ports
    } else {
        (ports.1, ports.0)
    };
    let options = if out.timestamps.is_some() { 12 } else { 0 };
    let mut tcp = Vec::new();
    tcp.extend(sport.to_be_bytes());
    tcp.extend(dport.to_be_bytes());
    tcp.extend(out.seq.to_be_bytes());
    tcp.extend(out.ack.to_be_bytes());
    tcp.extend([((20 + options) / 4) << 4, out.flags, 0xff, 0xff, 0, 0, 0, 0]);
    if let Some((tsval, tsecr)) = out.timestamps {
        tcp.extend([1, 1, 8, 10]);
        tcp.extend(tsval.to_be_bytes());
        tcp.extend(tsecr.to_be_bytes());
    }
    tcp.extend(vec![b'x'; usize::from(out.payload)]);
    let (src, dst) = if from_client {
        (CLIENT, SERVER)
    } else {
        (SERVER, CLIENT)
    };
    let mut frame = vec![2; 12];
    if ipv6 {
        frame.extend(0x86dd_u16.to_be_bytes());
        frame.extend([0x60, 0, 0, 0]);
        frame.extend((tcp.len() as u16).to_be_bytes());
        frame.extend([6, 64]);
        for address in [src, dst] {
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            frame.extend(address);
        }
    } else {
        frame.extend(0x0800_u16.to_be_bytes());
        frame.extend([0x45, 0]);
        frame.extend((20 + tcp.len() as u16).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend(src);
        frame.extend(dst);
    }
    frame.extend(tcp);
    frame
}

fn data(seq: u32, ack: u32, payload: u16) -> Out {
    Out {
        seq,
        ack,
        flags: ACK | PSH,
        payload,
        ..Out::default()
    }
}

fn ack(seq: u32, ack: u32) -> Out {
    Out {
        seq,
        ack,
        flags: ACK,
        ..Out::default()
    }
}

fn rtt(ms: u64, quality: u16, from_server: bool) -> (u8, u64, u16, bool, u8, i32) {
    (metric::TCP_RTT, ms, quality, from_server, 0, 0)
}

const SEQ: u16 = quality::SEQUENCE_MATCHED;
const TS: u16 = quality::TIMESTAMP_MATCHED;
const COVER: u16 = quality::SEQUENCE_MATCHED | quality::MAY_INCLUDE_ACK_DELAY;
const REMOTE: u8 = metric::TCP_HANDSHAKE_REMOTE;
const LOCAL: u8 = metric::TCP_HANDSHAKE_LOCAL;

#[test]
fn rule_1_both_halves_of_a_handshake() {
    for ipv6 in [false, true] {
        let mut wire = Wire {
            ipv6,
            ..Wire::new()
        };
        wire.client(
            0,
            Out {
                seq: u32::MAX,
                flags: SYN,
                ..Out::default()
            },
        );
        wire.server(
            25,
            Out {
                seq: 7,
                ack: 0,
                flags: SYN | ACK,
                ..Out::default()
            },
        );
        wire.client(27, ack(0, 8));
        assert_eq!(
            wire.found(),
            [(REMOTE, 25, 0, false, 0, 0), (LOCAL, 2, 0, true, 0, 0)]
        );
    }
}

#[test]
fn rule_1_an_answer_to_something_else_is_none() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        10,
        Out {
            seq: 500,
            ack: 102,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.server(
        20,
        Out {
            seq: 500,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(21, ack(101, 500));
    wire.client(22, ack(101, 502));
    assert_eq!(wire.found(), [(REMOTE, 20, 0, false, 0, 0)]);
    wire.client(23, ack(101, 501));
    assert_eq!(wire.found(), [(LOCAL, 3, 0, true, 0, 0)]);
}

#[test]
fn rule_2_a_retransmitted_syn_counts_from_the_first() {
    let mut wire = Wire::new();
    for at in [0, 1000, 3000] {
        wire.client(
            at,
            Out {
                seq: 100,
                flags: SYN,
                ..Out::default()
            },
        );
    }
    wire.server(
        3010,
        Out {
            seq: 500,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    assert_eq!(
        wire.found(),
        [(REMOTE, 3010, quality::SYN_RETRANSMITTED, false, 2, 0)]
    );
}

#[test]
fn rule_2_an_echo_tells_which_syn_was_answered() {
    let syn = |tsval| Out {
        seq: 100,
        flags: SYN,
        timestamps: Some((tsval, 0)),
        ..Out::default()
    };
    let syn_ack = |tsecr| Out {
        seq: 500,
        ack: 101,
        flags: SYN | ACK,
        timestamps: Some((9, tsecr)),
        ..Out::default()
    };
    let mut wire = Wire::new();
    wire.client(0, syn(1000));
    wire.client(1000, syn(2000));
    wire.server(1005, syn_ack(1000));
    assert_eq!(wire.found(), [(REMOTE, 1005, 0, false, 0, 0)]);
    let mut wire = Wire::new();
    wire.client(0, syn(1000));
    wire.client(1000, syn(2000));
    wire.server(1010, syn_ack(2000));
    assert_eq!(
        wire.found(),
        [(REMOTE, 1010, quality::SYN_RETRANSMITTED, false, 1, 0)]
    );
}

#[test]
fn rule_2_duplicate_syn_acks_add_nothing() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    for at in [10, 1010] {
        wire.server(
            at,
            Out {
                seq: 500,
                ack: 101,
                flags: SYN | ACK,
                ..Out::default()
            },
        );
    }
    wire.client(1011, ack(101, 501));
    assert_eq!(wire.found(), [(REMOTE, 10, 0, false, 0, 0)]);
    assert_eq!(wire.refused(latscope_events::refusal::RETRANSMITTED), 1);
}

#[test]
fn rule_2_a_new_connection_on_the_tuple_forgets_the_old() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 10));
    wire.client(
        30,
        Out {
            seq: 9000,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(35, ack(501, 111));
    wire.server(
        40,
        Out {
            seq: 7000,
            ack: 9001,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(41, ack(9001, 7001));
    wire.server(50, ack(501, 111));
    assert_eq!(
        wire.found(),
        [(REMOTE, 10, 0, false, 0, 0), (LOCAL, 1, 0, true, 0, 0)]
    );
}

#[test]
fn rule_3_a_refused_connection() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        4,
        Out {
            ack: 999,
            flags: RST | ACK,
            ..Out::default()
        },
    );
    wire.server(
        5,
        Out {
            ack: 101,
            flags: RST | ACK,
            ..Out::default()
        },
    );
    wire.client(
        500,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        507,
        Out {
            ack: 101,
            flags: RST | ACK,
            ..Out::default()
        },
    );
    let failure = metric::TCP_CONNECT_FAILURE;
    assert_eq!(
        wire.found(),
        [
            (failure, 5, 0, false, 0, 111),
            (failure, 7, 0, false, 0, 111)
        ]
    );
}

#[test]
fn rule_4_fast_open_and_simultaneous_open() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            payload: 50,
            ..Out::default()
        },
    );
    wire.server(
        10,
        Out {
            seq: 500,
            ack: 151,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(11, ack(151, 501));
    assert_eq!(
        wire.found(),
        [(REMOTE, 10, 0, false, 0, 0), (LOCAL, 1, 0, true, 0, 0)]
    );
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        3,
        Out {
            seq: 500,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.client(
        6,
        Out {
            seq: 100,
            ack: 501,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.server(
        6,
        Out {
            seq: 500,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(9, data(101, 501, 10));
    wire.server(12, ack(501, 111));
    assert_eq!(wire.found(), [rtt(3, SEQ, false)]);
}

#[test]
fn rule_5_data_to_its_acknowledgement_both_ways() {
    for ipv6 in [false, true] {
        let mut wire = Wire {
            ipv6,
            ..Wire::new()
        };
        wire.open();
        wire.client(20, data(101, 501, 100));
        wire.server(50, data(501, 201, 1000));
        wire.client(57, ack(201, 1501));
        let reply = (metric::TCP_FIRST_BYTE, 30, 0, false, 0, 0);
        assert_eq!(
            wire.found(),
            [reply, rtt(30, SEQ, false), rtt(7, SEQ, true)]
        );
    }
}

#[test]
fn rule_5_sequence_numbers_wrap() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: u32::MAX - 50,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        1,
        Out {
            seq: 500,
            ack: u32::MAX - 49,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(2, ack(u32::MAX - 49, 501));
    wire.found();
    wire.client(10, data(u32::MAX - 49, 501, 100));
    wire.server(15, ack(501, 50));
    wire.client(20, data(50, 501, 100));
    wire.server(28, ack(501, 150));
    assert_eq!(wire.found(), [rtt(5, SEQ, false), rtt(8, SEQ, false)]);
}

#[test]
fn rule_5_a_retransmission_is_refused_and_counted() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.client(220, data(101, 501, 100));
    wire.server(230, ack(501, 201));
    wire.client(300, data(201, 501, 100));
    wire.server(307, ack(501, 301));
    assert_eq!(wire.found(), [rtt(7, SEQ, false)]);
    assert_eq!(wire.refused(latscope_events::refusal::RETRANSMITTED), 1);
}

#[test]
fn rule_5_bytes_behind_a_retransmission_wait_for_it() {
    let mut wire = Wire::new();
    wire.open();
    for (n, at) in [20, 21, 22].into_iter().enumerate() {
        wire.client(at, data(101 + 100 * n as u32, 501, 100));
    }
    // The first arrived and is acknowledged; the second was lost.
    wire.server(30, ack(501, 201));
    wire.client(60, data(201, 501, 100));
    wire.server(70, ack(501, 401));
    assert_eq!(wire.found(), [rtt(10, SEQ, false)]);
    assert_eq!(wire.refused(latscope_events::refusal::RETRANSMITTED), 2);
}

#[test]
fn rule_5_a_late_segment_is_reordered() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.client(21, data(301, 501, 100));
    wire.client(22, data(201, 501, 100));
    wire.server(30, ack(501, 201));
    wire.server(31, ack(501, 401));
    assert_eq!(wire.found(), [rtt(10, SEQ, false)]);
    assert_eq!(wire.refused(latscope_events::refusal::REORDERED), 2);
}

#[test]
fn rule_5_only_an_acknowledgement_of_what_was_sent_counts() {
    let mut wire = Wire::new();
    wire.open();
    wire.server(15, ack(501, 101));
    wire.client(20, data(101, 501, 100));
    wire.server(21, ack(501, 101)); // duplicate: something may be missing behind us
    wire.server(22, ack(501, 90)); // old
    wire.server(23, ack(501, 9999)); // optimistic
    assert_eq!(wire.found(), []);
    wire.server(24, ack(501, 201));
    wire.server(25, ack(501, 201));
    assert_eq!(wire.found(), [rtt(4, COVER, false)]);
    assert_eq!(wire.refused(latscope_events::refusal::DUPLICATE_ACK), 1);
    wire.client(30, data(201, 501, 100));
    wire.server(37, ack(501, 301));
    assert_eq!(wire.found(), [rtt(7, SEQ, false)]);
}

#[test]
fn rule_5_one_acknowledgement_of_many_is_one_sample() {
    let mut wire = Wire::new();
    wire.open();
    for n in 0..3 {
        wire.client(20 + n, data(101 + 100 * n as u32, 501, 100));
    }
    wire.server(40, ack(501, 301));
    wire.server(50, ack(501, 351)); // inside the third: covers nothing that was followed
    wire.server(60, ack(501, 401));
    assert_eq!(wire.found(), [rtt(19, SEQ, false), rtt(38, SEQ, false)]);
    wire.client(70, data(401, 501, 100));
    wire.client(71, data(501, 501, 100));
    wire.server(80, ack(501, 550));
    assert_eq!(wire.found(), [rtt(10, COVER, false)]);
}

#[test]
fn rule_6_the_echo_of_a_retransmission_is_told_apart() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            timestamps: Some((1, 0)),
            ..Out::default()
        },
    );
    let syn_ack = Out {
        seq: 500,
        ack: 101,
        flags: SYN | ACK,
        timestamps: Some((70, 1)),
        ..Out::default()
    };
    wire.server(10, syn_ack);
    wire.client(
        11,
        Out {
            timestamps: Some((2, 70)),
            ..ack(101, 501)
        },
    );
    wire.found();
    wire.client(
        20,
        Out {
            timestamps: Some((20, 70)),
            ..data(101, 501, 100)
        },
    );
    wire.client(
        220,
        Out {
            timestamps: Some((220, 70)),
            ..data(101, 501, 100)
        },
    );
    wire.server(
        230,
        Out {
            timestamps: Some((300, 220)),
            ..ack(501, 201)
        },
    );
    assert_eq!(wire.found(), [rtt(10, TS, false)]);
    // Inside one tick both copies carry the same TSval.
    wire.client(
        300,
        Out {
            timestamps: Some((300, 300)),
            ..data(201, 501, 100)
        },
    );
    wire.client(
        500,
        Out {
            timestamps: Some((500, 300)),
            ..data(201, 501, 100)
        },
    );
    wire.client(
        500,
        Out {
            timestamps: Some((500, 300)),
            ..data(201, 501, 100)
        },
    );
    wire.server(
        510,
        Out {
            timestamps: Some((600, 500)),
            ..ack(501, 301)
        },
    );
    assert_eq!(wire.found(), []);
}

#[test]
fn rule_6_a_flow_joined_midway_waits() {
    let mut wire = Wire::new();
    wire.client(0, data(5000, 900, 100));
    wire.server(10, ack(900, 5100));
    wire.client(20, data(5100, 900, 100));
    wire.server(26, ack(900, 5200));
    assert_eq!(wire.found(), [rtt(6, SEQ, false)]);
    assert_eq!(wire.refused(latscope_events::refusal::JOINED_MIDWAY), 1);
}

#[test]
fn rule_7_nothing_without_data_is_measured() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.server(25, ack(501, 201));
    wire.found();
    wire.client(100, ack(201, 501)); // window update
    wire.client(200, ack(200, 501)); // keep-alive
    wire.server(205, ack(501, 201));
    wire.client(300, data(200, 501, 1)); // keep-alive with a garbage byte
    wire.server(305, ack(501, 201));
    assert_eq!(wire.found(), []);
    wire.client(400, data(201, 501, 10));
    wire.server(403, ack(501, 211));
    assert_eq!(wire.found(), [rtt(3, SEQ, false)]);
}

#[test]
fn rule_8_eight_are_followed_and_the_rest_counted() {
    let mut wire = Wire::new();
    wire.open();
    for n in 0..10 {
        wire.client(20 + n, data(101 + 10 * n as u32, 501, 10));
    }
    for n in 0..10 {
        wire.server(50 + n, ack(501, 111 + 10 * n as u32));
    }
    // The first seven, and the last, which took the place of the two before it.
    assert_eq!(wire.found(), vec![rtt(30, SEQ, false); 8]);
    assert_eq!(wire.refused(latscope_events::refusal::SLOTS_FULL), 2);
}

#[test]
fn rule_2_a_repeated_syn_without_its_data_is_no_new_connection() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            payload: 50,
            ..Out::default()
        },
    );
    wire.server(
        10,
        Out {
            seq: 500,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(
        11,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        19,
        Out {
            seq: 500,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    assert_eq!(wire.found(), [(REMOTE, 10, 0, false, 0, 0)]);
}

#[test]
fn rule_2_a_server_that_begins_anew_takes_the_first_ones_place() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    wire.server(
        10,
        Out {
            seq: 500,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.server(
        20,
        Out {
            seq: 9000,
            ack: 101,
            flags: SYN | ACK,
            ..Out::default()
        },
    );
    wire.client(23, ack(101, 9001));
    wire.server(30, data(9001, 101, 100));
    wire.client(34, ack(101, 9101));
    assert_eq!(
        wire.found(),
        [
            (REMOTE, 10, 0, false, 0, 0),
            (LOCAL, 3, 0, true, 0, 0),
            rtt(4, SEQ, true)
        ]
    );
}

#[test]
fn rule_2_servers_that_take_turns_are_ambiguous() {
    let mut wire = Wire::new();
    wire.client(
        0,
        Out {
            seq: 100,
            flags: SYN,
            ..Out::default()
        },
    );
    for (at, seq) in [(10, 500), (20, 9000), (30, 500), (40, 9000)] {
        wire.server(
            at,
            Out {
                seq,
                ack: 101,
                flags: SYN | ACK,
                ..Out::default()
            },
        );
    }
    wire.client(43, ack(101, 9001));
    assert_eq!(wire.found(), [(REMOTE, 10, 0, false, 0, 0)]);
    assert_eq!(wire.refused(latscope_events::refusal::RETRANSMITTED), 1);
}

#[test]
fn rule_5_what_is_acknowledged_before_it_is_seen_never_starts() {
    let mut wire = Wire::new();
    wire.open();
    wire.server(20, ack(501, 201));
    wire.client(21, data(101, 501, 100));
    wire.server(25, ack(501, 201));
    wire.client(30, data(201, 501, 100));
    wire.server(36, ack(501, 301));
    assert_eq!(wire.found(), [rtt(6, SEQ, false)]);
    assert_eq!(wire.refused(latscope_events::refusal::REORDERED), 1);
}

#[test]
fn rule_24_a_clock_that_goes_back_gives_nothing() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.server(15, ack(501, 201));
    assert_eq!(wire.found(), []);
    assert_eq!(wire.refused(latscope_events::refusal::CLOCK_BACKWARDS), 1);
}

#[test]
fn a_fin_is_acknowledged_and_ends_the_flow() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(
        20,
        Out {
            flags: FIN | ACK,
            ..ack(101, 501)
        },
    );
    wire.server(
        25,
        Out {
            flags: FIN | ACK,
            ..ack(501, 102)
        },
    );
    wire.client(29, ack(102, 502));
    wire.client(40, data(102, 502, 10));
    wire.server(45, ack(502, 112));
    assert_eq!(wire.found(), [rtt(5, SEQ, false), rtt(4, SEQ, true)]);
}
