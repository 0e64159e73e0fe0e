//! The packet engine without a kernel: what `probes/src/packet/track.rs` and `measure.rs` do with one interface and one
//! session that wants everything.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
};

use latscope_events::{
    flow::{Flow, track},
    metric::quality,
    pending::{Pending, flags},
    refusal::REASONS,
};
use latscope_matching::{
    Found, Segment, Sink, flow, handshake, peer,
    segment::{ACK, RST, SYN},
};

use crate::{
    frame::{WINDOW, endpoints},
    judge::Report,
    packet::{Capture, Packet},
};

/// Flows and peers, by flow number.
#[derive(Default)]
pub struct Monitor {
    flows: HashMap<u32, Flow, BuildHasherDefault<DefaultHasher>>,
    pending: HashMap<u32, Pending, BuildHasherDefault<DefaultHasher>>,
    /// What was found and not taken yet.
    pub found: Vec<Report>,
    /// Round trips refused, by reason.
    pub refused_rtt: [u64; REASONS],
    /// Other latencies refused, by reason.
    pub refused: [u64; REASONS],
}

/// Every report about a capture.
#[must_use]
pub fn reports(capture: &Capture) -> Vec<Report> {
    let mut monitor = Monitor::default();
    for packet in &capture.packets {
        monitor.see(packet);
    }
    monitor.found
}

struct Taker<'a> {
    monitor: &'a mut Monitor,
    packet: &'a Packet,
}

impl Sink for Taker<'_> {
    fn found(&mut self, found: Found) {
        self.monitor.found.push(Report {
            end_ns: self.packet.time_ns,
            latency_ns: found.latency,
            flow: self.packet.flow,
            side: host_of(self.packet.flow, found.side),
            metric: found.metric,
            quality: found.quality & !quality::INCLUDES_LOCAL_HOST,
        });
    }

    fn refused_rtt(&mut self, reason: u32, count: u32) {
        self.monitor.refused_rtt[reason as usize] += u64::from(count);
    }

    fn refused(&mut self, reason: u32) {
        self.monitor.refused[reason as usize] += 1;
    }

    fn waits(&mut self, _change: u32) {}
}

/// Client or server for a side of the flow table, and the other way round: side 0 has the smaller (address, port) as the
/// table compares them, in the machine's byte order.
#[must_use]
pub fn host_of(flow: u32, side: u8) -> u8 {
    let [client, server] = endpoints(flow).map(|(address, port)| {
        u64::from(u32::from_ne_bytes(address)) << 16 | u64::from(port.to_be())
    });
    side ^ u8::from(client > server)
}

impl Monitor {
    /// Looks at one packet.
    pub fn see(&mut self, packet: &Packet) {
        let segment = segment(packet);
        let side = host_of(packet.flow, packet.side);
        if let Some(mut flow) = self.flows.remove(&packet.flow)
            && !flow::reopens(&flow, side, &segment)
        {
            self.known(&mut flow, side, &segment, packet);
            self.flows.insert(packet.flow, flow);
            return;
        }
        let Some(mut first) = self.pending.remove(&packet.flow) else {
            if segment.flags & RST == 0 {
                self.pending
                    .insert(packet.flow, heard(side, &segment, packet.time_ns));
            }
            return;
        };
        if first.side == side {
            let mut clock = packet.time_ns;
            peer::heard_again(&mut first, side, &segment, &mut clock);
            self.pending.insert(packet.flow, first);
            return;
        }
        let mut clock = packet.time_ns;
        if first.flags & flags::SYN != 0 {
            if handshake::is_refusal(&first, &segment) {
                let mut taker = Taker {
                    monitor: self,
                    packet,
                };
                handshake::answered(
                    &first,
                    &segment,
                    handshake::ECONNREFUSED,
                    &mut clock,
                    &mut taker,
                );
                return;
            }
            let simultaneous = segment.flags & (SYN | ACK | RST) == SYN;
            if !simultaneous && !handshake::is_syn_ack(&first, &segment) {
                self.pending.insert(packet.flow, first);
                return;
            }
        } else if segment.flags & RST != 0 {
            self.pending.insert(packet.flow, first);
            return;
        }
        let mut flow = new_flow();
        flow::adopt(&mut flow, &first, &segment);
        let mut taker = Taker {
            monitor: self,
            packet,
        };
        if flow::answer(&mut flow, &first, side, &segment, &mut clock, &mut taker) {
            self.known(&mut flow, side, &segment, packet);
        }
        self.flows.insert(packet.flow, flow);
    }

    fn known(&mut self, flow: &mut Flow, side: u8, segment: &Segment, packet: &Packet) {
        let mut clock = packet.time_ns;
        let mut taker = Taker {
            monitor: self,
            packet,
        };
        flow::segment_of(flow, side, segment, &mut clock, &mut taker);
    }
}

fn new_flow() -> Flow {
    // SAFETY: a flow is plain integers.
    let mut flow: Flow = unsafe { std::mem::zeroed() };
    flow.track = track::HANDSHAKE | track::RTT;
    flow.mask = 1;
    flow
}

/// What the parser makes of a packet.
#[must_use]
pub fn segment(packet: &Packet) -> Segment {
    let (tsval, tsecr) = packet.timestamps.unwrap_or_default();
    Segment {
        seq: packet.wire_seq,
        ack: packet.wire_ack,
        payload: packet.payload,
        tsval,
        tsecr,
        flags: packet.flags,
        timestamps: u8::from(packet.timestamps.is_some()),
        window: WINDOW.to_be(),
        sacked: 0,
    }
}

fn heard(side: u8, segment: &Segment, now: u64) -> Pending {
    // SAFETY: plain integers.
    let mut first: Pending = unsafe { std::mem::zeroed() };
    let mut clock = now;
    peer::heard(&mut first, side, segment, &mut clock);
    first
}
