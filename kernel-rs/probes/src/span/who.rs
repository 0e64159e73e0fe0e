//! In whose context something happens, and which lanes want it.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use core::ffi::c_void;
use latscope_events::span::{
    config::Config, frames::target, metric::METRICS, pair::thread::CPU, thread::Task,
};

use crate::{
    emit,
    interrupt::NOBODY,
    kernel::{offset, peek},
    lanes,
    thread::{self, Missing},
};

/// Bits of the preempt count that are set in an interrupt: NMI, hard, soft (include/linux/preempt.h).
const INTERRUPT: u32 = 0x00ff_0100;
/// And where soft ones wait.
const NO_SOFTIRQ: u32 = 0x00ff_ff00;

/// Who begins or ends something for a target.
pub(crate) struct Who {
    /// Lanes that want it.
    pub(crate) lanes: u64,
    /// Nobody where an interrupt or the idle task runs.
    pub(crate) task: Task,
    /// The thread, or the CPU of nobody.
    pub(crate) key: u32,
}

/// Who runs, if some lane wants this target of it. `in_task`: not an interrupt.
#[inline(always)]
pub(crate) fn of(metric: u32, what: u64, in_task: bool) -> Option<Who> {
    let (generation, config) = lanes::current()?;
    let mine = lane_of(config, metric, what);
    if mine == 0 {
        return None;
    }
    let subject = target::subject(what);
    let key = key(in_task);
    if key & CPU != 0 {
        let lanes = lanes::wanting(config, generation, &config.nobody, metric, subject) & mine;
        let task = NOBODY;
        return (lanes != 0).then_some(Who { lanes, task, key });
    }
    let thread = match thread::of(thread::current(), generation) {
        Ok(thread) => thread,
        Err(Missing::Full) => {
            emit::no_slot(metric, mine);
            return None;
        }
        Err(Missing::Ignored) => return None,
    };
    let lanes = lanes::wanting(config, generation, &thread.accepts, metric, subject) & mine;
    let task = thread.task;
    (lanes != 0).then_some(Who { lanes, task, key })
}

/// What is kept by thread is kept under this.
#[inline(always)]
pub(crate) fn key(in_task: bool) -> u32 {
    let tid = thread::current().field::<u32>(offset!(task_pid));
    if in_task && tid != 0 {
        return tid;
    }
    // SAFETY: the helper takes nothing.
    CPU | unsafe { bpf_get_smp_processor_id() }
}

/// The lane of a target, while it is there.
#[inline(always)]
pub(crate) fn lane_of(config: &Config, metric: u32, what: u64) -> u64 {
    config.wants[metric as usize & (METRICS - 1)] & 1 << target::bit(what)
}

/// Whether a task runs by itself, not an interrupt in its place. Of kernels that do not tell: it does not.
#[inline(always)]
pub(crate) fn in_task() -> bool {
    preempt_count().is_some_and(|it| it & INTERRUPT == 0)
}

/// Whether besides no soft interrupt may come: the kernel holds them off while it works on packets for others.
#[inline(always)]
pub(crate) fn at_ease() -> bool {
    preempt_count().is_some_and(|it| it & NO_SOFTIRQ == 0)
}

/// That of this CPU. It lies at a fixed distance from the CPU's run queue, to which its task leads.
#[inline(always)]
fn preempt_count() -> Option<u32> {
    if offset!(preempt_known) == 0 {
        return None;
    }
    let group: u64 = thread::current().field(offset!(task_group_queue));
    let queue = peek(group + u64::from(offset!(group_queue)));
    if queue == 0 {
        return None;
    }
    let distance = i64::from(offset!(preempt_distance));
    Some(peek(queue.wrapping_add_signed(distance)) as u32)
}

/// A pointer as a number that can be reckoned with: the verifier lets nobody do that with a pointer.
#[inline(always)]
pub(crate) fn number(pointer: *const c_void) -> u64 {
    let mut kept = 0_u64;
    // SAFETY: its own; volatile, so that it is in memory, out of which the helper takes it.
    unsafe { core::ptr::write_volatile(&raw mut kept, pointer as u64) };
    peek(&raw const kept as u64)
}
