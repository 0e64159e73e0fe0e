//! Clauses joined by AND: what both allow, as clauses again.

use crate::{
    metric,
    proto::Metric,
    spec::{
        cidr::Cidr,
        clause::{cgroup_is_below, is_below},
        compiled::{Clause, Ports},
    },
};

use super::coverage;

/// Filters within targets: every clause joined by AND with every target, none that another holds. No filter is everything.
pub(crate) fn narrowed(filters: &[Clause], targets: &[Clause]) -> Vec<Clause> {
    let everything = [Clause::everything()];
    let filters = if filters.is_empty() {
        &everything
    } else {
        filters
    };
    let products = filters
        .iter()
        .flat_map(|filter| targets.iter().flat_map(|target| and(filter, target)));
    without_held(products.collect())
}

/// Leaves out what another clause matches anyway.
pub(super) fn without_held(clauses: Vec<Clause>) -> Vec<Clause> {
    let mut kept = Vec::<Clause>::new();
    for clause in clauses {
        if !kept.iter().any(|it| coverage::within(&clause, it)) {
            kept.retain(|it| !coverage::within(it, &clause));
            kept.push(clause);
        }
    }
    kept
}

/// What both match. Mostly one clause; where each asks for an address or a port of either side, one for each way in which both can
/// be right, and where both name subjects, one for those of DNS, which are suffixes.
pub(super) fn and(one: &Clause, other: &Clause) -> Vec<Clause> {
    let Some(common) = common(one, other) else {
        return Vec::new();
    };
    let addresses = either(&one.cidrs, &other.cidrs, cidr_meet);
    let ports = either(&one.ports, &other.ports, ports_meet);
    let subjects = subjects(common.metrics, &one.subjects, &other.subjects);
    let mut clauses = Vec::new();
    for addresses in &addresses {
        for ports in &ports {
            for (metrics, subjects) in &subjects {
                let whole = common.clone();
                clauses.extend(
                    with_addresses(whole, addresses)
                        .and_then(|it| with_ports(it, ports))
                        .map(|it| Clause {
                            metrics: *metrics,
                            subjects: subjects.clone(),
                            ..it
                        }),
                );
            }
        }
    }
    clauses
}

/// What both say of all but either side and subjects; `None` if they cannot both be right.
fn common(one: &Clause, other: &Clause) -> Option<Clause> {
    let directions = match (one.directions, other.directions) {
        (0, mask) | (mask, 0) => mask,
        (one, other) => Some(one & other).filter(|it| *it != 0)?,
    };
    Some(Clause {
        client_cidrs: meet(&one.client_cidrs, &other.client_cidrs, cidr_meet)?,
        server_cidrs: meet(&one.server_cidrs, &other.server_cidrs, cidr_meet)?,
        cidrs: Vec::new(),
        client_ports: meet(&one.client_ports, &other.client_ports, ports_meet)?,
        server_ports: meet(&one.server_ports, &other.server_ports, ports_meet)?,
        ports: Vec::new(),
        vlan_ids: meet(&one.vlan_ids, &other.vlan_ids, same)?,
        directions,
        protocols: meet(&one.protocols, &other.protocols, same)?,
        pids: meet(&one.pids, &other.pids, same)?,
        comms: meet(&one.comms, &other.comms, same)?,
        cgroup_paths: meet(&one.cgroup_paths, &other.cgroup_paths, cgroup_meet)?,
        subjects: Vec::new(),
        min_latency_ns: one.min_latency_ns.max(other.min_latency_ns),
        metrics: Some(one.metrics & other.metrics).filter(|it| *it != 0)?,
        interfaces: meet(&one.interfaces, &other.interfaces, |one, other| {
            one.meet(other)
        })?,
        network_namespaces: meet(&one.network_namespaces, &other.network_namespaces, same)?,
    })
}

/// What is in both lists, each empty one being no condition; `None` if nothing is.
pub(super) fn meet<T: Clone + PartialEq>(
    one: &[T],
    other: &[T],
    both: impl Fn(&T, &T) -> Option<T>,
) -> Option<Vec<T>> {
    if one.is_empty() || other.is_empty() {
        return Some([one, other].concat());
    }
    Some(pairs(one, other, both)).filter(|it| !it.is_empty())
}

fn pairs<T: Clone + PartialEq>(
    one: &[T],
    other: &[T],
    both: impl Fn(&T, &T) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for one in one {
        for it in other.iter().filter_map(|other| both(one, other)) {
            if !found.contains(&it) {
                found.push(it);
            }
        }
    }
    found
}

/// What is asked of the two sides of a flow; an empty list is no condition.
#[derive(Clone)]
struct Sides<T> {
    client: Vec<T>,
    server: Vec<T>,
    either: Vec<T>,
}

/// The ways in which both lists can be right of either side.
fn either<T: Clone + PartialEq>(
    one: &[T],
    other: &[T],
    both: impl Fn(&T, &T) -> Option<T>,
) -> Vec<Sides<T>> {
    let of_either = |list: &[T]| Sides {
        client: Vec::new(),
        server: Vec::new(),
        either: list.to_vec(),
    };
    let inside = |inner: &[T], outer: &[T]| {
        inner.iter().all(|it| {
            outer
                .iter()
                .any(|outer| both(it, outer).as_ref() == Some(it))
        })
    };
    if other.is_empty() || !one.is_empty() && inside(one, other) {
        return vec![of_either(one)];
    }
    if one.is_empty() || inside(other, one) {
        return vec![of_either(other)];
    }
    let crossed = |client: &[T], server: &[T]| Sides {
        client: client.to_vec(),
        server: server.to_vec(),
        either: Vec::new(),
    };
    let mut ways = vec![crossed(one, other), crossed(other, one)];
    let shared = pairs(one, other, both);
    if !shared.is_empty() {
        ways.push(of_either(&shared));
    }
    ways
}

fn with_addresses(clause: Clause, sides: &Sides<Cidr>) -> Option<Clause> {
    let client_cidrs = meet(&clause.client_cidrs, &sides.client, cidr_meet)?;
    let server_cidrs = meet(&clause.server_cidrs, &sides.server, cidr_meet)?;
    let cidrs = unless_held(&sides.either, [&client_cidrs, &server_cidrs], cidr_meet);
    Some(Clause {
        client_cidrs,
        server_cidrs,
        cidrs,
        ..clause
    })
}

fn with_ports(clause: Clause, sides: &Sides<Ports>) -> Option<Clause> {
    let client_ports = meet(&clause.client_ports, &sides.client, ports_meet)?;
    let server_ports = meet(&clause.server_ports, &sides.server, ports_meet)?;
    let ports = unless_held(&sides.either, [&client_ports, &server_ports], ports_meet);
    Some(Clause {
        client_ports,
        server_ports,
        ports,
        ..clause
    })
}

/// A condition on either side, unless what is asked of one side holds it.
fn unless_held<T: Clone + PartialEq>(
    either: &[T],
    sides: [&Vec<T>; 2],
    both: impl Fn(&T, &T) -> Option<T>,
) -> Vec<T> {
    let held = |side: &Vec<T>| {
        !side.is_empty()
            && side.iter().all(|it| {
                either
                    .iter()
                    .any(|outer| both(it, outer).as_ref() == Some(it))
            })
    };
    if sides.into_iter().any(held) {
        Vec::new()
    } else {
        either.to_vec()
    }
}

/// Subjects that both name, with the metrics that this is so for.
fn subjects(metrics: u32, one: &[String], other: &[String]) -> Vec<(u32, Vec<String>)> {
    if one.is_empty() || other.is_empty() {
        return vec![(metrics, [one, other].concat())];
    }
    let exact = pairs(one, other, same);
    let suffixes = pairs(one, other, |one, other| {
        if is_below(one, other) {
            Some(one.clone())
        } else {
            is_below(other, one).then(|| other.clone())
        }
    });
    let held = |name: &String| exact.iter().any(|it| is_below(name, it));
    let ways = if suffixes.iter().all(held) {
        vec![(metrics, exact)]
    } else {
        let dns = metric::bit(Metric::DnsReply);
        vec![
            (metrics & metric::all() & !dns, exact),
            (metrics & dns, suffixes),
        ]
    };
    ways.into_iter()
        .filter(|(metrics, subjects)| *metrics != 0 && !subjects.is_empty())
        .collect()
}

/// The narrower of two ranges, if they overlap.
fn cidr_meet(one: &Cidr, other: &Cidr) -> Option<Cidr> {
    if other.covers(one) {
        Some(*one)
    } else {
        one.covers(other).then_some(*other)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "lists are met by reference"
)]
fn ports_meet(one: &Ports, other: &Ports) -> Option<Ports> {
    let (first, last) = (one.first.max(other.first), one.last.min(other.last));
    (first <= last).then_some(Ports { first, last })
}

#[expect(clippy::ptr_arg, reason = "lists hold strings")]
fn cgroup_meet(one: &String, other: &String) -> Option<String> {
    if cgroup_is_below(one, other) {
        Some(one.clone())
    } else {
        cgroup_is_below(other, one).then(|| other.clone())
    }
}

fn same<T: Clone + PartialEq>(one: &T, other: &T) -> Option<T> {
    (one == other).then(|| one.clone())
}
