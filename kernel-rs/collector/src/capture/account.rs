//! What became of the packets of a capture.

use std::collections::BTreeMap;

use latscope_events::refusal::{REASONS, UNPARSABLE};
use serde::Serialize;

/// The books of one capture so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Bytes read of the file.
    pub bytes_read: u64,
    /// Its length when it was opened; 0 where it has none.
    pub bytes: u64,
    /// Packets read from the file.
    pub packets: u64,
    /// Latest minus earliest time of the packets, ns.
    pub span_ns: u64,
    /// Latencies told apart.
    pub measured: u64,
    /// Latencies not reported because ambiguous, by `latscope.v1.RefusalReason`.
    pub refusals: BTreeMap<u32, u64>,
    /// Packets that could not be parsed, by reason, for a person.
    pub unparsed: BTreeMap<String, u64>,
}

impl Account {
    /// As JSON, under the same names.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "strings and numbers always serialize"
    )]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialize")
    }
}

/// Why a packet could not be parsed.
pub(super) const MALFORMED: &str = "cut short or malformed";

/// Counts while a capture is replayed.
#[derive(Default)]
pub(super) struct Counter {
    account: Account,
    times: Option<(u64, u64)>,
}

impl Counter {
    /// A packet of the file.
    pub(super) fn packet(&mut self, time_ns: Option<u64>) {
        self.account.packets += 1;
        if let Some(time) = time_ns {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }

    /// A packet that is not fed.
    pub(super) fn unparsed(&mut self, reason: &str) {
        if let Some(count) = self.account.unparsed.get_mut(reason) {
            *count += 1;
        } else {
            self.account.unparsed.insert(reason.to_owned(), 1);
        }
    }

    /// Latencies that were found.
    pub(super) fn measured(&mut self, count: usize) {
        self.account.measured += count as u64;
    }

    /// Packets that were not fed, with reasons.
    pub(super) fn all_unparsed(&self) -> u64 {
        self.account.unparsed.values().sum()
    }

    /// Packets of the file so far.
    pub(super) fn packets(&self) -> u64 {
        self.account.packets
    }

    /// The books, with what the programs refused.
    pub(super) fn account(&self, refused: &[u64; REASONS]) -> Account {
        let mut account = self.account.clone();
        account.span_ns = self.times.map_or(0, |(first, last)| last - first);
        for (reason, count) in (0..).zip(refused).filter(|(_, count)| **count > 0) {
            if reason == UNPARSABLE {
                *account.unparsed.entry(MALFORMED.to_owned()).or_default() += count;
            } else {
                account.refusals.insert(reason, *count);
            }
        }
        account
    }
}
