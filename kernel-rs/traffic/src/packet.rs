//! What passed the monitor.

use std::fmt;

use latscope_matching::segment::{FIN, SYN};

/// A packet as it passed the monitor. Positions count from a host's SYN, which is 0, without wrap-around; its first byte of
/// data is 1.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// When, ns; no two packets of a capture have the same time.
    pub time_ns: u64,
    /// Flow, from 0.
    pub flow: u32,
    /// Sender: 0 the client, 1 the server.
    pub side: u8,
    /// Bits of `latscope_matching::segment`.
    pub flags: u8,
    /// Position of its first byte.
    pub start: u64,
    /// Payload, bytes.
    pub payload: u32,
    /// Position in the other host's stream up to which it acknowledges.
    pub ack: u64,
    /// Sequence number on the wire.
    pub wire_seq: u32,
    /// Acknowledgement number on the wire.
    pub wire_ack: u32,
    /// `TSval` and `TSecr`.
    pub timestamps: Option<(u32, u32)>,
    /// Index of the packet whose arrival made the sender acknowledge up to `ack`.
    pub cause: Option<u32>,
    /// Nothing was sent before that acknowledges so far.
    pub first_answer: bool,
    /// Index of a packet without anything new that this one answers at once.
    pub trigger: Option<u32>,
    /// Index of the packet whose `TSval` it echoes.
    pub echoed: Option<u32>,
    /// Nothing was sent before that echoes it.
    pub first_echo: bool,
}

impl Packet {
    /// Position after everything it takes up.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start + self.taken()
    }

    /// Sequence numbers it takes up: SYN, payload, FIN.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        taken(self.flags, self.payload)
    }
}

pub(crate) const fn taken(flags: u8, payload: u32) -> u64 {
    payload as u64 + (flags & SYN != 0) as u64 + (flags & FIN != 0) as u64
}

/// One line: time in ms, direction, flags, what it carries and acknowledges, and why.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.side == 0 { "->" } else { "<-" };
        let (ms, ns) = (self.time_ns / 1_000_000, self.time_ns % 1_000_000);
        write!(f, "{ms}.{ns:06} {} {arrow} ", self.flow)?;
        for (bit, name) in [(SYN, "S"), (FIN, "F")] {
            if self.flags & bit != 0 {
                write!(f, "{name}")?;
            }
        }
        write!(f, " {}..{} ack {}", self.start, self.end(), self.ack)?;
        if let Some((tsval, tsecr)) = self.timestamps {
            write!(f, " ts {tsval}/{tsecr}")?;
        }
        write!(
            f,
            " for {:?}{} trigger {:?} echo {:?}",
            self.cause,
            if self.first_answer { "!" } else { "" },
            self.trigger,
            self.echoed
        )
    }
}

/// Everything that passed the monitor.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// By time.
    pub packets: Vec<Packet>,
    /// Addresses are IPv6.
    pub ipv6: bool,
}

impl Capture {
    /// The packets of a flow from some before `start_ns` to `end_ns`, a line each.
    #[must_use]
    pub fn excerpt(&self, flow: u32, start_ns: u64, end_ns: u64) -> String {
        const BEFORE: usize = 8;
        let of_flow: Vec<(usize, &Packet)> = self
            .packets
            .iter()
            .enumerate()
            .filter(|(_, it)| it.flow == flow && it.time_ns <= end_ns)
            .collect();
        let from = of_flow.partition_point(|(_, it)| it.time_ns < start_ns);
        of_flow[from.saturating_sub(BEFORE)..]
            .iter()
            .fold(String::new(), |text, (index, packet)| {
                text + &format!("#{index} {packet}\n")
            })
    }
}
