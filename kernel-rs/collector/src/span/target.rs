//! Functions that programs are attached to: one for each lane that measures a function.

use std::time::Instant;

use aya::programs::uprobe::{UProbeLink, UProbeScope};
use latscope_events::span::frames::target;

use super::{
    function::{self, Function},
    object::Object,
};
use crate::failure::Failure;

/// Calls a second of one function that are measured: each traps twice, 14 to 38 us a time (docs/metrics.md), and a function
/// called more often would slow its program down more than anybody asked for.
pub(super) const CALLS_A_SECOND: u64 = 5_000;

/// A function with its programs. Dropping it detaches them.
pub(super) struct Target {
    _links: Vec<UProbeLink>,
    /// Calls when they were last looked at.
    seen: (Instant, u64),
}

impl Target {
    /// Attaches the programs of a lane, those of its end first.
    ///
    /// # Errors
    /// What the kernel refuses; nothing stays attached then.
    pub(super) fn attach(
        object: &mut Object,
        function: &Function,
        bit: u32,
        salt: u32,
    ) -> Result<Self, Failure> {
        let cookie = target::pack(bit, salt, function::number(&function.name));
        let scope = match function.pid {
            Some(pid) => UProbeScope::OneProcess(pid),
            None => UProbeScope::AllProcesses,
        };
        let mut links = Vec::new();
        let (program, ends) = match &function.ends {
            None => ("latscope_return", &function.begins),
            Some(ends) => ("latscope_arrive", ends),
        };
        for (program, places) in [(program, ends), ("latscope_call", &function.begins)] {
            for place in places {
                links.push(object.attach_function(
                    program,
                    &function.path,
                    *place,
                    cookie,
                    scope,
                )?);
            }
        }
        Ok(Self {
            _links: links,
            seen: (Instant::now(), object.hits(bit)?),
        })
    }

    /// Whether it has been called too often since the last time.
    pub(super) fn is_too_often(&mut self, hits: u64) -> bool {
        let (since, before) = std::mem::replace(&mut self.seen, (Instant::now(), hits));
        let most = u128::from(CALLS_A_SECOND) * since.elapsed().as_millis() / 1000;
        u128::from(hits.wrapping_sub(before)) > most.max(u128::from(CALLS_A_SECOND) / 2)
    }
}
