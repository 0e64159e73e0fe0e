//! Functions that programs are attached to: one for each lane that measures a function.

use std::{os::fd::OwnedFd, time::Instant};

use latscope_events::span::frames::target;

use super::{
    function::{self, Ends, Function},
    object::Object,
    uprobe::When,
};
use crate::failure::Failure;

/// Calls a second of one function that are measured: each traps twice, 14 to 38 us a time (docs/metrics.md), and a function
/// called more often would slow its program down more than anybody asked for.
pub(super) const CALLS_A_SECOND: u64 = 5_000;

/// A function with its programs. Dropping it detaches them.
pub(super) struct Target {
    _links: Vec<OwnedFd>,
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
        let (call, end, ends) = match &function.ends {
            Ends::Return => ("latscope_call", "latscope_return", &function.begins),
            Ends::Points(ends) => ("latscope_call", "latscope_arrive", ends),
            Ends::Goroutine(ends) => ("latscope_go_call", "latscope_go_return", ends),
        };
        let when = match &function.ends {
            Ends::Return => When::Returned,
            _ => When::Reached,
        };
        let mut links = Vec::new();
        for (program, places, when) in [(end, ends, when), (call, &function.begins, When::Reached)]
        {
            for place in places {
                let at = (function.path.as_path(), *place);
                links.push(object.attach_function(program, at, when, cookie, function.pid)?);
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
