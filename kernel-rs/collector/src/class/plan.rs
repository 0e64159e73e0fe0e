//! From lanes to the tables that the programs classify flows with.

use latscope_events::{
    config::{CAP_PLANES, Clauses, Config, TrieKey, field},
    counter,
    flow::GROUPS,
    metric::PACKET_METRICS,
    options::Options,
    series::GROUPINGS,
};
use latscope_matching::exchange::IDLE_NS;

use super::{
    asked,
    grouping::Grouping,
    lane::Lane,
    prefix::{Accepts, Prefix},
};
use crate::{
    failure::{Failure, Reason},
    spec::{
        cidr::Cidr,
        compiled::{Clause, Ports},
    },
    wire::zero,
};

/// A lane in its place.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'a> {
    /// Its bit.
    pub(crate) bit: u32,
    /// The flow group of its session.
    pub(crate) group: usize,
    /// How the group looks at packets.
    pub(crate) look: Look,
    /// The generation since which the group has looked.
    pub(crate) since: u32,
    /// What it stands for.
    pub(crate) lane: &'a Lane,
}

/// How a flow group looks at packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Inside tunnels.
    pub(crate) inner: bool,
    /// Flows are told apart without their VLAN.
    pub(crate) ignore_vlan: bool,
    /// ns of silence after which a datagram starts a new exchange.
    pub(crate) idle_ns: u64,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            inner: false,
            ignore_vlan: false,
            idle_ns: IDLE_NS,
        }
    }
}

/// One generation of the session set.
pub(crate) struct Plan {
    /// The plain tables.
    pub(crate) config: Config,
    /// What sessions ask of single metrics.
    pub(crate) options: Box<Options>,
    /// Prefix length, key, value.
    pub(crate) trie: Vec<(u32, TrieKey, Clauses)>,
    /// Ways of grouping, by their index in the tables.
    pub(crate) groupings: Vec<Grouping>,
}

const IPV6: u32 = field::IPV6;
const ADDRESS_FIELDS: [u32; 3] = [field::CLIENT, field::SERVER, field::EITHER];
const NUMBER_FIELDS: [u32; 4] = [
    field::CLIENT_PORT,
    field::SERVER_PORT,
    field::EITHER_PORT,
    field::VLAN,
];

/// Makes the tables of bank `bank`.
///
/// # Errors
/// `CAPACITY_EXHAUSTED` when the sessions group in more ways than the programs have room for.
pub(crate) fn make(lanes: &[Placed<'_>], bank: u32) -> Result<Plan, Failure> {
    let mut config: Config = zero();
    for placed in lanes {
        enter(&mut config, placed);
    }
    let groupings = group(&mut config, lanes)?;
    let mut trie = Vec::new();
    for exclude in [0, field::EXCLUDE] {
        for field in ADDRESS_FIELDS {
            if config.fields & field != 0 {
                for family in [0, IPV6] {
                    let accepts = addresses(lanes, field, family == IPV6, exclude != 0);
                    trie.extend(accepts.entries(field | family | exclude, bank));
                }
            }
        }
        for field in NUMBER_FIELDS {
            if config.fields & field != 0 {
                let accepts = numbers(lanes, field, exclude != 0);
                trie.extend(accepts.entries(field | exclude, bank));
            }
        }
    }
    trie.extend(asked::entries(lanes, bank));
    Ok(Plan {
        config,
        options: asked::options(lanes),
        trie,
        groupings,
    })
}

/// Enters a lane into the tables that are not searched.
fn enter(config: &mut Config, placed: &Placed<'_>) {
    let Placed {
        bit,
        group,
        look,
        since,
        lane,
    } = *placed;
    let mask = 1 << bit;
    for (metric, wants) in config.wants.iter_mut().enumerate().take(PACKET_METRICS) {
        if lane.metrics >> metric & 1 != 0 {
            *wants |= mask;
        }
    }
    config.group[group % GROUPS] |= mask;
    config.groups |= 1 << group;
    config.since[group % GROUPS] = since;
    config.inner |= u32::from(look.inner) << group;
    config.ignore_vlan |= u32::from(look.ignore_vlan) << group;
    if lane.filters.is_empty() {
        config.unfiltered |= mask;
    }
    if !lane.exclude.is_empty() {
        config.excluding |= mask;
    }
    if !lane.histograms_only {
        config.sampled |= mask;
    }
    for (exponent, faster) in config.faster.iter_mut().enumerate() {
        // Every latency of this exponent is faster.
        if (2_u128 << exponent) <= u128::from(lane.min_latency_ns) {
            *faster |= mask;
        }
    }
    if lane.cap > 0 && lane.cap < 1 << CAP_PLANES {
        config.capped |= mask;
        counter::write(
            &mut config.cap,
            bit,
            (1 << CAP_PLANES) - u64::from(lane.cap),
        );
    }
    for (clauses, exclude) in [(&lane.filters, false), (&lane.exclude, true)] {
        for (index, clause) in clauses.iter().enumerate() {
            config.fields |= fields(clause);
            let directions = if exclude {
                &mut config.exclude_direction
            } else {
                &mut config.direction
            };
            for (direction, accepts) in directions.iter_mut().enumerate() {
                if clause.directions == 0 || clause.directions >> direction & 1 != 0 {
                    accepts[index] |= mask;
                }
            }
        }
    }
}

/// Enters the ways in which the lanes group.
fn group(config: &mut Config, lanes: &[Placed<'_>]) -> Result<Vec<Grouping>, Failure> {
    let mut groupings: Vec<(Grouping, u64)> = Vec::new();
    for placed in lanes {
        let grouping = placed.lane.grouping;
        match groupings.iter_mut().find(|(it, _)| *it == grouping) {
            Some((_, sessions)) => *sessions |= 1 << placed.bit,
            None => groupings.push((grouping, 1 << placed.bit)),
        }
    }
    if groupings.len() > GROUPINGS {
        let text = format!(
            "sessions group their histograms in {GROUPINGS} different ways already; use the group_by and prefix lengths of one of them, or stop one"
        );
        return Err(Failure::new(Reason::CapacityExhausted, text.clone())
            .with_quota("histogram groupings", text));
    }
    config.groupings = groupings.len() as u32;
    for (entry, (grouping, sessions)) in config.grouping.iter_mut().zip(&groupings) {
        *entry = grouping.table(*sessions);
    }
    Ok(groupings
        .into_iter()
        .map(|(grouping, _)| grouping)
        .collect())
}

/// Fields that a clause asks for.
fn fields(clause: &Clause) -> u32 {
    let mut fields = 0;
    for field in ADDRESS_FIELDS {
        if !cidrs_of(clause, field).is_empty() {
            fields |= field;
        }
    }
    for field in NUMBER_FIELDS {
        if !numbers_of(clause, field).is_empty() {
            fields |= field;
        }
    }
    fields
}

fn cidrs_of(clause: &Clause, field: u32) -> &[Cidr] {
    match field {
        field::CLIENT => &clause.client_cidrs,
        field::SERVER => &clause.server_cidrs,
        _ => &clause.cidrs,
    }
}

fn numbers_of(clause: &Clause, field: u32) -> Vec<Prefix> {
    let ports = |ranges: &[Ports]| ranges.iter().copied().flat_map(Prefix::of_ports).collect();
    match field {
        field::CLIENT_PORT => ports(&clause.client_ports),
        field::SERVER_PORT => ports(&clause.server_ports),
        field::EITHER_PORT => ports(&clause.ports),
        _ => clause
            .vlan_ids
            .iter()
            .copied()
            .map(Prefix::of_number)
            .collect(),
    }
}

/// Every clause with its index and its lane's bit.
fn clauses<'a>(
    lanes: &'a [Placed<'a>],
    exclude: bool,
) -> impl Iterator<Item = (u32, usize, &'a Clause)> {
    lanes.iter().flat_map(move |placed| {
        let list = if exclude {
            &placed.lane.exclude
        } else {
            &placed.lane.filters
        };
        list.iter()
            .enumerate()
            .map(|(index, clause)| (placed.bit, index, clause))
    })
}

fn addresses(lanes: &[Placed<'_>], field: u32, ipv6: bool, exclude: bool) -> Accepts {
    let mut accepts = Accepts::default();
    for (bit, index, clause) in clauses(lanes, exclude) {
        let cidrs = cidrs_of(clause, field);
        if cidrs.is_empty() {
            accepts.accept(Prefix::ANY, index, bit);
        }
        for cidr in cidrs.iter().filter(|it| it.ipv4 != ipv6) {
            accepts.accept(Prefix::of_cidr(cidr), index, bit);
        }
    }
    accepts
}

fn numbers(lanes: &[Placed<'_>], field: u32, exclude: bool) -> Accepts {
    let mut accepts = Accepts::default();
    for (bit, index, clause) in clauses(lanes, exclude) {
        let numbers = numbers_of(clause, field);
        if numbers.is_empty() {
            accepts.accept(Prefix::ANY, index, bit);
        }
        for prefix in numbers {
            accepts.accept(prefix, index, bit);
        }
    }
    accepts
}
