//! What a message accounts for, read from its first bytes: the samples themselves are never looked at.

use anyhow::{Context as _, anyhow, bail};
use latscope_collector::proto::{
    End, LossStage, StreamSamplesResponse, stream_samples_response::Event,
};
use prost::{
    Message as _,
    encoding::{WireType, decode_key, decode_varint},
};

/// Numbers of the fields of `StreamSamplesResponse` that hold samples.
const SAMPLES: [u32; 2] = [10, 11];

/// The reader's side of the books, as its messages add up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) samples: u64,
    pub(crate) filtered: u64,
    pub(crate) lost: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) first_index: Option<u64>,
    pub(crate) next_index: u64,
    pub(crate) end: Option<End>,
}

/// The fields in front of a message's event.
struct Head {
    first_index: u64,
    next_index: u64,
    filtered: u64,
    event: u32,
}

impl Account {
    /// Whether the rest of a message of which this is the beginning can be thrown away.
    pub(crate) fn is_enough(beginning: &[u8]) -> bool {
        head(beginning).is_ok_and(|it| SAMPLES.contains(&it.event))
    }

    /// Takes a message of `length` bytes: its beginning, or all of it where it holds no samples.
    pub(crate) fn take(&mut self, beginning: &[u8], length: usize) -> anyhow::Result<()> {
        let Head {
            first_index,
            next_index,
            filtered,
            event,
        } = head(beginning)?;
        if self.first_index.is_some() && self.next_index != first_index {
            bail!("index {first_index} after {}", self.next_index);
        }
        self.first_index.get_or_insert(first_index);
        self.next_index = next_index;
        self.messages += 1;
        self.bytes += length as u64;
        self.filtered += filtered;
        if SAMPLES.contains(&event) {
            self.samples += next_index - first_index - filtered;
            return Ok(());
        }
        match StreamSamplesResponse::decode(beginning)?.event {
            Some(Event::Loss(loss)) if loss.stage >= LossStage::HistoryEvicted as i32 => {
                self.lost += loss.count;
            }
            Some(Event::End(end)) => self.end = Some(end),
            _ => {}
        }
        Ok(())
    }

    /// Holds the books against those of the service.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let end = self.end.as_ref().context("the stream ended without End")?;
        let totals = end.totals.as_ref().context("End without totals")?;
        let told = totals.losses.iter().map(|it| it.count).sum::<u64>();
        let sent = (totals.delivered, totals.filtered, told);
        let came = (self.samples, self.filtered, self.lost);
        if sent != came {
            bail!("samples, filtered and lost: {came:?} came, {sent:?} were sent");
        }
        Ok(())
    }
}

fn head(mut message: &[u8]) -> anyhow::Result<Head> {
    let mut numbers = [0; 3];
    loop {
        let (field, kind) = decode_key(&mut message)?;
        match (field, kind) {
            (1..=3, WireType::LengthDelimited) => {
                let length = decode_varint(&mut message)? as usize;
                message = message
                    .get(length..)
                    .ok_or_else(|| anyhow!("the message is cut short"))?;
            }
            (4..=6, WireType::Varint) => {
                numbers[field as usize - 4] = decode_varint(&mut message)?;
            }
            _ => {
                let [first_index, next_index, filtered] = numbers;
                return Ok(Head {
                    first_index,
                    next_index,
                    filtered,
                    event: field,
                });
            }
        }
    }
}
