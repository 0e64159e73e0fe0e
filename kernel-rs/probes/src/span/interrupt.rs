//! What soft and hard interrupts have in common: they are in no task's context.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use latscope_events::span::{sample::SpanSample, thread::Task};

use crate::{emit, lanes};

/// Nobody.
pub(crate) const NOBODY: Task = Task {
    comm: [0; 2],
    cgroup: 0,
    pid: 0,
    tid: 0,
};

/// A handler has ended that began at `entered`; 0 = that was not seen.
#[inline(always)]
pub(crate) fn finish(metric: u32, subject: u64, entered: u64) {
    if entered == 0 {
        return;
    }
    let Some((generation, config)) = lanes::current() else {
        return;
    };
    let wanting = lanes::wanting(config, generation, &config.nobody, metric, subject);
    if wanting == 0 {
        return;
    }
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    emit::finish(&SpanSample {
        lanes: wanting,
        time_ns: now,
        latency_ns: now.wrapping_sub(entered),
        task: NOBODY,
        subject,
        result: 0,
        metric,
    });
}
