//! What the packet engine finds of the round trips that there were, and whether what it reports is true: simulated traffic
//! through the programs with `BPF_PROG_TEST_RUN`, compared with what only the hosts know. Needs root.
//!
//! `latscope-bench-recall [PACKETS]`; 100000 packets a row by default.

use anyhow::{Context as _, anyhow};
use latscope_collector::packet::replay::{Frame, Replay};
use latscope_events::metric::TCP_RTT;
use latscope_traffic::{
    Capture, Scenario,
    frame::frame,
    judge::{Judge, Report, Verdict},
    recall, run,
};

const MS: u64 = 1_000_000;
/// Frames after which the ring is emptied.
const STRIDE: usize = 1000;
const FLOWS: usize = 50;

/// A name, and what is changed in a scenario.
type Way = (&'static str, fn(&mut Scenario));

/// What goes wrong on the way, with delayed acknowledgements in any case.
const WAYS: [Way; 5] = [
    ("nothing lost", |_| {}),
    ("0.5 % lost", |it| lose(it, 0.0025)),
    ("4 % lost", |it| lose(it, 0.02)),
    ("0.5 % lost, 1 % late before the monitor", |it| {
        lose(it, 0.0025);
        for (side, leg) in it.legs.iter_mut().enumerate() {
            leg.reorder[side] = 0.01;
            leg.hold_ns = 5 * MS;
        }
    }),
    ("0.5 % lost, 1 % late on both sides of it", |it| {
        lose(it, 0.0025);
        for leg in &mut it.legs {
            leg.reorder = [0.01; 2];
            leg.hold_ns = 5 * MS;
        }
    }),
];

/// Of each leg, which makes twice as much of the path.
fn lose(scenario: &mut Scenario, share: f64) {
    for leg in &mut scenario.legs {
        leg.loss = [share; 2];
    }
}

fn main() -> anyhow::Result<()> {
    let packets = match std::env::args().nth(1) {
        Some(text) => text.parse().context("PACKETS is a number")?,
        None => 100_000,
    };
    println!(
        "| way | timestamps | in flight | samples | false | held up | repeats | flagged | round trips found | exact ACKs found |"
    );
    println!("|{}", " --- |".repeat(10));
    for (way, change) in WAYS {
        for timestamps in [true, false] {
            for window in [1, 4, 8, 16, 64] {
                let mut scenario = Scenario {
                    flows: FLOWS,
                    spread_ns: 200 * MS,
                    timestamp_tick_ns: timestamps.then_some(MS),
                    window,
                    packets,
                    ..Scenario::plain(u64::from(window))
                };
                for bulk in scenario.writes.iter_mut().flatten() {
                    bulk.bytes = u64::MAX >> 16;
                }
                for leg in &mut scenario.legs {
                    leg.delay_ns = MS / 10..=30 * MS;
                }
                change(&mut scenario);
                let capture = run(&scenario);
                let reports = replayed(&capture)?;
                let timestamps = if timestamps { "1 ms" } else { "none" };
                println!(
                    "| {way} | {timestamps} | {window} | {} |",
                    row(&capture, &reports)
                );
            }
        }
    }
    Ok(())
}

/// The round trips that the programs report.
fn replayed(capture: &Capture) -> anyhow::Result<Vec<Report>> {
    let mut replay = Replay::open(false, false).map_err(|it| anyhow!("{it}"))?;
    let mut reports = Vec::new();
    for packets in capture.packets.chunks(STRIDE) {
        for packet in packets {
            let made = frame(packet, capture.ipv6);
            replay
                .feed(&Frame {
                    bytes: &made.bytes,
                    wire_length: made.wire_length,
                    time_ns: packet.time_ns,
                    raw: false,
                    interface: 1,
                    outbound: packet.side == 0,
                })
                .map_err(|it| anyhow!("{it}"))?;
        }
        let records = replay.records();
        let samples = records.iter().map(|it| &it.sample);
        reports.extend(samples.filter(|it| it.metric == TCP_RTT).map(Report::from));
    }
    Ok(reports)
}

fn row(capture: &Capture, reports: &[Report]) -> String {
    let judge = Judge::new(capture);
    let verdicts: Vec<Verdict> = reports.iter().map(|it| judge.of(it)).collect();
    let count = |wanted: fn(&Verdict) -> bool| verdicts.iter().filter(|it| wanted(it)).count();
    let recall = recall::of(capture, reports);
    let cells = [
        reports.len().to_string(),
        count(|it| matches!(it, Verdict::False(_) | Verdict::Unseen)).to_string(),
        count(|it| *it == Verdict::HeldUp).to_string(),
        count(|it| *it == Verdict::Repeated).to_string(),
        count(|it| *it == Verdict::Flagged).to_string(),
        format!("{:.2} %", 100.0 * recall.of_rounds()),
        format!("{:.2} %", 100.0 * recall.of_plain()),
    ];
    cells.join(" | ")
}
