//! Every field of a reader's filter, by what it lets through.

use super::*;
use crate::{
    proto::{Direction, IpProtocol, Metric},
    sample::ProcessView,
};

/// Samples that differ in everything that a filter can tell apart; the latency is the number.
fn different() -> Vec<testing::Owned> {
    let mut all = (0..6)
        .map(|it| testing::sample(1_000_000 + it, it))
        .collect::<Vec<_>>();
    // 0 is the plain one: TCP, 10.0.0.1:40000 to 10.0.0.2:443, outbound, untagged.
    let flow = all[1].flow.as_mut().unwrap();
    flow.client_address[..4].copy_from_slice(&[10, 1, 0, 1]);
    flow.client_port = 50_000;
    flow.vlan_id = 7;
    let flow = all[2].flow.as_mut().unwrap();
    flow.server_address[..4].copy_from_slice(&[10, 1, 0, 9]);
    flow.server_port = 53;
    flow.protocol = IpProtocol::Udp;
    flow.direction = Direction::Inbound;
    all[2].metric = Metric::DnsReply;
    all[2].subject = b"www.Example.com".to_vec();
    let flow = all[3].flow.as_mut().unwrap();
    flow.ipv4 = false;
    flow.client_address = [0xfd; 16];
    flow.server_address = [0xfe; 16];
    let flow = all[4].flow.as_mut().unwrap();
    flow.protocol = IpProtocol::Icmp;
    flow.client_port = 0;
    flow.server_port = 443;
    all[4].metric = Metric::IcmpEcho;
    all[5].flow = None;
    all[5].metric = Metric::Syscall;
    all[5].subject = b"read".to_vec();
    all[5].process = Some(ProcessView {
        pid: 42,
        tid: 43,
        comm: b"postgres",
        cgroup_id: 9,
        cgroup_path: b"/db/main",
        container_id: b"",
    });
    all
}

/// What comes through with these filters and without these.
fn through(filters: Vec<Filter>, exclude: Vec<Filter>) -> Vec<u64> {
    let session = session(1 << 20, 1 << 20);
    let samples = different();
    session
        .log()
        .append(samples.iter().map(testing::Owned::sample));
    let request = StreamSamplesRequest {
        filters,
        exclude,
        no_follow: true,
        ..from_oldest()
    };
    let mut client = Client::open(&session, &request);
    assert_eq!(client.drain(), Outcome::Done);
    assert_no_gap(&client.received);
    let totals = client.end().totals.as_ref().unwrap();
    assert_eq!(totals.delivered + totals.filtered, samples.len() as u64);
    client.latencies()
}

fn only(set: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    set(&mut filter);
    filter
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|it| (*it).to_owned()).collect()
}

fn ports(first: u32, last: u32) -> Vec<PortRange> {
    vec![PortRange { first, last }]
}

#[test]
fn each_field_lets_through_what_it_says() {
    let slow = prost_types::Duration {
        seconds: 0,
        nanos: 4,
    };
    let wide = texts(&["10.1.0.0/16"]);
    let fields: [(Filter, &[u64]); 18] = [
        (only(|it| it.client_cidrs.clone_from(&wide)), &[1]),
        (only(|it| it.server_cidrs.clone_from(&wide)), &[2]),
        (
            only(|it| it.cidrs = texts(&["10.1.0.0/16", "fe00::/8"])),
            &[1, 2, 3],
        ),
        (only(|it| it.client_ports = ports(50_000, 0)), &[1]),
        (only(|it| it.server_ports = ports(53, 443)), &[0, 1, 2, 3]),
        (only(|it| it.ports = ports(53, 0)), &[2]),
        (only(|it| it.ports = ports(40_000, 50_000)), &[0, 1, 2, 3]),
        (only(|it| it.vlan_ids = vec![7]), &[1]),
        (only(|it| it.vlan_ids = vec![0]), &[0, 2, 3, 4]),
        (
            only(|it| it.directions = vec![Direction::Inbound as i32]),
            &[2],
        ),
        (
            only(|it| it.protocols = vec![IpProtocol::Icmp as i32]),
            &[4],
        ),
        (only(|it| it.metrics = vec![Metric::DnsReply as i32]), &[2]),
        (
            only(|it| it.subjects = texts(&["example.com", "read"])),
            &[2, 5],
        ),
        (only(|it| it.pids = vec![42]), &[5]),
        (only(|it| it.comms = texts(&["postgres"])), &[5]),
        (only(|it| it.cgroup_paths = texts(&["/db"])), &[5]),
        (only(|it| it.cgroup_paths = texts(&["/d"])), &[]),
        (only(|it| it.min_latency = Some(slow)), &[4, 5]),
    ];
    for (filter, wanted) in fields {
        let filters = vec![filter.clone()];
        assert_eq!(through(filters.clone(), Vec::new()), wanted, "{filter:?}");
        let rest = (0..6).filter(|it| !wanted.contains(it));
        let rest = rest.collect::<Vec<_>>();
        assert_eq!(through(Vec::new(), filters), rest, "without {filter:?}");
    }
}

#[test]
fn fields_and() {
    let both = only(|it| {
        it.client_cidrs = texts(&["10.1.0.0/16"]);
        it.ports = ports(443, 0);
    });
    assert_eq!(through(vec![both], Vec::new()), [1]);
    let neither = only(|it| {
        it.client_cidrs = texts(&["10.1.0.0/16"]);
        it.ports = ports(53, 0);
    });
    assert_eq!(through(vec![neither], Vec::new()), [0; 0]);
}

#[test]
fn clauses_or_and_exclude_wins() {
    let metric = |metric: Metric| Filter {
        metrics: vec![metric as i32],
        ..Filter::default()
    };
    let either = vec![metric(Metric::DnsReply), metric(Metric::Syscall)];
    assert_eq!(through(either.clone(), Vec::new()), [2, 5]);
    assert_eq!(through(either, vec![metric(Metric::Syscall)]), [2]);
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
