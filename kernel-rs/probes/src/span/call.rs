//! Calls of functions, the kernel's and others': what a thread is in, and how long it was.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_ktime_get_ns};
use latscope_events::span::{
    frames::{FRAMES as MOST, Frames, target},
    metric::KERNEL_FUNCTION,
    sample::SpanSample,
};

use crate::{
    emit, lanes,
    maps::{FRAMES, KERNEL_FRAMES, NEW_FRAMES, TARGET_HITS},
    who::{self, Who},
};

/// Which of a target's calls ends.
pub(crate) enum End {
    /// The one that began at this stack pointer.
    Frame(u64),
    /// The one that began last.
    Latest,
}

/// A call begins.
#[inline(always)]
pub(crate) fn begin(metric: u32, what: u64, stack: u64, in_task: bool) {
    begin_in(metric, what, stack, in_task, |who| frames(metric, who.key));
}

/// A call begins of whoever's frames those are.
#[inline(always)]
pub(crate) fn begin_in(
    metric: u32,
    what: u64,
    stack: u64,
    in_task: bool,
    frames: impl FnOnce(&Who) -> Option<*mut Frames>,
) {
    if let Some(hits) = TARGET_HITS.get_ptr_mut(target::bit(what)) {
        // SAFETY: this CPU's own value.
        unsafe { *hits += 1 };
    }
    let Some(who) = who::of(metric, what, in_task) else {
        return;
    };
    let Some(frames) = frames(&who) else {
        emit::no_slot(metric, lane_of(metric, what));
        return;
    };
    // SAFETY: only whose they are writes them.
    let frames = unsafe { &mut *frames };
    let mut free = MOST;
    for at in 0..MOST {
        let frame = &frames.frame[at];
        // Of the same function at the same place: that call was left without a return.
        if frame.time == 0 || (frame.stack == stack && frame.target == what) {
            free = at;
        }
    }
    if free >= MOST {
        // Deeper than here there can be nothing any more: left without a return.
        for at in 0..MOST {
            if frames.frame[at].stack < stack {
                free = at;
            }
        }
    }
    let Some(frame) = frames.frame.get_mut(free) else {
        emit::no_slot(metric, lane_of(metric, what));
        return;
    };
    if frame.time != 0 {
        emit::no_end(metric, lane_of(metric, frame.target));
    }
    frame.stack = stack;
    frame.target = what;
    // SAFETY: the helper takes nothing.
    frame.time = unsafe { bpf_ktime_get_ns() };
}

/// A call ends.
#[inline(always)]
pub(crate) fn end(metric: u32, what: u64, which: End, in_task: bool) {
    end_in(metric, what, which, in_task, |who| known(metric, who.key));
}

/// A call ends of whoever's frames those are.
#[inline(always)]
pub(crate) fn end_in(
    metric: u32,
    what: u64,
    which: End,
    in_task: bool,
    frames: impl FnOnce(&Who) -> Option<*mut Frames>,
) {
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(who) = who::of(metric, what, in_task) else {
        return;
    };
    let Some(frames) = frames(&who) else {
        return;
    };
    // SAFETY: only whose they are writes them.
    let frames = unsafe { &mut *frames };
    let (mut found, mut began) = (MOST, 0);
    for at in 0..MOST {
        let frame = &frames.frame[at];
        let ends = match which {
            End::Frame(stack) => frame.stack == stack,
            End::Latest => frame.time > began,
        };
        if frame.time != 0 && frame.target == what && ends {
            found = at;
            began = frame.time;
        }
    }
    let Some(frame) = frames.frame.get_mut(found) else {
        return;
    };
    frame.time = 0;
    emit::finish(&SpanSample {
        lanes: who.lanes,
        time_ns: now,
        latency_ns: now.wrapping_sub(began),
        task: who.task,
        subject: target::subject(what),
        result: 0,
        metric,
    });
}

/// A thread is gone, and with it whatever it was in.
#[inline(always)]
pub(crate) fn abandon(metric: u32, tid: u32) {
    let Some(frames) = known(metric, tid) else {
        return;
    };
    for at in 0..MOST {
        // SAFETY: only the thread itself writes it.
        let frame = unsafe { &(*frames).frame[at] };
        if frame.time != 0 {
            emit::no_end(metric, lane_of(metric, frame.target));
        }
    }
    let _ = if metric == KERNEL_FUNCTION {
        KERNEL_FRAMES.remove(tid)
    } else {
        FRAMES.remove(tid)
    };
}

/// The lane of a target, while it is there.
#[inline(always)]
fn lane_of(metric: u32, what: u64) -> u64 {
    lanes::current().map_or(0, |(_, config)| who::lane_of(config, metric, what))
}

/// What a thread is in: the kernel's functions are kept by themselves, for they are on another stack.
#[inline(always)]
fn known(metric: u32, thread: u32) -> Option<*mut Frames> {
    if metric == KERNEL_FUNCTION {
        KERNEL_FRAMES.get_ptr_mut(thread)
    } else {
        FRAMES.get_ptr_mut(thread)
    }
}

#[inline(always)]
fn frames(metric: u32, thread: u32) -> Option<*mut Frames> {
    if let Some(known) = known(metric, thread) {
        return Some(known);
    }
    let new = NEW_FRAMES.get(0)?;
    let _ = if metric == KERNEL_FUNCTION {
        KERNEL_FRAMES.insert(thread, new, u64::from(BPF_NOEXIST))
    } else {
        FRAMES.insert(thread, new, u64::from(BPF_NOEXIST))
    };
    known(metric, thread)
}
