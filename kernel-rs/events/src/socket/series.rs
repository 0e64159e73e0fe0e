//! What a histogram of sockets is the histogram of.

use crate::layout;

/// Identity of a histogram. Fields that are not grouped by are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// Sessions whose latencies are counted here.
    pub sessions: u64,
    /// The socket's cgroup.
    pub cgroup: u64,
    /// Name of the task that called connect.
    pub comm: [u64; 2],
    /// Client's prefix, as on the wire; IPv4 in the first word.
    pub client: [u32; 4],
    /// Server's prefix.
    pub server: [u32; 4],
    /// errno of a connect.
    pub result: i32,
    /// Server's port.
    pub server_port: u16,
    /// Metric number.
    pub metric: u8,
    /// Index of the grouping.
    pub grouping: u8,
    /// Bits of [`crate::series::flags`].
    pub flags: u8,
    /// The [slot](super::SLOTS) that counts: calls that interrupt each other never change one value.
    pub slot: u8,
    /// Unused.
    pub reserved: u16,
    /// Unused.
    pub reserved_too: u32,
}
layout!(SeriesKey, 80);
