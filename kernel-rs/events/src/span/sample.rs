//! A sample of the span engine on its way through the ring buffer.

use super::thread::Task;
use crate::layout;

/// One latency, for every lane in `lanes`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SpanSample {
    /// Lanes that get it.
    pub lanes: u64,
    /// When it ended, `CLOCK_MONOTONIC` ns.
    pub time_ns: u64,
    /// The latency, ns.
    pub latency_ns: u64,
    /// The task; all zero where none is known.
    pub task: Task,
    /// What the metric calls its subject.
    pub subject: u64,
    /// errno or status; 0 where it has none.
    pub result: i32,
    /// Metric number.
    pub metric: u32,
}
layout!(SpanSample, 72);
