//! From packet to flow: one lookup for a flow that is known, a second table for peers heard from one side only.

use aya_ebpf::{
    bindings::{__sk_buff, BPF_NOEXIST},
    btf_maps::LruHashMap,
};
use latscope_events::{
    class::KINDS,
    config::Config,
    flow::{Flow, FlowKey4, FlowKey6, GROUPS, home, protocol},
    metric,
    options::{Options, service},
    pending::{Pending, flags},
    refusal::REASONS,
};
use latscope_matching::{
    Clock as _, flow, handshake, peer,
    segment::{ACK, RST, SYN},
};

use crate::{
    clock::{self, Tick},
    datagram::{datagram4, datagram6},
    dns, icmp,
    maps::{
        CONFIG, CONTROL, FLOWS4, FLOWS6, GROUP_STATS, HALF_OPEN4, HALF_OPEN6, HEARD, INTERFACES,
        OPTIONS, PACKET, PENDING4, PENDING6, SCRATCH,
    },
    measure, options,
    packet::Packet,
    parse::{self, FOLLOW, IGNORE, Link, protocol as ip},
    transaction, udp,
};

/// Coarse time after which a home that saw nothing of a direction gives it up: one to ten seconds, by the kernel's HZ.
pub(crate) const SILENCE: u32 = 1000;

/// What new flows are made from: a copy of static bytes costs no memset.
// SAFETY: a flow is plain integers.
pub(crate) static ZERO: Flow = unsafe { core::mem::zeroed() };

/// Looks at one packet.
#[inline(always)]
pub(crate) fn see(ctx: *mut __sk_buff, link: Link, egress: bool) {
    let Some(packet) = PACKET.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: ctx is the program's context; the packet is this CPU's own value, and no program of ours interrupts another
    // here, since tc runs with soft interrupts off. The fields not set here are written by the parser before they are read.
    unsafe {
        let ifindex = clock::interface(ctx);
        (*packet).time = clock::captured(ctx);
        (*packet).coarse = clock::coarse((*packet).time);
        (*packet).ifindex = ifindex;
        (*packet).home = home::at(ifindex, egress);
        (*packet).local = u8::from(egress && (*ctx).ingress_ifindex == 0);
        let outcome = parse(ctx, link, packet);
        if outcome == IGNORE {
            return;
        }
        let (groups, inner) = groups(ifindex);
        if outcome != FOLLOW {
            refuse(groups, outcome);
            return;
        }
        if groups & !inner != 0 {
            look_at(ctx, packet, groups & !inner);
        }
        if groups & inner != 0 && (groups & !inner == 0 || parse(ctx, link, packet) == FOLLOW) {
            let outcome = parse::parse_inner(ctx, packet);
            if outcome == FOLLOW {
                look_at(ctx, packet, groups & inner);
            } else if outcome != IGNORE {
                refuse(groups & inner, outcome);
            }
        }
    }
}

#[inline(always)]
fn parse(ctx: *mut __sk_buff, link: Link, packet: *mut Packet) -> u32 {
    match link {
        Link::Ethernet => parse::parse_ethernet(ctx, packet),
        Link::Raw => parse::parse_raw(ctx, packet),
    }
}

/// Parses the transport header and follows the packet, for every group.
#[inline(always)]
fn look_at(ctx: *mut __sk_buff, packet: *mut Packet, groups: u32) {
    let outcome = parse::transport(ctx, packet);
    if outcome != FOLLOW {
        if outcome != IGNORE {
            refuse(groups, outcome);
        }
        return;
    }
    let Some(control) = CONTROL.get(0) else {
        return;
    };
    let bank = control.generation & 1;
    let (Some(config), Some(options)) = (CONFIG.get(bank), OPTIONS.get(bank)) else {
        return;
    };
    // SAFETY: callers pass a valid packet.
    unsafe {
        (*packet).ignore_vlan = config.ignore_vlan;
        dns::parse(ctx, config, options, &mut *packet);
        if quic_wanted(config, options, &*packet) {
            udp::parse_quic(ctx, packet);
        }
        (*packet).wanted = u8::from(wanted(config, &*packet));
        if (*packet).wanted == 0 && (*packet).dns == dns::NONE {
            return;
        }
    }
    if groups == 1 {
        // SAFETY: callers pass a valid packet.
        unsafe { (*packet).group = 0 };
        follow(ctx, packet);
    } else {
        follow_each(ctx, packet, groups);
    }
}

/// Whether a datagram may be QUIC, and any session wants to know.
#[inline(always)]
fn quic_wanted(config: &Config, options: &Options, packet: &Packet) -> bool {
    packet.protocol == ip::UDP
        && config.wants[usize::from(metric::QUIC_HANDSHAKE)]
            | config.wants[usize::from(metric::QUIC_SPIN_RTT)]
            != 0
        && options::listens(options, service::QUIC, packet)
}

/// Whether any session wants what flows of this protocol give: those that nobody asks for take no room from others.
#[inline(always)]
fn wanted(config: &Config, packet: &Packet) -> bool {
    let any = |metrics: &[u8]| metrics.iter().any(|it| config.wants[usize::from(*it)] != 0);
    match packet.protocol {
        ip::UDP => any(&[
            metric::UDP_REPLY,
            metric::QUIC_HANDSHAKE,
            metric::QUIC_SPIN_RTT,
        ]),
        ip::TCP => any(&[
            metric::TCP_HANDSHAKE_REMOTE,
            metric::TCP_HANDSHAKE_LOCAL,
            metric::TCP_RTT,
            metric::TCP_FIRST_BYTE,
            metric::TCP_CONNECT_FAILURE,
            metric::DNS_REPLY,
        ]),
        _ => any(&[metric::ICMP_ECHO, metric::TCP_CONNECT_FAILURE]),
    }
}

/// Flow groups that look at an interface, and those of all groups that look inside tunnels. With one group in use every
/// interface we are attached to is in it.
#[inline(always)]
fn groups(ifindex: u32) -> (u32, u32) {
    let Some(control) = CONTROL.get(0) else {
        return (0, 0);
    };
    let Some(config) = CONFIG.get(control.generation & 1) else {
        return (0, 0);
    };
    let groups = config.groups;
    if groups & groups.wrapping_sub(1) == 0 {
        return (groups, config.inner);
    }
    // SAFETY: one aligned word, replaced as a whole.
    match unsafe { INTERFACES.get(ifindex) } {
        Some(interface) => (interface.groups & groups, config.inner),
        None => (0, 0),
    }
}

/// Counts a refusal that belongs to no flow, for every group of the interface.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn refuse(groups: u32, reason: u32) -> u32 {
    for group in 0..GROUPS as u32 {
        if groups >> group & 1 == 0 {
            continue;
        }
        if let Some(stats) = GROUP_STATS.get_ptr_mut(group) {
            // SAFETY: this CPU's own value; the index is masked.
            unsafe { (*stats).refused[reason as usize & (REASONS - 1)] += 1 };
        }
    }
    0
}

/// Looks at a packet once for each group of sessions: they watch different interfaces, so its flow has another home for
/// each of them.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn follow_each(ctx: *mut __sk_buff, packet: *mut Packet, groups: u32) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    // One time for all: they tell the same latency of the same packets.
    packet.time = Tick::new(packet.time).now();
    for group in 0..GROUPS as u32 {
        if groups >> group & 1 != 0 {
            packet.group = group;
            follow(ctx, packet);
        }
    }
    0
}

/// Finds the flow of a packet, or makes one once both sides have spoken.
#[inline(always)]
fn follow(ctx: *mut __sk_buff, packet: *mut Packet) {
    // SAFETY: callers pass a valid packet.
    unsafe {
        let kind = (*packet).protocol;
        if kind != ip::TCP && kind != ip::UDP && (*packet).echo != icmp::UNREACHABLE {
            transaction::echo(packet);
            return;
        }
        if (*packet).wanted == 0 {
            // Only as a transaction.
        } else {
            match (kind == ip::UDP, (*packet).version == 4) {
                (false, true) => follow4(packet),
                (false, false) => follow6(packet),
                (true, true) => datagram4(packet),
                (true, false) => datagram6(packet),
            };
        }
        match (*packet).dns {
            dns::NONE => {}
            dns::STREAM => {
                dns::stream(ctx, packet);
            }
            _ => {
                transaction::dns(packet);
            }
        }
    }
}

/// [`follow`] for IPv4. A function of its own, which the verifier walks once, with a stack of its own.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn follow4(packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    let key = key4(packet);
    look(&FLOWS4, &HALF_OPEN4, &PENDING4, &key, packet);
    0
}

/// [`follow`] for IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn follow6(packet: *mut Packet) -> u32 {
    // SAFETY: as in `follow4`.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    let key = key6(packet);
    look(&FLOWS6, &HALF_OPEN6, &PENDING6, &key, packet);
    0
}

/// The key of a packet's flow; notes which side of it sent the packet.
#[inline(always)]
pub(crate) fn key4(packet: &mut Packet) -> FlowKey4 {
    let sender = u64::from(packet.src[0]) << 16 | u64::from(packet.sport);
    let receiver = u64::from(packet.dst[0]) << 16 | u64::from(packet.dport);
    packet.side = u8::from(sender > receiver);
    let tag = packet.tag(code(packet));
    if packet.side == 0 {
        FlowKey4 {
            address: [packet.src[0], packet.dst[0]],
            port: [packet.sport, packet.dport],
            tag,
        }
    } else {
        FlowKey4 {
            address: [packet.dst[0], packet.src[0]],
            port: [packet.dport, packet.sport],
            tag,
        }
    }
}

/// [`key4`] for IPv6.
#[inline(always)]
pub(crate) fn key6(packet: &mut Packet) -> FlowKey6 {
    packet.side = u8::from(larger6(packet));
    let tag = packet.tag(code(packet));
    if packet.side == 0 {
        FlowKey6 {
            address: [packet.src, packet.dst],
            port: [packet.sport, packet.dport],
            tag,
        }
    } else {
        FlowKey6 {
            address: [packet.dst, packet.src],
            port: [packet.dport, packet.sport],
            tag,
        }
    }
}

/// Code of the protocol in a flow's key. An ICMP error stands for the segment that it quotes.
#[inline(always)]
fn code(packet: &Packet) -> u32 {
    if packet.protocol == ip::UDP {
        protocol::UDP
    } else {
        protocol::TCP
    }
}

/// Whether the sender's (address, port) is the larger of the two; any order will do that both directions agree on.
#[inline(always)]
fn larger6(packet: &Packet) -> bool {
    for (a, b) in packet.src.iter().zip(&packet.dst) {
        if a != b {
            return a > b;
        }
    }
    packet.sport > packet.dport
}

#[inline(always)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a flow by value would go over the stack"
)]
fn look<K: Copy, const F: usize, const H: usize, const P: usize>(
    flows: &LruHashMap<K, Flow, F>,
    half_open: &LruHashMap<K, Flow, H>,
    pending: &LruHashMap<K, Pending, P>,
    key: &K,
    packet: &mut Packet,
) {
    if packet.protocol != ip::TCP {
        unreachable(pending, key, packet);
        return;
    }
    if let Some(flow) = flows.get_ptr_mut(key) {
        if measure::seen(flow, packet) != measure::REOPENED {
            return;
        }
        let _ = flows.remove(key);
    } else if let Some(flow) = half_open.get_ptr_mut(key) {
        // SAFETY: a map value of plain integers.
        let confirmed = unsafe { flow::confirms(&*flow, packet.side, &packet.segment) };
        if measure::seen(flow, packet) != measure::REOPENED {
            if confirmed {
                // SAFETY: as above.
                let _ = flows.insert(key, unsafe { &*flow }, u64::from(BPF_NOEXIST));
                let _ = half_open.remove(key);
            }
            return;
        }
        let _ = half_open.remove(key);
    }
    let Some(first) = pending.get_ptr_mut(key) else {
        if packet.segment.flags & RST == 0 {
            let Some(fresh) = HEARD.get_ptr_mut(0) else {
                return;
            };
            // SAFETY: this CPU's own value.
            let fresh = unsafe { &mut *fresh };
            heard(fresh, packet);
            let _ = pending.insert(key, &*fresh, 0);
            if fresh.flags & peer::WAITS != 0 {
                begun(packet, protocol::TCP);
            }
        }
        return;
    };
    // SAFETY: a map value; two CPUs may write the same plain integers, each of which stays whole.
    let first = unsafe { &mut *first };
    if first.side == packet.side {
        heard_again(first, packet);
        return;
    }
    let segment = &packet.segment;
    if first.flags & flags::SYN != 0 {
        if handshake::is_refusal(first, segment) {
            if let Some(scratch) = SCRATCH.get_ptr_mut(0) {
                measure::failed(scratch, packet, first, handshake::ECONNREFUSED as u32);
            }
            if pending.remove(key).is_ok() {
                ended(packet, protocol::TCP);
            }
            return;
        }
        let simultaneous = segment.flags & (SYN | ACK | RST) == SYN;
        if !simultaneous && !handshake::is_syn_ack(first, segment) {
            // A late packet of the connection before this one.
            return;
        }
    } else if segment.flags & RST != 0 {
        return;
    }
    let waits = first.flags & peer::WAITS != 0;
    if first.flags & flags::SYN != 0 {
        begin(half_open, key, packet, first);
    } else {
        begin(flows, key, packet, first);
    }
    if pending.remove(key).is_ok() && waits {
        ended(packet, protocol::TCP);
    }
}

/// Makes a flow of a peer and the packet that answers it.
#[inline(always)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a flow by value would go over the stack"
)]
fn begin<K: Copy, const F: usize>(
    table: &LruHashMap<K, Flow, F>,
    key: &K,
    packet: &mut Packet,
    first: &Pending,
) {
    // Another CPU may have been faster; the flow is its then.
    if table.insert(key, &ZERO, u64::from(BPF_NOEXIST)).is_ok()
        && let Some(flow) = table.get_ptr_mut(key)
    {
        measure::established(flow, packet, first);
        if measure::answered(flow, packet, first) != 0 {
            measure::seen(flow, packet);
        }
    }
}

/// An ICMP error that quotes a SYN nobody answered (ACCURACY.md 3).
#[inline(always)]
fn unreachable<K: Copy, const P: usize>(
    pending: &LruHashMap<K, Pending, P>,
    key: &K,
    packet: &Packet,
) {
    let (Some(first), Some(scratch)) = (pending.get_ptr_mut(key), SCRATCH.get_ptr_mut(0)) else {
        return;
    };
    // SAFETY: a map value of plain integers.
    let first = unsafe { &*first };
    if first.side != packet.side && handshake::is_quoted(first, &packet.segment) {
        measure::failed(scratch, packet, first, u32::from(packet.errno));
        if pending.remove(key).is_ok() {
            ended(packet, protocol::TCP);
        }
    }
}

/// The first segment of a tuple.
#[inline(always)]
fn heard(first: &mut Pending, packet: &Packet) {
    first_of(first, packet);
    peer::heard(
        first,
        packet.side,
        &packet.segment,
        &mut Tick::new(packet.time),
    );
}

/// What is noted of the first packet of any tuple. Fills in every field.
#[inline(always)]
pub(crate) fn first_of(first: &mut Pending, packet: &Packet) {
    first.time = 0;
    for field in [&raw mut first.end, &raw mut first.isn, &raw mut first.tsval] {
        // SAFETY: a valid field. Volatile, or the zeros become a call of memset, a byte loop.
        unsafe { field.write_volatile(0) };
    }
    first.home = packet.home;
    first.seen = packet.coarse;
    first.side = packet.side;
    first.flags = 0;
    first.retries = 0;
    first.ttl = packet.ttl;
    if packet.local != 0 {
        first.flags |= flags::LOCAL;
    }
}

/// A further segment from the same side.
#[inline(always)]
fn heard_again(first: &mut Pending, packet: &Packet) {
    let mut tick = Tick::new(packet.time);
    if is_at_home(first, packet)
        && peer::heard_again(first, packet.side, &packet.segment, &mut tick)
    {
        begun(packet, protocol::TCP);
    }
}

/// Whether a further packet from the same side is no copy of one on another interface (ACCURACY.md 20). Notes that it passed.
#[inline(always)]
pub(crate) fn is_at_home(first: &mut Pending, packet: &Packet) -> bool {
    if first.home != packet.home {
        if packet.coarse.wrapping_sub(first.seen) <= SILENCE {
            return false;
        }
        first.home = packet.home;
    }
    first.seen = packet.coarse;
    true
}

/// Counts a start of one of the tables of those that wait. What is begun less what is ended and what waits was never answered.
#[inline(always)]
pub(crate) fn begun(packet: &Packet, kind: u32) {
    if let Some(stats) = GROUP_STATS.get_ptr_mut(packet.group) {
        // SAFETY: this CPU's own value; the index is masked.
        unsafe { (*stats).begun[kind as usize & (KINDS - 1)] += 1 };
    }
}

/// Counts the end of such a start, whether it was reported or counted as refused.
#[inline(always)]
pub(crate) fn ended(packet: &Packet, kind: u32) {
    if let Some(stats) = GROUP_STATS.get_ptr_mut(packet.group) {
        // SAFETY: as above.
        unsafe { (*stats).ended[kind as usize & (KINDS - 1)] += 1 };
    }
}
