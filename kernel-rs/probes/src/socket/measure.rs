//! From what a socket calls back about to latencies.

use aya_ebpf::{
    bindings::{
        BPF_SK_STORAGE_GET_F_CREATE, BPF_SOCK_OPS_RETRANS_CB_FLAG, BPF_SOCK_OPS_RTO_CB_FLAG,
        BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB_FLAG, bpf_sock_ops,
    },
    helpers::generated::{bpf_ktime_get_ns, bpf_sk_storage_get, bpf_sock_ops_cb_flags_set},
};
use latscope_events::{
    config::Config,
    metric::{SOCKET_CONNECT, SOCKET_RETRANSMIT, SOCKET_RTT, quality},
    refusal::{CLOCK_BACKWARDS, RETRANSMITTED},
    socket::{Socket, side},
};

use crate::{
    classify::{classify, wants},
    emit::{self, Found},
    kernel,
    maps::{CONFIG, CONTROL, SOCKETS, WORK},
    slot,
};

/// `BPF_SOCK_OPS_*_CB` of linux/bpf.h.
mod op {
    pub(super) const TCP_CONNECT: u32 = 3;
    pub(super) const ACTIVE_ESTABLISHED: u32 = 4;
    pub(super) const PASSIVE_ESTABLISHED: u32 = 5;
    pub(super) const RTO: u32 = 8;
    pub(super) const RETRANS: u32 = 9;
    pub(super) const STATE: u32 = 10;
    pub(super) const RTT: u32 = 12;
}

/// `TCP_*` of `linux/tcp_states.h`.
pub(crate) const SYN_SENT: u32 = 2;
const CLOSE: u32 = 7;

/// What sockets are asked to call back about.
pub(crate) const CALLBACKS: u32 = BPF_SOCK_OPS_RTT_CB_FLAG
    | BPF_SOCK_OPS_RTO_CB_FLAG
    | BPF_SOCK_OPS_RETRANS_CB_FLAG
    | BPF_SOCK_OPS_STATE_CB_FLAG;

const INET6: u32 = 10;
/// The third word of an IPv4 address inside IPv6.
const MAPPED: u32 = 0xffff_u32.to_be();
/// ns of a jiffy, of the running kernel.
#[unsafe(no_mangle)]
static JIFFY_NS: u64 = 4_000_000;

/// A field of the context: volatile, or LLVM reads two neighbours at once, which the verifier refuses.
macro_rules! field {
    ($ops:expr, $($field:tt)+) => {
        // SAFETY: `ops` is the program's context.
        unsafe { core::ptr::read_volatile(&raw const (*$ops).$($field)+) }
    };
}

/// Both ends of a socket.
pub(crate) struct Ends {
    /// Address of this side, as on the wire; IPv4 in the first word.
    pub(crate) local: [u32; 4],
    /// Address of the other side.
    pub(crate) remote: [u32; 4],
    /// Port of this side.
    pub(crate) local_port: u16,
    /// Port of the other side.
    pub(crate) remote_port: u16,
    /// Addresses are those of IPv6.
    pub(crate) ipv6: bool,
}

impl Ends {
    #[inline(always)]
    pub(crate) fn of(ops: *mut bpf_sock_ops) -> Self {
        let local = [
            field!(ops, local_ip6[0]),
            field!(ops, local_ip6[1]),
            field!(ops, local_ip6[2]),
            field!(ops, local_ip6[3]),
        ];
        let remote = [
            field!(ops, remote_ip6[0]),
            field!(ops, remote_ip6[1]),
            field!(ops, remote_ip6[2]),
            field!(ops, remote_ip6[3]),
        ];
        let mapped = remote[0] == 0 && remote[1] == 0 && remote[2] == MAPPED;
        let ipv6 = field!(ops, family) == INET6 && !mapped;
        let (local, remote) = if ipv6 {
            (local, remote)
        } else {
            (
                [field!(ops, local_ip4), 0, 0, 0],
                [field!(ops, remote_ip4), 0, 0, 0],
            )
        };
        Self {
            local,
            remote,
            local_port: field!(ops, local_port) as u16,
            // In the upper half, as on the wire.
            remote_port: u32::from_be(field!(ops, remote_port)) as u16,
            ipv6,
        }
    }

    /// Whether the other side is the client.
    #[inline(always)]
    pub(crate) fn passive(&self, socket: &Socket) -> bool {
        match socket.side {
            side::UNKNOWN => self.local_port < self.remote_port,
            known => known == side::PASSIVE,
        }
    }
}

/// One call of the program.
#[inline(always)]
pub(crate) fn event(ops: *mut bpf_sock_ops) {
    let op = field!(ops, op);
    if !matches!(
        op,
        op::TCP_CONNECT
            | op::ACTIVE_ESTABLISHED
            | op::PASSIVE_ESTABLISHED
            | op::RTO
            | op::RETRANS
            | op::STATE
            | op::RTT
    ) {
        return;
    }
    slot::with(|slot| follow(ops, op, slot));
}

#[inline(always)]
fn follow(ops: *mut bpf_sock_ops, op: u32, slot: u32) {
    let sk = field!(ops, __bindgen_anon_2.sk);
    if sk.is_null() {
        return;
    }
    // SAFETY: the socket is one, as the verifier has seen; without a value to begin with it is made of zeros.
    let socket = unsafe {
        bpf_sk_storage_get(
            (&raw const SOCKETS).cast_mut().cast(),
            sk.cast(),
            core::ptr::null_mut(),
            u64::from(BPF_SK_STORAGE_GET_F_CREATE),
        )
        .cast::<Socket>()
        .as_mut()
    };
    let Some(socket) = socket else {
        return;
    };
    let (Some(control), Some(work)) = (CONTROL.get(0), WORK.get_ptr_mut(slot)) else {
        return;
    };
    // SAFETY: no other call on this CPU has this slot. A socket is no number to the verifier until it was in memory.
    let sock = unsafe {
        (&raw mut (*work).sock).write_volatile(sk as u64);
        (&raw const (*work).sock).read_volatile()
    };
    let Some(config) = CONFIG.get(control.generation & 1) else {
        return;
    };
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    if socket.generation != control.generation && older(socket, config, control.generation) {
        // Nobody looked meanwhile: what it began then is of no use.
        socket.connect_ns = 0;
        socket.rtt_ns = 0;
        socket.timeout = 0;
        socket.waits_ns = 0;
        socket.clean = field!(ops, snd_nxt);
    }
    match op {
        op::TCP_CONNECT => {
            socket.side = side::ACTIVE;
            socket.connect_ns = now;
            kernel::caller(socket);
        }
        op::PASSIVE_ESTABLISHED => socket.side = side::PASSIVE,
        _ => {}
    }
    if socket.generation != control.generation {
        classify(ops, socket, sock, control.generation, slot);
    }
    if socket.mask == 0 {
        socket.rtt_ns = 0;
        socket.waits_ns = 0;
        socket.clean = field!(ops, snd_nxt);
        if !matches!(op, op::TCP_CONNECT | op::PASSIVE_ESTABLISHED) {
            return;
        }
    }
    let mut found = Found {
        latency: 0,
        time: now,
        result: 0,
        retries: 0,
        quality: 0,
        metric: 0,
        reserved: 0,
    };
    match op {
        op::TCP_CONNECT | op::PASSIVE_ESTABLISHED => listen(ops, socket),
        op::ACTIVE_ESTABLISHED => {
            // Only now has it a sequence number.
            socket.clean = field!(ops, snd_nxt);
            connected(ops, socket, 0, &mut found);
        }
        op::STATE => {
            let (old, new) = (argument(ops, 0), argument(ops, 1));
            if old == SYN_SENT && new == CLOSE {
                let error = kernel::error(sock);
                // Without an error it was this host that gave up.
                if error != 0 {
                    connected(ops, socket, error, &mut found);
                }
            }
        }
        op::RTT => {
            progress(ops, socket, now);
            round_trip(ops, socket, now, &mut found);
        }
        op::RTO => socket.timeout = argument(ops, 1),
        _ => resent(ops, socket, &mut found),
    }
    if found.metric != 0 && wants(config, socket.mask, found.metric) {
        emit::emit(ops, socket, &found, slot);
    }
}

/// Asks the socket to call back, beside what others asked it.
#[inline(always)]
fn listen(ops: *mut bpf_sock_ops, socket: &mut Socket) {
    let flags = field!(ops, bpf_sock_ops_cb_flags);
    socket.asked |= CALLBACKS & !flags;
    // SAFETY: `ops` is the program's context.
    unsafe { bpf_sock_ops_cb_flags_set(ops, (flags | CALLBACKS) as i32) };
}

/// Whether a socket was last looked at before the engine was attached.
#[inline(always)]
fn older(socket: &Socket, config: &Config, generation: u32) -> bool {
    generation.wrapping_sub(socket.generation) > generation.wrapping_sub(config.since[0])
}

#[inline(always)]
fn argument(ops: *mut bpf_sock_ops, number: usize) -> u32 {
    match number {
        0 => field!(ops, __bindgen_anon_1.args[0]),
        _ => field!(ops, __bindgen_anon_1.args[1]),
    }
}

/// connect came to its end.
#[inline(always)]
fn connected(ops: *mut bpf_sock_ops, socket: &mut Socket, error: u32, found: &mut Found) {
    let began = socket.connect_ns;
    socket.connect_ns = 0;
    socket.timeout = 0;
    if began == 0 {
        return;
    }
    found.metric = SOCKET_CONNECT;
    found.latency = found.time.wrapping_sub(began);
    found.result = error as i16;
    found.retries = field!(ops, total_retrans) as u16;
    if found.retries > 0 {
        found.quality = quality::SYN_RETRANSMITTED;
    }
}

/// The stack measured a round trip.
#[inline(always)]
fn round_trip(ops: *mut bpf_sock_ops, socket: &mut Socket, now: u64, found: &mut Found) {
    let (raw, smoothed) = (argument(ops, 0), argument(ops, 1));
    if smoothed != 0 {
        found.metric = SOCKET_RTT;
        found.latency = u64::from(raw) * 1000;
        return;
    }
    // Before 6.10 it hands over nothing: with the next round trip the smoothed value has moved by an eighth of the difference
    // (tcp_rtt_estimator), from which this one's value follows to the microsecond.
    let srtt = field!(ops, srtt_us);
    let (before, time) = (socket.srtt, socket.rtt_ns);
    socket.srtt = srtt;
    socket.rtt_ns = now;
    if time == 0 {
        return;
    }
    let micros = i64::from(srtt) - i64::from(before) + i64::from(before >> 3);
    if micros < 0 {
        emit::refuse(socket, CLOCK_BACKWARDS);
        return;
    }
    found.metric = SOCKET_RTT;
    found.time = time;
    found.latency = micros as u64 * 1000;
    found.quality = quality::DERIVED_FROM_SRTT;
}

/// Notes since when the first byte that is not acknowledged is that: the kernel sets the retransmission timer anew then.
///
/// Only what was never sent twice is sure to be told with a round trip when it is acknowledged (`tcp_clean_rtx_queue`); anything
/// else may have moved forward before.
#[inline(always)]
fn progress(ops: *mut bpf_sock_ops, socket: &mut Socket, now: u64) {
    let first = field!(ops, snd_una);
    if first == socket.unacknowledged {
        return;
    }
    socket.unacknowledged = first;
    let certain = (first.wrapping_sub(socket.clean) as i32) > 0 && field!(ops, packets_out) > 0;
    socket.waits_ns = if certain { now } else { 0 };
}

/// A segment was sent again: when a timeout ran out, or before. How long it had waited is known of the timeout, and of the first
/// segment in flight.
#[inline(always)]
fn resent(ops: *mut bpf_sock_ops, socket: &mut Socket, found: &mut Found) {
    let timeout = core::mem::replace(&mut socket.timeout, 0);
    if socket.connect_ns != 0 {
        // A SYN: it is in the connect's own latency.
        return;
    }
    let first = field!(ops, snd_una);
    let since = core::mem::replace(&mut socket.waits_ns, 0);
    socket.clean = field!(ops, snd_nxt);
    found.metric = SOCKET_RETRANSMIT;
    found.retries = 1;
    if timeout != 0 {
        // SAFETY: a static is valid; volatile, since the loader rewrites it after compilation.
        let jiffy = unsafe { core::ptr::read_volatile(&raw const JIFFY_NS) };
        found.latency = u64::from(timeout) * jiffy;
    } else if since != 0 && first == socket.unacknowledged && argument(ops, 0) == first {
        found.latency = found.time.wrapping_sub(since);
    } else {
        found.metric = 0;
        emit::refuse(socket, RETRANSMITTED);
    }
}
