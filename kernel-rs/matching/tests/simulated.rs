//! The state machines on simulated traffic: no false sample, and how many of the true ones.

use latscope_traffic::{
    Capture, Leg, Scenario, Write,
    judge::{Judge, Report, Verdict},
    monitor::reports,
    recall::{self, Recall},
    run,
};
use proptest::prelude::*;

const MS: u64 = 1_000_000;

/// A leg; `[before, behind]` as its host's data sees the monitor.
fn leg(side: usize, loss: f64, reorder: [f64; 2]) -> impl Strategy<Value = Leg> {
    (10_000..=200 * MS, 0.0..=loss, 0.0..=loss, 0.0..=reorder[0], 0.0..=reorder[1]).prop_map(
        move |(delay, out, back, before, behind)| Leg {
            delay_ns: delay..=delay,
            loss: [out, back],
            reorder: if side == 0 { [before, behind] } else { [behind, before] },
            hold_ns: 30 * MS,
        },
    )
}

fn writes() -> impl Strategy<Value = [Vec<Write>; 2]> {
    let bulk = (1_u64..200_000, 0_u64..200_000).prop_map(|both| {
        <[u64; 2]>::from(both).map(|bytes| {
            vec![Write {
                after_received: 0,
                delay_ns: 0,
                bytes,
            }]
        })
    });
    let exchanges = (1_u64..20, 1_u64..20_000, 0_u64..300, 1_u64..50_000).prop_map(
        |(count, request, think, reply)| Scenario::exchanges(count, request, think * MS, reply),
    );
    prop_oneof![bulk, exchanges]
}

/// Scenarios with loss up to `loss` on every leg and direction, and reordering up to `reorder` between sender
/// and monitor, and between monitor and receiver.
fn scenarios(loss: f64, reorder: [f64; 2]) -> impl Strategy<Value = Scenario> {
    let path = (
        leg(0, loss, reorder),
        leg(1, loss, reorder),
        prop_oneof![Just(None), Just(Some(MS)), Just(Some(4 * MS)), Just(Some(10 * MS))],
        prop_oneof![Just(None), (0_u32..300_000).prop_map(|back| Some(u32::MAX - back))],
    );
    let hosts = (
        any::<u64>(),
        prop_oneof![Just(536_u32), Just(1448), Just(8948)],
        prop_oneof![4 => Just(1_u32), 1 => 2_u32..7],
        1_u32..24,
        any::<bool>(),
        prop_oneof![Just(5 * MS), Just(200 * MS), Just(1000 * MS)],
        any::<bool>(),
        any::<bool>(),
        prop_oneof![Just(None), Just(Some(500 * MS))],
    );
    (path, hosts, writes(), 1_usize..4).prop_map(|(path, hosts, writes, flows)| {
        let (client, server, tick, isn) = path;
        let (seed, mss, tso, window, delayed, timeout, go_back, recut, keep_alive) = hosts;
        Scenario {
            flows,
            spread_ns: 50 * MS,
            timestamp_tick_ns: tick,
            legs: [client, server],
            mss,
            tso,
            window,
            delayed_acks: delayed,
            timeout_ns: timeout,
            go_back,
            recut,
            writes,
            keep_alive_ns: keep_alive,
            isn: [isn; 2],
            packets: 3000,
            ..Scenario::plain(seed)
        }
    })
}

fn check(capture: &Capture) -> (Vec<Report>, Vec<(Report, &'static str)>, usize) {
    let reports = reports(capture);
    let judge = Judge::new(capture);
    let mut wrong = Vec::new();
    let mut repeated = 0;
    for report in &reports {
        match judge.of(report) {
            Verdict::True | Verdict::Covering => {}
            Verdict::Repeated => repeated += 1,
            Verdict::False(reason) if reason.contains("without saying") => {}
            Verdict::False(reason) => wrong.push((*report, reason)),
        }
    }
    (reports, wrong, repeated)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sample_is_false(scenario in scenarios(0.1, [0.1, 0.0])) {
        let capture = run(&scenario);
        let (_, wrong, _) = check(&capture);
        if let Some((report, reason)) = wrong.first() {
            let excerpt = capture.excerpt(report.flow, report.end_ns - report.latency_ns, report.end_ns);
            prop_assert!(false, "{}: {:?}\n{}", reason, report, excerpt);
        }
    }
}

#[test]
fn plain_recall() {
    let capture = run(&Scenario::plain(1));
    let (reports, wrong, repeated) = check(&capture);
    assert_eq!((wrong.len(), repeated), (0, 0));
    let recall: Recall = recall::of(&capture, &reports);
    eprintln!("{} packets {recall:?}", capture.packets.len());
}
