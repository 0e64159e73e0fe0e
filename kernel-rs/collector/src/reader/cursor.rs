//! Where a reader is in a session, as an opaque string that is good for one caller alone.

use std::{fmt::Write as _, sync::LazyLock};

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit as _, Nonce,
    aead::{Aead as _, Generate as _, Key, Payload},
};
use prost::encoding::{decode_varint, encode_varint};

/// The stages at which a reader itself loses samples.
pub(super) const OWN_STAGES: [crate::proto::LossStage; 3] = [
    crate::proto::LossStage::HistoryEvicted,
    crate::proto::LossStage::SubscriberQueue,
    crate::proto::LossStage::SubscriberSampled,
];

/// Seals the cursors of this process; no other process has sessions of the same epoch.
static CIPHER: LazyLock<Aes256GcmSiv> =
    LazyLock::new(|| Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::generate()));

/// A place in a session: after resuming there nothing is repeated or skipped.
///
/// Written `node@` and the rest sealed for a principal: nobody else can use it, and who may see a part of a session does not learn
/// from it how much there is. The same place has the same text, which this cipher is made for (RFC 8452).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) node: String,
    /// Random for each session: no other session has it, nor one of the same name after a restart.
    pub(crate) epoch: u64,
    pub(crate) index: u64,
    /// Lost before `index` and not told, for each of [`OWN_STAGES`]; the stream that resumes tells it.
    pub(crate) untold: [u64; OWN_STAGES.len()],
    /// What the reader itself calls the index, where authorization narrows it.
    pub(crate) number: Option<u64>,
}

impl Cursor {
    /// The text of a cursor for a principal.
    pub(crate) fn seal(&self, principal: &str) -> String {
        let mut bytes = self.epoch.to_le_bytes().to_vec();
        encode_varint(self.index, &mut bytes);
        for count in self.untold {
            encode_varint(count, &mut bytes);
        }
        if let Some(number) = self.number {
            encode_varint(number, &mut bytes);
        }
        let associated = associated(&self.node, principal);
        let sealed = CIPHER.encrypt(
            &Nonce::default(),
            Payload {
                msg: &bytes,
                aad: &associated,
            },
        );
        let mut text = String::with_capacity(self.node.len() + 1 + 2 * (bytes.len() + 16));
        text.push_str(&self.node);
        text.push('@');
        for byte in sealed.expect("far below the longest message") {
            write!(text, "{byte:02x}").expect("writing to a string never fails");
        }
        text
    }

    /// Reads a cursor; `None` if it is none, or another principal's.
    pub(crate) fn open(text: &str, principal: &str) -> Option<Self> {
        let (node, sealed) = text.rsplit_once('@')?;
        let sealed = bytes_of(sealed)?;
        let associated = associated(node, principal);
        let bytes = CIPHER
            .decrypt(
                &Nonce::default(),
                Payload {
                    msg: &sealed,
                    aad: &associated,
                },
            )
            .ok()?;
        let (epoch, mut rest) = bytes.split_first_chunk()?;
        let epoch = u64::from_le_bytes(*epoch);
        let index = decode_varint(&mut rest).ok()?;
        let mut untold = [0; OWN_STAGES.len()];
        for count in &mut untold {
            *count = decode_varint(&mut rest).ok()?;
        }
        let number = if rest.is_empty() {
            None
        } else {
            Some(decode_varint(&mut rest).ok()?)
        };
        Some(Self {
            node: node.into(),
            epoch,
            index,
            untold,
            number,
        })
    }

    /// The node that a cursor is of, whoever's it is.
    pub(crate) fn node_of(text: &str) -> Option<&str> {
        Some(text.rsplit_once('@')?.0)
    }
}

/// What a cursor is bound to; no name of a node has a NUL.
fn associated(node: &str, principal: &str) -> Vec<u8> {
    [node.as_bytes(), b"\0", principal.as_bytes()].concat()
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let [high, low] = pair else { return None };
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            Some((digit(high)? << 4 | digit(low)?) as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor() -> impl Strategy<Value = Cursor> {
        let untold = (0..9_u64, 0..9_u64, 0..9_u64);
        (any::<u64>(), any::<u64>(), untold, any::<Option<u64>>()).prop_map(
            |(epoch, index, (h, q, s), number)| Cursor {
                node: "nodes/a@b.c-1h".into(),
                epoch,
                index,
                untold: [h, q, s],
                number,
            },
        )
    }

    proptest! {
        #[test]
        fn there_and_back_for_its_owner_alone(cursor in cursor()) {
            let text = cursor.seal("uid:1000");
            prop_assert_eq!(&text, &cursor.seal("uid:1000"));
            prop_assert_eq!(Cursor::node_of(&text), Some("nodes/a@b.c-1h"));
            prop_assert_eq!(Cursor::open(&text, "uid:1000"), Some(cursor));
            prop_assert_eq!(Cursor::open(&text, "uid:1001"), None);
            prop_assert_eq!(Cursor::open(&text.replace("nodes/a", "nodes/b"), "uid:1000"), None);
        }

        #[test]
        fn a_changed_cursor_is_none(cursor in cursor(), at in any::<prop::sample::Index>(), digit in 0..16_u32) {
            let text = cursor.seal("");
            let place = text.rfind('@').unwrap() + 1;
            let at = place + at.index(text.len() - place);
            let mut changed = text.clone();
            changed.replace_range(at..=at, &char::from_digit(digit, 16).unwrap().to_string());
            prop_assume!(changed != text);
            prop_assert_eq!(Cursor::open(&changed, ""), None);
        }

        #[test]
        fn any_text_is_no_cursor(text in "\\PC*") {
            prop_assert_eq!(Cursor::open(&text, ""), None);
        }
    }

    #[test]
    fn how_far_a_reader_is_does_not_show() {
        let at = |index| Cursor {
            node: "nodes/a".into(),
            epoch: 7,
            index,
            untold: [0; 3],
            number: Some(1),
        };
        let (one, next) = (at(100).seal("a"), at(101).seal("a"));
        let differing = one.bytes().zip(next.bytes()).filter(|it| it.0 != it.1);
        assert!(differing.count() > 32, "{one}\n{next}");
    }

    #[test]
    fn what_is_no_cursor() {
        for wrong in ["", "a", "a@", "a@1", "a@zz", "a@1.5", "a@00", "a@é1"] {
            assert_eq!(Cursor::open(wrong, ""), None, "{wrong:?}");
        }
    }
}
