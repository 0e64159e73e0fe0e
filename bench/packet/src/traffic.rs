//! What is replayed: downloads with MSS segments, delayed acknowledgements and 0.5 % loss.

use latscope_traffic::{
    Capture, Leg, Scenario, Write,
    frame::{Frame, frame},
    run,
};

const MS: u64 = 1_000_000;
/// Share of packets that are lost on each leg, both together making 0.5 %.
const LOSS: f64 = 0.0025;
const WINDOW: u32 = 20;

/// A capture and its frames.
pub(crate) struct Traffic {
    pub(crate) flows: usize,
    pub(crate) timestamps: bool,
    pub(crate) capture: Capture,
    pub(crate) frames: Vec<Frame>,
}

pub(crate) fn make(flows: usize, ipv6: bool, timestamps: bool, packets: usize) -> Traffic {
    let leg = |from: u64, to: u64| Leg {
        delay_ns: from..=to,
        loss: [LOSS; 2],
        reorder: [0.0; 2],
        hold_ns: 0,
    };
    let write = |bytes, after_received| Write {
        after_received,
        delay_ns: 0,
        bytes,
    };
    let scenario = Scenario {
        flows,
        spread_ns: 200 * MS,
        ipv6,
        timestamp_tick_ns: timestamps.then_some(MS),
        legs: [leg(MS / 20, MS), leg(5 * MS, 30 * MS)],
        window: WINDOW,
        writes: [vec![write(300, 0)], vec![write(u64::MAX >> 16, 300)]],
        packets,
        ..Scenario::plain(1)
    };
    let capture = run(&scenario);
    let frames = capture
        .packets
        .iter()
        .map(|packet| frame(packet, ipv6))
        .collect();
    Traffic {
        flows,
        timestamps,
        capture,
        frames,
    }
}
