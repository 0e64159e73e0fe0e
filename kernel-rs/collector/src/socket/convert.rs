//! From the program's records to samples.

use latscope_events::socket::{SocketSample, flags};

use crate::{
    cgroup::Place,
    proto::{Direction, IpProtocol, Metric},
    sample::{FlowView, ProcessView, Sample},
    wire::bytes,
};

/// The sample of one receiver. `offset` leads from the record's clock to wall time.
pub(super) fn sample<'a>(
    record: &'a SocketSample,
    probe: u32,
    place: &'a Place,
    offset: u64,
) -> Sample<'a> {
    let passive = record.flags & flags::PASSIVE != 0;
    let opener_unknown = record.flags & flags::OPENER_UNKNOWN != 0;
    let local = (bytes(record.local), record.local_port);
    let remote = (bytes(record.remote), record.remote_port);
    let (client, server) = if passive {
        (remote, local)
    } else {
        (local, remote)
    };
    Sample {
        time_unix_ns: record.time_ns.wrapping_add(offset),
        latency_ns: record.latency_ns,
        metric: Metric::try_from(i32::from(record.metric)).unwrap_or(Metric::Unspecified),
        quality: u32::from(record.quality),
        probe,
        retries: record.retries,
        result: i64::from(record.result),
        subject: b"",
        flow: Some(FlowView {
            ipv4: record.flags & flags::IPV6 == 0,
            client_address: client.0,
            server_address: server.0,
            client_port: client.1,
            server_port: server.1,
            direction: match (opener_unknown, passive) {
                (true, _) => Direction::Unspecified,
                (_, true) => Direction::Inbound,
                _ => Direction::Outbound,
            },
            protocol: IpProtocol::Tcp,
            interface: b"",
            vlan_id: 0,
            measured_from_server: passive,
            network_namespace: 0,
            opener_unknown,
            ttl: 0,
        }),
        process: Some(ProcessView {
            pid: record.pid,
            tid: record.tid,
            comm: name(&record.comm),
            cgroup_id: record.cgroup,
            cgroup_path: &place.path,
            container_id: &place.container,
        }),
    }
}

/// The name of a task up to its end.
pub(super) fn name(comm: &[u64; 2]) -> &[u8] {
    // SAFETY: two words are sixteen bytes.
    let bytes: &[u8; 16] = unsafe { &*(&raw const *comm).cast() };
    bytes.split(|it| *it == 0).next().unwrap_or_default()
}
