//! A packet as a capture file holds it.

/// One packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// What was kept of it, link layer first.
    pub(super) bytes: &'a [u8],
    /// How long it was on the wire.
    pub(super) wire_length: u32,
    /// When it was captured, ns since 1970; `None` where the file does not say, or says what is no time.
    pub(super) time_ns: Option<u64>,
    /// The link layer (LINKTYPE_, <https://www.tcpdump.org/linktypes.html>).
    pub(super) link_type: u16,
    /// Index of the interface in [`super::file::CaptureFile::interface`].
    pub(super) interface: usize,
}

/// Nanoseconds of a second.
pub(super) const SECOND: u64 = 1_000_000_000;
