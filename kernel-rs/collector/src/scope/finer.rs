//! Refuses questions finer than what is withheld: a filter on one address tells which one it is, and halving finds it.

use super::Redaction;
use crate::{
    failure::{Failure, Reason},
    metric,
    proto::{GroupBy, SessionSpec, probe::Kind},
    spec::{
        cidr::Cidr,
        collection,
        compiled::{Clause, Collection, CompiledSpec},
        violations::Violations,
    },
};

/// Refuses what of a spec is finer; prefix lengths that it leaves open become no finer than they may be.
///
/// # Errors
/// `REDACTION_DENIED` with each field.
pub(super) fn refuse_spec(
    spec: &mut SessionSpec,
    compiled: &CompiledSpec,
    redaction: Redaction,
) -> Result<(), Failure> {
    if redaction.is_none() {
        return Ok(());
    }
    let mut violations = Violations::default();
    let metrics = compiled.metrics();
    for (clauses, path) in [
        (&compiled.filters, "spec.filters"),
        (&compiled.exclude, "spec.exclude"),
    ] {
        refuse_filters(clauses, path, metrics, redaction, &mut violations);
    }
    for probe in &compiled.probes {
        let field = match &probe.kind {
            Kind::UserFunction(it) if redaction.pid && it.pid != 0 => "user_function.pid",
            Kind::Socket(it) if redaction.cgroup && !it.cgroup_path.is_empty() => {
                "socket.cgroup_path"
            }
            _ => continue,
        };
        let field = format!("spec.probes[{}].{field}", probe.index);
        violations.add(Reason::RedactionDenied, field, WITHHELD);
    }
    let collection = spec.collection.get_or_insert_default();
    for (length, most, default) in [
        (
            &mut collection.ipv4_prefix_length,
            redaction.ipv4_prefix_length,
            collection::IPV4_PREFIX,
        ),
        (
            &mut collection.ipv6_prefix_length,
            redaction.ipv6_prefix_length,
            collection::IPV6_PREFIX,
        ),
    ] {
        if *length == 0 && default > u32::from(most) {
            // There is no prefix of no bits to group by; where nothing is told, the keys are refused.
            *length = u32::from(most).max(1);
        }
    }
    let lengths = [collection.ipv4_prefix_length, collection.ipv6_prefix_length];
    let [ipv4, ipv6] = lengths;
    let asked = Collection {
        ipv4_prefix_length: length_of(ipv4, collection::IPV4_PREFIX),
        ipv6_prefix_length: length_of(ipv6, collection::IPV6_PREFIX),
        ..compiled.collection.clone()
    };
    let keys = compiled.collection.group_by.iter().copied();
    let field = |at| format!("spec.collection.group_by[{at}]");
    refuse_keys(keys, &asked, redaction, field, &mut violations);
    violations.finish()
}

fn length_of(asked: u32, default: u32) -> u8 {
    let length = if asked == 0 { default } else { asked };
    u8::try_from(length).unwrap_or(u8::MAX)
}

const WITHHELD: &str = "is withheld from you: what would tell it cannot be asked for";

/// Refuses what of filters is finer; `metrics` are those that they can meet.
pub(crate) fn refuse_filters(
    clauses: &[Clause],
    path: &str,
    metrics: u32,
    redaction: Redaction,
    violations: &mut Violations,
) {
    for (at, clause) in clauses.iter().enumerate() {
        for (field, cidrs) in [
            ("client_cidrs", &clause.client_cidrs),
            ("server_cidrs", &clause.server_cidrs),
            ("cidrs", &clause.cidrs),
        ] {
            for (number, cidr) in cidrs.iter().enumerate() {
                let most = redaction.prefix_length(cidr.ipv4);
                if cidr.prefix_length > most {
                    violations.add(
                        Reason::RedactionDenied,
                        format!("{path}[{at}].{field}[{number}]"),
                        format!(
                            "{cidr} is finer than the prefixes of {most} bits that you see; {} is not",
                            Cidr::of(cidr.ipv4, &cidr.address, most)
                        ),
                    );
                }
            }
        }
        let silent = redaction.silent_subjects() & clause.metrics & metrics;
        for (field, refused) in [
            (
                "client_ports",
                redaction.ports && !clause.client_ports.is_empty(),
            ),
            (
                "server_ports",
                redaction.ports && !clause.server_ports.is_empty(),
            ),
            ("ports", redaction.ports && !clause.ports.is_empty()),
            ("pids", redaction.pid && !clause.pids.is_empty()),
            ("comms", redaction.comm && !clause.comms.is_empty()),
            (
                "cgroup_paths",
                redaction.cgroup && !clause.cgroup_paths.is_empty(),
            ),
            ("subjects", silent != 0 && !clause.subjects.is_empty()),
        ] {
            if refused {
                let field = format!("{path}[{at}].{field}");
                violations.add(Reason::RedactionDenied, field, WITHHELD);
            }
        }
    }
}

/// Refuses keys of groups that are finer; `collection` has the lengths of prefixes.
pub(crate) fn refuse_keys(
    keys: impl IntoIterator<Item = GroupBy>,
    collection: &Collection,
    redaction: Redaction,
    field: impl Fn(usize) -> String,
    violations: &mut Violations,
) {
    let prefixes = collection.ipv4_prefix_length > redaction.ipv4_prefix_length
        || collection.ipv6_prefix_length > redaction.ipv6_prefix_length;
    let silent = redaction.silent_subjects();
    let by_silent_subject =
        || metric::rows(silent).any(|row| row.group_by.contains(&GroupBy::Subject));
    for (at, key) in keys.into_iter().enumerate() {
        let finer = match key {
            GroupBy::ClientPrefix | GroupBy::ServerPrefix => prefixes,
            GroupBy::ServerPort => redaction.ports,
            GroupBy::Comm => redaction.comm,
            GroupBy::Cgroup => redaction.cgroup,
            GroupBy::Subject => by_silent_subject(),
            GroupBy::Unspecified
            | GroupBy::Interface
            | GroupBy::Protocol
            | GroupBy::Result
            | GroupBy::Node => false,
        };
        if finer {
            violations.add(
                Reason::RedactionDenied,
                field(at),
                format!(
                    "groups by {} are finer than what you see of samples; leave the key out or make its prefixes shorter",
                    key.as_str_name()
                ),
            );
        }
    }
}
