//! Checks filters: of sessions and of readers.

use super::{
    cidr::Cidr,
    compiled::{Clause, Ports},
    interface::InterfacePattern,
    time,
    violations::Violations,
};
use crate::{
    failure::Reason,
    metric::{self, EngineKind, FilterField, Row},
    proto::{Direction, Filter, IpProtocol, Metric, PortRange},
};

/// Most clauses in one list: one bit of a word for each.
pub(crate) const CLAUSES_MAX: usize = 64;
/// Most values in one field of a clause.
const VALUES_MAX: usize = 1024;
/// Highest VLAN id (IEEE 802.1Q).
const VLAN_MAX: u32 = 4094;
/// Longest name of a task, in bytes (`TASK_COMM_LEN` without its NUL).
const COMM_MAX: usize = 15;

/// Whose filters they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Evaluated in the kernel.
    Session,
    /// Evaluated for one reader.
    Reader,
}

/// Checks a list of clauses; what comes back is whole only if nothing was noted.
pub(crate) fn compile_all(
    filters: &[Filter],
    path: &str,
    side: Side,
    violations: &mut Violations,
) -> Vec<Clause> {
    violations.bound(path, filters.len(), CLAUSES_MAX);
    let clauses = filters.iter().enumerate();
    clauses
        .map(|(index, filter)| compile(filter, &format!("{path}[{index}]"), side, violations))
        .collect()
}

/// Checks the clauses of `exclude`: one without any condition would exclude everything.
pub(crate) fn compile_exclude(
    filters: &[Filter],
    path: &str,
    side: Side,
    violations: &mut Violations,
) -> Vec<Clause> {
    for (index, filter) in filters.iter().enumerate() {
        if *filter == Filter::default() {
            violations.add(
                Reason::FieldInvalid,
                format!("{path}[{index}]"),
                "has no condition and excludes everything",
            );
        }
    }
    compile_all(filters, path, side, violations)
}

/// The filter as the service understood it: ranges without host bits, ports with both ends.
impl From<&Clause> for Filter {
    fn from(clause: &Clause) -> Self {
        let Clause {
            client_cidrs,
            server_cidrs,
            cidrs,
            client_ports,
            server_ports,
            ports,
            vlan_ids,
            directions,
            protocols,
            pids,
            comms,
            cgroup_paths,
            subjects,
            min_latency_ns,
            metrics,
            interfaces,
            network_namespaces,
        } = clause;
        let ranges = |cidrs: &[Cidr]| cidrs.iter().map(Cidr::to_string).collect();
        let port_ranges = |ports: &[Ports]| {
            ports
                .iter()
                .map(|it| PortRange {
                    first: it.first.into(),
                    last: it.last.into(),
                })
                .collect()
        };
        Self {
            client_cidrs: ranges(client_cidrs),
            server_cidrs: ranges(server_cidrs),
            cidrs: ranges(cidrs),
            client_ports: port_ranges(client_ports),
            server_ports: port_ranges(server_ports),
            ports: port_ranges(ports),
            vlan_ids: vlan_ids.iter().copied().map(u32::from).collect(),
            directions: numbers(*directions),
            pids: pids.clone(),
            comms: comms.clone(),
            cgroup_paths: cgroup_paths.clone(),
            min_latency: (*min_latency_ns > 0).then(|| time::duration(*min_latency_ns)),
            metrics: if *metrics == u32::MAX {
                Vec::new()
            } else {
                numbers(*metrics)
            },
            protocols: protocols.iter().copied().map(i32::from).collect(),
            subjects: subjects.clone(),
            interfaces: interfaces.iter().map(InterfacePattern::to_string).collect(),
            network_namespaces: network_namespaces.clone(),
        }
    }
}

/// The numbers of the bits that are set.
fn numbers(mask: u32) -> Vec<i32> {
    (0..32).filter(|bit| mask >> bit & 1 != 0).collect()
}

fn compile(filter: &Filter, path: &str, side: Side, violations: &mut Violations) -> Clause {
    let Filter {
        client_cidrs,
        server_cidrs,
        cidrs,
        client_ports,
        server_ports,
        ports,
        vlan_ids,
        directions,
        pids,
        comms,
        cgroup_paths,
        min_latency,
        metrics,
        protocols,
        subjects,
        interfaces,
        network_namespaces,
    } = filter;
    let mut fields = Fields { path, violations };
    let clause = Clause {
        client_cidrs: fields.map("client_cidrs", client_cidrs, Reason::CidrInvalid, |it| {
            Cidr::parse(it)
        }),
        server_cidrs: fields.map("server_cidrs", server_cidrs, Reason::CidrInvalid, |it| {
            Cidr::parse(it)
        }),
        cidrs: fields.map("cidrs", cidrs, Reason::CidrInvalid, |it| Cidr::parse(it)),
        client_ports: fields.ranges("client_ports", client_ports),
        server_ports: fields.ranges("server_ports", server_ports),
        ports: fields.ranges("ports", ports),
        vlan_ids: fields.map("vlan_ids", vlan_ids, Reason::FieldInvalid, |it| vlan(*it)),
        directions: fields
            .map("directions", directions, Reason::FieldInvalid, |it| {
                direction(*it)
            })
            .into_iter()
            .fold(0, |mask, it| mask | 1 << it as u32),
        protocols: fields.map("protocols", protocols, Reason::FieldInvalid, |it| {
            protocol(*it)
        }),
        pids: fields.map("pids", pids, Reason::FieldInvalid, |it| pid(*it)),
        comms: fields.map("comms", comms, Reason::FieldInvalid, |it| comm(it)),
        cgroup_paths: fields.map("cgroup_paths", cgroup_paths, Reason::FieldInvalid, |it| {
            cgroup(it)
        }),
        subjects: fields.map("subjects", subjects, Reason::FieldInvalid, |it| subject(it)),
        min_latency_ns: min_latency
            .as_ref()
            .and_then(|it| {
                fields.take(
                    "min_latency",
                    Reason::DurationInvalid,
                    time::duration_ns(it),
                )
            })
            .unwrap_or(0),
        metrics: match fields.map("metrics", metrics, Reason::MetricInvalid, |it| {
            known_metric(*it)
        }) {
            known if known.is_empty() => u32::MAX,
            known => known.into_iter().fold(0, |mask, it| mask | metric::bit(it)),
        },
        interfaces: fields.map("interfaces", interfaces, Reason::FieldInvalid, |it| {
            InterfacePattern::parse(it)
        }),
        network_namespaces: fields.map(
            "network_namespaces",
            network_namespaces,
            Reason::FieldInvalid,
            |it| Ok(*it),
        ),
    };
    if side == Side::Session {
        refuse_reader_fields(filter, path, violations);
    }
    clause
}

/// What only readers can ask for.
fn refuse_reader_fields(filter: &Filter, path: &str, violations: &mut Violations) {
    for (field, asked, instead) in [
        (
            "min_latency",
            filter.min_latency.is_some(),
            "withholds fast samples with collection.sample_min_latency",
        ),
        (
            "interfaces",
            !filter.interfaces.is_empty(),
            "looks at spec.interfaces",
        ),
        (
            "network_namespaces",
            !filter.network_namespaces.is_empty(),
            "looks into spec.network_namespaces",
        ),
    ] {
        if asked {
            violations.add(
                Reason::FieldInvalid,
                format!("{path}.{field}"),
                format!("is for readers; a session {instead}"),
            );
        }
    }
}

/// The fields of one clause on their way through the checks.
struct Fields<'a> {
    path: &'a str,
    violations: &'a mut Violations,
}

impl Fields<'_> {
    fn take<T>(&mut self, name: &str, reason: Reason, result: Result<T, String>) -> Option<T> {
        self.violations
            .take(reason, format!("{}.{name}", self.path), result)
    }

    fn map<T, U>(
        &mut self,
        name: &str,
        values: &[T],
        reason: Reason,
        parse: impl Fn(&T) -> Result<U, String>,
    ) -> Vec<U> {
        self.violations
            .bound(&format!("{}.{name}", self.path), values.len(), VALUES_MAX);
        let values = values.iter().take(VALUES_MAX).enumerate();
        values
            .filter_map(|(index, it)| self.take(&format!("{name}[{index}]"), reason, parse(it)))
            .collect()
    }

    fn ranges(&mut self, name: &str, ranges: &[PortRange]) -> Vec<Ports> {
        self.violations
            .bound(&format!("{}.{name}", self.path), ranges.len(), VALUES_MAX);
        let ranges = ranges.iter().take(VALUES_MAX).enumerate();
        ranges
            .filter_map(|(index, range)| {
                port_range(
                    *range,
                    &format!("{}.{name}[{index}]", self.path),
                    self.violations,
                )
            })
            .collect()
    }
}

fn port_range(range: PortRange, path: &str, violations: &mut Violations) -> Option<Ports> {
    let PortRange { first, last } = range;
    if first == 0 && last == 0 {
        violations.add(
            Reason::PortInvalid,
            format!("{path}.first"),
            "must be set: a port from 1 to 65535",
        );
        return None;
    }
    let first = violations.take(Reason::PortInvalid, format!("{path}.first"), port(first))?;
    if last == 0 {
        return Some(Ports { first, last: first });
    }
    let last = violations.take(Reason::PortInvalid, format!("{path}.last"), port(last))?;
    if last < first {
        violations.add(
            Reason::PortInvalid,
            format!("{path}.last"),
            format!("{last} is below first ({first})"),
        );
        return None;
    }
    Some(Ports { first, last })
}

/// A port number.
pub(crate) fn port(number: u32) -> Result<u16, String> {
    number
        .try_into()
        .map_err(|_| format!("{number} is not a port (at most 65535)"))
}

fn vlan(id: u32) -> Result<u16, String> {
    if id > VLAN_MAX {
        Err(format!("{id} is not a VLAN id (0 to {VLAN_MAX})"))
    } else {
        Ok(id as u16)
    }
}

fn direction(number: i32) -> Result<Direction, String> {
    match Direction::try_from(number) {
        Ok(Direction::Unspecified) | Err(_) => Err(format!("{number} is not a direction")),
        Ok(direction) => Ok(direction),
    }
}

fn protocol(number: i32) -> Result<u8, String> {
    match IpProtocol::try_from(number) {
        Ok(IpProtocol::Unspecified) | Err(_) => {
            Err(format!("{number} is not a protocol latscope follows"))
        }
        Ok(protocol) => Ok(protocol as u8),
    }
}

/// A metric by its number.
pub(crate) fn known_metric(number: i32) -> Result<Metric, String> {
    match Metric::try_from(number) {
        Ok(Metric::Unspecified) | Err(_) => Err(format!("{number} is not a metric")),
        Ok(metric) => Ok(metric),
    }
}

fn pid(number: u32) -> Result<u32, String> {
    if number == 0 || i32::try_from(number).is_err() {
        Err(format!("{number} is not a process id"))
    } else {
        Ok(number)
    }
}

fn comm(name: &str) -> Result<String, String> {
    if name.is_empty() || name.len() > COMM_MAX {
        Err(format!(
            "{name:?} is not the name of a task (1 to {COMM_MAX} bytes)"
        ))
    } else {
        Ok(name.into())
    }
}

/// A path below the root of cgroup v2, without a final slash.
pub(crate) fn cgroup(path: &str) -> Result<String, String> {
    if path.starts_with('/') && !path.contains('\0') && !path.split('/').any(|it| it == "..") {
        Ok(match path.trim_end_matches('/') {
            "" => "/".into(),
            trimmed => trimmed.into(),
        })
    } else {
        Err(format!(
            "{path:?} is not a cgroup path (absolute, from the root of cgroup v2)"
        ))
    }
}

fn subject(name: &str) -> Result<String, String> {
    if name.is_empty() {
        Err("is empty".into())
    } else {
        Ok(name.into())
    }
}

/// Whether a cgroup is another or below it.
pub(crate) fn cgroup_is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a DNS name is a domain or below it.
pub(crate) fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_matches('.'));
    let Some(at) = name.len().checked_sub(domain.len()) else {
        return false;
    };
    name.is_char_boundary(at)
        && name[at..].eq_ignore_ascii_case(domain)
        && (domain.is_empty() || at == 0 || name[..at].ends_with('.'))
}

impl Clause {
    /// Whether the clause can match a metric at all: it speaks of it, and the metric has each of the clause's fields.
    #[must_use]
    pub fn can_match(&self, row: &Row) -> bool {
        self.metrics & metric::bit(row.metric) != 0
            && self
                .fields()
                .all(|field| row.filter_fields.contains(&field))
            && (row.engine == EngineKind::Packet || self.is_of_any_place())
            && (self.protocols.is_empty()
                || row
                    .protocols
                    .iter()
                    .any(|it| self.protocols.contains(&(*it as u8))))
    }

    /// Whether it asks for no interface and no network namespace, which only what the packet engine measures has.
    pub(crate) fn is_of_any_place(&self) -> bool {
        self.interfaces.is_empty() && self.network_namespaces.is_empty()
    }

    /// The fields that hold a condition.
    fn fields(&self) -> impl Iterator<Item = FilterField> {
        [
            (FilterField::ClientCidrs, self.client_cidrs.is_empty()),
            (FilterField::ServerCidrs, self.server_cidrs.is_empty()),
            (FilterField::Cidrs, self.cidrs.is_empty()),
            (FilterField::ClientPorts, self.client_ports.is_empty()),
            (FilterField::ServerPorts, self.server_ports.is_empty()),
            (FilterField::Ports, self.ports.is_empty()),
            (FilterField::VlanIds, self.vlan_ids.is_empty()),
            (FilterField::Directions, self.directions == 0),
            (FilterField::Protocols, self.protocols.is_empty()),
            (FilterField::Pids, self.pids.is_empty()),
            (FilterField::Comms, self.comms.is_empty()),
            (FilterField::CgroupPaths, self.cgroup_paths.is_empty()),
            (FilterField::Subjects, self.subjects.is_empty()),
        ]
        .into_iter()
        .filter_map(|(field, empty)| (!empty).then_some(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_matched_by_labels() {
        assert!(is_below("www.Example.com", "example.com"));
        assert!(is_below("example.com", ".example.com"));
        assert!(is_below("www.example.com.", "example.com"));
        assert!(!is_below("badexample.com", "example.com"));
        assert!(!is_below("com", "example.com"));
    }

    #[test]
    fn a_cgroup_is_below_whole_names() {
        assert!(cgroup_is_below("/a/b", "/a") && cgroup_is_below("/a", "/a"));
        assert!(cgroup_is_below("/a", "/"));
        assert!(!cgroup_is_below("/ab", "/a") && !cgroup_is_below("/a", "/a/b"));
    }
}
