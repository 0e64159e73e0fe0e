//! What sessions ask of single metrics: where a service is looked for, when an end comes too late, how long an exchange lasts.

use latscope_events::{
    SESSIONS,
    config::field,
    flow::GROUPS,
    metric::{DNS_REPLY, PACKET_METRICS, QUIC_HANDSHAKE, QUIC_SPIN_RTT},
    options::{Options, PORT_WORDS},
    refusal,
};
use latscope_matching::{Found, exchange::IDLE_NS};

use crate::{
    class::class_of,
    classify::listening,
    count,
    load::opaque,
    maps::{CONTROL, OPTIONS},
    packet::Packet,
    parse::protocol,
};

/// Whether any session looks for a service at one of the packet's ports.
#[inline(always)]
pub(crate) fn listens(options: &Options, service: usize, packet: &Packet) -> bool {
    let ports = &options.ports[service];
    has(ports, packet.sport) || has(ports, packet.dport)
}

#[inline(always)]
fn has(ports: &[u64; PORT_WORDS], port: u16) -> bool {
    // Masked for the verifier, which knows nothing of a number whose bytes were swapped.
    let port = opaque(u32::from(u16::from_be(port)));
    ports[(port >> 6) as usize & (PORT_WORDS - 1)] >> (port & 63) & 1 != 0
}

/// ns of silence after which a datagram of the packet's group starts a new exchange.
#[inline(always)]
pub(crate) fn idle_ns(packet: &Packet) -> u64 {
    let options = CONTROL
        .get(0)
        .and_then(|control| OPTIONS.get(control.generation & 1));
    options.map_or(IDLE_NS, |options| {
        options.idle[packet.group as usize & (GROUPS - 1)]
    })
}

/// Those sessions of `wanted` that look for the latency's service at these ports and for which it did not come too late; for
/// the others of the latter kind it is counted as a start that nobody answered.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn asked(
    packet: *const Packet,
    found: *const Found,
    wanted: u64,
    bank: u32,
) -> u64 {
    // SAFETY: the verifier asks for the checks; the memory is the callers'.
    let (Some(packet), Some(found), Some(options)) =
        (unsafe { (packet.as_ref(), found.as_ref(), OPTIONS.get(bank & 1)) })
    else {
        return 0;
    };
    let mut wanted = wanted;
    let service = match found.metric {
        DNS_REPLY if packet.protocol == protocol::UDP => field::DNS_UDP,
        DNS_REPLY => field::DNS_TCP,
        QUIC_HANDSHAKE | QUIC_SPIN_RTT => field::QUIC,
        _ => 0,
    };
    if service != 0 {
        wanted &= listening(service, bank, packet.sport, packet.dport);
    }
    let metric = usize::from(found.metric) & (PACKET_METRICS - 1);
    if found.latency > options.shortest[metric] {
        let late = wanted & late(&options.timeout[metric], found.latency);
        if late != 0 {
            count::unmatched(
                class_of(late, bank & 1),
                found.metric,
                refusal::UNMATCHED_START,
            );
        }
        wanted &= !late;
    }
    wanted
}

/// Sessions that do not wait so long.
#[inline(always)]
fn late(timeouts: &[u64; SESSIONS], latency: u64) -> u64 {
    let mut late = 0;
    for (session, timeout) in timeouts.iter().enumerate() {
        // Without a branch: the borrow of the subtraction, both being far below 2^63.
        late |= (timeout.wrapping_sub(latency) >> 63) << session;
    }
    late
}
