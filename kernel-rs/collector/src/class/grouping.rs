//! How a session groups its histograms, and what a group is called.

use std::collections::BTreeMap;

use latscope_events::series::{self, SeriesKey, flags, key};

use crate::{
    histogram::group,
    proto::{GroupBy, IpProtocol, Metric},
    spec::{cidr::Cidr, compiled::Collection},
    wire::bytes,
};

/// What a session groups by. Sessions that agree share the kernel's histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grouping {
    /// `series::key` bits.
    keys: u32,
    /// Prefix lengths; 0 where no prefix is asked for.
    ipv4: u8,
    ipv6: u8,
}

impl Grouping {
    /// What a session asks for, of what applies to its metrics.
    pub(crate) fn of(collection: &Collection, applies: &[GroupBy]) -> Self {
        let keys = collection
            .group_by
            .iter()
            .filter(|by| applies.contains(by))
            .fold(0, |keys, by| keys | bit(*by));
        let prefixes = keys & (key::CLIENT_PREFIX | key::SERVER_PREFIX) != 0;
        Self {
            keys,
            ipv4: if prefixes {
                collection.ipv4_prefix_length
            } else {
                0
            },
            ipv6: if prefixes {
                collection.ipv6_prefix_length
            } else {
                0
            },
        }
    }

    /// The same for the programs.
    pub(crate) fn table(self, sessions: u64) -> series::Grouping {
        let mask = |length: u8, bits: u32| u128::MAX.checked_shl(bits - u32::from(length));
        let ipv4 = mask(self.ipv4, 32).unwrap_or_default() as u32;
        let ipv6 = mask(self.ipv6, 128).unwrap_or_default().to_be_bytes();
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(ipv6.chunks_exact(4)) {
            *word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        series::Grouping {
            sessions,
            keys: self.keys,
            ipv4_mask: ipv4.to_be(),
            ipv6_mask: words,
        }
    }

    /// What is grouped by.
    pub(crate) fn asked(self) -> impl Iterator<Item = GroupBy> {
        KEYS.into_iter()
            .filter(move |(_, bit)| self.keys & bit != 0)
            .map(|(by, _)| by)
    }

    /// A prefix that the programs grouped by, as the contract writes it.
    pub(crate) fn prefix(self, ipv4: bool, address: [u32; 4]) -> String {
        let length = if ipv4 { self.ipv4 } else { self.ipv6 };
        Cidr::of(ipv4, &bytes(address), length).to_string()
    }

    /// What the group of a series of the packet engine is called, by the names of `Group.keys`.
    pub(crate) fn names(
        self,
        series: &SeriesKey,
        interface: impl Fn(u32) -> String,
    ) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        if series.flags & flags::OTHER != 0 {
            return names;
        }
        let mut name = |by: GroupBy, value: &dyn Fn() -> Option<String>| {
            if self.keys & bit(by) != 0
                && let Some(value) = value()
            {
                names.insert(group::key(by).to_owned(), value);
            }
        };
        let ipv4 = series.flags & flags::IPV6 == 0;
        let prefix = |address| Some(self.prefix(ipv4, address));
        name(GroupBy::ClientPrefix, &|| prefix(series.client));
        name(GroupBy::ServerPrefix, &|| prefix(series.server));
        let portless = i32::from(series.metric) == Metric::IcmpEcho as i32;
        name(GroupBy::ServerPort, &|| {
            (!portless).then(|| series.server_port.to_string())
        });
        name(GroupBy::Interface, &|| Some(interface(series.ifindex)));
        name(GroupBy::Protocol, &|| {
            let protocol = IpProtocol::try_from(i32::from(series.protocol)).ok()?;
            group::protocol(protocol).map(str::to_owned)
        });
        name(GroupBy::Result, &|| Some(series.result.to_string()));
        names
    }
}

/// What the programs can tell apart; of the rest there is one value on a host, or none.
const KEYS: [(GroupBy, u32); 8] = [
    (GroupBy::ClientPrefix, key::CLIENT_PREFIX),
    (GroupBy::ServerPrefix, key::SERVER_PREFIX),
    (GroupBy::ServerPort, key::SERVER_PORT),
    (GroupBy::Interface, key::INTERFACE),
    (GroupBy::Protocol, key::PROTOCOL),
    (GroupBy::Result, key::RESULT),
    (GroupBy::Comm, key::COMM),
    (GroupBy::Cgroup, key::CGROUP),
];

fn bit(by: GroupBy) -> u32 {
    let known = KEYS.iter().find(|(it, _)| *it == by);
    known.map_or(0, |(_, bit)| *bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::zero;

    fn by(group_by: &[GroupBy]) -> Grouping {
        let collection = Collection {
            max_samples_per_second: 0,
            histograms_only: false,
            group_by: group_by.to_vec(),
            ipv4_prefix_length: 20,
            ipv6_prefix_length: 33,
            sample_min_latency_ns: 0,
            max_groups: 10,
        };
        Grouping::of(&collection, group_by)
    }

    #[test]
    fn prefix_lengths_matter_only_where_a_prefix_is_asked_for() {
        assert_eq!(by(&[GroupBy::Node]), Grouping::default());
        let table = by(&[GroupBy::ServerPort]).table(5);
        assert_eq!(
            (table.sessions, table.keys, table.ipv4_mask, table.ipv6_mask),
            (5, key::SERVER_PORT, 0, [0; 4])
        );
        let table = by(&[GroupBy::ClientPrefix]).table(1);
        assert_eq!(table.ipv4_mask.to_ne_bytes(), [255, 255, 240, 0]);
        assert_eq!(
            table.ipv6_mask.map(u32::to_ne_bytes),
            [[255; 4], [128, 0, 0, 0], [0; 4], [0; 4]]
        );
    }

    #[test]
    fn a_group_is_called_by_its_keys() {
        let grouping = by(&[
            GroupBy::ServerPrefix,
            GroupBy::ServerPort,
            GroupBy::Interface,
            GroupBy::Protocol,
        ]);
        let mut series: SeriesKey = zero();
        series.server[0] = u32::from_ne_bytes([10, 1, 16, 0]);
        series.server_port = 443;
        series.protocol = 6;
        series.ifindex = 7;
        let names = grouping.names(&series, |index| format!("eth{index}"));
        let names: Vec<_> = names
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("interface", "eth7"),
                ("protocol", "tcp"),
                ("server_port", "443"),
                ("server_prefix", "10.1.16.0/20"),
            ]
        );
        series.flags = flags::OTHER;
        assert!(grouping.names(&series, |_| String::new()).is_empty());
    }
}
