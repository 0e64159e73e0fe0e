//! How large the tables are, by one number: the IPv4 flows that there is room for.

/// IPv4 flows where nobody asks for another number.
pub const FLOWS: usize = 16384;

/// Parts that [`share`] counts in.
pub const PARTS: usize = 32;

/// Entries of each table to [`PARTS`] IPv4 flows.
pub mod share {
    /// IPv4 flows of TCP.
    pub const FLOWS4: usize = 24;
    /// IPv6 flows of TCP.
    pub const FLOWS6: usize = 12;
    /// IPv4 flows of UDP.
    pub const UDP_FLOWS4: usize = 8;
    /// IPv6 flows of UDP.
    pub const UDP_FLOWS6: usize = 4;
    /// IPv4 flows half open. They last a round trip.
    pub const HALF_OPEN4: usize = 2;
    /// IPv6 flows half open.
    pub const HALF_OPEN6: usize = 1;
    /// IPv4 peers heard from one side only.
    pub const PENDING4: usize = 8;
    /// IPv6 peers heard from one side only.
    pub const PENDING6: usize = 4;
    /// Requests that bear an id.
    pub const TRANSACTIONS: usize = 8;
}

/// Entries of a table of this [`share`], for so many IPv4 flows.
#[must_use]
pub const fn entries(flows: usize, share: usize) -> usize {
    flows * share / PARTS
}
