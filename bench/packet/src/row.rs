//! One kind of traffic, through every program in turn.

use std::time::Duration;

use anyhow::anyhow;
use latscope_collector::packet::replay::{Frame, Replay};
use latscope_events::metric::TCP_RTT;
use latscope_traffic::{
    frame as made,
    judge::{Judge, Report, Verdict},
    recall::{self, Recall},
};

use crate::{empty::Empty, options::Options, sessions::Kind, traffic::Traffic};

/// Frames that one program sees before it is the next one's turn.
const TURN: usize = 10_000;
/// Frames after which the ring is emptied, and at least every tenth of its records.
const STRIDE: usize = 1000;
/// Longest frame of the traffic.
const LONGEST: usize = 1600;

/// A line of the table.
pub(crate) struct Row {
    pub(crate) flows: usize,
    pub(crate) ipv6: bool,
    pub(crate) timestamps: bool,
    /// The empty program, ns a packet.
    pub(crate) empty: f64,
    /// ns a packet above the empty program, for each kind of sessions: lowest, median, highest of the runs.
    pub(crate) costs: Vec<[f64; 3]>,
    pub(crate) found: Option<Found>,
}

/// What was found by the capture's clock.
pub(crate) struct Found {
    pub(crate) samples: usize,
    /// Those that are no round trip.
    pub(crate) wrong: usize,
    /// Those whose answer itself was lost before the monitor; no monitor can tell.
    pub(crate) repeated: usize,
    pub(crate) recall: Recall,
}

pub(crate) fn measure(traffic: &Traffic, options: &Options) -> anyhow::Result<Row> {
    let mut empty = Vec::new();
    let mut costs = vec![Vec::new(); options.sessions.len()];
    let mut found = None;
    for _ in 0..options.runs {
        let run = Run::play(traffic, &options.sessions)?;
        empty.push(run.empty);
        for (costs, cost) in costs.iter_mut().zip(&run.costs) {
            costs.push(cost - run.empty);
        }
        if found.is_none() && options.sessions.contains(&Kind::Capture) {
            found = Some(judge(traffic, &run.reports));
        }
    }
    Ok(Row {
        flows: traffic.flows,
        ipv6: traffic.capture.ipv6,
        timestamps: traffic.timestamps,
        empty: spread(&mut empty)[1],
        costs: costs.iter_mut().map(|it| spread(it)).collect(),
        found,
    })
}

fn spread(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    ]
}

/// One pass over the traffic.
struct Run {
    empty: f64,
    costs: Vec<f64>,
    reports: Vec<Report>,
}

impl Run {
    fn play(traffic: &Traffic, kinds: &[Kind]) -> anyhow::Result<Self> {
        let mut empty = Empty::open()?;
        let mut listeners = kinds
            .iter()
            .map(|kind| kind.open(traffic.flows))
            .collect::<Result<Vec<_>, _>>()?;
        let mut reports = Vec::new();
        let count = traffic.frames.len();
        let mut room = [0; LONGEST];
        for from in (0..count).step_by(TURN) {
            let turn = from..count.min(from + TURN);
            for index in turn.clone() {
                empty.feed(whole(&mut room, &traffic.frames[index]))?;
            }
            for (kind, replay) in kinds.iter().zip(&mut listeners) {
                let kept = (*kind == Kind::Capture).then_some(&mut reports);
                feed(replay, traffic, turn.clone(), kept)?;
            }
        }
        Ok(Self {
            empty: per_packet(empty.run_time()?),
            costs: listeners
                .iter()
                .map(|it| per_packet(it.run_time()))
                .collect(),
            reports,
        })
    }
}

fn per_packet((time, runs): (Duration, u64)) -> f64 {
    time.as_secs_f64() * 1e9 / f64::from(u32::try_from(runs.max(1)).unwrap_or(u32::MAX))
}

fn feed(
    replay: &mut Replay,
    traffic: &Traffic,
    turn: std::ops::Range<usize>,
    mut kept: Option<&mut Vec<Report>>,
) -> anyhow::Result<()> {
    let mut room = [0; LONGEST];
    for from in turn.clone().step_by(STRIDE) {
        for index in from..turn.end.min(from + STRIDE) {
            let (packet, made) = (&traffic.capture.packets[index], &traffic.frames[index]);
            replay
                .feed(&Frame {
                    bytes: whole(&mut room, made),
                    wire_length: made.wire_length,
                    time_ns: packet.time_ns,
                    raw: false,
                    interface: 1,
                    outbound: packet.side == 1,
                })
                .map_err(|it| anyhow!("{it}"))?;
        }
        let records = replay.records();
        if let Some(kept) = &mut kept {
            let rtts = records.iter().filter(|it| it.sample.metric == TCP_RTT);
            kept.extend(rtts.map(|it| Report::from(&it.sample)));
        }
    }
    Ok(())
}

/// The frame with its payload, without which the programs take it for a truncated one when they run live.
fn whole<'a>(room: &'a mut [u8; LONGEST], made: &made::Frame) -> &'a [u8] {
    room[..made.bytes.len()].copy_from_slice(&made.bytes);
    &room[..made.wire_length as usize]
}

fn judge(traffic: &Traffic, reports: &[Report]) -> Found {
    let judge = Judge::new(&traffic.capture);
    let count = |wanted: fn(&Verdict) -> bool| {
        reports
            .iter()
            .filter(|report| wanted(&judge.of(report)))
            .count()
    };
    Found {
        samples: reports.len(),
        wrong: count(|it| !matches!(it, Verdict::True | Verdict::Flagged | Verdict::Repeated)),
        repeated: count(|it| *it == Verdict::Repeated),
        recall: recall::of(&traffic.capture, reports),
    }
}
