//! Block requests: queued to issued, and issued to completed.

use aya_ebpf::{
    bindings::BPF_ANY, helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use core::ffi::c_void;
use latscope_events::span::{
    config::Config,
    metric::{BLOCK_IO_DEVICE, BLOCK_IO_QUEUE},
    sample::SpanSample,
    thread::{Request, Task},
};

use crate::{
    emit,
    interrupt::NOBODY,
    kernel::{Object, offset},
    lanes,
    maps::REQUESTS,
    thread,
};

/// `PF_KTHREAD`
const KERNEL_THREAD: u32 = 0x0020_0000;
/// Bits of a device's minor number (`MINORBITS`).
const MINOR_BITS: u32 = 20;

/// `block_rq_insert(struct request *rq)`
#[btf_tracepoint(function = "block_rq_insert")]
pub(crate) fn latscope_request_insert(ctx: BtfTracePointContext) -> i32 {
    insert(Object(ctx.arg::<*const c_void>(0)));
    0
}

/// `block_rq_issue(struct request *rq)`
#[btf_tracepoint(function = "block_rq_issue")]
pub(crate) fn latscope_request_issue(ctx: BtfTracePointContext) -> i32 {
    issue(Object(ctx.arg::<*const c_void>(0)));
    0
}

/// `block_rq_requeue(struct request *rq)`
#[btf_tracepoint(function = "block_rq_requeue")]
pub(crate) fn latscope_request_requeue(ctx: BtfTracePointContext) -> i32 {
    if let Some(request) = REQUESTS.get_ptr_mut(ctx.arg::<*const c_void>(0) as u64) {
        // The device gave it back: its next issue is the one that counts.
        // SAFETY: a map value; a request is in one place at a time.
        unsafe { (*request).issued = 0 };
    }
    0
}

/// `block_rq_complete(struct request *rq, blk_status_t error, unsigned int nr_bytes)`
#[btf_tracepoint(function = "block_rq_complete")]
pub(crate) fn latscope_request_complete(ctx: BtfTracePointContext) -> i32 {
    let done = ctx.arg::<u64>(2) as u32;
    complete(
        Object(ctx.arg::<*const c_void>(0)),
        ctx.arg::<u64>(1) as u8,
        done,
    );
    0
}

#[inline(always)]
fn insert(request: Object) {
    let Some(mut entry) = begin(request) else {
        return;
    };
    // SAFETY: the helper takes nothing.
    entry.inserted = unsafe { bpf_ktime_get_ns() };
    keep(request, &entry);
}

#[inline(always)]
fn issue(request: Object) {
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    if let Some(entry) = REQUESTS.get_ptr_mut(request.0 as u64) {
        // SAFETY: a map value; a request is in one place at a time.
        let entry = unsafe { &mut *entry };
        let inserted = core::mem::replace(&mut entry.inserted, 0);
        entry.issued = now;
        if inserted != 0 {
            finish(entry, entry.queue_lanes, BLOCK_IO_QUEUE, inserted, now, 0);
        }
        return;
    }
    // It went to its device at once, in the context of who asked for it.
    let Some(mut entry) = begin(request) else {
        return;
    };
    entry.issued = now;
    keep(request, &entry);
}

#[inline(always)]
fn complete(request: Object, status: u8, done: u32) {
    let key = request.0 as u64;
    let Some(entry) = REQUESTS.get_ptr_mut(key) else {
        return;
    };
    let left = request.field::<u32>(offset!(request_length));
    if done < left && status == 0 {
        return;
    }
    // SAFETY: a map value; a request is in one place at a time.
    let entry = unsafe { &mut *entry };
    if entry.issued != 0 {
        // SAFETY: the helper takes nothing.
        let now = unsafe { bpf_ktime_get_ns() };
        finish(
            entry,
            entry.device_lanes,
            BLOCK_IO_DEVICE,
            entry.issued,
            now,
            errno(status),
        );
    }
    let _ = REQUESTS.remove(key);
}

/// A new entry, if some lane wants the request.
#[inline(always)]
fn begin(request: Object) -> Option<Request> {
    let (generation, config) = lanes::current()?;
    let subject = device(request);
    let (task, queue_lanes, device_lanes) = wanting(config, generation, subject);
    if queue_lanes | device_lanes == 0 {
        return None;
    }
    Some(Request {
        inserted: 0,
        issued: 0,
        queue_lanes,
        device_lanes,
        task,
        subject,
        generation,
        reserved: 0,
    })
}

/// In whose context, and the lanes that want it. A kernel's thread acts for others.
#[inline(always)]
fn wanting(config: &Config, generation: u32, subject: u64) -> (Task, u64, u64) {
    let current = thread::current();
    if current.field::<u32>(offset!(task_flags)) & KERNEL_THREAD == 0
        && let Ok(thread) = thread::of(current, generation)
    {
        let lanes = |metric| lanes::wanting(config, generation, &thread.accepts, metric, subject);
        return (thread.task, lanes(BLOCK_IO_QUEUE), lanes(BLOCK_IO_DEVICE));
    }
    let lanes = |metric| lanes::wanting(config, generation, &config.nobody, metric, subject);
    (NOBODY, lanes(BLOCK_IO_QUEUE), lanes(BLOCK_IO_DEVICE))
}

#[inline(always)]
fn keep(request: Object, entry: &Request) {
    if REQUESTS
        .insert(request.0 as u64, entry, u64::from(BPF_ANY))
        .is_err()
    {
        emit::no_slot(BLOCK_IO_DEVICE, entry.device_lanes);
        emit::no_slot(BLOCK_IO_QUEUE, entry.queue_lanes);
    }
}

/// Its disk: major number above, minor below, as the kernel packs them; 0 for a request of none.
#[inline(always)]
fn device(request: Object) -> u64 {
    let disk = request
        .follow(offset!(request_queue))
        .follow(offset!(queue_disk));
    let major = u64::from(disk.field::<u32>(offset!(disk_major)));
    let minor = u64::from(disk.field::<u32>(offset!(disk_first_minor)));
    major << MINOR_BITS | minor
}

#[inline(always)]
fn finish(entry: &Request, lanes: u64, metric: u32, since: u64, now: u64, result: i32) {
    let Some((generation, config)) = lanes::current() else {
        return;
    };
    let lanes = lanes & lanes::there_since(config, generation, entry.generation);
    if lanes != 0 {
        emit::finish(&SpanSample {
            lanes,
            time_ns: now,
            latency_ns: now.wrapping_sub(since),
            task: entry.task,
            subject: entry.subject,
            result,
            metric,
        });
    }
}

/// What `blk_status_to_errno` makes of the commonest; EIO of the others.
#[inline(always)]
fn errno(status: u8) -> i32 {
    match status {
        0 => 0,
        1 => 95,
        2 => 110,
        3 => 28,
        5 => 121,
        7 => 61,
        8 => 84,
        _ => 5,
    }
}
