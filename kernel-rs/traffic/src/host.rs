//! One end of a connection.

use std::collections::BTreeMap;

use crate::{connection::Flight, scenario::Scenario};

#[expect(
    clippy::struct_excessive_bools,
    reason = "each tells of another thing that was done or not"
)]
/// Its state. Positions count from the SYN, as in [`crate::Packet`].
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) isn: u32,
    /// What its timestamp clock shows at time 0, ns.
    pub(crate) clock: u64,
    /// When the segment before has left, ns.
    pub(crate) free_at: u64,

    /// Acknowledged up to here.
    pub(crate) una: u64,
    /// Sent up to here.
    pub(crate) nxt: u64,
    /// To be sent again from here to `nxt`, after a timeout.
    pub(crate) again: Option<u64>,
    /// Given by the application up to here, with the FIN.
    pub(crate) queued: u64,
    /// Position of the FIN.
    pub(crate) fin: Option<u64>,
    pub(crate) timeout_at: Option<u64>,
    /// Timeouts in a row.
    pub(crate) timeouts: u32,
    pub(crate) duplicates: u32,
    /// While in fast recovery: `nxt` when it began.
    pub(crate) recover: Option<u64>,
    /// The other side is known to have the SYN.
    pub(crate) established: bool,

    /// Received without a gap up to here.
    pub(crate) rcv: u64,
    /// Received beyond a gap.
    pub(crate) beyond: BTreeMap<u64, u64>,
    /// The acknowledgement sent last.
    pub(crate) acked: u64,
    /// Segments received since.
    pub(crate) waiting: u32,
    pub(crate) ack_at: Option<u64>,
    /// The packet that made `rcv` what it is.
    pub(crate) cause: Option<u32>,
    /// Whether that was told to the other side.
    pub(crate) answered: bool,
    /// The packet without anything new that the next acknowledgement answers.
    pub(crate) trigger: Option<u32>,
    /// `TS.Recent` of RFC 7323, and the packet it is from.
    pub(crate) recent: Option<(u32, Option<u32>)>,
    /// Whether that was told to the other side.
    pub(crate) echoed: bool,

    /// Next write of the application.
    pub(crate) write: usize,
    pub(crate) write_planned: bool,
    pub(crate) probe_at: Option<u64>,
    pub(crate) probes: u32,
}

impl Host {
    /// A packet of this host with the acknowledgement that is due; that counts as sent.
    pub(crate) fn flight(
        &mut self,
        scenario: &Scenario,
        side: u8,
        now: u64,
        (start, payload, flags): (u64, u32, u8),
    ) -> Flight {
        let acknowledges = flags & latscope_matching::segment::ACK != 0;
        let first_answer = acknowledges && !self.answered;
        if acknowledges {
            self.answered = true;
            self.acked = self.rcv;
            self.waiting = 0;
            self.ack_at = None;
        }
        let recent = self.recent.filter(|_| acknowledges);
        let first_echo = acknowledges && !std::mem::replace(&mut self.echoed, true);
        Flight {
            side,
            flags,
            start,
            payload,
            ack: if acknowledges { self.rcv } else { 0 },
            timestamps: scenario.timestamp_tick_ns.map(|tick| {
                let tsval = (self.clock + now) / tick;
                (tsval as u32, recent.map_or(0, |(tsval, _)| tsval))
            }),
            cause: if acknowledges { self.cause } else { None },
            first_answer,
            trigger: self.trigger.take(),
            first_echo,
            echoed: recent.and_then(|(_, from)| from),
            id: None,
        }
    }
}
