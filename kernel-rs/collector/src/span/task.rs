//! Who was measured: cgroups and containers by the numbers that the programs give.

pub(super) use crate::cgroup;
