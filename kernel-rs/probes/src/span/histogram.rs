//! Latencies into histograms: one add, whatever the number of lanes.

use aya_ebpf::bindings::BPF_NOEXIST;
use latscope_events::{
    histogram::Histogram,
    span::{
        config::{Config, key},
        sample::SpanSample,
        series::SeriesKey,
    },
};

use crate::maps::{NEW_HISTOGRAM, OTHERS, SERIES};

/// Counts a latency for `lanes`; false when no histogram had room.
#[inline(always)]
pub(crate) fn count(sample: &SpanSample, lanes: u64, config: &Config, generation: u32) -> bool {
    let by = |bit: u32, value: u64| if config.keys & bit == 0 { 0 } else { value };
    let key = SeriesKey {
        lanes,
        comm: [
            by(key::COMM, sample.task.comm[0]),
            by(key::COMM, sample.task.comm[1]),
        ],
        cgroup: by(key::CGROUP, sample.task.cgroup),
        subject: by(key::SUBJECT, sample.subject),
        result: by(key::RESULT, sample.result as u64) as i32,
        generation,
        metric: sample.metric as u16,
        other: 0,
        reserved: 0,
    };
    let Some(histogram) = find(&key) else {
        return false;
    };
    // SAFETY: this CPU's own value.
    unsafe { (*histogram).add(sample.latency_ns) };
    true
}

#[inline(always)]
fn find(key: &SeriesKey) -> Option<*mut Histogram> {
    if let Some(known) = SERIES.get_ptr_mut(key) {
        return Some(known);
    }
    let new = NEW_HISTOGRAM.get(0)?;
    // Another CPU may have been faster.
    let _ = SERIES.insert(key, new, u64::from(BPF_NOEXIST));
    if let Some(made) = SERIES.get_ptr_mut(key) {
        return Some(made);
    }
    let other = SeriesKey {
        comm: [0; 2],
        cgroup: 0,
        subject: 0,
        result: 0,
        other: 1,
        ..*key
    };
    if let Some(known) = OTHERS.get_ptr_mut(other) {
        return Some(known);
    }
    let _ = OTHERS.insert(other, new, u64::from(BPF_NOEXIST));
    OTHERS.get_ptr_mut(other)
}
