//! Requests and replies that bear an id: echo and DNS, in a bounded table of their own (ACCURACY.md 13, 14, 22).

use latscope_events::{
    flow::{CODE, protocol},
    metric,
    pending::{Pending, TransactionKey, flags},
};
use latscope_matching::{Clock as _, clock::ANSWER_NS};

use crate::{
    clock::Tick,
    dns, icmp,
    maps::{SCRATCH, TRANSACTIONS},
    measure,
    packet::Packet,
    track::{SILENCE, begun, ended},
};

/// An echo request or reply.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn echo(packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    let asks = packet.echo == icmp::REQUEST;
    packet.side = u8::from(!asks);
    packet.result = 0;
    let id = packet.segment.seq << 16 | packet.segment.ack & 0xffff;
    let key = key(packet, asks, protocol::ECHO, id, 0);
    if asks {
        // A repeated request of the same id and number is a copy, not a retry.
        ask(&key, packet, 0);
    } else {
        answer(&key, packet, metric::ICMP_ECHO);
    }
    0
}

/// The DNS message that was read last.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn dns(packet: *mut Packet) -> u32 {
    // SAFETY: as in `echo`.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    let asks = packet.dns == dns::QUERY;
    let side = packet.side;
    // Side 0 of a transaction is who asks.
    packet.side = u8::from(!asks);
    let key = key(packet, asks, protocol::DNS, packet.id, packet.question);
    if asks {
        ask(&key, packet, 1);
    } else {
        answer(&key, packet, metric::DNS_REPLY);
    }
    packet.side = side;
    0
}

#[inline(always)]
fn key(packet: &Packet, asks: bool, code: u32, id: u32, question: u32) -> TransactionKey {
    let tag = packet.tag(code);
    if asks {
        TransactionKey {
            client: packet.src,
            server: packet.dst,
            client_port: packet.sport,
            server_port: packet.dport,
            tag,
            id,
            question,
        }
    } else {
        TransactionKey {
            client: packet.dst,
            server: packet.src,
            client_port: packet.dport,
            server_port: packet.sport,
            tag,
            id,
            question,
        }
    }
}

/// Takes note of a request; of one that was noted already, that it came again, `again` times.
#[inline(always)]
fn ask(key: &TransactionKey, packet: &Packet, again: u8) {
    let now = Tick::new(packet.time).now();
    if let Some(first) = TRANSACTIONS.get_ptr_mut(key) {
        // SAFETY: a map value of plain integers.
        let first = unsafe { &mut *first };
        if first.home != packet.home && packet.coarse.wrapping_sub(first.seen) <= SILENCE {
            return;
        }
        if now.wrapping_sub(first.time) <= ANSWER_NS {
            first.seen = packet.coarse;
            first.retries = first.retries.saturating_add(again);
            return;
        }
    }
    let fresh = Pending {
        time: now,
        end: 0,
        isn: 0,
        tsval: 0,
        home: packet.home,
        seen: packet.coarse,
        side: 0,
        flags: if packet.local == 0 { 0 } else { flags::LOCAL },
        retries: 0,
        ttl: packet.ttl,
    };
    let _ = TRANSACTIONS.insert(key, fresh, 0);
    begun(packet, key.tag & CODE);
}

/// Ends a request; a second answer finds none.
#[inline(always)]
fn answer(key: &TransactionKey, packet: &Packet, metric: u8) {
    let (Some(first), Some(scratch)) = (TRANSACTIONS.get_ptr_mut(key), SCRATCH.get_ptr_mut(0))
    else {
        return;
    };
    measure::transacted(scratch, packet, first, u32::from(metric));
    if TRANSACTIONS.remove(key).is_ok() {
        ended(packet, key.tag & CODE);
    }
}
