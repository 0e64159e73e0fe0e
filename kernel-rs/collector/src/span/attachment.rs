//! One session's hold on the engine.

use std::sync::Arc;

use parking_lot::Mutex;

use super::engine::{Member, State};
use crate::{
    engine::Attachment,
    failure::Failure,
    histogram::Histogram,
    metric::{self, EngineKind},
    proto::{Capability, Group, ProbeStatus, ProgramStats, Totals},
    spec::CompiledSpec,
};

/// A session inside the span engine. Dropping it stops it.
pub(super) struct SpanAttachment {
    state: Arc<Mutex<Option<State>>>,
    id: u64,
    /// What the session came to, once stopped.
    last: Option<Last>,
}

struct Last {
    totals: Totals,
    histograms: Vec<(Group, Histogram)>,
}

impl SpanAttachment {
    pub(super) fn new(state: Arc<Mutex<Option<State>>>, id: u64) -> Self {
        Self {
            state,
            id,
            last: None,
        }
    }

    fn read<T: Default>(&self, read: impl FnOnce(&mut State) -> Option<T>) -> T {
        self.state
            .lock()
            .as_mut()
            .and_then(read)
            .unwrap_or_default()
    }
}

impl Attachment for SpanAttachment {
    fn update(&mut self, spec: &CompiledSpec) -> Result<(), Failure> {
        let mut state = self.state.lock();
        state
            .as_mut()
            .map_or(Ok(()), |state| state.change(self.id, spec))
    }

    fn totals(&self) -> Totals {
        if let Some(last) = &self.last {
            return last.totals.clone();
        }
        self.read(|state| {
            let member = state.members.get(&self.id)?;
            let counters = state.counters(&member.lanes).ok()?;
            state.count_waiting(self.id);
            Some(state.members.get(&self.id)?.totals(&counters))
        })
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        if let Some(last) = &self.last {
            return Ok(last.histograms.clone());
        }
        let mut state = self.state.lock();
        let Some(state) = state.as_mut() else {
            return Ok(Vec::new());
        };
        state.harvest()?;
        let member = state.members.get(&self.id);
        Ok(member
            .map(|it| it.histograms(&state.places))
            .unwrap_or_default())
    }

    fn programs(&self) -> Vec<ProgramStats> {
        self.read(|state| Some(programs(state, self.id)))
    }

    fn kernel_memory_bytes(&self) -> u64 {
        self.read(|state| Some(state.object.map_bytes()))
    }

    fn probes(&self) -> Vec<ProbeStatus> {
        self.read(|state| state.members.get(&self.id).map(probes))
    }

    fn stop(&mut self) {
        if self.last.is_some() {
            return;
        }
        let mut state = self.state.lock();
        let Some(state) = state.as_mut() else {
            return;
        };
        if let Some((member, counters)) = state.leave(self.id) {
            self.last = Some(Last {
                totals: member.totals(&counters),
                histograms: member.histograms(&state.places),
            });
        }
    }
}

impl Drop for SpanAttachment {
    fn drop(&mut self) {
        self.stop();
    }
}

fn programs(state: &State, id: u64) -> Vec<ProgramStats> {
    let shared = state.members.keys().any(|other| *other != id);
    let metrics = state.members.get(&id).map_or(0, Member::metrics);
    state.programs(metrics, shared)
}

fn probes(member: &Member) -> Vec<ProbeStatus> {
    let of_ours = member.spec.probes.iter().filter_map(|probe| {
        let row = metric::rows(probe.metrics).find(|row| row.engine == EngineKind::Span)?;
        let refused = member.refused.iter().find(|it| it.0 == probe.index);
        Some(ProbeStatus {
            probe: probe.index,
            attached: refused.is_none(),
            capability: Some(Capability {
                metric: row.metric.into(),
                supported: refused.is_none(),
                hook: (*member.hooks.get(&probe.index).unwrap_or(&row.hooks[0].0)).into(),
                reason: refused.map(|it| it.1.message().into()).unwrap_or_default(),
                ..Capability::default()
            }),
            ..ProbeStatus::default()
        })
    });
    of_ours.collect()
}
