//! Where a reader is in a session, as an opaque string.

use std::fmt::{self, Write as _};

/// The stages at which a reader itself loses samples, and the letter of each in a cursor.
pub(super) const OWN_STAGES: [(crate::proto::LossStage, char); 3] = [
    (crate::proto::LossStage::HistoryEvicted, 'h'),
    (crate::proto::LossStage::SubscriberQueue, 'q'),
    (crate::proto::LossStage::SubscriberSampled, 's'),
];

/// A place in a session: after resuming there nothing is repeated or skipped.
///
/// Written `node@epoch.index`, and `-` with count and letter for each loss that the stream had not told yet when it broke: the
/// stream that resumes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) node: String,
    /// Random for each session: no other session has it, nor one of the same name after a restart.
    pub(crate) epoch: u64,
    pub(crate) index: u64,
    /// Lost before `index` and not told, for each of [`OWN_STAGES`].
    pub(crate) untold: [u64; OWN_STAGES.len()],
}

impl Cursor {
    /// Reads a cursor; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (node, place) = text.rsplit_once('@')?;
        let (epoch, place) = place.split_once('.')?;
        let mut parts = place.split('-');
        let index = number(parts.next()?)?;
        let mut untold = [0; OWN_STAGES.len()];
        for part in parts {
            let letter = part.chars().last()?;
            let stage = OWN_STAGES.iter().position(|it| it.1 == letter)?;
            untold[stage] = number(&part[..part.len() - letter.len_utf8()])?;
        }
        (untold
            .iter()
            .try_fold(0, |sum: u64, it| sum.checked_add(*it))?
            <= index)
            .then_some(())?;
        Some(Self {
            node: node.into(),
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            index,
            untold,
        })
    }
}

fn number(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|it| it.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            epoch,
            index,
            untold,
        } = self;
        write!(formatter, "{node}@{epoch:x}.{index}")?;
        for (count, (_, letter)) in untold.iter().zip(OWN_STAGES) {
            if *count > 0 {
                write!(formatter, "-{count}")?;
                formatter.write_char(letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn there_and_back(epoch in any::<u64>(), index in any::<u64>(), h in 0..9_u64, q in 0..9_u64, s in 0..9_u64) {
            prop_assume!(h + q + s <= index);
            let cursor = Cursor { node: "nodes/a@b.c-1h".into(), epoch, index, untold: [h, q, s] };
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_not(text in "\\PC*") {
            if let Some(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
            }
        }
    }

    #[test]
    fn what_is_no_cursor() {
        for wrong in [
            "", "a", "a@", "a@1", "a@1.", "a@g.1", "a@1.-1", "a@1.5-9q", "a@1.5-1x", "a@1.5-q1",
            "a@1.5-é",
        ] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong:?}");
        }
    }
}
