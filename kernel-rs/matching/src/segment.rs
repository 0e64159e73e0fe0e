//! A TCP segment, as far as it matters for latency.

/// The header of a segment, host byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    /// Sequence number of the first byte (of SYN, if set).
    pub seq: u32,
    /// Acknowledgement number; valid with [`ACK`].
    pub ack: u32,
    /// Bytes of payload; of the whole skb where one stands for many segments.
    pub payload: u32,
    /// `TSval` (RFC 7323); valid with `timestamps`.
    pub tsval: u32,
    /// `TSecr`; valid with `timestamps` and [`ACK`].
    pub tsecr: u32,
    /// [`FIN`], [`SYN`], [`RST`], [`ACK`].
    pub flags: u8,
    /// 1 when the timestamps option is there.
    pub timestamps: u8,
    /// Window field, as on the wire.
    pub window: u16,
    /// 1 when selective acknowledgements tell of bytes behind a hole: [`shows_hole`].
    pub sacked: u32,
}

/// No more data from the sender.
pub const FIN: u8 = 1;
/// Synchronize sequence numbers.
pub const SYN: u8 = 2;
/// Reset the connection.
pub const RST: u8 = 4;
/// Acknowledgement field significant.
pub const ACK: u8 = 16;

/// Bytes of a selective acknowledgement option of one block (RFC 2018, 3).
pub const SACK_OF_ONE: u32 = 10;

/// Whether selective acknowledgements tell of bytes behind a hole: the option is `size` bytes long, its first block begins at
/// `left`. A first block below what is acknowledged tells of bytes that came twice (RFC 2883, 4), and is no hole by itself.
#[inline(always)]
#[must_use]
pub const fn shows_hole(size: u32, left: u32, ack: u32) -> bool {
    size > SACK_OF_ONE || size == SACK_OF_ONE && distance(left, ack) > 0
}

impl Segment {
    /// Sequence number after everything this segment takes up: SYN, payload and FIN.
    #[inline(always)]
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.seq
            .wrapping_add(self.payload)
            .wrapping_add((self.flags & SYN != 0) as u32)
            .wrapping_add((self.flags & FIN != 0) as u32)
    }

    /// Whether it takes up no sequence number: pure ACKs, window updates, empty keep-alives and zero-window probes.
    #[inline(always)]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.payload == 0 && self.flags & (SYN | FIN) == 0
    }
}

/// `a - b` in sequence space.
#[inline(always)]
#[must_use]
pub const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}
