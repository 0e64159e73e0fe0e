//! Messages of samples, written by hand in the protobuf wire format.

pub(crate) mod cache;
mod columns;
mod message;
mod rows;
mod source;
mod wire;

pub(crate) use message::{Account, Header};
pub(crate) use source::{Redactor, Source};

use crate::proto::Encoding;

/// The samples of one message, encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// A `SampleRows` or `SampleColumns`, by the encoding it was asked in.
    pub(crate) payload: Vec<u8>,
    /// Positions taken of those given.
    pub(crate) taken: usize,
    /// It ended because it was full.
    pub(crate) full: bool,
}

/// Number of the field of `StreamSamplesResponse` that holds a payload.
pub(crate) const fn payload_field(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::Columns => 11,
        Encoding::Rows | Encoding::Unspecified => 10,
    }
}

/// Encodes samples of a chunk, in order, until the payload would be more than `bytes_max`; at least one.
///
/// Each stands for `weight` samples; 0 means one.
pub(crate) fn batch(
    source: &impl Source,
    positions: &(impl ExactSizeIterator<Item = usize> + Clone),
    encoding: Encoding,
    weight: u32,
    bytes_max: usize,
) -> Batch {
    let (payload, taken) = match encoding {
        Encoding::Columns => columns::encode(source, positions.clone(), weight, bytes_max),
        Encoding::Rows | Encoding::Unspecified => {
            rows::encode(source, positions.clone(), weight, bytes_max)
        }
    };
    Batch {
        payload,
        taken,
        full: taken < positions.len(),
    }
}

#[cfg(test)]
mod tests;
