//! ACCURACY rules on hand-made packets, to the nanosecond.

mod asked;
pub(in crate::packet) mod build;
mod dns;
mod flood;
mod form;
mod fuzz;
mod handshake;
mod histogram;
mod icmp;
mod quic;
mod ring;
mod round_trip;
mod state;
mod udp;
mod wire;

use latscope_events::{metric, refusal};

use super::{Frame, Record, Replay};

const MS: u64 = 1_000_000;
/// Captures do not begin at 0: that would mean "no time" to the programs.
const EPOCH_NS: u64 = 1_000_000_000;

/// An engine and the frames that it is shown.
struct Bench {
    replay: Replay,
}

/// Packets of a flood, or mutated frames: `LATSCOPE_PACKETS` of them where that is set (`scripts/long.sh`).
fn packets(usual: u32) -> u32 {
    std::env::var("LATSCOPE_PACKETS").map_or(usual, |count| count.parse().expect("a number"))
}

/// What matters of a sample: metric, latency in ms, result, retries, name.
type Brief = (u8, u64, i32, u8, String);

impl Bench {
    fn new() -> Self {
        Self::looking(false)
    }

    fn looking(inner: bool) -> Self {
        Self {
            replay: Replay::open(inner, false).expect("needs root and BPF"),
        }
    }

    fn see(&mut self, at_ms: u64, bytes: &[u8]) {
        assert!(self.feed(at_ms, bytes, false));
    }

    /// Whether the kernel took the frame.
    fn feed(&mut self, at_ms: u64, bytes: &[u8], raw: bool) -> bool {
        self.replay
            .feed(&Frame {
                bytes,
                wire_length: bytes.len() as u32,
                time_ns: at_ms * MS + EPOCH_NS,
                raw,
                interface: 1,
                outbound: false,
            })
            .unwrap()
    }

    fn records(&mut self) -> Vec<Record> {
        self.replay.records()
    }

    fn brief(&mut self) -> Vec<Brief> {
        self.records()
            .into_iter()
            .map(|Record { sample, name }| {
                assert_eq!(sample.latency_ns % MS, 0, "exact to the nanosecond");
                let name = name.unwrap_or_default().into();
                (
                    sample.metric,
                    sample.latency_ns / MS,
                    sample.result,
                    sample.retries,
                    name,
                )
            })
            .collect()
    }

    /// Latencies in ms of one metric.
    fn of(&mut self, metric: u8) -> Vec<u64> {
        self.brief()
            .into_iter()
            .filter(|it| it.0 == metric)
            .map(|it| it.1)
            .collect()
    }

    fn unanswered(&self) -> u64 {
        self.replay.unanswered().unwrap()
    }

    fn refused(&self, reason: u32) -> u64 {
        self.replay.refusals().unwrap()[reason as usize]
    }
}

fn plain(metric: u8, ms: u64) -> Brief {
    (metric, ms, 0, 0, String::new())
}
