//! What callers may see.

use latscope_collector::{
    failure::Failure,
    proto::{Filter, Redaction, SessionSpec},
    scope::{self, Scope},
    spec::compiled::Clause,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{collector::decode, failure::malformed};

/// A caller, and what it may see of what is measured.
#[napi(object)]
pub struct ReaderScope {
    /// As in `Session.owner`: cursors are good for this caller alone.
    pub principal: String,
    /// Each a `Filter`, OR between them; unset = everything, empty = nothing.
    pub targets: Option<Vec<Buffer>>,
    /// A `Redaction`; unset = nothing is withheld.
    pub redaction: Option<Buffer>,
}

impl ReaderScope {
    /// # Errors
    /// `MESSAGE_MALFORMED`; those of [`Scope::check`].
    pub(crate) fn check(&self) -> Result<Scope, Failure> {
        let Self {
            principal,
            targets,
            redaction,
        } = self;
        let targets = targets.as_deref().map(filters).transpose()?;
        let redaction = redaction.as_ref().map_or(Ok(Redaction::default()), |it| {
            Redaction::decode(&it[..]).map_err(|error| malformed("Redaction", &error))
        })?;
        Scope::check(principal, targets.as_deref(), &redaction)
    }

    /// The session that its owner may have of the one that was asked for.
    ///
    /// # Errors
    /// `MESSAGE_MALFORMED`; those of [`scope::narrow`].
    pub(crate) fn narrow(&self, spec: &[u8]) -> Result<SessionSpec, Failure> {
        scope::narrow(&decode(spec)?, &self.check()?)
    }

    /// # Errors
    /// `MESSAGE_MALFORMED`; those of [`Scope::check`].
    pub(crate) fn redact(&self, spec: &[u8]) -> Result<SessionSpec, Failure> {
        Ok(self.check()?.redaction().spec(&decode(spec)?))
    }
}

/// # Errors
/// As [`ReaderScope::check`].
pub(crate) fn targets(filters_of: &[Buffer]) -> Result<Vec<Clause>, Failure> {
    let scope = Scope::check("", Some(&filters(filters_of)?), &Redaction::default())?;
    Ok(scope.into_targets())
}

fn filters(bytes: &[Buffer]) -> Result<Vec<Filter>, Failure> {
    let filters = bytes.iter().map(|it| Filter::decode(&it[..]));
    filters
        .collect::<Result<_, _>>()
        .map_err(|error| malformed("Filter", &error))
}
