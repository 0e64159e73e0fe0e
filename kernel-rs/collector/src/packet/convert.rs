//! From the programs' records to samples.

use std::{collections::HashMap, hash::BuildHasher};

use latscope_events::sample::flags;

use super::record::Record;
use crate::{
    class::receiver::Receiver,
    proto::{Direction, IpProtocol, Metric},
    sample::{FlowView, Sample},
    wire::bytes,
};

/// The sample of one receiver. `offset` leads from the record's clock to wall time.
pub(super) fn sample<'a, S: BuildHasher>(
    record: &'a Record,
    receiver: &Receiver,
    names: &'a HashMap<u32, Box<[u8]>, S>,
    offset: u64,
) -> Sample<'a> {
    let metric = usize::from(record.sample.metric);
    let sample = record.view(
        receiver.probe.get(metric).copied().unwrap_or_default(),
        names.get(&record.sample.ifindex).map_or(b"", |name| name),
    );
    Sample {
        time_unix_ns: sample.time_unix_ns.wrapping_add(offset),
        flow: sample.flow.map(|flow| FlowView {
            network_namespace: receiver.network_namespace,
            ..flow
        }),
        ..sample
    }
}

impl Record {
    /// The record as a sample, its time still that of the programs' clock. `probe` is an index in `spec.probes`.
    pub(crate) fn view<'a>(&'a self, probe: u32, interface: &'a [u8]) -> Sample<'a> {
        let Self {
            sample: record,
            name,
        } = self;
        Sample {
            time_unix_ns: record.time_ns,
            latency_ns: record.latency_ns,
            metric: Metric::try_from(i32::from(record.metric)).unwrap_or(Metric::Unspecified),
            quality: u32::from(record.quality),
            probe,
            retries: u32::from(record.retries),
            result: i64::from(record.result),
            subject: name.as_deref().unwrap_or_default().as_bytes(),
            flow: Some(FlowView {
                ipv4: record.flags & flags::IPV6 == 0,
                client_address: bytes(record.client),
                server_address: bytes(record.server),
                client_port: record.client_port,
                server_port: record.server_port,
                direction: Direction::try_from(i32::from(record.direction))
                    .unwrap_or(Direction::Unspecified),
                protocol: IpProtocol::try_from(i32::from(record.protocol))
                    .unwrap_or(IpProtocol::Unspecified),
                interface,
                vlan_id: record.vlan,
                measured_from_server: record.flags & flags::FROM_SERVER != 0,
                network_namespace: 0,
                opener_unknown: record.flags & flags::OPENER_UNKNOWN != 0,
                ttl: record.ttl,
            }),
            process: None,
        }
    }
}
