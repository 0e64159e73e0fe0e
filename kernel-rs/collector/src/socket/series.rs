//! What the group of a histogram is called.

use std::collections::BTreeMap;

use latscope_events::{series::flags, socket::series::SeriesKey};

use super::convert;
use crate::{
    cgroup::Places,
    class::{grouping::Grouping, groups::Id},
    histogram::group,
    proto::{GroupBy, IpProtocol},
    text,
};

/// The group of a series, for a session that groups so.
pub(super) fn id_of(key: &SeriesKey, grouping: Grouping, places: &Places) -> Id {
    let other = key.flags & flags::OTHER != 0;
    Id {
        metric: key.metric,
        keys: if other {
            BTreeMap::new()
        } else {
            names(key, grouping, places)
        },
        other,
    }
}

fn names(key: &SeriesKey, grouping: Grouping, places: &Places) -> BTreeMap<String, String> {
    let ipv4 = key.flags & flags::IPV6 == 0;
    let value = |by: GroupBy| match by {
        GroupBy::ClientPrefix => Some(grouping.prefix(ipv4, key.client)),
        GroupBy::ServerPrefix => Some(grouping.prefix(ipv4, key.server)),
        GroupBy::ServerPort => Some(key.server_port.to_string()),
        GroupBy::Protocol => group::protocol(IpProtocol::Tcp).map(str::to_owned),
        GroupBy::Result => Some(key.result.to_string()),
        GroupBy::Comm => Some(text::escape(convert::name(&key.comm)).into_owned()),
        GroupBy::Cgroup => Some(text::escape(&places.of(key.cgroup).path).into_owned()),
        _ => None,
    };
    grouping
        .asked()
        .filter_map(|by| Some((group::key(by).to_owned(), value(by)?)))
        // Who accepted a connection has no name.
        .filter(|(_, value)| !value.is_empty())
        .collect()
}
