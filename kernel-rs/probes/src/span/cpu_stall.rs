//! Lateness of a timer on each CPU: how much longer than its interval passed since it fired the last time.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns, macros::perf_event, programs::PerfEventContext,
};
use latscope_events::span::{metric::CPU_STALL, sample::SpanSample};

use crate::{emit, interrupt::NOBODY, lanes, maps::TICKS};

/// The timer of this CPU has fired.
#[perf_event]
pub(crate) fn latscope_tick(_ctx: PerfEventContext) -> u32 {
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    let (Some((_, config)), Some(last)) = (lanes::current(), TICKS.get_ptr_mut(0)) else {
        return 0;
    };
    // SAFETY: this CPU's own value.
    let last = unsafe { core::mem::replace(&mut *last, now) };
    let wanting = config.wants[CPU_STALL as usize];
    if last == 0 || last < config.valid_from[CPU_STALL as usize] || wanting == 0 {
        return 0;
    }
    let late = now.wrapping_sub(last).saturating_sub(config.tick_ns);
    emit::finish(&SpanSample {
        lanes: wanting,
        time_ns: now,
        latency_ns: late,
        task: NOBODY,
        subject: 0,
        result: 0,
        metric: CPU_STALL,
    });
    0
}
