//! Rule 13.

use super::{
    build::{A, ACK, B, SYN, dns, frame, ipv4, tcp, udp},
    *,
};

const WWW: [&[u8]; 3] = [b"www", b"example", b"org"];

fn query(message: &[u8]) -> Vec<u8> {
    frame(&ipv4((A, B), 17, &udp((5300, 53), message)))
}

fn reply(message: &[u8]) -> Vec<u8> {
    frame(&ipv4((B, A), 17, &udp((53, 5300), message)))
}

fn dns_only(bench: &mut Bench) -> Vec<Brief> {
    bench
        .brief()
        .into_iter()
        .filter(|it| it.0 == metric::DNS_REPLY)
        .collect()
}

fn found(ms: u64, rcode: i32, retries: u8, name: &str) -> Brief {
    (metric::DNS_REPLY, ms, rcode, retries, name.into())
}

#[test]
fn rule_13_a_query_and_its_answer() {
    let mut bench = Bench::new();
    bench.see(0, &query(&dns(7, false, 0, &WWW, 1)));
    bench.see(1, &query(&dns(8, false, 0, &[b"no"], 28)));
    bench.see(13, &reply(&dns(8, true, 3, &[b"no"], 28)));
    bench.see(20, &reply(&dns(7, true, 0, &WWW, 1)));
    bench.see(21, &reply(&dns(7, true, 0, &WWW, 1)));
    assert_eq!(
        dns_only(&mut bench),
        [found(12, 3, 0, "no"), found(20, 0, 0, "www.example.org")]
    );
}

#[test]
fn rule_13_a_repeated_query_counts_from_the_first() {
    let mut bench = Bench::new();
    bench.see(0, &query(&dns(7, false, 0, &WWW, 1)));
    bench.see(5000, &query(&dns(7, false, 0, &WWW, 1)));
    bench.see(5020, &reply(&dns(7, true, 0, &WWW, 1)));
    let records = bench.records();
    let sample = records
        .iter()
        .find(|it| it.sample.metric == metric::DNS_REPLY)
        .unwrap()
        .sample;
    assert_eq!((sample.latency_ns / MS, sample.retries), (5020, 1));
    assert_eq!(sample.quality, metric::quality::QUERY_RETRANSMITTED);
}

#[test]
fn rule_13_a_reused_id_inherits_nothing() {
    let mut bench = Bench::new();
    bench.see(0, &query(&dns(7, false, 0, &WWW, 1)));
    bench.see(30_000, &query(&dns(7, false, 0, &WWW, 1)));
    bench.see(30_015, &reply(&dns(7, true, 0, &WWW, 1)));
    bench.see(40_000, &query(&dns(9, false, 0, &WWW, 1)));
    bench.see(40_010, &reply(&dns(9, true, 0, &[b"else"], 1)));
    assert_eq!(dns_only(&mut bench), [found(15, 0, 0, "www.example.org")]);
}

#[test]
fn rule_13_hostile_names_are_escaped() {
    let mut bench = Bench::new();
    bench.see(0, &query(&dns(7, false, 0, &[b"a.b\x1b\xff"], 1)));
    bench.see(1, &reply(&dns(7, true, 0, &[b"a.b\x1b\xff"], 1)));
    let found = dns_only(&mut bench);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].4.is_ascii() && !found[0].4.contains('\x1b'),
        "{:?}",
        found[0].4
    );
}

#[test]
fn rule_13_long_names_and_extra_records() {
    let label = [b'x'; 63];
    let name: [&[u8]; 4] = [&label, &label, &label, &label[..61]];
    let mut answer = dns(7, true, 0, &name, 1);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4]);
    answer.extend(vec![0; 600]);
    let mut bench = Bench::new();
    let mut ask = dns(7, false, 0, &name, 1);
    ask.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
    bench.see(0, &query(&ask));
    bench.see(9, &reply(&answer));
    let text = [
        &"x".repeat(63),
        &"x".repeat(63),
        &"x".repeat(63),
        &"x".repeat(61),
    ]
    .map(String::as_str)
    .join(".");
    assert_eq!(dns_only(&mut bench), [found(9, 0, 0, &text)]);
}

fn in_stream(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

#[test]
fn rule_13_tcp_pipelined_and_split() {
    let mut bench = Bench::new();
    let (to, back) = ((5300, 53), (53, 5300));
    let mut show = |at, forward: bool, segment: Vec<u8>| {
        let ends = if forward { (A, B) } else { (B, A) };
        bench.see(at, &frame(&ipv4(ends, 6, &segment)));
    };
    show(0, true, tcp(to, 100, 0, SYN, &[]));
    show(1, false, tcp(back, 500, 101, SYN | ACK, &[]));
    show(2, true, tcp(to, 101, 501, ACK, &[]));
    let first = in_stream(&dns(1, false, 0, &WWW, 1));
    let second = in_stream(&dns(2, false, 0, &[b"two"], 1));
    let both = [first.clone(), second.clone()].concat();
    let sent = both.len() as u32;
    show(10, true, tcp(to, 101, 501, ACK, &both));
    // The length of the third alone, then its message, the latter twice.
    let third = in_stream(&dns(3, false, 0, &[b"three"], 1));
    show(11, true, tcp(to, 101 + sent, 501, ACK, &third[..2]));
    show(12, true, tcp(to, 103 + sent, 501, ACK, &third[2..]));
    show(13, true, tcp(to, 103 + sent, 501, ACK, &third[2..]));
    let answers = [
        in_stream(&dns(2, true, 0, &[b"two"], 1)),
        in_stream(&dns(1, true, 2, &WWW, 1)),
        in_stream(&dns(3, true, 0, &[b"three"], 1)),
    ];
    let size = answers[0].len() as u32;
    show(20, false, tcp(back, 501, 101 + sent, ACK, &answers[0]));
    show(
        30,
        false,
        tcp(back, 501 + size, 101 + sent, ACK, &answers[1..].concat()),
    );
    assert_eq!(
        dns_only(&mut bench),
        [
            found(10, 0, 0, "two"),
            found(20, 2, 0, "www.example.org"),
            found(18, 0, 0, "three")
        ]
    );
}

#[test]
fn rule_13_a_stream_whose_beginning_did_not_pass_is_not_read() {
    let mut bench = Bench::new();
    let (to, back) = ((5300, 53), (53, 5300));
    let mut show = |at, forward: bool, segment: Vec<u8>| {
        let ends = if forward { (A, B) } else { (B, A) };
        bench.see(at, &frame(&ipv4(ends, 6, &segment)));
    };
    show(0, true, tcp(to, 100, 0, SYN, &[]));
    show(1, false, tcp(back, 500, 101, SYN | ACK, &[]));
    show(2, true, tcp(to, 101, 501, ACK, &[]));
    // Ten bytes are missing; what follows looks like a message, but may be the midst of one.
    let message = in_stream(&dns(1, false, 0, &WWW, 1));
    show(10, true, tcp(to, 111, 501, ACK, &message));
    let answer = in_stream(&dns(1, true, 0, &WWW, 1));
    let sent = 111 + message.len() as u32;
    show(20, false, tcp(back, 501, sent, ACK, &answer));
    assert_eq!(dns_only(&mut bench), []);
}

#[test]
fn rule_13_mdns_answers_a_direct_query_and_the_rest_is_counted() {
    let group = [224, 0, 0, 251];
    let ports = (5353, 5353);
    let mut bench = Bench::new();
    for id in 0..3 {
        let query = udp(ports, &dns(id, false, 0, &WWW, 12));
        bench.see(u64::from(id), &frame(&ipv4((A, group), 17, &query)));
    }
    let direct = udp((5300, 5353), &dns(9, false, 0, &WWW, 12));
    bench.see(10, &frame(&ipv4((A, B), 17, &direct)));
    let answer = udp((5353, 5300), &dns(9, true, 0, &WWW, 12));
    bench.see(17, &frame(&ipv4((B, A), 17, &answer)));
    assert_eq!(dns_only(&mut bench), [found(7, 0, 0, "www.example.org")]);
    // Three queries to the group, and the burst of datagrams that they are.
    assert_eq!(bench.unanswered(), 4);
}
