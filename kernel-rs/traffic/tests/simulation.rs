//! The simulation itself: what arrives, that it repeats itself, and that its frames are packets.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use latscope_traffic::{
    Capture, Packet, Scenario,
    frame::{endpoints, flow_of, frame},
    recall, run,
};

const MS: u64 = 1_000_000;

fn lossy(seed: u64) -> Scenario {
    let mut scenario = Scenario::plain(seed);
    for leg in &mut scenario.legs {
        leg.loss = [0.02; 2];
        leg.reorder = [0.02; 2];
        leg.hold_ns = 5 * MS;
    }
    scenario.window = 20;
    scenario.flows = 3;
    scenario
}

/// Highest position of a side, and the highest acknowledgement of it.
fn reached(capture: &Capture, flow: u32, side: u8) -> (u64, u64) {
    let of_flow = || capture.packets.iter().filter(|it| it.flow == flow);
    let sent = of_flow().filter(|it| it.side == side).map(Packet::end);
    let acked = of_flow().filter(|it| it.side != side).map(|it| it.ack);
    (sent.max().unwrap_or(0), acked.max().unwrap_or(0))
}

#[test]
fn everything_arrives_whatever_is_lost() {
    for (seed, change) in [
        (1, (|_| {}) as fn(&mut Scenario)),
        (2, |it| it.go_back = true),
        (3, |it| it.recut = true),
        (4, |it| it.tso = 4),
        (5, |it| it.timeout_ns = 20 * MS),
        (6, |it| it.isn = [Some(u32::MAX - 5000); 2]),
    ] {
        let mut scenario = lossy(seed);
        change(&mut scenario);
        let capture = run(&scenario);
        // SYN, data, FIN.
        let whole = 1 + (1 << 20) + 1;
        for flow in 0..3 {
            for side in 0..2 {
                assert_eq!(
                    reached(&capture, flow, side),
                    (whole, whole),
                    "{seed} {flow} {side}"
                );
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let text = |seed| format!("{:?}", run(&lossy(seed)).packets);
    assert_eq!(text(7), text(7));
    assert_ne!(text(7), text(8));
}

#[test]
fn nothing_lost_is_two_round_trips_of_30_ms_each_way() {
    let capture = run(&Scenario::plain(1));
    let (plain, rounds) = recall::offered(&capture);
    let at_once = plain
        .iter()
        .filter(|it| (20 * MS..21 * MS).contains(&(it.end_ns - it.start_ns)) == (it.side == 1))
        .count();
    assert!(
        plain.len() > 700 && rounds.len() > 300,
        "{} {}",
        plain.len(),
        rounds.len()
    );
    assert!(at_once > 600, "{at_once}");
}

#[test]
fn requests_are_answered_after_thinking() {
    let scenario = Scenario {
        writes: Scenario::exchanges(3, 100, 70 * MS, 5000),
        ..Scenario::plain(1)
    };
    let capture = run(&scenario);
    assert_eq!(reached(&capture, 0, 0), (302, 302));
    assert_eq!(reached(&capture, 0, 1), (15002, 15002));
    let requests: Vec<_> = capture
        .packets
        .iter()
        .filter(|it| it.side == 0 && it.payload > 0)
        .collect();
    assert_eq!(requests.len(), 3);
    for request in requests {
        let reply = capture
            .packets
            .iter()
            .find(|it| it.side == 1 && it.payload > 0 && it.time_ns > request.time_ns)
            .map(|it| it.time_ns - request.time_ns);
        assert_eq!(reply, Some(2 * 20 * MS + 70 * MS));
    }
}

#[test]
fn a_blind_monitor_joins_midway() {
    let scenario = Scenario {
        blind_ns: 1_000_000_000 + 500 * MS,
        ..Scenario::plain(1)
    };
    let capture = run(&scenario);
    let first = capture.packets.first().map(|it| (it.time_ns, it.start));
    assert!(first.is_some_and(|(time, start)| time >= scenario.blind_ns && start > 1));
}

#[test]
fn a_tso_packet_is_acknowledged_in_its_middle() {
    let scenario = Scenario {
        tso: 4,
        window: 8,
        ..Scenario::plain(1)
    };
    let capture = run(&scenario);
    let large: Vec<_> = capture
        .packets
        .iter()
        .filter(|it| it.payload == 4 * 1448)
        .collect();
    let inside = large.iter().any(|data| {
        capture
            .packets
            .iter()
            .any(|it| it.side != data.side && it.ack > data.start && it.ack < data.end())
    });
    assert!(large.len() > 100 && inside);
}

#[test]
fn frames_are_packets() {
    for ipv6 in [false, true] {
        let capture = run(&lossy(9));
        for packet in capture.packets.iter().take(500) {
            let made = frame(packet, ipv6);
            let mut whole = made.bytes.clone();
            whole.resize(made.wire_length as usize, 0);
            let parsed = SlicedPacket::from_ethernet(&whole).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = parsed.transport else {
                panic!("no TCP");
            };
            let sum = match parsed.net.unwrap() {
                NetSlice::Ipv4(ip) => {
                    assert_eq!(
                        ip.header().to_header().calc_header_checksum(),
                        ip.header().header_checksum()
                    );
                    tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination())
                        .unwrap()
                }
                NetSlice::Ipv6(ip) => tcp
                    .calc_checksum_ipv6(ip.header().source(), ip.header().destination())
                    .unwrap(),
                NetSlice::Arp(_) => panic!("no IP"),
            };
            assert_eq!(sum, tcp.checksum());
            assert_eq!(tcp.payload().len(), packet.payload as usize);
            assert_eq!(tcp.sequence_number(), packet.wire_seq);
            assert_eq!(tcp.acknowledgment_number(), packet.wire_ack);
            let [client, server] = endpoints(packet.flow);
            let ports = if packet.side == 0 {
                (client.1, server.1)
            } else {
                (server.1, client.1)
            };
            assert_eq!((tcp.source_port(), tcp.destination_port()), ports);
            assert_eq!(flow_of(client.0), packet.flow);
        }
    }
}
