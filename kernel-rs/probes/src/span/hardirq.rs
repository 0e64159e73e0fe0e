//! Handlers of hard interrupts. One may interrupt another on the same CPU.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use latscope_events::span::metric::HARDIRQ;

use crate::{interrupt, lanes, maps::HARDIRQS};

/// Handlers of one CPU that are followed at once, one inside the other.
pub(crate) const NESTED: usize = 4;

/// What a CPU is in.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Handlers {
    /// Handlers it is in.
    depth: u64,
    /// When each began, the outermost first; 0 = nobody wants it.
    entered: [u64; NESTED],
    /// Its interrupt.
    irq: [u64; NESTED],
}

/// `irq_handler_entry(int irq, struct irqaction *action)`
#[btf_tracepoint(function = "irq_handler_entry")]
pub(crate) fn latscope_hardirq_in(ctx: BtfTracePointContext) -> i32 {
    let irq = u64::from(ctx.arg::<u64>(0) as u32);
    let (Some((generation, config)), Some(handlers)) = (lanes::current(), HARDIRQS.get_ptr_mut(0))
    else {
        return 0;
    };
    // SAFETY: this CPU's own value, whose handlers end in the reverse order of their begin.
    let handlers = unsafe { &mut *handlers };
    let depth = handlers.depth as usize;
    handlers.depth += 1;
    if depth < NESTED {
        let wanted = lanes::wanting(config, generation, &config.nobody, HARDIRQ, irq) != 0;
        // SAFETY: the helper takes nothing.
        let now = unsafe { bpf_ktime_get_ns() };
        handlers.entered[depth] = if wanted { now } else { 0 };
        handlers.irq[depth] = irq;
    }
    0
}

/// `irq_handler_exit(int irq, struct irqaction *action, int ret)`
#[btf_tracepoint(function = "irq_handler_exit")]
pub(crate) fn latscope_hardirq_out(ctx: BtfTracePointContext) -> i32 {
    let irq = u64::from(ctx.arg::<u64>(0) as u32);
    let Some(handlers) = HARDIRQS.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as above.
    let handlers = unsafe { &mut *handlers };
    if handlers.depth == 0 {
        return 0;
    }
    handlers.depth -= 1;
    // Volatile: old verifiers do not see that a value is below a bound when the one it was made of was compared.
    // SAFETY: a field of a valid value.
    let depth = unsafe { (&raw const handlers.depth).read_volatile() } as usize;
    if depth < NESTED && handlers.irq[depth] == irq {
        let entered = core::mem::replace(&mut handlers.entered[depth], 0);
        interrupt::finish(HARDIRQ, irq, entered);
    }
    0
}
