//! Samples as a `latscope.v1.SampleRows`, which a stream carries too.

use prost_types::{Duration, Timestamp};

use super::packet::SECOND;
use crate::{
    proto,
    sample::{FlowView, Sample},
    text,
};

/// One sample of the message.
pub(super) fn row(sample: &Sample<'_>) -> proto::Sample {
    let Sample {
        time_unix_ns,
        latency_ns,
        metric,
        quality,
        probe,
        retries,
        result,
        subject,
        flow,
        process: _,
    } = sample;
    proto::Sample {
        time: Some(Timestamp {
            seconds: (time_unix_ns / SECOND) as i64,
            nanos: (time_unix_ns % SECOND) as i32,
        }),
        latency: Some(Duration {
            seconds: (latency_ns / SECOND) as i64,
            nanos: (latency_ns % SECOND) as i32,
        }),
        metric: (*metric).into(),
        weight: 0,
        quality: (0..32).filter(|bit| quality >> bit & 1 != 0).collect(),
        flow: flow.as_ref().map(flow_row),
        process: None,
        subject: text::escape(subject).into_owned(),
        result: *result,
        probe: *probe,
        retries: *retries,
    }
}

fn flow_row(flow: &FlowView<'_>) -> proto::Flow {
    let FlowView {
        ipv4,
        client_address,
        server_address,
        client_port,
        server_port,
        direction,
        protocol,
        interface,
        vlan_id,
        measured_from_server,
        network_namespace,
        opener_unknown,
        ttl,
    } = flow;
    proto::Flow {
        client_address: text::address(*ipv4, client_address).to_string(),
        client_port: u32::from(*client_port),
        server_address: text::address(*ipv4, server_address).to_string(),
        server_port: u32::from(*server_port),
        direction: (*direction).into(),
        interface: text::escape(interface).into_owned(),
        vlan_id: u32::from(*vlan_id),
        measured_from_server: *measured_from_server,
        protocol: (*protocol).into(),
        network_namespace: *network_namespace,
        opener_unknown: *opener_unknown,
        ttl: u32::from(*ttl),
    }
}
