//! What a histogram is the histogram of.

use crate::layout;

/// Identity of a histogram: what lanes group by, the finest of them; the user side adds up for the others.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// Lanes whose latencies are counted here.
    pub lanes: u64,
    /// Name of the task; 0 where nobody groups by it, as below.
    pub comm: [u64; 2],
    /// Cgroup.
    pub cgroup: u64,
    /// What the metric calls its subject.
    pub subject: u64,
    /// Result.
    pub result: i32,
    /// Of the lanes.
    pub generation: u32,
    /// Metric number.
    pub metric: u16,
    /// 1: what is beyond the room for histograms.
    pub other: u16,
    /// Unused.
    pub reserved: u32,
}
layout!(SeriesKey, 56);
