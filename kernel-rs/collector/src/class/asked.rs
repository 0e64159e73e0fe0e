//! What a session asks of single metrics, and the tables that tell the programs.

use latscope_events::{
    config::{Clauses, TrieKey, field},
    metric::{DNS_REPLY, ICMP_ECHO, PACKET_METRICS, QUIC_HANDSHAKE, QUIC_SPIN_RTT},
    options::{Options, service},
};
use latscope_matching::clock::{ANSWER_NS, TIMEOUT_NS};

use super::{
    lane::Lane,
    plan::Placed,
    prefix::{Accepts, Prefix},
};
use crate::{
    proto::probe::Kind,
    spec::{
        compiled::CompiledSpec,
        probe::{DNS_PORTS, QUIC_PORTS},
    },
    wire::zero,
};

/// Ports and timeouts of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// Ports at which each service is looked for, by `options::service`.
    ports: [Vec<u16>; service::COUNT],
    /// ns beyond which a latency of each metric is none.
    timeout_ns: [u64; PACKET_METRICS],
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            ports: [narrow(&DNS_PORTS), narrow(&DNS_PORTS), narrow(&QUIC_PORTS)],
            timeout_ns: std::array::from_fn(|metric| match u8::try_from(metric) {
                Ok(DNS_REPLY | ICMP_ECHO) => ANSWER_NS,
                _ => TIMEOUT_NS,
            }),
        }
    }
}

impl Asked {
    pub(crate) fn of(spec: &CompiledSpec) -> Self {
        let mut asked = Self::default();
        for probe in &spec.probes {
            match &probe.kind {
                Kind::Dns(dns) => {
                    asked.ports[service::DNS_UDP] = narrow(&dns.ports);
                    asked.ports[service::DNS_TCP] = if dns.udp_only {
                        Vec::new()
                    } else {
                        narrow(&dns.ports)
                    };
                }
                Kind::Quic(quic) => asked.ports[service::QUIC] = narrow(&quic.ports),
                _ => {}
            }
            let Some(timeout_ns) = probe.timeout_ns else {
                continue;
            };
            for (metric, timeout) in asked.timeout_ns.iter_mut().enumerate() {
                if probe.metrics >> metric & 1 != 0 {
                    *timeout = timeout_ns;
                }
            }
        }
        asked
    }
}

impl Lane {
    /// Ports at which it looks for a service.
    fn ports_of(&self, service: usize) -> &[u16] {
        let metrics = if service == service::QUIC {
            1 << QUIC_HANDSHAKE | 1 << QUIC_SPIN_RTT
        } else {
            1 << DNS_REPLY
        };
        if self.metrics & metrics == 0 {
            &[]
        } else {
            &self.asked.ports[service]
        }
    }
}

/// Ports that were checked to be some.
fn narrow(ports: &[u32]) -> Vec<u16> {
    ports
        .iter()
        .filter_map(|port| u16::try_from(*port).ok())
        .collect()
}

/// The options of a generation.
pub(crate) fn options(lanes: &[Placed<'_>]) -> Box<Options> {
    let mut options: Box<Options> = Box::new(zero());
    options.shortest = [u64::MAX; PACKET_METRICS];
    for Placed {
        bit,
        group,
        look,
        lane,
        ..
    } in lanes
    {
        options.idle[*group] = look.idle_ns;
        let asked = &lane.asked;
        for (service, words) in options.ports.iter_mut().enumerate() {
            for port in lane.ports_of(service) {
                words[usize::from(port >> 6)] |= 1 << (port & 63);
            }
        }
        for (metric, timeout) in asked.timeout_ns.iter().enumerate() {
            if lane.metrics >> metric & 1 != 0 {
                options.timeout[metric][*bit as usize] = *timeout;
                options.shortest[metric] = options.shortest[metric].min(*timeout);
            }
        }
    }
    options
}

/// Which sessions look for a service at which port.
pub(crate) fn entries(lanes: &[Placed<'_>], bank: u32) -> Vec<(u32, TrieKey, Clauses)> {
    const FIELDS: [u32; service::COUNT] = [field::DNS_UDP, field::DNS_TCP, field::QUIC];
    let mut entries = Vec::new();
    for (service, field) in FIELDS.into_iter().enumerate() {
        let mut accepts = Accepts::default();
        for Placed { bit, lane, .. } in lanes {
            for port in lane.ports_of(service) {
                accepts.accept(Prefix::of_number(*port), 0, *bit);
            }
        }
        entries.extend(accepts.entries(field, bank));
    }
    entries
}
