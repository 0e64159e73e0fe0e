//! How large the tables are, by one number: the IPv4 flows that there is room for.

/// IPv4 flows where nobody asks for another number.
pub const FLOWS: usize = 16384;

/// How many IPv4 flows there are to an entry of each table.
pub mod share {
    /// IPv6 flows.
    pub const FLOWS6: usize = 2;
    /// IPv4 flows half open. They last a round trip.
    pub const HALF_OPEN4: usize = 16;
    /// IPv6 flows half open.
    pub const HALF_OPEN6: usize = 32;
    /// IPv4 peers heard from one side only.
    pub const PENDING4: usize = 4;
    /// IPv6 peers heard from one side only.
    pub const PENDING6: usize = 8;
    /// Requests that bear an id.
    pub const TRANSACTIONS: usize = 4;
}
