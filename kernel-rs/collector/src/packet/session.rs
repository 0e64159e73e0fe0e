//! What the engine keeps of a session.

use std::sync::{Arc, atomic::Ordering};

use latscope_events::{class::ClassStats, counter::Counters};
use latscope_matching::exchange::IDLE_NS;

use super::{books::Books, groups::Groups, lane::Lane, namespace::Place, plan::Look};
use crate::{
    class::{outside::Outside, receiver::Receiver},
    histogram::Histogram,
    proto::{Group, Totals, probe::Kind},
    spec::{compiled::CompiledSpec, interface::InterfacePattern, time},
};

/// Which interfaces a session looks at, and how; sessions that agree share a flow group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) interfaces: Vec<InterfacePattern>,
    pub(super) look: Look,
}

impl View {
    pub(super) fn of(spec: &CompiledSpec) -> Self {
        Self {
            interfaces: spec.interfaces.clone(),
            look: Look {
                inner: spec.inner,
                ignore_vlan: spec.ignore_vlan,
                idle_ns: idle_ns(spec),
            },
        }
    }
}

/// Silence that ends an exchange: it is in the state of a flow, so a session that asks for another has flows of its own.
fn idle_ns(spec: &CompiledSpec) -> u64 {
    let asked = spec.probes.iter().find_map(|probe| match &probe.kind {
        Kind::Udp(udp) => udp.idle_reset.as_ref(),
        _ => None,
    });
    asked
        .and_then(|it| time::positive_duration_ns(it).ok())
        .unwrap_or(IDLE_NS)
}

/// A session inside the engine.
pub(super) struct Member {
    /// Its lanes with their bits.
    pub(super) lanes: Vec<(u32, Lane)>,
    /// Its flow group.
    pub(super) group: usize,
    /// How that group looks at packets.
    pub(super) look: Look,
    /// Where its samples go.
    pub(super) receiver: Arc<Receiver>,
    /// What was counted for it.
    pub(super) books: Books,
    /// Its histograms of the generations before.
    pub(super) groups: Groups,
    /// Its spec, for its probes.
    pub(super) spec: CompiledSpec,
    /// Where it found the namespace, if it is another's.
    pub(super) place: Option<Place>,
}

impl Member {
    /// Its bits of the session mask.
    pub(super) fn bits(&self) -> u64 {
        self.lanes.iter().fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// What was counted for it in generations that are over, by group.
    pub(super) fn histograms(&self) -> Vec<(Group, Histogram)> {
        self.name(&self.groups)
    }

    /// Groups as the contract names them.
    pub(super) fn name(&self, groups: &Groups) -> Vec<(Group, Histogram)> {
        let probe = &self.receiver.probe;
        groups.list(|metric| probe.get(usize::from(metric)).copied().unwrap_or_default())
    }

    /// Groups that it may have.
    pub(super) fn most_groups(&self) -> usize {
        self.spec.collection.max_groups as usize
    }

    /// What the kernel counted for it, and what was not made a sample of its own.
    pub(super) fn totals(
        &self,
        classes: &[(u64, ClassStats)],
        counters: &[Counters],
        group: &Outside,
    ) -> Totals {
        let mut totals = self.books.totals(&self.lanes, classes, counters, group);
        totals.aggregated_only += self.receiver.faster.load(Ordering::Relaxed);
        totals
    }
}
