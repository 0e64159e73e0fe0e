//! The programs in the kernel on simulated traffic: the samples are those of the state machines on the host, none is false,
//! and every round trip has one. Needs root and BPF.

use latscope_collector::packet::replay::{Frame, Replay};
use latscope_events::metric::{TCP_HANDSHAKE_LOCAL, TCP_HANDSHAKE_REMOTE, TCP_RTT};
use latscope_traffic::{
    Capture, Scenario,
    frame::frame,
    judge::{Judge, Report, Verdict},
    monitor, recall, run,
};

const MS: u64 = 1_000_000;
/// Frames after which the ring is emptied.
const STRIDE: usize = 1000;

/// What the programs in the kernel report about a capture, by time.
fn replayed(capture: &Capture) -> Vec<Report> {
    let mut replay = Replay::open(true, false).expect("needs root and BPF");
    let mut reports = Vec::new();
    for packets in capture.packets.chunks(STRIDE) {
        for packet in packets {
            let made = frame(packet, capture.ipv6);
            let fed = replay.feed(&Frame {
                bytes: &made.bytes,
                wire_length: made.wire_length,
                time_ns: packet.time_ns,
                raw: false,
                interface: 1,
                outbound: packet.side == 0,
            });
            assert!(fed.unwrap());
        }
        let records = replay.records();
        reports.extend(records.iter().map(|it| Report::from(&it.sample)));
    }
    reports.retain(|it| {
        matches!(
            it.metric,
            TCP_HANDSHAKE_REMOTE | TCP_HANDSHAKE_LOCAL | TCP_RTT
        )
    });
    reports.sort();
    reports
}

/// Replays, judges every report, compares with the host's, and returns the round trips.
fn checked(scenario: &Scenario) -> (Capture, Vec<Report>) {
    let capture = run(scenario);
    let mut reports = replayed(&capture);
    let mut expected = monitor::reports(&capture);
    expected.sort();
    assert_eq!(reports.len(), expected.len());
    for (report, expected) in reports.iter().zip(&expected) {
        assert_eq!(report, expected);
    }
    let judge = Judge::new(&capture);
    for report in &reports {
        let verdict = judge.of(report);
        assert!(
            matches!(
                verdict,
                Verdict::True | Verdict::Flagged | Verdict::Repeated
            ),
            "{verdict:?} {report:?}\n{}",
            capture.excerpt(
                report.flow,
                report.end_ns - report.latency_ns,
                report.end_ns
            )
        );
    }
    let handshakes = reports.iter().filter(|it| it.metric != TCP_RTT).count();
    assert!(handshakes > scenario.flows, "{handshakes}");
    reports.retain(|it| it.metric == TCP_RTT);
    (capture, reports)
}

/// Losses everywhere, reordering between sender and monitor.
fn lossy(seed: u64) -> Scenario {
    let mut scenario = Scenario {
        flows: 40,
        spread_ns: 300 * MS,
        packets: 15_000,
        ..Scenario::plain(seed)
    };
    for (side, leg) in scenario.legs.iter_mut().enumerate() {
        leg.delay_ns = MS / 10..=60 * MS;
        leg.loss = [0.01; 2];
        leg.reorder[side] = 0.01;
        leg.hold_ns = 5 * MS;
    }
    scenario
}

#[test]
fn four_and_eight_in_flight_everything_is_found() {
    for (window, ipv6, timestamp_tick_ns) in [
        (4, false, None),
        (4, true, Some(MS)),
        (8, false, Some(10 * MS)),
        (8, true, None),
    ] {
        let (capture, reports) = checked(&Scenario {
            window,
            ipv6,
            timestamp_tick_ns,
            ..lossy(u64::from(window))
        });
        let recall = recall::of(&capture, &reports);
        assert!(recall.plain > 3000, "{recall:?}");
        assert_eq!(recall.plain_found, recall.plain, "{window} {ipv6}");
        assert_eq!(recall.rounds_found, recall.rounds, "{window} {ipv6}");
    }
}

#[test]
fn more_in_flight_still_gives_nearly_every_round_trip_a_sample() {
    for (window, ipv6, timestamp_tick_ns) in [(20, false, Some(4 * MS)), (60, true, None)] {
        let (capture, reports) = checked(&Scenario {
            window,
            ipv6,
            timestamp_tick_ns,
            ..lossy(u64::from(window))
        });
        let recall = recall::of(&capture, &reports);
        assert!(
            recall.rounds > 50 && recall.of_rounds() > 0.97,
            "{recall:?}"
        );
    }
}

#[test]
fn large_packets_spurious_retransmissions_and_wraps_give_nothing_false() {
    for (seed, change) in [
        (1, (|it| it.tso = 5) as fn(&mut Scenario)),
        (2, |it| it.go_back = true),
        (3, |it| it.recut = true),
        (4, |it| it.timeout_ns = 5 * MS),
        (5, |it| it.isn = [Some(u32::MAX - 10_000); 2]),
        (6, |it| {
            it.writes = Scenario::exchanges(30, 700, 30 * MS, 9000);
            it.keep_alive_ns = Some(400 * MS);
        }),
    ] {
        let mut scenario = lossy(seed);
        scenario.window = 12;
        change(&mut scenario);
        let (_, reports) = checked(&scenario);
        assert!(reports.len() > 100, "{seed}: {}", reports.len());
    }
}
