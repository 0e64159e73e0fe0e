//! How a host sends: a window of segments, fast retransmit, timeouts.

use latscope_matching::segment::{ACK, FIN, SYN};

use crate::{host::Host, scenario::Scenario};

/// Longest retransmission timeout, ns.
const LONGEST_TIMEOUT: u64 = 120_000_000_000;
/// Timeouts in a row after which a host gives up.
const ENOUGH: u32 = 6;
/// Duplicates that stand for a loss (RFC 5681, 3.2).
const DUPLICATES: u32 = 3;

/// Position, payload, flags of a segment to send.
pub(crate) type Cut = (u64, u32, u8);

impl Host {
    /// Whether anything is unacknowledged.
    pub(crate) fn outstanding(&self) -> bool {
        self.nxt > self.una
    }

    /// The part `[start, end)` of the stream as a segment.
    fn cut(&self, start: u64, end: u64) -> Cut {
        let fin = self.fin.is_some_and(|fin| fin < end);
        let payload = end - start - u64::from(fin);
        (start, payload as u32, ACK | if fin { FIN } else { 0 })
    }

    /// The next segment that the window allows.
    pub(crate) fn next(&mut self, scenario: &Scenario) -> Option<Cut> {
        if !self.established || self.again.is_some() {
            return None;
        }
        let limit = self
            .queued
            .min(self.una + u64::from(scenario.window) * u64::from(scenario.mss));
        if self.nxt >= limit {
            return None;
        }
        let most = u64::from(scenario.tso.max(1)) * u64::from(scenario.mss);
        let wanted = most.min(self.queued - self.nxt);
        if scenario.tso > 1 && self.outstanding() && limit - self.nxt < wanted {
            // As Linux does (tcp_tso_should_defer): a larger packet may be possible soon.
            return None;
        }
        let end = limit.min(self.nxt + most);
        let cut = self.cut(self.nxt, end);
        self.nxt = end;
        Some(cut)
    }

    /// What is sent again at `position`.
    pub(crate) fn repeat(
        &mut self,
        scenario: &Scenario,
        position: u64,
        rng: &mut fastrand::Rng,
    ) -> Option<Cut> {
        if position >= self.nxt {
            return None;
        }
        if position == 0 {
            return Some((0, 0, if self.rcv > 0 { SYN | ACK } else { SYN }));
        }
        let mss = u64::from(scenario.mss);
        let length = match scenario.recut.then(|| rng.u8(..4)) {
            Some(0) => (mss / 2).max(1),
            Some(1) => 2 * mss,
            _ => mss,
        };
        Some(self.cut(position, self.nxt.min(position + length)))
    }

    /// The retransmission timer, after something was sent or acknowledged.
    pub(crate) fn arm(&mut self, scenario: &Scenario, now: u64) {
        let base = if self.una == 0 {
            1_000_000_000
        } else {
            scenario.timeout_ns
        };
        let timeout = (base << self.timeouts.min(ENOUGH)).min(LONGEST_TIMEOUT);
        self.timeout_at = (self.outstanding() && self.timeouts < ENOUGH).then(|| now + timeout);
    }

    /// The timer ran out; returns where to send again.
    pub(crate) fn timed_out(&mut self, scenario: &Scenario) -> u64 {
        self.timeouts += 1;
        self.duplicates = 0;
        self.recover = None;
        self.again = (scenario.go_back && self.una > 0).then_some(self.una);
        self.una
    }

    /// Takes an acknowledgement up to `ack`; returns where to send again at once.
    pub(crate) fn acknowledge(
        &mut self,
        scenario: &Scenario,
        ack: u64,
        bare: bool,
        now: u64,
    ) -> Option<u64> {
        if ack > self.nxt || ack < self.una {
            return None;
        }
        if ack == self.una {
            if !bare || !self.outstanding() {
                return None;
            }
            self.duplicates += 1;
            if self.duplicates != DUPLICATES || self.recover.is_some() || self.again.is_some() {
                return None;
            }
            self.recover = Some(self.nxt);
            return Some(self.una);
        }
        self.una = ack;
        self.duplicates = 0;
        self.timeouts = 0;
        self.arm(scenario, now);
        if let Some(again) = self.again {
            self.again = Some(again.max(ack)).filter(|it| *it < self.nxt);
        }
        match self.recover {
            // A partial acknowledgement (RFC 6582): the next one is missing too.
            Some(recover) if ack < recover => Some(ack),
            _ => {
                self.recover = None;
                None
            }
        }
    }
}
