//! Rule 12.

use super::{
    build::{A, B, frame, ipv4, ipv6, udp},
    *,
};

fn datagram(forward: bool) -> Vec<u8> {
    let (ends, ports) = if forward {
        ((A, B), (5000, 7))
    } else {
        ((B, A), (7, 5000))
    };
    frame(&ipv4(ends, 17, &udp(ports, b"x")))
}

#[test]
fn rule_12_first_of_a_burst_to_the_first_back() {
    let mut bench = Bench::new();
    for (at, forward) in [
        (0, true),
        (5, true),
        (30, false),
        (31, false),
        (100, true),
        (107, false),
    ] {
        bench.see(at, &datagram(forward));
    }
    assert_eq!(
        bench.brief(),
        [plain(metric::UDP_REPLY, 30), plain(metric::UDP_REPLY, 7)]
    );
}

#[test]
fn rule_12_one_way_traffic_yields_nothing() {
    let mut bench = Bench::new();
    for at in 0..50 {
        bench.see(at, &datagram(true));
    }
    assert_eq!(bench.brief(), []);
}

#[test]
fn rule_12_silence_starts_another_exchange() {
    let mut bench = Bench::new();
    bench.see(0, &datagram(true));
    bench.see(4, &datagram(false));
    bench.see(20_000, &datagram(false));
    bench.see(20_009, &datagram(true));
    assert_eq!(
        bench.brief(),
        [plain(metric::UDP_REPLY, 4), plain(metric::UDP_REPLY, 9)]
    );
}

#[test]
fn rule_12_ipv6() {
    let mut bench = Bench::new();
    bench.see(0, &frame(&ipv6((A, B), 17, &udp((5000, 7), b"x"))));
    bench.see(6, &frame(&ipv6((B, A), 17, &udp((7, 5000), b"x"))));
    assert_eq!(bench.brief(), [plain(metric::UDP_REPLY, 6)]);
}

#[test]
fn rule_12_a_burst_that_nobody_answers_is_counted() {
    let mut bench = Bench::new();
    bench.see(0, &datagram(true));
    bench.see(5, &datagram(true));
    assert_eq!(bench.unanswered(), 1);
    bench.see(20_000, &datagram(true));
    assert_eq!(bench.unanswered(), 2);
    bench.see(20_008, &datagram(false));
    assert_eq!(bench.brief(), [plain(metric::UDP_REPLY, 8)]);
    assert_eq!(bench.unanswered(), 1);
}
