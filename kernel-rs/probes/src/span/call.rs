//! Calls of functions, the kernel's and others': what a thread is in, and how long it was.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_ktime_get_ns};
use latscope_events::span::{
    frames::{FRAMES as MOST, Frames, target},
    metric::METRICS,
    sample::SpanSample,
    thread::Thread,
};

use crate::{
    emit, lanes,
    maps::{FRAMES, NEW_FRAMES, TARGET_HITS},
    thread::{self, Missing},
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
pub(crate) fn begin(metric: u32, what: u64, stack: u64) {
    begin_in(metric, what, stack, |thread| frames(thread.task.tid));
}

/// A call begins of whoever's frames those are.
#[inline(always)]
pub(crate) fn begin_in(
    metric: u32,
    what: u64,
    stack: u64,
    frames: impl FnOnce(&Thread) -> Option<*mut Frames>,
) {
    if let Some(hits) = TARGET_HITS.get_ptr_mut(target::bit(what)) {
        // SAFETY: this CPU's own value.
        unsafe { *hits += 1 };
    }
    let Some((_, thread)) = wanting(metric, what) else {
        return;
    };
    let Some(frames) = frames(thread) else {
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
pub(crate) fn end(metric: u32, what: u64, which: End) {
    end_in(metric, what, which, |thread| {
        FRAMES.get_ptr_mut(thread.task.tid)
    });
}

/// A call ends of whoever's frames those are.
#[inline(always)]
pub(crate) fn end_in(
    metric: u32,
    what: u64,
    which: End,
    frames: impl FnOnce(&Thread) -> Option<*mut Frames>,
) {
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some((wanting, thread)) = wanting(metric, what) else {
        return;
    };
    let Some(frames) = frames(thread) else {
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
        lanes: wanting,
        time_ns: now,
        latency_ns: now.wrapping_sub(began),
        task: thread.task,
        subject: target::subject(what),
        result: 0,
        metric,
    });
}

/// A thread is gone, and with it whatever it was in.
#[inline(always)]
pub(crate) fn abandon(metric: u32, tid: u32) {
    let Some(frames) = FRAMES.get_ptr_mut(tid) else {
        return;
    };
    for at in 0..MOST {
        // SAFETY: only the thread itself writes it.
        let frame = unsafe { &(*frames).frame[at] };
        if frame.time != 0 {
            emit::no_end(metric, lane_of(metric, frame.target));
        }
    }
    let _ = FRAMES.remove(tid);
}

/// The lanes that want a target of the current task, if any do.
#[inline(always)]
fn wanting(metric: u32, what: u64) -> Option<(u64, &'static mut Thread)> {
    let (generation, config) = lanes::current()?;
    let mine = lane_of(metric, what);
    if mine == 0 {
        return None;
    }
    let thread = match thread::of(thread::current(), generation) {
        Ok(thread) => thread,
        Err(Missing::Full) => {
            emit::no_slot(metric, mine);
            return None;
        }
        Err(Missing::Ignored) => return None,
    };
    let subject = target::subject(what);
    let all = lanes::wanting(config, generation, &thread.accepts, metric, subject) & mine;
    (all != 0).then_some((all, thread))
}

/// The lane of a target, while it is there.
#[inline(always)]
fn lane_of(metric: u32, what: u64) -> u64 {
    lanes::current().map_or(0, |(_, config)| {
        config.wants[metric as usize & (METRICS - 1)] & 1 << target::bit(what)
    })
}

#[inline(always)]
fn frames(tid: u32) -> Option<*mut Frames> {
    if let Some(known) = FRAMES.get_ptr_mut(tid) {
        return Some(known);
    }
    let _ = FRAMES.insert(tid, NEW_FRAMES.get(0)?, u64::from(BPF_NOEXIST));
    FRAMES.get_ptr_mut(tid)
}
