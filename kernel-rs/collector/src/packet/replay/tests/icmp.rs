//! Rules 14 and 3.

use super::{
    build::{A, B, SYN, frame, ipv4, ipv6, tcp, udp},
    *,
};

fn echo(kind: u8, id: u16, sequence: u16) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(b"payload");
    bytes
}

#[test]
fn rule_14_request_to_reply_by_id_and_sequence() {
    let mut bench = Bench::new();
    bench.see(0, &frame(&ipv4((A, B), 1, &echo(8, 77, 1))));
    bench.see(1, &frame(&ipv4((A, B), 1, &echo(8, 77, 2))));
    bench.see(2, &frame(&ipv4((B, A), 1, &echo(0, 77, 9))));
    bench.see(5, &frame(&ipv4((B, A), 1, &echo(0, 77, 2))));
    bench.see(9, &frame(&ipv4((B, A), 1, &echo(0, 77, 1))));
    bench.see(10, &frame(&ipv4((B, A), 1, &echo(0, 77, 1))));
    let records = bench.records();
    let found: Vec<_> = records
        .iter()
        .map(|it| {
            (
                it.sample.latency_ns / MS,
                it.sample.client_port,
                it.sample.server_port,
            )
        })
        .collect();
    assert_eq!(found, [(4, 0, 0), (9, 0, 0)]);
    assert_eq!(records[0].sample.client[0].to_ne_bytes(), A);
}

#[test]
fn rule_14_icmpv6() {
    let mut bench = Bench::new();
    bench.see(0, &frame(&ipv6((A, B), 58, &echo(128, 7, 1))));
    bench.see(3, &frame(&ipv6((B, A), 58, &echo(129, 7, 1))));
    assert_eq!(bench.brief(), [plain(metric::ICMP_ECHO, 3)]);
}

#[test]
fn rule_14_wrong_codes_and_quoting_errors_are_no_answer() {
    let mut bench = Bench::new();
    let request = ipv4((A, B), 1, &echo(8, 77, 1));
    bench.see(0, &frame(&request));
    let mut wrong = echo(0, 77, 1);
    wrong[1] = 3;
    bench.see(1, &frame(&ipv4((B, A), 1, &wrong)));
    let mut error = vec![3, 1, 0, 0, 0, 0, 0, 0];
    error.extend(&request);
    bench.see(2, &frame(&ipv4((B, A), 1, &error)));
    assert_eq!(bench.brief(), []);
}

#[test]
fn rule_3_an_error_that_quotes_the_syn() {
    for (code, errno) in [(1, 113), (0, 101), (3, 111)] {
        let mut bench = Bench::new();
        let syn = ipv4((A, B), 6, &tcp((40000, 80), 100, 0, SYN, &[]));
        bench.see(0, &frame(&syn));
        let mut error = vec![3, code, 0, 0, 0, 0, 0, 0];
        error.extend(&syn[..28]);
        // Another SYN of the tuple was not what it speaks of.
        let mut other = error.clone();
        other[8 + 20 + 7] = 99;
        bench.see(4, &frame(&ipv4(([10, 9, 9, 9], A), 1, &other)));
        bench.see(8, &frame(&ipv4(([10, 9, 9, 9], A), 1, &error)));
        bench.see(9, &frame(&ipv4(([10, 9, 9, 9], A), 1, &error)));
        let expected = (metric::TCP_CONNECT_FAILURE, 8, errno, 0, String::new());
        assert_eq!(bench.brief(), [expected], "code {code}");
    }
}

#[test]
fn rule_14_an_error_about_udp_is_no_connect_failure() {
    let mut bench = Bench::new();
    let datagram = ipv4((A, B), 17, &udp((5000, 7), b"x"));
    bench.see(0, &frame(&datagram));
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    error.extend(&datagram[..28]);
    bench.see(2, &frame(&ipv4((B, A), 1, &error)));
    assert_eq!(bench.brief(), []);
}

#[test]
fn rule_14_a_request_that_nobody_answers_is_counted() {
    let mut bench = Bench::new();
    for sequence in 0..4 {
        bench.see(0, &frame(&ipv4((A, B), 1, &echo(8, 77, sequence))));
    }
    bench.see(3, &frame(&ipv4((B, A), 1, &echo(0, 77, 2))));
    assert_eq!(bench.brief(), [plain(metric::ICMP_ECHO, 3)]);
    assert_eq!(bench.unanswered(), 3);
    // The same again after it was given up.
    bench.see(20_000, &frame(&ipv4((A, B), 1, &echo(8, 77, 1))));
    bench.see(20_005, &frame(&ipv4((B, A), 1, &echo(0, 77, 1))));
    assert_eq!(bench.brief(), [plain(metric::ICMP_ECHO, 5)]);
    assert_eq!(bench.unanswered(), 3);
}
