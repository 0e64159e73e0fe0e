//! Packets from their device to the reader of their socket.
//!
//! A packet is known by the address of its data and that of its `sk_buff` together. What shares its data (a clone) or was made
//! from it (a copy) is another packet, of which it is not known when it came. Whatever a device hands over takes the place of
//! what was at these addresses before; what never came from a device says so itself.

use aya_ebpf::{
    bindings::BPF_ANY,
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_tracepoint, fentry},
    programs::{BtfTracePointContext, FEntryContext},
};
use core::ffi::c_void;
use latscope_events::span::{
    config::Config,
    metric::NET_STACK_RECEIVE,
    receive::{Received, device},
    sample::SpanSample,
};

use crate::{
    emit,
    kernel::{Object, offset, peek},
    lanes,
    maps::RECEIVED,
    thread::{self, Missing},
    who,
};

/// `netif_receive_skb(struct sk_buff *skb)`
#[btf_tracepoint(function = "netif_receive_skb")]
pub(crate) fn latscope_skb_in(ctx: BtfTracePointContext) -> i32 {
    let skb = Object(ctx.arg::<*const c_void>(0));
    if wanted().is_none() {
        return 0;
    }
    let from = skb.follow(offset!(skb_dev));
    let namespace: u32 = from.follow(offset!(device_net)).field(offset!(net_inode));
    let received = Received {
        // SAFETY: the helper takes nothing.
        time: unsafe { bpf_ktime_get_ns() },
        skb: skb.0 as u64,
        device: device::pack(namespace, from.field(offset!(device_index))),
    };
    let _ = RECEIVED.insert(data(skb), received, u64::from(BPF_ANY));
    0
}

/// `skb_copy_datagram_iovec(const struct sk_buff *skb, int len)`
#[btf_tracepoint(function = "skb_copy_datagram_iovec")]
pub(crate) fn latscope_skb_read(ctx: BtfTracePointContext) -> i32 {
    let skb = Object(ctx.arg::<*const c_void>(0));
    let Some((generation, config)) = wanted() else {
        return 0;
    };
    if skb.field::<u32>(offset!(skb_iif)) == 0 {
        return 0;
    }
    match take(skb) {
        // What is read in pieces has been told with the first.
        Some((0, _)) => {}
        Some((came, from)) => finish(config, generation, came, from),
        None => unknown(config, generation),
    }
    0
}

/// `skb_consume_udp(struct sock *sk, struct sk_buff *skb, int len)`
#[fentry(function = "skb_consume_udp")]
pub(crate) fn latscope_datagram_read(ctx: FEntryContext) -> i32 {
    let skb = Object(ctx.arg::<*const c_void>(1));
    // Less than nothing was read by who only looked.
    if (ctx.arg::<i64>(2) as i32).is_negative() {
        return 0;
    }
    if let Some((generation, config)) = wanted()
        && let Some((came, from)) = take(skb)
        && came != 0
    {
        finish(config, generation, came, from);
    }
    0
}

/// `consume_skb(struct sk_buff *skb, ...)`: what reads a datagram frees it, unless (from 6.18 on) it leaves that to whoever
/// made it.
#[btf_tracepoint(function = "consume_skb")]
pub(crate) fn latscope_skb_gone(ctx: BtfTracePointContext) -> i32 {
    let skb = Object(ctx.arg::<*const c_void>(0));
    let Some((generation, config)) = wanted() else {
        return 0;
    };
    if let Some((came, from)) = forget(skb)
        && came != 0
        && was_datagram(skb)
        && who::at_ease()
    {
        finish(config, generation, came, from);
    }
    0
}

/// `kfree_skb(struct sk_buff *skb, ...)`
#[btf_tracepoint(function = "kfree_skb")]
pub(crate) fn latscope_skb_dropped(ctx: BtfTracePointContext) -> i32 {
    if wanted().is_some() {
        forget(Object(ctx.arg::<*const c_void>(0)));
    }
    0
}

#[inline(always)]
fn wanted() -> Option<(u32, &'static Config)> {
    let (generation, config) = lanes::current()?;
    (config.wants[NET_STACK_RECEIVE as usize] != 0).then_some((generation, config))
}

#[inline(always)]
fn data(skb: Object) -> u64 {
    skb.field(offset!(skb_head))
}

/// When a packet that is read came, 0 if it was read before, and from where.
#[inline(always)]
fn take(skb: Object) -> Option<(u64, u64)> {
    // SAFETY: a map value; a packet is in one place at a time.
    let known = unsafe { RECEIVED.get_ptr_mut(data(skb))?.as_mut()? };
    if known.skb != skb.0 as u64 {
        return None;
    }
    Some((core::mem::replace(&mut known.time, 0), known.device))
}

/// When a packet that is freed came, and from where.
#[inline(always)]
fn forget(skb: Object) -> Option<(u64, u64)> {
    let key = data(skb);
    let known = RECEIVED.get_ptr(key)?;
    // SAFETY: a map value; a packet is in one place at a time.
    let known = unsafe { *known };
    if known.skb != skb.0 as u64 {
        return None;
    }
    let _ = RECEIVED.remove(key);
    Some((known.time, known.device))
}

/// Whether it was in the queue of a UDP socket: `struct udp_dev_scratch` is there where its device was, with zeros and ones in
/// the upper bytes, where an address of the kernel has none.
#[inline(always)]
fn was_datagram(skb: Object) -> bool {
    let scratch = peek(skb.0 as u64 + u64::from(offset!(skb_dev)));
    scratch != 0 && scratch >> 48 & 0xfefe == 0
}

/// The current task reads a packet.
#[inline(always)]
fn finish(config: &Config, generation: u32, came: u64, from: u64) {
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    let thread = match thread::of(thread::current(), generation) {
        Ok(thread) => thread,
        Err(Missing::Full) => {
            return emit::no_slot(NET_STACK_RECEIVE, config.wants[NET_STACK_RECEIVE as usize]);
        }
        Err(Missing::Ignored) => return,
    };
    let lanes = lanes::wanting(config, generation, &thread.accepts, NET_STACK_RECEIVE, from);
    if lanes != 0 {
        emit::finish(&SpanSample {
            lanes,
            time_ns: now,
            latency_ns: now.wrapping_sub(came),
            task: thread.task,
            subject: from,
            result: 0,
            metric: NET_STACK_RECEIVE,
        });
    }
}

/// It reads one that came from a device, nobody knows when.
#[inline(always)]
fn unknown(config: &Config, generation: u32) {
    if let Ok(thread) = thread::of(thread::current(), generation) {
        let lanes = lanes::wanting(config, generation, &thread.accepts, NET_STACK_RECEIVE, 0);
        if lanes != 0 {
            emit::no_begin(NET_STACK_RECEIVE, lanes);
        }
    }
}
