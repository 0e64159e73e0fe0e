//! One session's hold on the engine.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::{engine::State, interface, object::Hook};
use crate::{
    class::outside::Outside,
    engine::Attachment,
    failure::Failure,
    histogram::Histogram,
    metric::{self, EngineKind},
    program,
    proto::{Capability, Group, ProbeStatus, ProgramStats, Totals},
    spec::CompiledSpec,
};

struct Last {
    totals: Totals,
    histograms: Vec<(Group, Histogram)>,
}

/// A session inside the packet engine. Dropping it stops it.
pub(super) struct PacketAttachment {
    state: Arc<Mutex<Option<State>>>,
    id: u64,
    /// What the session came to, once stopped.
    last: Option<Last>,
}

impl PacketAttachment {
    pub(super) fn new(state: Arc<Mutex<Option<State>>>, id: u64) -> Self {
        Self {
            state,
            id,
            last: None,
        }
    }

    /// Where its engine is, an order that does not change while it lives.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.state).addr()
    }

    /// Keeps everybody else from its engine.
    pub(super) fn hold(&self) -> Hold<'_> {
        Hold {
            state: self.state.lock(),
            id: self.id,
        }
    }
}

/// A session's engine, held.
pub(super) struct Hold<'a> {
    state: MutexGuard<'a, Option<State>>,
    id: u64,
}

impl Hold<'_> {
    /// Takes over new filters and caps.
    pub(super) fn update(&mut self, spec: &CompiledSpec) -> Result<(), Failure> {
        let state = self.state.as_mut();
        state.map_or(Ok(()), |state| state.change(self.id, spec))
    }
}

impl Attachment for PacketAttachment {
    fn update(&mut self, spec: &CompiledSpec) -> Result<(), Failure> {
        self.hold().update(spec)
    }

    fn totals(&self) -> Totals {
        if let Some(last) = &self.last {
            return last.totals.clone();
        }
        let mut guard = self.state.lock();
        let Some(state) = guard.as_mut() else {
            return Totals::default();
        };
        totals(state, self.id).unwrap_or_default()
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        if let Some(last) = &self.last {
            return Ok(last.histograms.clone());
        }
        let mut guard = self.state.lock();
        guard
            .as_mut()
            .map_or_else(|| Ok(Vec::new()), |state| state.histograms(self.id))
    }

    fn programs(&self) -> Vec<ProgramStats> {
        self.state
            .lock()
            .as_ref()
            .map(|state| {
                let shared = state.members.keys().any(|other| *other != self.id);
                programs(state, &serving(state, self.id), shared)
            })
            .unwrap_or_default()
    }

    fn kernel_memory_bytes(&self) -> u64 {
        self.state
            .lock()
            .as_ref()
            .map_or(0, |state| state.object.map_bytes())
    }

    fn probes(&self) -> Vec<ProbeStatus> {
        self.state
            .lock()
            .as_ref()
            .map(|state| probes(state, self.id))
            .unwrap_or_default()
    }

    fn stop(&mut self) {
        if self.last.is_some() {
            return;
        }
        let mut guard = self.state.lock();
        let Some(state) = guard.as_mut() else {
            return;
        };
        let group = state.members.get(&self.id).map(|member| member.group);
        if let Some(member) = state.leave(self.id) {
            let group = group
                .and_then(|group| state.object.group(group as u32, true).ok())
                .unwrap_or(Outside::NOTHING);
            let counters = state.object.counters().unwrap_or_default();
            self.last = Some(Last {
                totals: member.totals(&[], &counters, &group),
                histograms: member.histograms(),
            });
        }
    }
}

impl Drop for PacketAttachment {
    fn drop(&mut self) {
        self.stop();
    }
}

fn totals(state: &State, id: u64) -> Result<Totals, Failure> {
    if let Some(ended) = state.ended.get(&id) {
        return Ok(ended.totals.clone());
    }
    let classes = state.classes()?;
    let counters = state.object.counters()?;
    let Some(member) = state.members.get(&id) else {
        return Ok(Totals::default());
    };
    let group = state.object.group(member.group as u32, false)?;
    Ok(member.totals(&classes, &counters, &group))
}

/// What those of the programs are that are loaded.
pub(super) fn programs(state: &State, hooks: &[Hook], shared: bool) -> Vec<ProgramStats> {
    let loaded = state.object.loaded();
    loaded
        .filter(|(hook, ..)| hooks.contains(hook))
        .filter_map(|(hook, load_time, program)| {
            let own = program::Own {
                name: hook.program(),
                kind: "sched_cls",
                attached_to: places(state, hook),
                shared,
                load_time,
            };
            Some(program::stats(own, program.info().ok()?))
        })
        .collect()
}

/// Programs of the interfaces that a session looks at.
fn serving(state: &State, id: u64) -> Vec<Hook> {
    let Some(member) = state.members.get(&id) else {
        return Vec::new();
    };
    let attached: Vec<_> = state
        .attached
        .values()
        .map(|it| &it.interface)
        .cloned()
        .collect();
    let looked_at = interface::matching(&attached, &member.spec.interfaces);
    Hook::ALL
        .into_iter()
        .filter(|hook| looked_at.iter().any(|it| it.raw == hook.raw))
        .collect()
}

/// Interfaces that a program is attached to, with the hook: `tcx ingress: eth0, lo`.
fn places(state: &State, hook: Hook) -> String {
    let at: Vec<_> = state
        .attached
        .values()
        .filter(|it| it.hooks().contains(&hook))
        .collect();
    let Some(first) = at.first() else {
        return String::new();
    };
    let mut names: Vec<&str> = at.iter().map(|it| it.interface.name.as_str()).collect();
    names.sort_unstable();
    let way = if hook.egress { "egress" } else { "ingress" };
    format!("{} {way}: {}", first.hook, names.join(", "))
}

pub(super) fn probes(state: &State, id: u64) -> Vec<ProbeStatus> {
    if let Some(ended) = state.ended.get(&id) {
        return ended.probes.clone();
    }
    let Some(member) = state.members.get(&id) else {
        return Vec::new();
    };
    let hook = state.attached.values().next().map_or("tcx", |it| it.hook);
    member
        .spec
        .probes
        .iter()
        .filter_map(|probe| {
            let row = metric::rows(probe.metrics).find(|row| row.engine == EngineKind::Packet)?;
            Some(ProbeStatus {
                probe: probe.index,
                attached: true,
                capability: Some(Capability {
                    metric: row.metric.into(),
                    supported: true,
                    hook: hook.into(),
                    ..Capability::default()
                }),
                ..ProbeStatus::default()
            })
        })
        .collect()
}
