//! Checks what a client asks for and turns it into what engines and readers want.

mod bounds;
pub mod cidr;
pub(crate) mod clause;
pub(crate) mod collection;
pub mod compiled;
pub mod interface;
mod limits;
pub(crate) mod probe;
pub(crate) mod time;
pub(crate) mod violations;

use interface::InterfacePattern;
use violations::Violations;

pub use bounds::Bounds;
pub use compiled::CompiledSpec;

use crate::{
    failure::{Failure, Reason},
    metric,
    proto::{self, Filter, Metric, Probe, SessionSpec},
    spec::{
        clause::Side,
        compiled::{Clause, CompiledProbe, Namespace},
    },
};

/// Most interfaces or network namespaces that a session names.
const PLACES_MAX: usize = 256;

/// A spec that passed [`check`].
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// For the client: with defaults filled in.
    pub effective: SessionSpec,
    /// For engines.
    pub compiled: CompiledSpec,
    /// What the host granted.
    pub bounds: Bounds,
}

/// As [`check_within`], within the bounds that hold where nobody configured others.
///
/// # Errors
/// Those of [`check_within`].
pub fn check(spec: &SessionSpec) -> Result<Checked, Failure> {
    check_within(spec, Bounds::default())
}

/// Checks every field of a spec, whatever the host, and fills in and clamps what it asks for.
///
/// # Errors
/// `INVALID_ARGUMENT` with a violation for each wrong field. Paths begin with `spec.`.
pub fn check_within(spec: &SessionSpec, bounds: Bounds) -> Result<Checked, Failure> {
    let mut violations = Violations::default();
    let probes = compile_probes(&spec.probes, &mut violations);
    let metrics = probes.iter().fold(0, |mask, it| mask | it.metrics);
    let filters = clause::compile_all(
        &spec.filters,
        "spec.filters",
        Side::Session,
        &mut violations,
    );
    let exclude = clause::compile_exclude(
        &spec.exclude,
        "spec.exclude",
        Side::Session,
        &mut violations,
    );
    probe::refuse_contradictions(&probes, &mut violations);
    refuse_unmatchable(&probes, &filters, &mut violations);
    for (clauses, path) in [(&filters, "spec.filters"), (&exclude, "spec.exclude")] {
        refuse_names(metrics, clauses, path, &mut violations);
    }
    let interfaces = places(
        &spec.interfaces,
        "spec.interfaces",
        &mut violations,
        InterfacePattern::parse,
    );
    let network_namespaces = places(
        &spec.network_namespaces,
        "spec.network_namespaces",
        &mut violations,
        namespace,
    );
    let collection = collection::compile(
        &spec.collection.clone().unwrap_or_default(),
        metrics,
        &bounds,
        "spec.collection",
        &mut violations,
    );
    let limits = limits::compile(
        &spec.limits.unwrap_or_default(),
        &bounds,
        "spec.limits",
        &mut violations,
    );
    violations.finish()?;
    let packet = spec.packet.unwrap_or_default();
    let compiled = CompiledSpec {
        probes,
        filters,
        exclude,
        interfaces,
        network_namespaces,
        collection,
        limits,
        inner: packet.inner,
        ignore_vlan: packet.ignore_vlan,
    };
    Ok(Checked {
        effective: effective(spec, &compiled),
        compiled,
        bounds,
    })
}

impl Checked {
    /// The same, with at most so many individual samples a second and CPU; `None` changes nothing.
    #[must_use]
    pub(crate) fn thinned(mut self, samples_per_second: Option<u32>) -> Self {
        if let Some(most) = samples_per_second {
            let granted = &mut self.compiled.collection.max_samples_per_second;
            // 0 = no cap.
            if *granted == 0 || *granted > most {
                *granted = most;
            }
            let effective = self.effective.collection.get_or_insert_default();
            effective.max_samples_per_second = Some(*granted);
        }
        self
    }

    /// Checks that an update touches only what may change while a session runs.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with each field that is fixed at creation and differs.
    pub fn check_update_of(&self, old: &CompiledSpec) -> Result<(), Failure> {
        let new = &self.compiled;
        let mut violations = Violations::default();
        for (field, same) in [
            ("spec.probes", new.probes == old.probes),
            ("spec.interfaces", new.interfaces == old.interfaces),
            (
                "spec.network_namespaces",
                new.network_namespaces == old.network_namespaces,
            ),
            (
                "spec.packet",
                (new.inner, new.ignore_vlan) == (old.inner, old.ignore_vlan),
            ),
        ] {
            if !same {
                violations.add(Reason::FieldInvalid, field, "is fixed at creation");
            }
        }
        violations.finish()
    }
}

/// The metrics of probes that are right, of those that are not checked yet: bit n is `Metric` n.
pub(crate) fn metrics_of(probes: &[Probe]) -> u32 {
    let probes = compile_probes(probes, &mut Violations::default());
    probes.iter().fold(0, |mask, it| mask | it.metrics)
}

fn compile_probes(probes: &[Probe], violations: &mut Violations) -> Vec<CompiledProbe> {
    if probes.is_empty() {
        violations.add(
            Reason::FieldRequired,
            "spec.probes",
            "must hold at least one probe",
        );
    }
    violations.bound("spec.probes", probes.len(), probe::PROBES_MAX);
    let probes = probes.iter().take(probe::PROBES_MAX).enumerate();
    probes
        .filter_map(|(index, it)| {
            probe::compile(it, index, &format!("spec.probes[{index}]"), violations)
        })
        .collect()
}

fn refuse_unmatchable(probes: &[CompiledProbe], filters: &[Clause], violations: &mut Violations) {
    if filters.is_empty() {
        return;
    }
    for probe in probes {
        let mut rows = metric::rows(probe.metrics).peekable();
        if rows.peek().is_some()
            && !rows.any(|row| filters.iter().any(|clause| clause.can_match(row)))
        {
            let fields = metric::rows(probe.metrics)
                .flat_map(|row| row.filter_fields)
                .map(|it| it.name());
            let fields = fields.fold(Vec::new(), |mut seen, name| {
                if !seen.contains(&name) {
                    seen.push(name);
                }
                seen
            });
            violations.add(
                Reason::FilterUnmatchable,
                format!("spec.probes[{}]", probe.index),
                format!(
                    "no clause of spec.filters can match it; it can be filtered by {}",
                    fields.join(", ")
                ),
            );
        }
    }
}

/// Names of DNS are not looked at in the kernel.
fn refuse_names(metrics: u32, clauses: &[Clause], path: &str, violations: &mut Violations) {
    let dns = metric::rows(metrics & metric::bit(Metric::DnsReply)).next();
    for (index, clause) in clauses.iter().enumerate() {
        if !clause.subjects.is_empty() && dns.is_some_and(|row| clause.can_match(row)) {
            violations.add(
                Reason::FieldInvalid,
                format!("{path}[{index}].subjects"),
                "names of DNS are for readers; let the clause speak of other metrics, or filter the stream by them",
            );
        }
    }
}

fn places<T>(
    texts: &[String],
    path: &str,
    violations: &mut Violations,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    violations.bound(path, texts.len(), PLACES_MAX);
    let texts = texts.iter().take(PLACES_MAX).enumerate();
    texts
        .filter_map(|(index, text)| {
            violations.take(
                Reason::FieldInvalid,
                format!("{path}[{index}]"),
                parse(text),
            )
        })
        .collect()
}

fn namespace(text: &str) -> Result<Namespace, String> {
    let pid = text
        .strip_prefix("pid:")
        .map(|pid| pid.parse().ok().filter(|it| *it > 0));
    match pid {
        Some(Some(pid)) => Ok(Namespace::Pid(pid)),
        None if text.starts_with('/') && !text.contains('\0') => Ok(Namespace::Path(text.into())),
        _ => Err(format!("{text:?} is not a path or \"pid:N\"")),
    }
}

fn effective(spec: &SessionSpec, compiled: &CompiledSpec) -> SessionSpec {
    let filters = |clauses: &[Clause]| clauses.iter().map(Filter::from).collect();
    let probes = spec.probes.iter().zip(&compiled.probes);
    SessionSpec {
        probes: probes
            .map(|(probe, it)| Probe {
                kind: Some(it.kind.clone()),
                timeout: probe.timeout,
            })
            .collect(),
        filters: filters(&compiled.filters),
        exclude: filters(&compiled.exclude),
        interfaces: spec.interfaces.clone(),
        network_namespaces: spec.network_namespaces.clone(),
        collection: Some(proto::Collection::from(&compiled.collection)),
        limits: Some(proto::Limits::from(&compiled.limits)),
        node_selector: spec.node_selector.clone(),
        packet: spec.packet,
    }
}

#[cfg(test)]
mod tests;
