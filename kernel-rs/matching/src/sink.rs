//! Where what was found goes.

/// A latency that was told apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The latency, ns.
    pub latency: u64,
    /// `latscope_events::metric` number.
    pub metric: u8,
    /// Side that sent the measured packet.
    pub side: u8,
    /// SYNs sent before the one that counts.
    pub retries: u8,
    /// Unused.
    pub reserved: u8,
    /// errno of a failed connect; else 0.
    pub result: i16,
    /// `latscope_events::metric::quality` bits.
    pub quality: u16,
}

impl Found {
    /// No metric, and zeros for what a metric has not.
    pub const NOTHING: Self = Self {
        latency: 0,
        metric: 0,
        side: 0,
        retries: 0,
        reserved: 0,
        result: 0,
        quality: 0,
    };
}

/// Starts that a packet began and ended, counted in one word: a byte for either of segments, four bits for each of the others.
/// An end may be reported, refused, or merged with another's.
pub mod waits {
    /// A segment began to wait for its acknowledgement.
    pub const SEGMENT_BEGUN: u32 = 1;
    /// One waits no more.
    pub const SEGMENT_ENDED: u32 = 1 << 8;
    /// The other half of a handshake began to wait for its end: a SYN-ACK for its acknowledgement, the client's Initial for
    /// the server's.
    pub const HALF_BEGUN: u32 = 1 << 16;
    /// It waits no more.
    pub const HALF_ENDED: u32 = 1 << 20;
    /// A request began to wait for its reply.
    pub const REQUEST_BEGUN: u32 = 1 << 24;
    /// It waits no more.
    pub const REQUEST_ENDED: u32 = 1 << 28;
}

/// Takes latencies and refusals.
pub trait Sink {
    /// A latency was told apart.
    fn found(&mut self, found: Found);
    /// `count` round trips are not reported, for `reason` (`latscope_events::refusal`).
    fn refused_rtt(&mut self, reason: u32, count: u32);
    /// Another latency is not reported, for `reason`.
    fn refused(&mut self, reason: u32);
    /// What began to wait for its end, and what waits no more: a sum of [`waits`].
    fn waits(&mut self, change: u32);
}
