//! Rule 22: floods leave flows that were seen in both directions measured, memory where it was, and are counted.

use super::{
    build::{self, ACK, SYN, ends, ipv4, ipv6, tcp, udp},
    *,
};

/// Flows that talk all the while: half of them over IPv6, two thirds over TCP.
const FLOWS: u16 = 90;
/// Packets of a flood between two rounds of the flows: more than any table holds.
const STRIDE: u32 = 20_000;
/// Packets of a flood.
const USUAL: u32 = 40_000;
/// Longest time that a flood takes, ms: nothing expires.
const ROUND_MS: u64 = 10;

/// The flows, and what they are flooded with.
struct Scene {
    bench: Bench,
    now_ms: u64,
    /// Bytes that each side of a TCP flow has sent.
    sent: u32,
}

impl Scene {
    fn open() -> Self {
        let mut scene = Self {
            bench: Bench::new(),
            now_ms: 0,
            sent: 0,
        };
        for flow in (0..FLOWS).filter(|it| is_tcp(*it)) {
            scene.segment(flow, 0, true, (99, 0, SYN), b"");
            scene.segment(flow, 1, false, (99, 100, SYN | ACK), b"");
            scene.segment(flow, 2, true, (100, 100, ACK), b"");
        }
        scene.now_ms = ROUND_MS;
        scene.bench.records();
        scene.round();
        scene
    }

    fn segment(
        &mut self,
        flow: u16,
        after_ms: u64,
        forward: bool,
        (seq, ack, flags): (u32, u32, u8),
        payload: &[u8],
    ) {
        let segment = tcp(ports(flow, forward), seq, ack, flags, payload);
        self.show(flow, after_ms, forward, 6, &segment);
    }

    fn show(&mut self, flow: u16, after_ms: u64, forward: bool, protocol: u8, segment: &[u8]) {
        let form = if flow.is_multiple_of(2) { ipv4 } else { ipv6 };
        let packet = form(ends(forward), protocol, segment);
        self.bench
            .see(self.now_ms + after_ms, &build::frame(&packet));
    }

    /// Every flow asks and is answered after 7 ms, which the asker acknowledges 2 ms later. All of it must be measured.
    fn round(&mut self) {
        let at = 100 + self.sent;
        for (after, forward, acknowledges) in [(0, true, 0), (7, false, 1), (9, true, 1)] {
            for flow in 0..FLOWS {
                if is_tcp(flow) {
                    let (seq, payload): (_, &[u8]) = match after {
                        9 => (at + 1, b""),
                        _ => (at, b"x"),
                    };
                    let numbers = (seq, at + acknowledges, ACK);
                    self.segment(flow, after, forward, numbers, payload);
                } else if after < 9 {
                    let datagram = udp(ports(flow, forward), b"x");
                    self.show(flow, after, forward, 17, &datagram);
                }
            }
        }
        self.sent += 1;
        self.now_ms += ROUND_MS;
        let mut found: Vec<_> = self
            .bench
            .brief()
            .into_iter()
            .map(|it| (it.0, it.1))
            .collect();
        found.sort_unstable();
        let of = |metric, ms, flows: fn(u16) -> bool| {
            vec![(metric, ms); (0..FLOWS).filter(|it| flows(*it)).count()]
        };
        let expected = [
            of(metric::TCP_RTT, 2, is_tcp),
            of(metric::TCP_RTT, 7, is_tcp),
            of(metric::TCP_FIRST_BYTE, 7, is_tcp),
            of(metric::UDP_REPLY, 7, |it| !is_tcp(it)),
        ];
        assert!(found == expected.concat(), "round {}: {found:?}", self.sent);
    }

    /// Shows `count` packets that `make` makes by number, with rounds of the flows between. Returns how many starts nobody
    /// answered.
    fn flooded(&mut self, count: u32, make: impl Fn(u32) -> Vec<Vec<u8>>) -> u64 {
        let memory = self.bench.replay.object.map_bytes();
        assert!(memory > 0);
        let before = self.bench.unanswered();
        for number in 0..count {
            for bytes in make(number) {
                self.bench.see(self.now_ms, &bytes);
            }
            if number % STRIDE == STRIDE - 1 {
                self.bench.records();
                self.now_ms += 1;
                self.round();
            }
        }
        self.round();
        assert_eq!(self.bench.replay.object.map_bytes(), memory);
        self.bench.unanswered() - before
    }
}

const fn is_tcp(flow: u16) -> bool {
    flow % 3 != 2
}

fn ports(flow: u16, forward: bool) -> (u16, u16) {
    if forward {
        (20_000 + flow, 80)
    } else {
        (80, 20_000 + flow)
    }
}

/// A sender of its own for each number, over IPv4 and IPv6 in turns.
fn from(number: u32, forward: bool, protocol: u8, segment: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    let (attacker, victim) = ([172, 16 ^ a ^ b, c, d], [192, 0, 2, 1]);
    let ends = if forward {
        (attacker, victim)
    } else {
        (victim, attacker)
    };
    let form = if number.is_multiple_of(2) { ipv4 } else { ipv6 };
    build::frame(&form(ends, protocol, segment))
}

#[test]
fn rule_22_a_flood_of_syns() {
    let count = packets(USUAL);
    let mut scene = Scene::open();
    let unanswered = scene.flooded(count, |number| {
        vec![from(
            number,
            true,
            6,
            &tcp((number as u16, 80), number, 0, SYN, b""),
        )]
    });
    assert_eq!(unanswered, u64::from(count));
}

#[test]
fn rule_22_a_flood_of_syns_that_are_answered() {
    let count = packets(USUAL);
    let mut scene = Scene::open();
    let unanswered = scene.flooded(count, |number| {
        let (to, back) = ((number as u16, 80), (80, number as u16));
        let answer = tcp(back, 7, number.wrapping_add(1), SYN | ACK, b"");
        vec![
            from(number, true, 6, &tcp(to, number, 0, SYN, b"")),
            from(number, false, 6, &answer),
        ]
    });
    assert_eq!(unanswered, u64::from(count), "SYN-ACKs");
}

#[test]
fn rule_22_a_flood_of_forged_data_segments() {
    let count = packets(USUAL);
    let mut scene = Scene::open();
    let unanswered = scene.flooded(count, |number| {
        let segment = tcp((number as u16, 80), number, 1, ACK, b"forged");
        vec![from(number, true, 6, &segment)]
    });
    assert_eq!(unanswered, 0, "nothing began");
}

#[test]
fn rule_22_a_flood_of_datagrams() {
    let count = packets(USUAL);
    let mut scene = Scene::open();
    let unanswered = scene.flooded(count, |number| {
        vec![from(number, true, 17, &udp((number as u16, 7), b"x"))]
    });
    assert_eq!(unanswered, u64::from(count));
}

/// A burst of datagrams each that is answered, over both families, while two connections say nothing at all.
#[test]
fn rule_22_a_flood_of_datagrams_that_are_answered() {
    const QUIET: [u16; 2] = [FLOWS, FLOWS + 1];
    let count = packets(USUAL);
    let mut scene = Scene::open();
    for flow in QUIET {
        scene.segment(flow, 0, true, (99, 0, SYN), b"");
        scene.segment(flow, 1, false, (99, 100, SYN | ACK), b"");
        scene.segment(flow, 2, true, (100, 100, ACK), b"");
    }
    scene.now_ms += ROUND_MS;
    scene.bench.records();
    let unanswered = scene.flooded(count, |number| {
        let exchange = |number: u32| {
            let port = number as u16;
            [(true, (port, 7)), (false, (7, port))]
                .map(|(forward, ports)| from(number, forward, 17, &udp(ports, b"x")))
        };
        // One over each family.
        [2 * number, 2 * number + 1].map(exchange).concat()
    });
    assert_eq!(unanswered, 0, "all were answered");
    for flow in QUIET {
        scene.segment(flow, 0, true, (100, 100, ACK), b"x");
        scene.segment(flow, 5, false, (100, 101, ACK), b"x");
        scene.segment(flow, 8, true, (101, 101, ACK), b"");
    }
    assert_eq!(scene.bench.of(metric::TCP_RTT), [5, 3, 5, 3]);
}

#[test]
fn rule_22_a_flood_of_queries_leaves_flows_alone() {
    let count = packets(USUAL);
    let mut scene = Scene::open();
    let unanswered = scene.flooded(count, |number| {
        let message = build::dns(number as u16, false, 0, &[b"flood"], 1);
        vec![from(number, true, 17, &udp((number as u16, 53), &message))]
    });
    assert_eq!(unanswered, 2 * u64::from(count), "a query and a burst each");
}
