//! Pairs of tracepoints: from the last first with a key to the next second with it.

use aya_ebpf::{
    EbpfContext as _,
    bindings::BPF_ANY,
    helpers::generated::{bpf_get_attach_cookie, bpf_ktime_get_ns},
    macros::tracepoint,
    programs::TracePointContext,
};
use latscope_events::span::{
    frames::target,
    metric::TRACEPOINT_PAIR,
    pair::{PAIRS as MOST, Pair, Part, Start, StartKey, WORDS},
    sample::SpanSample,
};

use crate::{
    emit,
    kernel::peek,
    lanes,
    maps::{EVENT, PAIRS, POINTS, STARTS},
    who,
};

/// The tracepoint that fires on this CPU. No other of these programs runs there meanwhile.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// Where its record is.
    at: u64,
    time: u64,
    /// 0: in an interrupt.
    in_task: u64,
}

/// Any tracepoint that a pair names.
#[tracepoint]
pub(crate) fn latscope_point(ctx: TracePointContext) -> u32 {
    fire(&ctx);
    0
}

#[inline(always)]
fn fire(ctx: &TracePointContext) {
    // SAFETY: the helper takes nothing, or the program's own context.
    let (time, cookie) = unsafe { (bpf_ktime_get_ns(), bpf_get_attach_cookie(ctx.as_ptr())) };
    // SAFETY: a value that the user side replaces whole.
    let (Some(point), Some(event)) = (unsafe { POINTS.get(cookie) }, EVENT.get_ptr_mut(0)) else {
        return;
    };
    let at = who::number(ctx.as_ptr());
    // SAFETY: this CPU's own value.
    unsafe {
        (*event).at = at;
        (*event).time = time;
        (*event).in_task = u64::from(who::in_task());
    }
    // An end first: a pair may begin where it ends.
    for bit in 0..MOST as u32 {
        if point.ends >> bit & 1 != 0 {
            pair_end(bit);
        }
    }
    for bit in 0..MOST as u32 {
        if point.begins >> bit & 1 != 0 {
            pair_begin(bit);
        }
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn pair_begin(bit: u32) -> u32 {
    let Some((pair, event)) = pair_and_event(bit) else {
        return 0;
    };
    let Some(who) = who::of(TRACEPOINT_PAIR, pair.target, event.in_task != 0) else {
        return 0;
    };
    let key = &key(pair.target, &pair.begin, event.at, who.key);
    if STARTS.get_ptr(key).is_some() {
        emit::ended(TRACEPOINT_PAIR, who.lanes);
        emit::no_end(TRACEPOINT_PAIR, who.lanes);
    }
    let start = &Start {
        // SAFETY: the helper takes nothing.
        time: unsafe { bpf_ktime_get_ns() },
        task: who.task,
    };
    if STARTS.insert(key, start, u64::from(BPF_ANY)).is_ok() {
        emit::begun(TRACEPOINT_PAIR, who.lanes);
    } else {
        emit::no_slot(TRACEPOINT_PAIR, who.lanes);
    }
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn pair_end(bit: u32) -> u32 {
    let (Some((pair, event)), Some((_, config))) = (pair_and_event(bit), lanes::current()) else {
        return 0;
    };
    let mine = who::lane_of(config, TRACEPOINT_PAIR, pair.target);
    if mine == 0 {
        return 0;
    }
    let key = &key(
        pair.target,
        &pair.end,
        event.at,
        who::key(event.in_task != 0),
    );
    let Some(start) = STARTS.get_ptr(key) else {
        return 0;
    };
    // SAFETY: a map value; whoever replaces it meanwhile has the same key.
    let start = unsafe { *start };
    let _ = STARTS.remove(key);
    emit::ended(TRACEPOINT_PAIR, mine);
    emit::finish(&SpanSample {
        lanes: mine,
        time_ns: event.time,
        latency_ns: event.time.wrapping_sub(start.time),
        task: start.task,
        subject: target::subject(pair.target),
        result: 0,
        metric: TRACEPOINT_PAIR,
    });
    0
}

/// A thread is gone, and with it what it began.
#[inline(always)]
pub(crate) fn abandon(tid: u32) {
    let Some((_, config)) = lanes::current() else {
        return;
    };
    let wants = config.wants[TRACEPOINT_PAIR as usize];
    if wants == 0 {
        return;
    }
    for bit in 0..MOST as u32 {
        if wants >> bit & 1 != 0 {
            pair_gone(bit, tid);
        }
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn pair_gone(bit: u32, tid: u32) -> u32 {
    let Some(pair) = PAIRS.get(bit & (MOST as u32 - 1)) else {
        return 0;
    };
    if pair.begin[0].mask == 0 {
        let key = &key(pair.target, &pair.begin, 0, tid);
        if STARTS.remove(key).is_ok() {
            let mine = 1 << (bit & (MOST as u32 - 1));
            emit::ended(TRACEPOINT_PAIR, mine);
            emit::no_end(TRACEPOINT_PAIR, mine);
        }
    }
    0
}

#[inline(always)]
fn pair_and_event(bit: u32) -> Option<(&'static Pair, &'static Event)> {
    let pair = PAIRS.get(bit & (MOST as u32 - 1))?;
    // SAFETY: this CPU's own value.
    let event = unsafe { &*EVENT.get_ptr(0)? };
    Some((pair, event))
}

/// The key in a record, or the thread.
#[inline(always)]
fn key(target: u64, parts: &[Part; WORDS], at: u64, thread: u32) -> StartKey {
    let mut words = [0; WORDS];
    if parts[0].mask == 0 {
        words[0] = u64::from(thread);
    }
    for n in 0..WORDS {
        if parts[n].mask == 0 {
            break;
        }
        words[n] = peek(at + parts[n].offset) & parts[n].mask;
    }
    StartKey { target, words }
}
