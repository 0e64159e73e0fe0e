//! Samples for tests, and what they should become.

use crate::{
    histogram::Histogram,
    proto::{self, Direction, FlowColumns, IpProtocol, Metric, SampleColumns},
    sample::{FlowView, ProcessView, Sample},
    spec::{compiled::Limits, time},
    text,
};
use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Runs `test` on a thread in a namespace of its own, with loopback up.
pub(crate) fn alone(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs CAP_SYS_ADMIN");
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status()
            .unwrap();
        assert!(up.success());
        test();
    });
    thread.join().expect("the test panicked");
}

/// Waits until `done`, which somebody else brings about.
pub(crate) fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
        std::thread::yield_now();
    }
}

/// Without the empty buckets at both ends.
pub(crate) fn trimmed(histogram: &Histogram) -> proto::Histogram {
    let mut message = proto::Histogram::from(histogram);
    while message.counts.last() == Some(&0) {
        message.counts.pop();
    }
    while message.counts.first() == Some(&0) {
        message.counts.remove(0);
        message.offset += 1;
    }
    message
}

/// A sample that owns its strings.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(crate) time_unix_ns: u64,
    pub(crate) latency_ns: u64,
    pub(crate) metric: Metric,
    pub(crate) quality: u32,
    pub(crate) probe: u32,
    pub(crate) retries: u32,
    pub(crate) result: i64,
    pub(crate) subject: Vec<u8>,
    pub(crate) flow: Option<FlowView<'static>>,
    pub(crate) process: Option<ProcessView<'static>>,
}

impl Owned {
    pub(crate) fn sample(&self) -> Sample<'_> {
        Sample {
            time_unix_ns: self.time_unix_ns,
            latency_ns: self.latency_ns,
            metric: self.metric,
            quality: self.quality,
            probe: self.probe,
            retries: self.retries,
            result: self.result,
            subject: &self.subject,
            flow: self.flow,
            process: self.process,
        }
    }
}

/// Limits that nothing in a test comes near.
pub(crate) fn limits() -> Limits {
    Limits {
        duration_ns: None,
        max_samples: None,
        idle_timeout_ns: u64::MAX,
        retain_ns: 0,
        history_bytes: 64 << 20,
    }
}

/// A TCP RTT between 10.0.0.1 and 10.0.0.2 at eth0.
pub(crate) fn sample(time_unix_ns: u64, latency_ns: u64) -> Owned {
    let address = |last| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[10, 0, 0, last]);
        bytes
    };
    Owned {
        time_unix_ns,
        latency_ns,
        metric: Metric::TcpRtt,
        quality: 1 << 5,
        probe: 0,
        retries: 0,
        result: 0,
        subject: Vec::new(),
        flow: Some(FlowView {
            ipv4: true,
            client_address: address(1),
            server_address: address(2),
            client_port: 40_000,
            server_port: 443,
            direction: Direction::Outbound,
            protocol: IpProtocol::Tcp,
            interface: b"eth0",
            vlan_id: 0,
            measured_from_server: false,
            network_namespace: 0,
            opener_unknown: false,
            ttl: 64,
        }),
        process: None,
    }
}

/// Samples of every shape, with few enough values that dictionaries are shared.
pub(crate) fn any_sample() -> impl Strategy<Value = Owned> {
    let subject = prop_oneof![
        Just(Vec::new()),
        Just(b"read".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)
    ];
    let result = prop_oneof![Just(0), any::<i64>()];
    let small = || prop_oneof![Just(0), any::<u32>()];
    (
        (any::<i64>(), any::<i64>(), 1..=25_i32, 0..256_u32),
        (small(), small(), result, subject),
        proptest::option::of(any_flow()),
        proptest::option::of(any_process()),
    )
        .prop_map(
            |(
                (time, latency, metric, quality),
                (probe, retries, result, subject),
                flow,
                process,
            )| Owned {
                time_unix_ns: time.unsigned_abs() >> 1,
                latency_ns: latency.unsigned_abs() >> 1,
                metric: Metric::try_from(metric).unwrap(),
                quality: quality & !1,
                probe,
                retries,
                result,
                subject,
                flow,
                process,
            },
        )
}

fn any_flow() -> impl Strategy<Value = FlowView<'static>> {
    let address = || prop_oneof![Just([1; 16]), Just([2; 16]), any::<[u8; 16]>()];
    let interfaces = prop_oneof![Just(&b"eth0"[..]), Just(&b"\xff\x00lo"[..]), Just(&b""[..])];
    (
        (
            any::<bool>(),
            address(),
            address(),
            any::<u16>(),
            any::<u16>(),
        ),
        (
            0..=3_i32,
            prop_oneof![Just(0), Just(1), Just(6), Just(17), Just(58)],
            interfaces,
            0..4095_u16,
        ),
        (
            any::<bool>(),
            prop_oneof![Just(0), any::<u64>()],
            any::<bool>(),
            any::<u8>(),
        ),
    )
        .prop_map(|(addresses, labels, rest)| {
            let (ipv4, mut client_address, mut server_address, client_port, server_port) =
                addresses;
            if ipv4 {
                client_address[4..].fill(0);
                server_address[4..].fill(0);
            }
            let (direction, protocol, interface, vlan_id) = labels;
            let (measured_from_server, network_namespace, opener_unknown, ttl) = rest;
            FlowView {
                ipv4,
                client_address,
                server_address,
                client_port,
                server_port,
                direction: Direction::try_from(direction).unwrap(),
                protocol: IpProtocol::try_from(protocol).unwrap(),
                interface,
                vlan_id,
                measured_from_server,
                network_namespace,
                opener_unknown,
                ttl,
            }
        })
}

fn any_process() -> impl Strategy<Value = ProcessView<'static>> {
    let text = || {
        prop_oneof![
            Just(&b""[..]),
            Just(&b"postgres"[..]),
            Just(&b"\xc3\x28/a"[..])
        ]
    };
    (0..4_u32, 0..4_u32, text(), 0..3_u64, text(), text()).prop_map(
        |(pid, tid, comm, cgroup_id, cgroup_path, container_id)| ProcessView {
            pid,
            tid,
            comm,
            cgroup_id,
            cgroup_path,
            container_id,
        },
    )
}

/// The message that a sample is to its clients.
pub(crate) fn message(sample: &Sample<'_>, weight: u32) -> proto::Sample {
    proto::Sample {
        time: Some(time::timestamp(sample.time_unix_ns)),
        latency: Some(time::duration(sample.latency_ns)),
        metric: sample.metric as i32,
        weight: if weight > 1 { weight } else { 0 },
        quality: qualities(sample.quality),
        flow: sample.flow.map(|it| proto::Flow {
            client_address: text::address(it.ipv4, &it.client_address).to_string(),
            client_port: it.client_port.into(),
            server_address: text::address(it.ipv4, &it.server_address).to_string(),
            server_port: it.server_port.into(),
            direction: it.direction as i32,
            interface: text::escape(it.interface).into_owned(),
            vlan_id: it.vlan_id.into(),
            measured_from_server: it.measured_from_server,
            protocol: it.protocol as i32,
            network_namespace: it.network_namespace,
            opener_unknown: it.opener_unknown,
            ttl: it.ttl.into(),
        }),
        process: sample.process.map(|it| proto::Process {
            pid: it.pid,
            tid: it.tid,
            comm: text::escape(it.comm).into_owned(),
            cgroup_id: it.cgroup_id,
            cgroup_path: text::escape(it.cgroup_path).into_owned(),
            container_id: text::escape(it.container_id).into_owned(),
        }),
        subject: text::escape(sample.subject).into_owned(),
        result: sample.result,
        probe: sample.probe,
        retries: sample.retries,
    }
}

fn qualities(mask: u32) -> Vec<i32> {
    (1..32).filter(|bit| mask & 1 << bit != 0).collect()
}

/// A column's entry: an empty column holds defaults.
fn entry<T: Clone + Default>(column: &[T], at: usize) -> T {
    column.get(at).cloned().unwrap_or_default()
}

/// Columns as a client reads them, by the rules of the contract alone.
pub(crate) fn rows_of(columns: &SampleColumns) -> Vec<proto::Sample> {
    let mut time_ns = columns.base_time_unix_ns;
    let referred = |id: u32| id.checked_sub(1).map(|at| at as usize);
    let word = |id: u32| referred(id).map_or(String::new(), |at| columns.dictionary[at].clone());
    let length = [
        columns.time_delta_ns.len(),
        columns.latency_ns.len(),
        columns.metric.len(),
    ];
    (0..length.into_iter().max().unwrap())
        .map(|at| {
            time_ns = time_ns.wrapping_add_signed(entry(&columns.time_delta_ns, at));
            proto::Sample {
                time: Some(time::timestamp(time_ns)),
                latency: Some(time::duration(entry(&columns.latency_ns, at))),
                metric: entry(&columns.metric, at),
                weight: entry(&columns.weight, at),
                quality: qualities(entry(&columns.quality_mask, at)),
                flow: referred(entry(&columns.flow, at))
                    .map(|id| flow_of(columns.flows.as_ref().unwrap(), id, word)),
                process: referred(entry(&columns.process, at))
                    .map(|id| columns.processes[id].clone()),
                subject: word(entry(&columns.subject, at)),
                result: entry(&columns.result, at),
                probe: entry(&columns.probe, at),
                retries: entry(&columns.retries, at),
            }
        })
        .collect()
}

fn flow_of(flows: &FlowColumns, at: usize, word: impl Fn(u32) -> String) -> proto::Flow {
    let address = |id: u32| {
        let bytes = &flows.addresses[id as usize];
        let mut address = [0; 16];
        address[..bytes.len()].copy_from_slice(bytes);
        text::address(bytes.len() == 4, &address).to_string()
    };
    proto::Flow {
        client_address: address(entry(&flows.client, at)),
        client_port: entry(&flows.client_port, at),
        server_address: address(entry(&flows.server, at)),
        server_port: entry(&flows.server_port, at),
        direction: entry(&flows.direction, at),
        interface: word(entry(&flows.interface, at)),
        vlan_id: entry(&flows.vlan_id, at),
        measured_from_server: entry(&flows.measured_from_server, at),
        protocol: entry(&flows.protocol, at),
        network_namespace: entry(&flows.network_namespace, at),
        opener_unknown: entry(&flows.opener_unknown, at),
        ttl: entry(&flows.ttl, at),
    }
}
