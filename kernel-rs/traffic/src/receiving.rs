//! How a host receives: what it keeps, when it acknowledges (RFC 5681, 4.2; RFC 7323, 4.3).

use latscope_matching::segment::{FIN, SYN, distance};

use crate::{connection::Flight, host::Host, scenario::Scenario};

const DELAYED_ACK: u64 = 40_000_000;

/// What an arrival asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Nothing, or whenever it is convenient.
    None,
    /// An acknowledgement at once.
    Now,
    /// The last acknowledgement once more, at once.
    Duplicate,
}

impl Host {
    /// Takes the timestamp of what arrived.
    pub(crate) fn echo_next(&mut self, flight: &Flight) {
        let Some((tsval, _)) = flight.timestamps else {
            return;
        };
        let due = flight.start <= self.acked || flight.flags & SYN != 0;
        let newer = self
            .recent
            .is_none_or(|(recent, _)| distance(tsval, recent) > 0);
        if due && newer {
            self.recent = Some((tsval, flight.id));
            self.echoed = false;
        }
    }

    /// Takes what a packet carries.
    pub(crate) fn receive(&mut self, scenario: &Scenario, flight: &Flight, now: u64) -> Reply {
        let end = flight.end();
        if end == flight.start {
            // Of empty packets only a keep-alive, or one that is as late, is answered.
            return if flight.start < self.acked {
                Reply::Duplicate
            } else {
                Reply::None
            };
        }
        if end <= self.rcv {
            return Reply::Duplicate;
        }
        if flight.start > self.rcv {
            let kept = self.beyond.entry(flight.start).or_insert(end);
            *kept = end.max(*kept);
            return Reply::Duplicate;
        }
        self.rcv = end;
        let filled = !self.beyond.is_empty();
        while let Some((start, end)) = self.beyond.first_key_value().map(|(s, e)| (*s, *e)) {
            if start > self.rcv {
                break;
            }
            self.beyond.remove(&start);
            self.rcv = self.rcv.max(end);
        }
        self.cause = flight.id;
        self.answered = false;
        self.waiting += (end - flight.start).div_ceil(u64::from(scenario.mss)) as u32;
        if filled || !scenario.delayed_acks || self.waiting >= 2 || flight.flags & (FIN | SYN) != 0
        {
            return Reply::Now;
        }
        if self.ack_at.is_none() {
            self.ack_at = Some(now + DELAYED_ACK);
        }
        Reply::None
    }

    /// Bytes that the application has got.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.rcv.saturating_sub(1)
    }
}
