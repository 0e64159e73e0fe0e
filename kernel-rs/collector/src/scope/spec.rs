//! A session narrowed to what its owner may see, before it starts.

use super::{Scope, denied, finer, place, product};
use crate::{
    failure::{Failure, Reason},
    metric::{self, EngineKind},
    proto::{Filter, Metric, SessionSpec},
    spec::{
        self,
        compiled::{Clause, CompiledSpec},
        interface::InterfacePattern,
        violations::Violations,
    },
};

/// The spec as its owner may have it: filters joined by AND with the targets, interfaces and namespaces with theirs.
///
/// # Errors
/// Those of [`spec::check`]; `REDACTION_DENIED` with each field that is finer than the redaction; `TARGET_DENIED` where nothing
/// of a probe is within the targets, or where what is left cannot be told apart in the kernel.
pub fn narrow(spec: &SessionSpec, scope: &Scope) -> Result<SessionSpec, Failure> {
    if scope.targets.is_none() && scope.redaction.is_none() {
        return Ok(spec.clone());
    }
    let compiled = spec::check(spec)?.compiled;
    let mut narrowed = spec.clone();
    finer::refuse_spec(&mut narrowed, &compiled, scope.redaction)?;
    let Some(targets) = &scope.targets else {
        return Ok(narrowed);
    };
    let (targets, places) = in_one_place(targets, &compiled)?;
    let clauses = product::narrowed(&compiled.filters, &targets);
    let clauses = clauses
        .into_iter()
        .flat_map(of_kernel)
        .filter(|it| metric::rows(compiled.metrics()).any(|row| it.can_match(row)));
    let clauses = product::without_held(clauses.collect());
    refuse_unmatched(&compiled, &clauses)?;
    narrowed.filters = if clauses == [Clause::everything()] {
        Vec::new()
    } else {
        clauses.iter().map(Filter::from).collect()
    };
    if let Some(place::Places {
        interfaces,
        namespaces,
    }) = places
    {
        narrowed.interfaces = interfaces.iter().map(InterfacePattern::to_string).collect();
        let named = namespaces.into_iter();
        narrowed.network_namespaces = named
            .map(|at| spec.network_namespaces[at].clone())
            .collect();
    }
    Ok(narrowed)
}

/// The targets without their places, and the places: a session looks at one set of them, so that all targets of packets must agree.
fn in_one_place(
    targets: &[Clause],
    spec: &CompiledSpec,
) -> Result<(Vec<Clause>, Option<place::Places>), Failure> {
    let of_packets = |mask: u32| {
        metric::rows(mask)
            .filter(|row| row.engine == EngineKind::Packet)
            .fold(0, |mask, row| mask | metric::bit(row.metric))
    };
    let mut agreed: Option<place::Places> = None;
    let mut kept = Vec::new();
    for target in product::without_held(targets.to_vec()) {
        let concerned = metric::rows(of_packets(spec.metrics())).any(|row| target.can_match(row));
        if !concerned {
            kept.push(target);
            continue;
        }
        let Some(places) = place::of(&target, spec) else {
            // Of what has no place it says nothing either way.
            continue;
        };
        if agreed.as_ref().is_some_and(|it| *it != places) {
            return Err(denied(
                "spec.interfaces",
                "your targets differ from one interface or network namespace to another, and a session has one filter for all of them: ask for those of one target alone",
            ));
        }
        agreed = Some(places);
        let metrics = if target.is_of_any_place() {
            target.metrics
        } else {
            of_packets(target.metrics & metric::all())
        };
        kept.push(Clause {
            interfaces: Vec::new(),
            network_namespaces: Vec::new(),
            metrics,
            ..target
        });
    }
    Ok((kept, agreed))
}

/// Names of DNS are not looked at in the kernel, and left to what narrows readers.
fn of_kernel(clause: Clause) -> Vec<Clause> {
    let dns = metric::bit(Metric::DnsReply);
    let (of_dns, rest) = (clause.metrics & dns, clause.metrics & metric::all() & !dns);
    if clause.subjects.is_empty() || of_dns == 0 {
        return vec![clause];
    }
    let named = Clause {
        metrics: rest,
        ..clause.clone()
    };
    let unnamed = Clause {
        metrics: of_dns,
        subjects: Vec::new(),
        ..clause
    };
    vec![named, unnamed]
}

fn refuse_unmatched(spec: &CompiledSpec, clauses: &[Clause]) -> Result<(), Failure> {
    let mut violations = Violations::default();
    for probe in &spec.probes {
        let mut rows = metric::rows(probe.metrics).peekable();
        if rows.peek().is_some() && !rows.any(|row| clauses.iter().any(|it| it.can_match(row))) {
            violations.add(
                Reason::TargetDenied,
                format!("spec.probes[{}]", probe.index),
                "nothing of it, with these filters, interfaces and network namespaces, is among what you may see",
            );
        }
    }
    violations.finish()
}
