//! Handlers of soft interrupts. They neither nest nor move to another CPU.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use latscope_events::span::metric::SOFTIRQ;

use crate::{interrupt, lanes, maps::SOFTIRQS};

/// Vectors (`NR_SOFTIRQS` is 10), and room to mask.
pub(crate) const VECTORS: usize = 16;

/// `softirq_entry(unsigned int vec_nr)`
#[btf_tracepoint(function = "softirq_entry")]
pub(crate) fn latscope_softirq_in(ctx: BtfTracePointContext) -> i32 {
    let vector = ctx.arg::<u64>(0) as u32;
    let wanted = lanes::current().is_some_and(|(generation, config)| {
        lanes::wanting(
            config,
            generation,
            &config.nobody,
            SOFTIRQ,
            u64::from(vector),
        ) != 0
    });
    if wanted && let Some(entered) = SOFTIRQS.get_ptr_mut(vector & (VECTORS as u32 - 1)) {
        // SAFETY: this CPU's own value; the helper takes nothing.
        unsafe { *entered = bpf_ktime_get_ns() };
    }
    0
}

/// `softirq_exit(unsigned int vec_nr)`
#[btf_tracepoint(function = "softirq_exit")]
pub(crate) fn latscope_softirq_out(ctx: BtfTracePointContext) -> i32 {
    let vector = ctx.arg::<u64>(0) as u32;
    if let Some(entered) = SOFTIRQS.get_ptr_mut(vector & (VECTORS as u32 - 1)) {
        // SAFETY: this CPU's own value.
        let entered = unsafe { core::mem::replace(&mut *entered, 0) };
        interrupt::finish(SOFTIRQ, u64::from(vector), entered);
    }
    0
}
