//! What the programs of one lane alone are attached to: a pair of tracepoints, or a function of the kernel.

mod format;
mod hooked;
mod link;
mod pair;
mod points;
mod symbol;
mod tracefs;

use std::collections::HashMap;

use latscope_events::span::frames::target;

#[cfg(test)]
pub(super) use self::hooked::only_kprobes;
use self::{hooked::Hooked, pair::Pair, points::Points, symbol::Symbol};
use super::{function, object::Object};
use crate::{
    failure::Failure,
    proto::{Metric, ProgramStats, probe::Kind},
    spec::compiled::CompiledProbe,
};

/// What a lane is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Pair(Pair),
    Symbol(Symbol),
}

impl Anchor {
    /// That of a probe; `None` for a probe of another kind.
    ///
    /// # Errors
    /// `FIELD_INVALID` for what this kernel does not have, with the path of each; `HOOK_UNAVAILABLE` where that cannot be
    /// found out.
    pub(super) fn of(probe: &CompiledProbe) -> Result<Option<Self>, Failure> {
        let path = format!("spec.probes[{}]", probe.index);
        Ok(match &probe.kind {
            Kind::TracepointPair(it) => {
                let path = format!("{path}.tracepoint_pair");
                Some(Self::Pair(Pair::find(it, &path)?))
            }
            Kind::KernelFunction(it) => {
                let path = format!("{path}.kernel_function.symbol");
                Some(Self::Symbol(Symbol::find(&it.symbol, &path)?))
            }
            _ => None,
        })
    }

    /// One that every kernel has, and that is hardly ever met.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn to_try(metric: Metric) -> Result<Option<Self>, Failure> {
        Ok(match metric {
            Metric::TracepointPair => Some(Self::Pair(Pair::to_try()?)),
            Metric::KernelFunction => Some(Self::Symbol(Symbol::to_try())),
            _ => None,
        })
    }

    /// What samples call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Pair(it) => &it.name,
            Self::Symbol(it) => &it.name,
        }
    }

    /// The metric that it is of.
    pub(super) fn metric(&self) -> Metric {
        match self {
            Self::Pair(_) => Metric::TracepointPair,
            Self::Symbol(_) => Metric::KernelFunction,
        }
    }
}

/// Everything that is attached, by the bit of its lane.
#[derive(Default)]
pub(super) struct Anchors {
    points: Points,
    functions: HashMap<u32, Hooked>,
}

impl Anchors {
    /// Attaches the programs of a lane: the hook that took them.
    ///
    /// # Errors
    /// `HOOK_UNAVAILABLE`, `PROGRAM_REFUSED`, `PRIVILEGE_MISSING`; nothing stays attached then.
    pub(super) fn attach(
        &mut self,
        object: &mut Object,
        anchor: &Anchor,
        bit: u32,
        salt: u32,
    ) -> Result<&'static str, Failure> {
        let target = target::pack(bit, salt, function::number(anchor.name()));
        match anchor {
            Anchor::Pair(pair) => {
                self.points.attach(object, pair, bit, target)?;
                Ok("tracepoint")
            }
            Anchor::Symbol(symbol) => {
                let hooked = Hooked::attach(object, symbol, target)?;
                let hook = hooked.hook;
                self.functions.insert(bit, hooked);
                Ok(hook)
            }
        }
    }

    /// Detaches what is of none of these lanes.
    pub(super) fn keep(&mut self, object: &mut Object, lanes: u64) {
        self.points.keep(object, lanes);
        self.functions.retain(|bit, _| lanes >> bit & 1 != 0);
    }

    /// The target of a lane's pair.
    pub(super) fn target(&self, bit: u32) -> Option<u64> {
        self.points.target(bit)
    }

    /// The programs of a metric.
    pub(super) fn programs(
        &self,
        object: &Object,
        metrics: u32,
        shared: bool,
    ) -> Vec<ProgramStats> {
        let wanted = |metric| metrics & crate::metric::bit(metric) != 0;
        let mut programs = Vec::new();
        if wanted(Metric::TracepointPair) {
            programs.extend(self.points.program(object, shared));
        }
        if wanted(Metric::KernelFunction) {
            programs.extend(self.functions.values().flat_map(|it| it.programs(shared)));
        }
        programs
    }
}
