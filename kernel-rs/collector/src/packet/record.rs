//! What comes out of the ring.

use latscope_events::sample::{NamedSample, PacketSample};

use crate::text;

/// A latency, with the DNS name that was asked for where it has one.
#[derive(Clone, Debug)]
pub struct Record {
    /// The latency.
    pub sample: PacketSample,
    /// In presentation format; `None` for everything but DNS.
    pub name: Option<Box<str>>,
}

impl Record {
    /// Reads a record of the ring; `None` where it is of no known size.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (sample, name) = bytes.split_at_checked(size_of::<PacketSample>())?;
        // SAFETY: as long as the type, which is valid for every bit pattern.
        let sample = unsafe { sample.as_ptr().cast::<PacketSample>().read_unaligned() };
        match bytes.len() {
            len if len == size_of::<PacketSample>() => Some(Self { sample, name: None }),
            len if len == size_of::<NamedSample>() => Some(Self {
                sample,
                name: Some(text::dns_name(name).unwrap_or_default().into()),
            }),
            _ => None,
        }
    }
}
