//! What a caller may see: of which targets, and how much of each sample.
//!
//! Who the caller is and what its policy says is decided outside; here it is applied. Targets are clauses, OR between them: to a
//! session they are joined by AND before it starts, to a reader sample by sample.

mod coverage;
mod finer;
mod place;
mod product;
mod redaction;
mod spec;

pub(crate) use coverage::covers;
pub(crate) use finer::{refuse_filters, refuse_keys};
pub(crate) use product::narrowed;
pub use redaction::Redaction;
pub use spec::narrow;

use crate::{
    failure::{Failure, Reason},
    proto::{self, Filter},
    spec::{
        clause::{self, Side},
        compiled::Clause,
        violations::Violations,
    },
};

/// A caller, and what it may see. The default may see everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// As in `Session.owner`.
    pub(crate) principal: String,
    /// OR between them: `None` = everything, none at all = nothing.
    pub(crate) targets: Option<Vec<Clause>>,
    /// What is withheld of what it sees.
    pub(crate) redaction: Redaction,
}

impl Scope {
    /// Checks what a policy says of a caller.
    ///
    /// # Errors
    /// Those of filters, at `targets[0].cidrs[1]`; `FIELD_INVALID` at `redaction`.
    pub fn check(
        principal: impl Into<String>,
        targets: Option<&[Filter]>,
        redaction: &proto::Redaction,
    ) -> Result<Self, Failure> {
        let mut violations = Violations::default();
        let compiled =
            targets.map(|it| clause::compile_all(it, "targets", Side::Reader, &mut violations));
        for (at, clause) in compiled.iter().flatten().enumerate() {
            if clause.min_latency_ns > 0 {
                violations.add(
                    Reason::FieldInvalid,
                    format!("targets[{at}].min_latency"),
                    "is no target: whoever is measured has fast latencies too",
                );
            }
        }
        let redaction = Redaction::check(redaction, &mut violations);
        violations.finish()?;
        Ok(Self {
            principal: principal.into(),
            targets: compiled,
            redaction,
        })
    }

    /// What is withheld.
    #[must_use]
    pub fn redaction(&self) -> Redaction {
        self.redaction
    }

    /// Its targets; none where everything may be seen.
    #[must_use]
    pub fn into_targets(self) -> Vec<Clause> {
        self.targets.unwrap_or_default()
    }
}

/// What was asked for is not within the targets.
fn denied(field: impl Into<String>, description: impl std::fmt::Display) -> Failure {
    Failure::field(Reason::TargetDenied, field, description)
}

/// Histograms of a session that counts more than a caller may see: they cannot be narrowed afterwards.
pub(crate) fn histograms_denied() -> Failure {
    denied(
        "session",
        "counts more than you may see, and histograms cannot be narrowed afterwards; stream its samples, or make a session of your own",
    )
}

#[cfg(test)]
mod tests;
