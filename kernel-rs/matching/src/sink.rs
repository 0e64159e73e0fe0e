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

/// Takes latencies and refusals.
pub trait Sink {
    /// A latency was told apart.
    fn found(&mut self, found: Found);
    /// `count` round trips are not reported, for `reason` (`latscope_events::refusal`).
    fn refused_rtt(&mut self, reason: u32, count: u32);
    /// Another latency is not reported, for `reason`.
    fn refused(&mut self, reason: u32);
}
