//! The TCP header and what its options tell: timestamps, and whether something is missing (RFC 9293, 3.1; RFC 7323, 3.2;
//! RFC 2018, 3).

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};
use latscope_events::refusal;
use latscope_matching::segment::{SACK_OF_ONE, shows_hole};

use crate::{
    load::{load, opaque},
    packet::Packet,
    parse::{FOLLOW, IGNORE},
};

#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    sport: u16,
    dport: u16,
    seq: u32,
    ack: u32,
    offset: u8,
    flags: u8,
    window: u16,
    checksum: u16,
    urgent: u16,
}

const HEADER: u32 = 20;
const TIMESTAMPS: u8 = 8;
/// No-operation twice, then timestamps: how nearly every segment's options begin.
const USUAL: u32 = 0x0101_080a;
/// Bytes of that.
const USUAL_SIZE: u32 = 12;
const SACK: u8 = 5;
/// No-operation twice, then selective acknowledgements: how they follow, but for their size in the last byte.
const USUAL_SACK: u32 = 0x0101_0500;
const OPTIONS: u32 = 40;
/// Last place where one of the options looked for fits; the least of either is 10 bytes long.
const LAST: u32 = OPTIONS - 10;

/// Parses the segment at `packet.payload`. A function of its own, which the verifier walks once.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_tcp(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    let (offset, length) = (packet.payload, packet.payload_length);
    let Some(header) = load::<Header>(ctx, offset) else {
        return refusal::UNPARSABLE;
    };
    let header_length = u32::from(header.offset >> 4) * 4;
    if header_length < HEADER || header_length > length {
        return refusal::UNPARSABLE;
    }
    packet.payload = offset + header_length;
    packet.payload_length = length - header_length;
    packet.echo = 0;
    packet.sport = header.sport;
    packet.dport = header.dport;
    let segment = &mut packet.segment;
    segment.seq = u32::from_be(header.seq);
    segment.ack = u32::from_be(header.ack);
    segment.payload = length - header_length;
    segment.flags = header.flags;
    segment.window = header.window;
    segment.timestamps = 0;
    segment.tsval = 0;
    segment.tsecr = 0;
    segment.sacked = 0;
    if header_length >= HEADER + USUAL_SIZE {
        let Some([kinds, tsval, tsecr]) = load::<[u32; 3]>(ctx, offset + HEADER) else {
            return refusal::UNPARSABLE;
        };
        if u32::from_be(kinds) == USUAL {
            segment.timestamps = 1;
            segment.tsval = u32::from_be(tsval);
            segment.tsecr = u32::from_be(tsecr);
            if header_length >= HEADER + USUAL_SIZE + 2 + SACK_OF_ONE {
                sacks(ctx, offset + HEADER + USUAL_SIZE, packet);
            }
        } else {
            return options(ctx, offset + HEADER, header_length - HEADER, packet);
        }
    }
    FOLLOW
}

/// Looks for selective acknowledgements behind the usual timestamps. Those that are elsewhere are not found, which costs a flag.
#[inline(always)]
fn sacks(ctx: *mut __sk_buff, offset: u32, packet: &mut Packet) {
    if let Some([kinds, left, ..]) = load::<[u32; 3]>(ctx, offset) {
        let kinds = u32::from_be(kinds);
        if kinds & !0xff == USUAL_SACK
            && shows_hole(kinds & 0xff, u32::from_be(left), packet.segment.ack)
        {
            packet.segment.sacked = 1;
        }
    }
}

/// Looks for timestamps and selective acknowledgements among other options.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn options(ctx: *mut __sk_buff, offset: u32, length: u32, packet: *mut Packet) -> u32 {
    // SAFETY: as in `parse_tcp`.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    let mut room = MaybeUninit::<[u64; 5]>::uninit();
    let bytes = room.as_mut_ptr().cast::<u64>();
    for word in 0..5 {
        // SAFETY: inside the array. Volatile, or it becomes a call of memset, a byte loop.
        unsafe { bytes.add(word).write_volatile(0) };
    }
    // The data offset allows no other values; the verifier wants to see it, the compiler would leave it out. Masked and
    // one added, for verifiers before 6.8 learn nothing from a comparison with 0.
    let length = (opaque(length.wrapping_sub(1)) & 63) + 1;
    if length > OPTIONS {
        return refusal::UNPARSABLE;
    }
    // SAFETY: the helper writes `length` bytes, at most all 40.
    let failed = unsafe { bpf_skb_load_bytes(ctx.cast(), offset, bytes.cast(), length) };
    if failed != 0 {
        return refusal::UNPARSABLE;
    }
    // SAFETY: every place below is inside the 40 bytes.
    let at = |place: usize| unsafe { bytes.cast::<u8>().add(place).read_volatile() };
    let word =
        |place: usize| u32::from_be_bytes([at(place), at(place + 1), at(place + 2), at(place + 3)]);
    // Every place is looked at in turn, since a constant index costs the verifier nothing; a walk from option to option
    // costs it all combinations. Where the next option begins must not be a constant to it, for the same reason.
    let mut next = opaque(0);
    for place in 0..=LAST {
        if place != next {
            continue;
        }
        let kind = at(place as usize);
        if kind == 1 {
            next = opaque(place + 1);
            continue;
        }
        let size = u32::from(at(place as usize + 1));
        if kind == TIMESTAMPS && size == 10 && place + size <= length {
            packet.segment.timestamps = 1;
            packet.segment.tsval = word(place as usize + 2);
            packet.segment.tsecr = word(place as usize + 6);
        } else if kind == SACK
            && size >= SACK_OF_ONE
            && place + size <= length
            && shows_hole(size, word(place as usize + 2), packet.segment.ack)
        {
            packet.segment.sacked = 1;
        }
        if kind == 0 || size < 2 {
            // The end, or nonsense from here on; the rest of the header is still good.
            break;
        }
        next = opaque(place + size);
    }
    FOLLOW
}
