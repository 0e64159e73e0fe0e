//! Checks what becomes of latencies.

use super::{bounds::Bounds, compiled::Collection, time, violations::Violations};
use crate::{
    failure::Reason,
    metric,
    proto::{self, GroupBy},
};

/// Leading bits that groups have of an IPv4 address, where nothing is said.
pub(crate) const IPV4_PREFIX: u32 = 24;
/// The same of an IPv6 address.
pub(crate) const IPV6_PREFIX: u32 = 48;
const GROUPS: u32 = 1024;
const GROUPS_MAX: u32 = 65_536;

/// Checks `spec.collection` for a session of these metrics.
pub(crate) fn compile(
    collection: &proto::Collection,
    metrics: u32,
    bounds: &Bounds,
    path: &str,
    violations: &mut Violations,
) -> Collection {
    let proto::Collection {
        max_samples_per_second,
        histograms_only,
        group_by,
        ipv4_prefix_length,
        ipv6_prefix_length,
        sample_min_latency,
        max_groups,
    } = collection;
    let mut within = |name: &str, value: u32, default: u32, most: u32| {
        if value > most {
            violations.add(
                Reason::FieldInvalid,
                format!("{path}.{name}"),
                format!("{value} is above {most}"),
            );
        }
        if value == 0 { default } else { value.min(most) }
    };
    let ipv4_prefix_length =
        within("ipv4_prefix_length", *ipv4_prefix_length, IPV4_PREFIX, 32) as u8;
    let ipv6_prefix_length =
        within("ipv6_prefix_length", *ipv6_prefix_length, IPV6_PREFIX, 128) as u8;
    let max_groups = within("max_groups", *max_groups, GROUPS, GROUPS_MAX);
    let sample_min_latency_ns = sample_min_latency
        .as_ref()
        .and_then(|it| {
            let field = format!("{path}.sample_min_latency");
            violations.take(Reason::DurationInvalid, field, time::duration_ns(it))
        })
        .unwrap_or(0);
    let mut keys = Vec::new();
    for (index, number) in group_by.iter().enumerate() {
        let key = known_key(*number, metrics).and_then(|key| {
            if keys.contains(&key) {
                Err(format!("{} is there twice", key.as_str_name()))
            } else {
                Ok(key)
            }
        });
        keys.extend(violations.take(
            Reason::FieldInvalid,
            format!("{path}.group_by[{index}]"),
            key,
        ));
    }
    Collection {
        max_samples_per_second: bounds.cap(*max_samples_per_second),
        histograms_only: *histograms_only,
        group_by: keys,
        ipv4_prefix_length,
        ipv6_prefix_length,
        sample_min_latency_ns,
        max_groups,
    }
}

fn known_key(number: i32, metrics: u32) -> Result<GroupBy, String> {
    let key = match GroupBy::try_from(number) {
        Ok(GroupBy::Unspecified) | Err(_) => {
            return Err(format!("{number} is not a key of groups"));
        }
        Ok(key) => key,
    };
    if metrics != 0 && !metric::rows(metrics).any(|row| row.group_by.contains(&key)) {
        return Err(format!(
            "no metric of the session has {}",
            key.as_str_name()
        ));
    }
    Ok(key)
}

impl From<&Collection> for proto::Collection {
    fn from(collection: &Collection) -> Self {
        let Collection {
            max_samples_per_second,
            histograms_only,
            group_by,
            ipv4_prefix_length,
            ipv6_prefix_length,
            sample_min_latency_ns,
            max_groups,
        } = collection;
        Self {
            max_samples_per_second: Some(*max_samples_per_second),
            histograms_only: *histograms_only,
            group_by: group_by.iter().map(|it| *it as i32).collect(),
            ipv4_prefix_length: u32::from(*ipv4_prefix_length),
            ipv6_prefix_length: u32::from(*ipv6_prefix_length),
            sample_min_latency: (*sample_min_latency_ns > 0)
                .then(|| time::duration(*sample_min_latency_ns)),
            max_groups: *max_groups,
        }
    }
}
