//! DNS messages in datagrams and in TCP streams (RFC 1035, 4; ACCURACY.md 13).

use aya_ebpf::{bindings::__sk_buff, btf_maps::LruHashMap, helpers::generated::bpf_skb_load_bytes};
use latscope_events::{
    config::Config,
    flow::Flow,
    metric,
    options::{Options, service},
    sample::NAME,
};
use latscope_matching::{flow::UNKNOWN, segment::distance};

use crate::{
    load::{load, opaque},
    maps::{FLOWS4, FLOWS6, NAMES},
    options::listens,
    packet::Packet,
    parse::protocol,
    track::{key4, key6},
    transaction,
};

/// `packet.dns`: no message, a query, a reply.
pub(crate) const NONE: u8 = 0;
pub(crate) const QUERY: u8 = 1;
pub(crate) const REPLY: u8 = 2;
/// `packet.dns` of a segment whose stream may hold messages.
pub(crate) const STREAM: u8 = 3;

const HEADER: u32 = 12;
/// Type and class behind a question's name.
const TAIL: u32 = 4;
/// Bytes of the room for names, a power of two.
pub(crate) const ROOM: usize = 512;
/// Messages that are looked for in one segment: more do not fit into 1460 bytes.
const MESSAGES: usize = 80;

/// Looks whether a packet may be DNS, if any session wants to know.
#[inline(always)]
pub(crate) fn parse(ctx: *mut __sk_buff, config: &Config, options: &Options, packet: &mut Packet) {
    packet.dns = NONE;
    if config.wants[metric::DNS_REPLY as usize] == 0 {
        return;
    }
    if packet.protocol == protocol::UDP {
        if listens(options, service::DNS_UDP, packet) {
            question(ctx, packet, packet.payload, packet.payload_length);
        }
    } else if packet.protocol == protocol::TCP
        && packet.payload_length > 0
        && listens(options, service::DNS_TCP, packet)
    {
        packet.dns = STREAM;
    }
}

/// Reads the message at `offset`: id and hash of the first question into the packet, its name into the room for names.
/// `packet.dns` says what it is. 1 when it could be read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn question(ctx: *mut __sk_buff, packet: *mut Packet, offset: u32, length: u32) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    packet.dns = NONE;
    let (Some([id, flags, questions, _]), Some(room)) =
        (load::<[u16; 4]>(ctx, offset), NAMES.get_ptr_mut(0))
    else {
        return 0;
    };
    if length <= HEADER + TAIL || questions == 0 {
        return 0;
    }
    // Masked for the verifier, to the size of the room: it has to see that this is neither 0 nor too much.
    let available = (opaque((length - HEADER).min(NAME as u32) - 1) & (ROOM as u32 - 1)) + 1;
    // SAFETY: this CPU's own value, at least `available` long.
    let failed = unsafe { bpf_skb_load_bytes(ctx.cast(), offset + HEADER, room.cast(), available) };
    if failed != 0 {
        return 0;
    }
    let flags = u16::from_be(flags);
    packet.id = u32::from(u16::from_be(id));
    packet.result = (flags & 15) as i16;
    packet.question = hash(room.cast(), available);
    if packet.question != 0 {
        packet.dns = if flags & 0x8000 == 0 { QUERY } else { REPLY };
    }
    u32::from(packet.question != 0)
}

/// A hash over name, type and class; 0 when the name does not end within `length` bytes or is compressed, which a first
/// question never is. Letters keep their case: a reply repeats the question as it was.
#[inline(always)]
fn hash(name: *const u64, length: u32) -> u32 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let Some(size) = name_size(name.cast(), length).map(|size| size + TAIL) else {
        return 0;
    };
    if size > length {
        return 0;
    }
    let mut hash = u64::from(size);
    for word in 0..NAME as u32 / 8 {
        let before = word * 8;
        if before >= size {
            break;
        }
        // SAFETY: inside the room.
        let mut bytes = unsafe { name.add(word as usize).read_volatile() };
        if size - before < 8 {
            // What is behind the question is another message's.
            bytes &= (1 << ((size - before) * 8)) - 1;
        }
        hash = (hash ^ bytes).wrapping_mul(PRIME);
        hash ^= hash >> 29;
    }
    (hash >> 32) as u32 | 1
}

/// Bytes of a name with its end, or `None`.
#[inline(always)]
fn name_size(name: *const u8, length: u32) -> Option<u32> {
    const LABELS: usize = 128;
    let mut place = 0;
    for _ in 0..LABELS {
        if place >= length {
            return None;
        }
        // The same again, for the verifier: it does not know how long `length` can be.
        place = opaque(place);
        if place >= NAME as u32 {
            return None;
        }
        // SAFETY: inside the room, which has NAME bytes.
        let size = u32::from(unsafe { name.add(place as usize).read_volatile() });
        if size == 0 {
            return Some(place + 1);
        }
        if size > 63 {
            return None;
        }
        place += 1 + size;
    }
    None
}

/// A segment of a DNS stream, after its flow was followed: messages begin where the ones before ended. Whatever was sent
/// before is behind that place already, so nothing is read twice.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn stream(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    if packet.version == 4 {
        let key = key4(packet);
        read(ctx, packet, &FLOWS4, &key);
    } else {
        let key = key6(packet);
        read(ctx, packet, &FLOWS6, &key);
    }
    packet.dns = STREAM;
    0
}

#[inline(always)]
fn read<K: Copy, const F: usize>(
    ctx: *mut __sk_buff,
    packet: &mut Packet,
    flows: &LruHashMap<K, Flow, F>,
    key: &K,
) {
    let Some(flow) = flows.get_ptr_mut(key) else {
        return;
    };
    for _ in 0..MESSAGES {
        if next_message(ctx, packet, flow) == 0 {
            return;
        }
        transaction::dns(packet);
    }
}

/// Goes on to the next message of the segment; 1 when there is one that can be read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn next_message(ctx: *mut __sk_buff, packet: *mut Packet, flow: *mut Flow) -> u32 {
    // SAFETY: the verifier asks for the checks; the memory is the caller's and a map value.
    let (Some(packet), Some(flow)) = (unsafe { (packet.as_mut(), flow.as_mut()) }) else {
        return 0;
    };
    let side = usize::from(packet.side & 1);
    let seq = packet.segment.seq;
    if flow.opener == UNKNOWN || flow.syn_time == 0 || flow.stream_lost != 0 {
        return 0;
    }
    if flow.stream_next[side] == 0 {
        // Of a stream whose first byte did not pass while somebody listened nobody knows where messages begin.
        flow.stream_next[side] = if packet.side == flow.opener {
            flow.syn_end
        } else {
            flow.syn_ack_end
        };
    }
    let ahead = distance(flow.stream_next[side], seq);
    let carried = packet.payload_length;
    if ahead < 0 || ahead as u32 >= carried {
        return 0;
    }
    let mut at = ahead as u32;
    let mut length = u32::from(flow.stream_length[side]);
    if length == 0 {
        let Some(prefix) = load::<u16>(ctx, packet.payload + at).map(u16::from_be) else {
            return 0;
        };
        if carried - at < 2 || u32::from(prefix) < HEADER {
            // Half a length, or no DNS: where messages begin is not known any more.
            flow.stream_lost = 1;
            return 0;
        }
        length = u32::from(prefix);
        at += 2;
        flow.stream_next[side] = seq.wrapping_add(at);
        flow.stream_length[side] = prefix;
        if at >= carried {
            return 0;
        }
    }
    flow.stream_next[side] = seq.wrapping_add(at).wrapping_add(length);
    flow.stream_length[side] = 0;
    question(ctx, packet, packet.payload + at, length.min(carried - at))
}
