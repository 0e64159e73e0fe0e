//! What this host offers the packet engine, found out by trying.

use std::sync::OnceLock;

use super::{
    attach,
    interface::{self, Interface},
    object::Object,
};
use crate::{
    failure::{Failure, Reason},
    metric::{self, EngineKind, Row},
    proto::{Capability, HookResult},
};

/// The outcome, which does not change while the kernel runs.
static TRIED: OnceLock<Result<&'static str, String>> = OnceLock::new();

/// Tries once to attach the real programs to the loopback interface, and takes them off again at once: the hook that took
/// them, or why there is none.
pub(super) fn tried(object: &mut Object) -> Result<&'static str, String> {
    TRIED
        .get_or_init(|| attempt(object).map_err(|failure| failure.message().to_owned()))
        .clone()
}

fn attempt(object: &mut Object) -> Result<&'static str, Failure> {
    let loopback: Interface = interface::list()?
        .into_iter()
        .find(|it| it.name == "lo")
        .ok_or_else(|| {
            Failure::new(
                Reason::HookUnavailable,
                "there is no interface lo to try it on",
            )
        })?;
    Ok(attach::attach(object, &loopback)?.hook)
}

/// A row for every metric of the packet engine.
pub(super) fn rows(outcome: &Result<&'static str, String>) -> Vec<Capability> {
    metric::rows(u32::MAX)
        .filter(|row| row.engine == EngineKind::Packet)
        .map(|row| capability(row, outcome))
        .collect()
}

fn capability(row: &Row, outcome: &Result<&'static str, String>) -> Capability {
    Capability {
        metric: row.metric.into(),
        supported: outcome.is_ok(),
        hook: outcome.as_deref().unwrap_or_default().into(),
        hooks: row
            .hooks
            .iter()
            .map(|(hook, minimum)| result(hook, minimum, outcome))
            .collect(),
        reason: outcome.as_ref().err().cloned().unwrap_or_default(),
        filter_fields: row
            .filter_fields
            .iter()
            .map(|field| field.name().into())
            .collect(),
        group_by: row
            .group_by
            .iter()
            .map(|group| group.as_str_name().into())
            .collect(),
    }
}

fn result(hook: &str, minimum: &str, outcome: &Result<&'static str, String>) -> HookResult {
    let (works, reason) = match outcome {
        Ok(works) if *works == hook => (true, String::new()),
        Ok("tcx") => (false, "not tried, tcx serves".into()),
        Ok(_) => (false, "the kernel does not know it".into()),
        Err(reason) => (false, reason.clone()),
    };
    HookResult {
        hook: hook.into(),
        minimum_kernel: minimum.into(),
        works,
        reason,
    }
}
