//! Checks probes.

use latscope_matching::{clock::LONGEST_NS, exchange::IDLE_NS};

use super::{clause, compiled::CompiledProbe, time, violations::Violations};
use crate::{
    failure::Reason,
    metric,
    proto::{Metric, Probe, probe::Kind, user_function_probe::Target},
};

/// Most probes of one session.
pub(crate) const PROBES_MAX: usize = 32;
/// Longest name or path inside a probe, in bytes: the kernel's `PATH_MAX`.
const NAME_MAX: usize = 4096;

/// Where DNS is looked for unless a probe says otherwise.
pub(crate) const DNS_PORTS: [u32; 2] = [53, 5353];
/// Where QUIC is.
pub(crate) const QUIC_PORTS: [u32; 1] = [443];

/// Shortest interval of a timer: each costs its CPU about half a microsecond.
const TICK_MIN_NS: u64 = 1_000_000;

const TCP: &[Metric] = &[
    Metric::TcpHandshakeRemote,
    Metric::TcpHandshakeLocal,
    Metric::TcpRtt,
    Metric::TcpFirstByte,
    Metric::TcpConnectFailure,
];
const SOCKET: &[Metric] = &[
    Metric::SocketRtt,
    Metric::SocketConnect,
    Metric::SocketRetransmit,
];

/// Checks one probe; `None` if it cannot be told what it would measure.
pub(crate) fn compile(
    probe: &Probe,
    index: usize,
    path: &str,
    violations: &mut Violations,
) -> Option<CompiledProbe> {
    let timeout_ns = probe.timeout.as_ref().and_then(|it| {
        violations.take(
            Reason::DurationInvalid,
            format!("{path}.timeout"),
            time::positive_duration_ns(it),
        )
    });
    let Some(kind) = &probe.kind else {
        violations.add(Reason::FieldRequired, path, "must set one kind of probe");
        return None;
    };
    let metrics = check_kind(kind, path, violations);
    let mask = metrics.iter().fold(0, |mask, it| mask | metric::bit(*it));
    let numbers = || metrics.iter().map(|it| *it as i32).collect();
    let mut kind = kind.clone();
    match &mut kind {
        Kind::Tcp(tcp) => tcp.metrics = numbers(),
        Kind::Socket(socket) => socket.metrics = numbers(),
        Kind::Udp(udp) => {
            udp.idle_reset
                .get_or_insert_with(|| time::duration(IDLE_NS));
        }
        Kind::Dns(dns) if dns.ports.is_empty() => dns.ports = DNS_PORTS.into(),
        Kind::Quic(quic) if quic.ports.is_empty() => quic.ports = QUIC_PORTS.into(),
        _ => {}
    }
    if of_packets(&kind) && timeout_ns.is_some_and(|it| it > LONGEST_NS) {
        violations.add(
            Reason::DurationInvalid,
            format!("{path}.timeout"),
            format!("must be at most {} s", LONGEST_NS / 1_000_000_000),
        );
    }
    Some(CompiledProbe {
        index: index as u32,
        kind,
        metrics: mask,
        timeout_ns,
    })
}

/// Refuses two probes that yield the same metric from the same packets and ask for different things: a latency belongs to one.
pub(crate) fn refuse_contradictions(probes: &[CompiledProbe], violations: &mut Violations) {
    for (at, probe) in probes.iter().enumerate() {
        let same = |other: &&CompiledProbe| {
            let options = matches!(probe.kind, Kind::Tcp(_)) || probe.kind == other.kind;
            options && probe.timeout_ns == other.timeout_ns
        };
        let other = probes[..at]
            .iter()
            .find(|other| probe.metrics & other.metrics != 0 && !same(other));
        if let (true, Some(other)) = (of_packets(&probe.kind), other) {
            violations.add(
                Reason::FieldInvalid,
                format!("spec.probes[{}]", probe.index),
                format!(
                    "asks for what spec.probes[{}] measures, with other options; make it a session of its own",
                    other.index
                ),
            );
        }
    }
}

const fn of_packets(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Tcp(_) | Kind::Udp(_) | Kind::Dns(_) | Kind::Icmp(_) | Kind::Quic(_)
    )
}

/// The metrics that the probe yields, in the order of their numbers.
fn check_kind(kind: &Kind, path: &str, violations: &mut Violations) -> Vec<Metric> {
    check_flow_kind(kind, path, violations)
        .unwrap_or_else(|| check_span_kind(kind, path, violations))
}

/// Of the kinds that look at flows; `None` for another.
fn check_flow_kind(kind: &Kind, path: &str, violations: &mut Violations) -> Option<Vec<Metric>> {
    Some(match kind {
        Kind::Tcp(it) => chosen(&it.metrics, TCP, &format!("{path}.tcp"), violations),
        Kind::Udp(it) => {
            if let Some(reset) = &it.idle_reset {
                let field = format!("{path}.udp.idle_reset");
                violations.take(
                    Reason::DurationInvalid,
                    field,
                    time::positive_duration_ns(reset),
                );
            }
            vec![Metric::UdpReply]
        }
        Kind::Dns(it) => {
            ports(&it.ports, &format!("{path}.dns.ports"), violations);
            vec![Metric::DnsReply]
        }
        Kind::Icmp(_) => vec![Metric::IcmpEcho],
        Kind::Quic(it) => {
            ports(&it.ports, &format!("{path}.quic.ports"), violations);
            let both = [Metric::QuicHandshake, Metric::QuicSpinRtt];
            both[..=usize::from(it.spin_bit)].to_vec()
        }
        Kind::Socket(it) => {
            if !it.cgroup_path.is_empty() {
                let field = format!("{path}.socket.cgroup_path");
                violations.take(Reason::FieldInvalid, field, clause::cgroup(&it.cgroup_path));
            }
            chosen(&it.metrics, SOCKET, &format!("{path}.socket"), violations)
        }
        _ => return None,
    })
}

/// Of the kinds that look at tasks, requests and functions; empty for another.
fn check_span_kind(kind: &Kind, path: &str, violations: &mut Violations) -> Vec<Metric> {
    match kind {
        Kind::Syscall(it) => {
            names(&it.names, &format!("{path}.syscall.names"), violations);
            vec![Metric::Syscall]
        }
        Kind::RunQueue(_) => vec![Metric::RunQueue],
        Kind::OffCpu(_) => vec![Metric::OffCpu],
        Kind::BlockIo(it) => {
            names(&it.devices, &format!("{path}.block_io.devices"), violations);
            let both = [Metric::BlockIoDevice, Metric::BlockIoQueue];
            both[..=usize::from(it.include_queue_time)].to_vec()
        }
        Kind::Softirq(it) => {
            let both = [Metric::Softirq, Metric::Hardirq];
            both[..=usize::from(it.hard_irqs)].to_vec()
        }
        Kind::NetStack(_) => vec![Metric::NetStackReceive],
        Kind::KernelFunction(it) => {
            name(
                &it.symbol,
                &format!("{path}.kernel_function.symbol"),
                violations,
            );
            vec![Metric::KernelFunction]
        }
        Kind::UserFunction(it) => {
            let path = format!("{path}.user_function");
            name(&it.binary, &format!("{path}.binary"), violations);
            match &it.target {
                None => violations.add(Reason::FieldRequired, &*path, "must set symbol or usdt"),
                Some(Target::Symbol(symbol)) => name(symbol, &format!("{path}.symbol"), violations),
                Some(Target::Usdt(usdt)) => {
                    for (text, field) in [
                        (&usdt.provider, "provider"),
                        (&usdt.start, "start"),
                        (&usdt.end, "end"),
                    ] {
                        name(text, &format!("{path}.usdt.{field}"), violations);
                    }
                }
            }
            vec![Metric::UserFunction]
        }
        Kind::TracepointPair(it) => {
            let path = format!("{path}.tracepoint_pair");
            tracepoint(&it.start, &format!("{path}.start"), violations);
            tracepoint(&it.end, &format!("{path}.end"), violations);
            for (index, key) in it.key_fields.iter().enumerate() {
                name(
                    &key.start,
                    &format!("{path}.key_fields[{index}].start"),
                    violations,
                );
            }
            vec![Metric::TracepointPair]
        }
        Kind::CpuStall(it) => {
            if let Some(interval) = &it.interval {
                let field = format!("{path}.cpu_stall.interval");
                let interval = time::positive_duration_ns(interval).and_then(|it| {
                    if it < TICK_MIN_NS {
                        Err("is below 1 ms".into())
                    } else {
                        Ok(it)
                    }
                });
                violations.take(Reason::DurationInvalid, field, interval);
            }
            vec![Metric::CpuStall]
        }
        _ => Vec::new(),
    }
}

/// The metrics asked for by number; none means every one of `all`.
fn chosen(numbers: &[i32], all: &[Metric], path: &str, violations: &mut Violations) -> Vec<Metric> {
    if numbers.is_empty() {
        return all.to_vec();
    }
    let mut metrics = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        let field = format!("{path}.metrics[{index}]");
        let known = clause::known_metric(*number).and_then(|metric| {
            if all.contains(&metric) {
                Ok(metric)
            } else {
                Err(format!("{} is not of this probe", metric.as_str_name()))
            }
        });
        metrics.extend(violations.take(Reason::MetricInvalid, field, known));
    }
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}

fn ports(numbers: &[u32], path: &str, violations: &mut Violations) {
    for (index, number) in numbers.iter().enumerate() {
        let port = if *number == 0 {
            Err("0 is not a port".into())
        } else {
            clause::port(*number)
        };
        violations.take(Reason::PortInvalid, format!("{path}[{index}]"), port);
    }
}

fn names(texts: &[String], path: &str, violations: &mut Violations) {
    for (index, text) in texts.iter().enumerate() {
        name(text, &format!("{path}[{index}]"), violations);
    }
}

fn name(text: &str, path: &str, violations: &mut Violations) {
    if text.is_empty() {
        violations.add(Reason::FieldRequired, path, "must be set");
    } else if text.len() > NAME_MAX || text.contains('\0') {
        violations.add(
            Reason::FieldInvalid,
            path,
            format!("is no name (at most {NAME_MAX} bytes, no NUL)"),
        );
    }
}

fn tracepoint(text: &str, path: &str, violations: &mut Violations) {
    match text.split_once(':') {
        Some((category, name))
            if !category.is_empty() && !name.is_empty() && !text.contains(['/', '\0']) => {}
        _ => violations.add(
            Reason::FieldInvalid,
            path,
            format!("{text:?} is not \"category:name\""),
        ),
    }
}
