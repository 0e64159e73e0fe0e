//! Collects everything wrong with a request, so that a client hears it all at once.

use crate::failure::{Failure, Reason};

/// The wrong fields found so far.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    wrong: Vec<(Reason, String, String)>,
}

impl Violations {
    /// `field` is wrong.
    pub(crate) fn add(
        &mut self,
        reason: Reason,
        field: impl Into<String>,
        description: impl Into<String>,
    ) {
        self.wrong.push((reason, field.into(), description.into()));
    }

    /// The value of `result`; a refusal is noted against `field`.
    pub(crate) fn take<T>(
        &mut self,
        reason: Reason,
        field: impl Into<String>,
        result: Result<T, String>,
    ) -> Option<T> {
        result
            .map_err(|description| self.add(reason, field, description))
            .ok()
    }

    /// Notes a list that is longer than `most`.
    pub(crate) fn bound(&mut self, field: &str, length: usize, most: usize) {
        if length > most {
            self.add(
                Reason::FieldTooLong,
                field,
                format!("has {length} entries, at most {most} are allowed"),
            );
        }
    }

    /// Fails if anything was noted.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let list = self.wrong;
        let Some((reason, field, description)) = list.first() else {
            return Ok(());
        };
        let more = match list.len() {
            1 => String::new(),
            length => format!(" (and {} more)", length - 1),
        };
        let failure = Failure::new(*reason, format!("{field}: {description}{more}"));
        Err(list
            .into_iter()
            .fold(failure, |failure, (_, field, description)| {
                failure.with_violation(field, description)
            }))
    }
}
