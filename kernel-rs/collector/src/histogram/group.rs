//! Groups of histograms: the names of their keys and the form of their values.

use crate::{
    proto::{Group, GroupBy, IpProtocol},
    sample::Sample,
    spec::{cidr::Cidr, compiled::Collection},
    text,
};

/// The name of a key in `Group.keys`; empty for `GROUP_BY_UNSPECIFIED`, which is none.
#[must_use]
pub const fn key(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Unspecified => "",
        GroupBy::ClientPrefix => "client_prefix",
        GroupBy::ServerPrefix => "server_prefix",
        GroupBy::ServerPort => "server_port",
        GroupBy::Interface => "interface",
        GroupBy::Comm => "comm",
        GroupBy::Cgroup => "cgroup",
        GroupBy::Subject => "subject",
        GroupBy::Protocol => "protocol",
        GroupBy::Result => "result",
        GroupBy::Node => "node",
    }
}

/// `10.0.0.0/24`: the prefix of an address, by the length that a session has for its family.
#[must_use]
pub fn prefix(ipv4: bool, address: &[u8; 16], collection: &Collection) -> String {
    let length = if ipv4 {
        collection.ipv4_prefix_length
    } else {
        collection.ipv6_prefix_length
    };
    Cidr::of(ipv4, address, length).to_string()
}

/// `tcp`; `None` where there is none.
#[must_use]
pub const fn protocol(protocol: IpProtocol) -> Option<&'static str> {
    match protocol {
        IpProtocol::Unspecified => None,
        IpProtocol::Icmp => Some("icmp"),
        IpProtocol::Tcp => Some("tcp"),
        IpProtocol::Udp => Some("udp"),
        IpProtocol::Icmpv6 => Some("icmpv6"),
    }
}

/// What is beyond a session's groups, of one metric and probe.
#[must_use]
pub fn other(metric: i32, probe: u32) -> Group {
    Group {
        metric,
        probe,
        other: true,
        ..Group::default()
    }
}

/// The group that a session counts a sample in. `node` is the host's to add: every group of it has the same.
#[must_use]
pub fn of(sample: &Sample<'_>, collection: &Collection) -> Group {
    let value = |by: &GroupBy| {
        let value = value(*by, sample, collection)?;
        Some((key(*by).to_owned(), value))
    };
    Group {
        metric: sample.metric as i32,
        probe: sample.probe,
        keys: collection.group_by.iter().filter_map(value).collect(),
        other: false,
    }
}

fn value(by: GroupBy, sample: &Sample<'_>, collection: &Collection) -> Option<String> {
    let text = |bytes: &[u8]| (!bytes.is_empty()).then(|| text::escape(bytes).into_owned());
    let (flow, process) = (sample.flow, sample.process);
    match by {
        GroupBy::Unspecified | GroupBy::Node => None,
        GroupBy::ClientPrefix => flow.map(|it| prefix(it.ipv4, &it.client_address, collection)),
        GroupBy::ServerPrefix => flow.map(|it| prefix(it.ipv4, &it.server_address, collection)),
        GroupBy::ServerPort => flow.map(|it| it.server_port.to_string()),
        GroupBy::Interface => flow.and_then(|it| text(it.interface)),
        GroupBy::Protocol => flow.and_then(|it| protocol(it.protocol)).map(str::to_owned),
        GroupBy::Comm => process.and_then(|it| text(it.comm)),
        GroupBy::Cgroup => process.and_then(|it| text(it.cgroup_path)),
        GroupBy::Subject => text(sample.subject),
        GroupBy::Result => Some(sample.result.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto, sample::ProcessView, spec, testing};

    #[test]
    fn keys_in_the_forms_of_the_contract() {
        let spec = proto::SessionSpec {
            probes: vec![proto::Probe {
                kind: Some(proto::probe::Kind::Tcp(proto::TcpProbe::default())),
                timeout: None,
            }],
            ..proto::SessionSpec::default()
        };
        let mut collection = spec::check(&spec).unwrap().compiled.collection;
        collection.group_by = (1..=10).map(|it| GroupBy::try_from(it).unwrap()).collect();
        let mut sample = testing::sample(1, 1);
        sample.result = -111;
        sample.process = Some(ProcessView {
            pid: 1,
            tid: 1,
            comm: b"a\x01",
            cgroup_id: 1,
            cgroup_path: b"",
            container_id: b"",
        });
        let group = of(&sample.sample(), &collection);
        let keys = group.keys.iter().map(|it| (it.0.as_str(), it.1.as_str()));
        assert_eq!(
            keys.collect::<Vec<_>>(),
            [
                ("client_prefix", "10.0.0.0/24"),
                ("comm", "a\\x01"),
                ("interface", "eth0"),
                ("protocol", "tcp"),
                ("result", "-111"),
                ("server_port", "443"),
                ("server_prefix", "10.0.0.0/24"),
            ]
        );
        assert_eq!((group.metric, group.probe, group.other), (3, 0, false));
    }
}
