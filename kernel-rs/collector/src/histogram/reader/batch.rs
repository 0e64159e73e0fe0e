//! An interval on its way to a client, in as many messages as it takes.

use std::{iter::Peekable, sync::Arc, vec::IntoIter};

use prost::Message as _;

use crate::{
    histogram::{Histogram, counts::Rows, shape::Shape},
    proto::{Group, GroupHistogram, HistogramBatch, Totals},
    spec::time,
};

/// Most bytes of the groups in a message: 1 MiB, without room for the rest of it.
const GROUPS_BYTES_MAX: usize = (1 << 20) - 8192;
/// Number and length of a group in its message, at most.
const FRAME_BYTES: usize = 6;

/// What of an interval is still to be sent.
#[derive(Debug)]
pub(super) struct Batch {
    start_unix_ns: u64,
    end_unix_ns: u64,
    rows: Peekable<IntoIter<(Arc<Group>, Histogram)>>,
    totals: Totals,
    bytes_max: usize,
}

impl Batch {
    pub(super) fn new(start_unix_ns: u64, end_unix_ns: u64, rows: Rows, totals: Totals) -> Self {
        Self {
            start_unix_ns,
            end_unix_ns,
            rows: rows.into_iter().peekable(),
            totals,
            bytes_max: GROUPS_BYTES_MAX,
        }
    }

    /// The next message, with at least one group of those that are left.
    pub(super) fn next(&mut self, shape: &Shape) -> HistogramBatch {
        let mut groups = Vec::new();
        let mut bytes = 0;
        while let Some((group, histogram)) = self.rows.peek() {
            let group = GroupHistogram {
                group: Some(shape.name(group)),
                histogram: Some(histogram.into()),
            };
            bytes += group.encoded_len() + FRAME_BYTES;
            if bytes > self.bytes_max && !groups.is_empty() {
                break;
            }
            groups.push(group);
            self.rows.next();
        }
        let more = self.rows.peek().is_some();
        HistogramBatch {
            start_time: Some(time::timestamp(self.start_unix_ns)),
            end_time: Some(time::timestamp(self.end_unix_ns)),
            groups,
            totals: (!more).then(|| std::mem::take(&mut self.totals)),
            more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{histogram::testing, scope::Redaction, spec::violations::Violations};

    #[test]
    fn what_does_not_fit_goes_on_in_the_next_message() {
        let shape = Shape::check(
            &[],
            false,
            &testing::collection(&[]),
            "",
            Redaction::default(),
            &mut Violations::default(),
        );
        let rows = (0..5_u64).map(|index| {
            let group = Group {
                keys: [("subject".to_owned(), "x".repeat(1000))].into(),
                probe: index as u32,
                ..Group::default()
            };
            let mut histogram = Histogram::new(3);
            histogram.record(index);
            (Arc::new(group), histogram)
        });
        let totals = Totals {
            measured: 5,
            ..Totals::default()
        };
        let mut batch = Batch::new(1, 2, rows.collect(), totals.clone());
        batch.bytes_max = 2200;
        let messages = (0..3).map(|_| batch.next(&shape)).collect::<Vec<_>>();
        let of = |it: &HistogramBatch| {
            it.groups
                .iter()
                .map(|it| it.group.clone().unwrap().probe)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            messages.iter().map(of).collect::<Vec<_>>(),
            [vec![0, 1], vec![2, 3], vec![4]]
        );
        assert_eq!(
            messages.iter().map(|it| it.more).collect::<Vec<_>>(),
            [true, true, false]
        );
        assert_eq!(
            messages
                .iter()
                .map(|it| it.totals.clone())
                .collect::<Vec<_>>(),
            [None, None, Some(totals)]
        );
    }
}
