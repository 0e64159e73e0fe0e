//! What could have been found.

use std::collections::{HashMap, HashSet, VecDeque};

use latscope_matching::segment::{ACK, SYN};

use crate::{
    judge::Report,
    packet::{Capture, Packet},
};

/// A data round trip that any monitor with memory enough can tell: a segment whose bytes are not ambiguous, and the
/// acknowledgement that ends at it and was caused by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Flow.
    pub flow: u32,
    /// Side that sent the data.
    pub side: u8,
    /// When it was sent, ns.
    pub start_ns: u64,
    /// When the acknowledgement passed, ns.
    pub end_ns: u64,
    /// Segments in flight once it was sent, itself included.
    pub depth: usize,
}

/// A stretch of one direction: from a segment to the first acknowledgement that covers it; the next begins with the segment
/// after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Flow.
    pub flow: u32,
    /// Side that sent the data.
    pub side: u8,
    /// When it began, ns.
    pub start_ns: u64,
    /// When it ended, ns.
    pub end_ns: u64,
    /// Any [`Plain`] round trip ended in it.
    pub offered: bool,
}

/// Shares of what was there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recall {
    /// Round trips of a direction that offered anything.
    pub rounds: usize,
    /// Those with a report.
    pub rounds_found: usize,
    /// Plain round trips.
    pub plain: usize,
    /// Those that were reported.
    pub plain_found: usize,
}

impl Recall {
    /// Share of rounds with a report.
    #[must_use]
    pub fn of_rounds(&self) -> f64 {
        share(self.rounds_found, self.rounds)
    }

    /// Share of plain round trips that were reported.
    #[must_use]
    pub fn of_plain(&self) -> f64 {
        share(self.plain_found, self.plain)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        f64::from(part as u32) / f64::from(whole as u32)
    }
}

/// Compares reports, of round trips, with what was there.
#[must_use]
pub fn of(capture: &Capture, reports: &[Report]) -> Recall {
    let (plain, rounds) = offered(capture);
    let exact: HashSet<(u32, u8, u64, u64)> = reports
        .iter()
        .map(|it| (it.flow, it.side, it.end_ns - it.latency_ns, it.end_ns))
        .collect();
    let mut ends: HashMap<(u32, u8), Vec<u64>> = HashMap::new();
    for report in reports {
        ends.entry((report.flow, report.side))
            .or_default()
            .push(report.end_ns);
    }
    for ends in ends.values_mut() {
        ends.sort_unstable();
    }
    let found = |round: &&Round| {
        ends.get(&(round.flow, round.side)).is_some_and(|ends| {
            let next = ends.partition_point(|end| *end <= round.start_ns);
            ends.get(next).is_some_and(|end| *end <= round.end_ns)
        })
    };
    let offering = || rounds.iter().filter(|round| round.offered);
    Recall {
        rounds: offering().count(),
        rounds_found: offering().filter(found).count(),
        plain: plain.len(),
        plain_found: plain
            .iter()
            .filter(|it| exact.contains(&(it.flow, it.side, it.start_ns, it.end_ns)))
            .count(),
    }
}

/// A segment in flight: index, end, depth.
type Sent = (u32, u64, usize);

#[derive(Default)]
struct Way {
    in_flight: VecDeque<Sent>,
    left: u64,
    right: u64,
    known: bool,
    round: Option<Round>,
    round_end: u64,
}

/// Everything that could be found in a capture.
#[must_use]
pub fn offered(capture: &Capture) -> (Vec<Plain>, Vec<Round>) {
    let mut ways: HashMap<(u32, u8), Way> = HashMap::new();
    let mut plain = Vec::new();
    let mut rounds = Vec::new();
    for (index, packet) in capture.packets.iter().enumerate() {
        if packet.flags & ACK != 0 {
            let way = ways.entry((packet.flow, 1 - packet.side)).or_default();
            acknowledge(way, packet, capture, &mut plain, &mut rounds);
        }
        let way = ways.entry((packet.flow, packet.side)).or_default();
        send(way, index as u32, packet);
    }
    (plain, rounds)
}

fn send(way: &mut Way, index: u32, packet: &Packet) {
    if packet.taken() == 0 {
        if !way.known {
            way.right = packet.start;
            way.left = packet.start;
            way.known = true;
        }
        return;
    }
    if !way.known || packet.flags & SYN != 0 {
        // Of a flow joined midway the first segment may have been sent before.
        way.right = way.right.max(packet.end());
        way.left = way.left.max(packet.end());
        way.known = true;
        return;
    }
    if packet.start < way.right {
        way.in_flight.retain(|(_, end, _)| *end <= packet.start);
        way.right = way.right.max(packet.end());
        return;
    }
    way.right = packet.end();
    let depth = way.in_flight.len() + 1;
    way.in_flight.push_back((index, packet.end(), depth));
    if way.round.is_none() {
        way.round_end = packet.end();
        way.round = Some(Round {
            flow: packet.flow,
            side: packet.side,
            start_ns: packet.time_ns,
            end_ns: 0,
            offered: false,
        });
    }
}

fn acknowledge(
    way: &mut Way,
    packet: &Packet,
    capture: &Capture,
    plain: &mut Vec<Plain>,
    rounds: &mut Vec<Round>,
) {
    if !way.known || packet.ack <= way.left || packet.ack > way.right {
        return;
    }
    way.left = packet.ack;
    while let Some((index, end, depth)) = way.in_flight.front().copied() {
        if end > packet.ack {
            break;
        }
        way.in_flight.pop_front();
        if end == packet.ack && packet.cause == Some(index) && packet.first_answer {
            let data = &capture.packets[index as usize];
            plain.push(Plain {
                flow: data.flow,
                side: data.side,
                start_ns: data.time_ns,
                end_ns: packet.time_ns,
                depth,
            });
            if let Some(round) = &mut way.round {
                round.offered = true;
            }
        }
    }
    if packet.ack >= way.round_end
        && let Some(round) = way.round.take()
    {
        rounds.push(Round {
            end_ns: packet.time_ns,
            ..round
        });
    }
}
