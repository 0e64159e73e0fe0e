//! One session's hold on the engine.

use std::sync::Arc;

use super::{
    capability,
    engine::{Shared, State},
};
use crate::{
    engine::Attachment,
    failure::Failure,
    histogram::Histogram,
    proto::{Group, ProbeStatus, ProgramStats, Totals},
    spec::CompiledSpec,
};

/// A session inside the socket engine. Dropping it stops it.
pub(super) struct SocketAttachment {
    state: Arc<Shared>,
    id: u64,
    /// What the session came to, once stopped.
    last: Option<Last>,
}

/// What is left of a session.
pub(super) struct Last {
    pub(super) totals: Totals,
    pub(super) histograms: Vec<(Group, Histogram)>,
}

impl SocketAttachment {
    pub(super) fn new(state: Arc<Shared>, id: u64) -> Self {
        Self {
            state,
            id,
            last: None,
        }
    }
}

impl Attachment for SocketAttachment {
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
        let mut state = self.state.lock();
        state
            .as_mut()
            .and_then(|state| state.totals(self.id).ok())
            .unwrap_or_default()
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        if let Some(last) = &self.last {
            return Ok(last.histograms.clone());
        }
        let mut state = self.state.lock();
        state
            .as_mut()
            .map_or_else(|| Ok(Vec::new()), |state| state.histograms(self.id))
    }

    fn programs(&self) -> Vec<ProgramStats> {
        let state = self.state.lock();
        state
            .as_ref()
            .map(|state| state.programs(self.id))
            .unwrap_or_default()
    }

    fn kernel_memory_bytes(&self) -> u64 {
        let state = self.state.lock();
        state.as_ref().map_or(0, |state| state.object.map_bytes())
    }

    fn probes(&self) -> Vec<ProbeStatus> {
        let state = self.state.lock();
        let member = |state: &State| {
            let member = state.members.get(&self.id)?;
            Some(capability::probes(&member.spec, state.unseen.as_deref()))
        };
        state.as_ref().and_then(member).unwrap_or_default()
    }

    fn stop(&mut self) {
        if self.last.is_none()
            && let Some(state) = self.state.lock().as_mut()
        {
            self.last = state.leave(self.id);
        }
    }
}

impl Drop for SocketAttachment {
    fn drop(&mut self) {
        self.stop();
    }
}
