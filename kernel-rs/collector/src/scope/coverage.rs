//! Whether targets hold everything that a session measures.

use super::place;
use crate::{
    metric::{self, Row},
    proto::Metric,
    spec::{
        cidr::Cidr,
        clause::cgroup_is_below,
        compiled::{Clause, CompiledSpec, Ports},
    },
};

/// Whether filters of a session leave nothing that is in no target. Sound, not complete: `true` is sure.
pub(crate) fn covers(targets: &[Clause], spec: &CompiledSpec, filters: &[Clause]) -> bool {
    let everything = [Clause::everything()];
    let filters = if filters.is_empty() {
        &everything
    } else {
        filters
    };
    metric::rows(spec.metrics()).all(|row| {
        let held = |filter: &Clause| {
            targets.iter().any(|target| {
                target.can_match(row)
                    && holds(target, filter, Some(row))
                    && place::holds(target, spec)
            })
        };
        filters.iter().filter(|it| it.can_match(row)).all(held)
    })
}

/// Whether all that `inner` matches `outer` matches too. Sound, not complete.
pub(super) fn within(inner: &Clause, outer: &Clause) -> bool {
    let metrics = |clause: &Clause| clause.metrics & metric::all();
    let places = |inner: &Clause, outer: &Clause| {
        (outer.interfaces.is_empty()
            || all_in(&inner.interfaces, &outer.interfaces, |one, other| {
                one.is_within(other)
            }))
            && (outer.network_namespaces.is_empty()
                || all_in(
                    &inner.network_namespaces,
                    &outer.network_namespaces,
                    PartialEq::eq,
                ))
    };
    metrics(inner) & !metrics(outer) == 0 && holds(outer, inner, None) && places(inner, outer)
}

/// The same but for metrics and places; with a row, of that metric alone.
fn holds(outer: &Clause, inner: &Clause, row: Option<&Row>) -> bool {
    let cidr = |one: &Cidr, other: &Cidr| other.covers(one);
    let ports = |one: &Ports, other: &Ports| other.first <= one.first && one.last <= other.last;
    // Names of DNS are not looked at in the kernel.
    let named = row.is_none_or(|row| row.metric != Metric::DnsReply);
    let protocols_of = |row: &Row| {
        !row.protocols.is_empty()
            && row
                .protocols
                .iter()
                .all(|it| outer.protocols.contains(&(*it as u8)))
    };
    asked(&outer.client_cidrs, &[&inner.client_cidrs], cidr)
        && asked(&outer.server_cidrs, &[&inner.server_cidrs], cidr)
        && asked(
            &outer.cidrs,
            &[&inner.cidrs, &inner.client_cidrs, &inner.server_cidrs],
            cidr,
        )
        && asked(&outer.client_ports, &[&inner.client_ports], ports)
        && asked(&outer.server_ports, &[&inner.server_ports], ports)
        && asked(
            &outer.ports,
            &[&inner.ports, &inner.client_ports, &inner.server_ports],
            ports,
        )
        && asked(&outer.vlan_ids, &[&inner.vlan_ids], PartialEq::eq)
        && (outer.directions == 0
            || inner.directions != 0 && inner.directions & !outer.directions == 0)
        && (asked(&outer.protocols, &[&inner.protocols], PartialEq::eq)
            || row.is_some_and(protocols_of))
        && asked(&outer.pids, &[&inner.pids], PartialEq::eq)
        && asked(&outer.comms, &[&inner.comms], PartialEq::eq)
        && asked(&outer.cgroup_paths, &[&inner.cgroup_paths], |one, other| {
            cgroup_is_below(one, other)
        })
        && (outer.subjects.is_empty()
            || named && all_in(&inner.subjects, &outer.subjects, PartialEq::eq))
        && outer.min_latency_ns <= inner.min_latency_ns
}

/// Nothing is asked, or one of the lists asks for no more.
fn asked<T>(outer: &[T], inner: &[&Vec<T>], within: impl Fn(&T, &T) -> bool) -> bool {
    outer.is_empty() || inner.iter().any(|it| all_in(it, outer, &within))
}

/// There is a condition, and each of its values is within another's.
fn all_in<T>(inner: &[T], outer: &[T], within: impl Fn(&T, &T) -> bool) -> bool {
    !inner.is_empty()
        && inner
            .iter()
            .all(|it| outer.iter().any(|outer| within(it, outer)))
}
