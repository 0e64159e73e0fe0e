//! Which sessions want a flow: decided once for each flow and generation, by bit vectors, at a cost that does not grow
//! with sessions or filters.

use aya_ebpf::btf_maps::lpm_trie::Key;
use latscope_events::{
    config::{CLAUSES, Clauses, Config, TRIE_PREFIX, TrieKey, field},
    flow::{Flow, GROUPS, direction, track},
    metric, sample,
};
use latscope_matching::flow::UNKNOWN;

use crate::{
    class::{any, class_of},
    count,
    maps::{CONFIG, TRIE, WORK},
    measure::forget_histograms,
    packet::Packet,
    parse::protocol,
};

/// Room for classifying a flow, for which the stack is too small.
#[repr(C)]
pub(crate) struct Work {
    clauses: Clauses,
    query: Query,
    client: [u32; 4],
    server: [u32; 4],
    client_port: u16,
    server_port: u16,
    ipv6: u32,
    bank: u32,
    fields: u32,
    vlan: u16,
}

/// The side that counts as client: the opener, or the one with the higher port.
#[inline(always)]
pub(crate) fn client_side(flow: &Flow, packet: &Packet) -> u8 {
    if flow.opener != UNKNOWN {
        return flow.opener & 1;
    }
    let sender_higher = u16::from_be(packet.sport) >= u16::from_be(packet.dport);
    if sender_higher {
        packet.side
    } else {
        1 - packet.side
    }
}

/// Who opened the flow, seen from this host: `latscope.v1.Direction`.
#[inline(always)]
pub(crate) fn opened(flow: &Flow, client: u8) -> u8 {
    let by = usize::from(client & 1);
    if flow.direction[by].flags & direction::LOCAL != 0 {
        sample::direction::OUTBOUND
    } else if flow.direction[1 - by].flags & direction::LOCAL != 0 {
        sample::direction::INBOUND
    } else {
        sample::direction::FORWARDED
    }
}

/// Decides the flow's mask, class and what is tracked of it, for a generation of the session set.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn classify(flow: *mut Flow, packet: *const Packet, generation: u32) -> u32 {
    // SAFETY: the verifier asks for the checks; the memory is a map value and the caller's.
    let (Some(flow), Some(packet)) = (unsafe { (flow.as_mut(), packet.as_ref()) }) else {
        return 0;
    };
    let bank = generation & 1;
    let (Some(config), Some(work)) = (CONFIG.get(bank), WORK.get_ptr_mut(0)) else {
        return 0;
    };
    // SAFETY: this CPU's own value.
    let work = unsafe { &mut *work };
    let client = client_side(flow, packet);
    let from_client = packet.side == client;
    for word in 0..4 {
        let (from, to) = (packet.src[word], packet.dst[word]);
        work.client[word] = if from_client { from } else { to };
        work.server[word] = if from_client { to } else { from };
    }
    work.client_port = if from_client {
        packet.sport
    } else {
        packet.dport
    };
    work.server_port = if from_client {
        packet.dport
    } else {
        packet.sport
    };
    work.vlan = packet.outer_vlan.to_be();
    work.ipv6 = if packet.version == 6 { field::IPV6 } else { 0 };
    work.bank = bank;
    work.fields = config.fields;
    let opened = usize::from(opened(flow, client) & 3);
    let mut mask = config.group[packet.group as usize & (GROUPS - 1)];
    if mask & !config.unfiltered != 0 {
        accept(0);
        mask &= config.unfiltered | any(&work.clauses, &config.direction[opened]);
    }
    if mask & config.excluding != 0 {
        accept(field::EXCLUDE);
        mask &= !any(&work.clauses, &config.exclude_direction[opened]);
    }
    // Of datagrams nothing is followed by its number: their exchanges go on whoever comes and asks for connections.
    let tracked = if packet.protocol == protocol::UDP {
        0
    } else {
        track(config, mask)
    };
    let since = config.since[packet.group as usize & (GROUPS - 1)];
    let gap = latscope_matching::segment::distance(flow.generation, since) < 0;
    if flow.generation == 0 {
        flow.track = tracked;
    } else {
        // Where nobody listened until now, what it was in the midst of is not known.
        let ended = latscope_matching::flow::retrack(flow, tracked, !gap && flow.mask != 0);
        if ended != 0 {
            count::waits(packet, ended);
        }
    }
    forget_histograms(&mut flow.histograms);
    flow.class = class_of(mask, bank);
    flow.mask = mask;
    flow.generation = generation;
    0
}

/// Clauses that accept the flow in every field but direction. The room is looked up anew: before 6.3 memory that came as an
/// argument is no key to the kernel.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn accept(exclude: u32) -> u32 {
    let Some(work) = WORK.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's own value.
    let work = unsafe { &mut *work };
    for clause in &mut work.clauses {
        // SAFETY: a valid reference. Volatile, or the loop becomes a call of memset.
        unsafe { core::ptr::write_volatile(clause, u64::MAX) };
    }
    let family = exclude | work.ipv6;
    let bits = if work.ipv6 == 0 { 32 } else { 128 };
    let (client, server) = (work.client, work.server);
    if work.fields & field::CLIENT != 0 {
        narrow(work, field::CLIENT | family, bits, client, None);
    }
    if work.fields & field::SERVER != 0 {
        narrow(work, field::SERVER | family, bits, server, None);
    }
    if work.fields & field::EITHER != 0 {
        narrow(work, field::EITHER | family, bits, client, Some(server));
    }
    let (client, server) = (port(work.client_port), port(work.server_port));
    if work.fields & field::CLIENT_PORT != 0 {
        narrow(work, field::CLIENT_PORT | exclude, 16, client, None);
    }
    if work.fields & field::SERVER_PORT != 0 {
        narrow(work, field::SERVER_PORT | exclude, 16, server, None);
    }
    if work.fields & field::EITHER_PORT != 0 {
        narrow(work, field::EITHER_PORT | exclude, 16, client, Some(server));
    }
    if work.fields & field::VLAN != 0 {
        narrow(work, field::VLAN | exclude, 16, port(work.vlan), None);
    }
    0
}

#[inline(always)]
const fn port(number: u16) -> [u32; 4] {
    [number as u32, 0, 0, 0]
}

/// Keeps the clauses that accept `data` in a field; with `other`, that accept either.
#[inline(always)]
fn narrow(work: &mut Work, field: u32, bits: u32, data: [u32; 4], other: Option<[u32; 4]>) {
    work.query.prefix_len = TRIE_PREFIX + bits;
    work.query.key.field = field;
    work.query.key.bank = work.bank;
    work.query.key.data = data;
    let first = lookup(&work.query).unwrap_or(&NONE);
    let second = other.map_or(&NONE, |data| {
        work.query.key.data = data;
        lookup(&work.query).unwrap_or(&NONE)
    });
    for clause in 0..CLAUSES {
        work.clauses[clause] &= first[clause] | second[clause];
    }
}

/// What the trie would hold for a field that no clause accepts; static, since clearing by code becomes a memset.
static NONE: Clauses = [0; CLAUSES];

#[inline(always)]
fn lookup(query: &Query) -> Option<&'static Clauses> {
    // SAFETY: the same fields in the same places; the library's type asks for less alignment.
    TRIE.get(unsafe { &*(&raw const *query).cast::<Key<TrieKey>>() })
}

/// A trie key with its prefix length, aligned: the library's own is packed, and is written byte by byte.
#[repr(C, align(8))]
struct Query {
    prefix_len: u32,
    key: TrieKey,
}

/// What any session of the mask wants of a flow.
#[inline(always)]
fn track(config: &Config, mask: u64) -> u8 {
    let wants = |metric: u8| mask & config.wants[usize::from(metric)] != 0;
    let mut tracked = 0;
    if wants(metric::TCP_HANDSHAKE_REMOTE) || wants(metric::TCP_HANDSHAKE_LOCAL) {
        tracked |= track::HANDSHAKE;
    }
    if wants(metric::TCP_RTT) {
        tracked |= track::RTT;
    }
    if wants(metric::TCP_FIRST_BYTE) {
        tracked |= track::FIRST_BYTE;
    }
    tracked
}

/// Sessions that look for a service at either port, as on the wire.
#[inline(always)]
pub(crate) fn listening(service: u32, bank: u32, one: u16, other: u16) -> u64 {
    let Some(work) = WORK.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's own value.
    let query = unsafe { &mut (*work).query };
    query.prefix_len = TRIE_PREFIX + 16;
    query.key.field = service;
    query.key.bank = bank & 1;
    query.key.data = port(one);
    let one = lookup(query).map_or(0, |clauses| clauses[0]);
    query.key.data = port(other);
    one | lookup(query).map_or(0, |clauses| clauses[0])
}
