//! Whether a reported latency is true.

use std::collections::HashMap;

use latscope_events::{
    metric::{TCP_HANDSHAKE_LOCAL, TCP_HANDSHAKE_REMOTE, TCP_RTT, quality},
    sample::{PacketSample, flags},
};
use latscope_matching::segment::{ACK, SYN};

use crate::{
    frame::flow_of,
    packet::{Capture, Packet},
};

/// A latency as reported, in the capture's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report {
    /// When it ended, ns.
    pub end_ns: u64,
    /// The latency, ns.
    pub latency_ns: u64,
    /// Flow.
    pub flow: u32,
    /// Side that sent the measured packet.
    pub side: u8,
    /// `latscope_events::metric` number.
    pub metric: u8,
    /// `latscope_events::metric::quality` bits, without those of the place.
    pub quality: u16,
}

/// What the programs in the kernel report about frames of [`crate::frame`].
impl From<&PacketSample> for Report {
    fn from(sample: &PacketSample) -> Self {
        let word = if sample.flags & flags::IPV6 == 0 {
            0
        } else {
            3
        };
        Self {
            end_ns: sample.time_ns,
            latency_ns: sample.latency_ns,
            flow: flow_of(sample.client[word].to_ne_bytes()),
            side: u8::from(sample.flags & flags::FROM_SERVER != 0),
            metric: sample.metric,
            quality: sample.quality & !quality::INCLUDES_LOCAL_HOST,
        }
    }
}

/// What a report is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The time from a packet to the packet that the other host sent because of it.
    True,
    /// Flagged as such: the acknowledgement of an unambiguous segment was caused by another. The time may include the wait for
    /// that.
    Flagged,
    /// The answer itself never passed the monitor, a later packet repeats what it says. No monitor can tell.
    Repeated,
    /// The packet waited at the receiver for one that was sent before it and overtaken behind the monitor. Only a duplicate
    /// acknowledgement can tell, if one is sent and passes the monitor.
    HeldUp,
    /// The answer is to a packet that the monitor never saw; it has only seen another copy.
    Unseen,
    /// Not a round trip.
    False(&'static str),
}

/// Knows a capture.
#[derive(Debug)]
pub struct Judge<'a> {
    capture: &'a Capture,
    at: HashMap<u64, u32>,
    /// Packets of each flow, in order.
    flows: HashMap<u32, Vec<u32>>,
}

impl<'a> Judge<'a> {
    /// Prepares to judge reports about `capture`.
    #[must_use]
    pub fn new(capture: &'a Capture) -> Self {
        let mut flows: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut at = HashMap::new();
        for (index, packet) in capture.packets.iter().enumerate() {
            flows.entry(packet.flow).or_default().push(index as u32);
            at.insert(packet.time_ns, index as u32);
        }
        Self { capture, at, flows }
    }

    /// Judges one report.
    #[must_use]
    pub fn of(&self, report: &Report) -> Verdict {
        let (Some(end), Some(start)) = (
            self.packet(report.end_ns, report.flow),
            self.packet(report.end_ns.wrapping_sub(report.latency_ns), report.flow),
        ) else {
            return Verdict::False("no packet passed at the start or at the end");
        };
        let (start_packet, end_packet) = (self.get(start), self.get(end));
        if start_packet.side != report.side || end_packet.side == report.side {
            return Verdict::False("wrong direction");
        }
        match report.metric {
            TCP_HANDSHAKE_REMOTE => self.remote(report, start, end),
            TCP_HANDSHAKE_LOCAL => {
                if start_packet.flags & (SYN | ACK) == SYN | ACK && end_packet.flags & SYN == 0 {
                    answer(start, end_packet)
                } else {
                    Verdict::False("no SYN-ACK and its ACK")
                }
            }
            TCP_RTT => self.round_trip(report, start, end),
            _ => Verdict::False("nothing of this metric happened"),
        }
    }

    fn packet(&self, time_ns: u64, flow: u32) -> Option<u32> {
        let index = *self.at.get(&time_ns)?;
        (self.get(index).flow == flow).then_some(index)
    }

    fn get(&self, index: u32) -> &Packet {
        &self.capture.packets[index as usize]
    }

    fn remote(&self, report: &Report, start: u32, end: u32) -> Verdict {
        let (syn, syn_ack) = (self.get(start), self.get(end));
        if syn.flags & (SYN | ACK) != SYN || syn_ack.flags & (SYN | ACK) != SYN | ACK {
            return Verdict::False("no SYN and its SYN-ACK");
        }
        let first = self.flows[&report.flow]
            .iter()
            .find(|index| self.get(**index).flags & (SYN | ACK) == SYN);
        if first != Some(&start) && syn_ack.cause.is_some() {
            return Verdict::False("not from the first SYN");
        }
        if report.quality & quality::SYN_RETRANSMITTED != 0 {
            return Verdict::True;
        }
        answer(start, syn_ack)
    }

    fn round_trip(&self, report: &Report, start: u32, end: u32) -> Verdict {
        let (data, ack) = (self.get(start), self.get(end));
        if data.taken() == 0 || data.flags & SYN != 0 || ack.flags & ACK == 0 {
            return Verdict::False("no data and its acknowledgement");
        }
        if ack.ack < data.end() {
            return Verdict::False("the data is not acknowledged");
        }
        let echoed = report.quality & quality::TIMESTAMP_MATCHED != 0
            && data.timestamps.map(|it| it.0) == ack.timestamps.map(|it| it.1);
        match answer(start, ack) {
            Verdict::False(_) if report.quality & quality::MAY_INCLUDE_ACK_DELAY != 0 => {
                if echoed || !self.is_ambiguous(start, end) {
                    Verdict::Flagged
                } else {
                    Verdict::False("bytes sent again, or held up by such")
                }
            }
            // It is the first to tell that a part of it arrived, and all of it is acknowledged (RFC 7323, 4.3).
            Verdict::False(_)
                if ack.echoed == Some(start) && ack.first_echo && ack.ack == data.end() =>
            {
                Verdict::True
            }
            // The first acknowledgement of these bytes, or the first echo, never passed the monitor.
            Verdict::False(_) if echoed && (!ack.first_answer || self.is_echo_lost(start, end)) => {
                Verdict::Repeated
            }
            Verdict::False(_) if ack.ack > data.end() && echoed => {
                Verdict::False("it may include an ACK's delay, without saying so")
            }
            Verdict::False(_) if ack.ack == data.end() && self.is_held_up(start, end, echoed) => {
                Verdict::HeldUp
            }
            verdict => verdict,
        }
    }

    /// Whether the packet repeats an echo that was sent before, but did not pass.
    fn is_echo_lost(&self, start: u32, end: u32) -> bool {
        let (data, ack) = (self.get(start), self.get(end));
        let echo = ack.timestamps.map(|it| it.1);
        let passed = self
            .between(data.flow, start, end)
            .any(|it| it.side == ack.side && it.timestamps.map(|it| it.1) == echo);
        !ack.first_echo && !passed
    }

    /// The packets of a flow after one and before another.
    fn between(&self, flow: u32, start: u32, end: u32) -> impl Iterator<Item = &Packet> {
        let flow = &self.flows[&flow];
        let from = flow.partition_point(|index| *index <= start);
        flow[from..]
            .iter()
            .take_while(move |index| **index < end)
            .map(|index| self.get(*index))
    }

    /// Whether something that passed before, but came later, made the receiver acknowledge the data.
    fn is_held_up(&self, start: u32, end: u32, echoed: bool) -> bool {
        let older = self.get(end).cause.is_some_and(|cause| cause < start);
        older && (echoed || !self.is_ambiguous(start, end))
    }

    /// Whether the data, or anything before it, was sent while it waited for its acknowledgement: a second copy of it, or
    /// something it may have had to wait for.
    fn is_ambiguous(&self, start: u32, end: u32) -> bool {
        let data = self.get(start);
        self.between(data.flow, start, end)
            .any(|it| it.side == data.side && it.taken() > 0 && it.start < data.end())
    }
}

/// Whether `packet` is what was sent because of the arrival of packet `start`.
fn answer(start: u32, packet: &Packet) -> Verdict {
    if packet.trigger == Some(start) {
        Verdict::True
    } else if packet.cause.is_none() {
        Verdict::Unseen
    } else if packet.cause != Some(start) {
        Verdict::False("the answer is to another packet")
    } else if packet.first_answer {
        Verdict::True
    } else {
        Verdict::Repeated
    }
}
