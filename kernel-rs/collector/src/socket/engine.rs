//! Sessions in, generations out: who is measured for, and when a bank may be written again.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering},
};

use aya::programs::sock_ops::SockOpsLink;
use latscope_events::class::ClassStats;
use parking_lot::Mutex;

use super::super::{
    books::{Books, Change},
    lane::{Lane, assign},
    session::Receiver,
    waiting::Outside,
};
use super::{attachment::SocketAttachment, capability, lane, object::Object, plan, routes::Routes};
use crate::{
    bpf::grace,
    cgroup, clock,
    engine::{Attachment, Engine},
    failure::{Failure, Reason},
    log::SessionLog,
    proto::{Capability, ProgramStats, Totals},
    ring::Reader,
    spec::CompiledSpec,
};

/// What sessions and the reader thread share; empty until the engine is opened.
pub(super) type Shared = Mutex<Option<State>>;

/// The socket engine of the host. Loads its program with the first session and keeps it; it is attached while there are sessions.
#[derive(Clone, Default)]
pub struct SocketEngine {
    state: Arc<Shared>,
}

impl SocketEngine {
    /// An engine that has loaded nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Engine for SocketEngine {
    fn capabilities(&self) -> Vec<Capability> {
        let outcome = match open(&mut self.state.lock(), &self.state) {
            Ok(state) => capability::tried(&mut state.object),
            Err(failure) => Err(failure.message().to_owned()),
        };
        capability::rows(&outcome)
    }

    fn check(&self, spec: &CompiledSpec) -> Result<(), Failure> {
        if spec.collection.histograms_only {
            let text = "sockets give samples; they are in no histograms yet";
            return Err(Failure::new(Reason::FieldInvalid, text)
                .with_violation("spec.collection.histograms_only", text));
        }
        let lanes = lane::of(spec)?;
        let clauses = lanes.iter().flat_map(|it| it.filters.iter());
        let unknown = clauses
            .flat_map(|it| &it.cgroup_paths)
            .find_map(|path| cgroup::id(path).err());
        unknown.map_or(Ok(()), |text| {
            Err(Failure::new(Reason::FieldInvalid, text.clone())
                .with_violation("spec.filters.cgroup_paths", text))
        })
    }

    fn load(&self, spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure> {
        self.check(spec)?;
        let mut state = self.state.lock();
        Ok(open(&mut state, &self.state)?.programs(0))
    }

    fn start(
        &self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure> {
        self.check(spec)?;
        let mut state = self.state.lock();
        let id = open(&mut state, &self.state)?.join(spec, log)?;
        drop(state);
        Ok(Box::new(SocketAttachment::new(self.state.clone(), id)))
    }
}

fn open<'a>(state: &'a mut Option<State>, shared: &Arc<Shared>) -> Result<&'a mut State, Failure> {
    if state.is_none() {
        *state = Some(State::open(Arc::downgrade(shared))?);
    }
    state
        .as_mut()
        .ok_or_else(|| Failure::new(Reason::Internal, "the socket engine did not open"))
}

/// A session inside the engine.
pub(super) struct Member {
    /// Its lanes with their bits.
    pub(super) lanes: Vec<(u32, Lane)>,
    /// Where its samples go.
    pub(super) receiver: Arc<Receiver>,
    books: Books,
    /// Its spec, for its probes.
    pub(super) spec: CompiledSpec,
}

/// Everything that is shared by the sessions of the engine.
pub(super) struct State {
    pub(super) object: Object,
    pub(super) members: HashMap<u64, Member>,
    attached: Option<SockOpsLink>,
    reader: Reader<Routes>,
    next_id: u64,
    generation: u32,
    /// Whether the bank that is not in use holds counters that are not in the books yet.
    unfolded: bool,
    told_at_unix_ns: u64,
}

impl State {
    fn open(shared: Weak<Shared>) -> Result<Self, Failure> {
        let mut object = Object::open()?;
        let rings = object.take_rings()?;
        Ok(Self {
            object,
            members: HashMap::new(),
            attached: None,
            reader: Reader::start("latscope-socket", Routes::new(), rings, move || {
                tell_losses(&shared);
            })?,
            next_id: 0,
            generation: 0,
            unfolded: false,
            told_at_unix_ns: clock::wall_ns(),
        })
    }

    /// Adds a session; it is attached when this returns.
    fn join(&mut self, spec: &CompiledSpec, log: Arc<SessionLog>) -> Result<u64, Failure> {
        self.fold()?;
        let lanes = self.bits_for(&[], lane::of(spec)?)?;
        let receiver = Arc::new(Receiver::new(spec, log, None));
        let books = Books::open(&lanes, &self.object.counters()?, &Outside::NOTHING);
        self.next_id += 1;
        let id = self.next_id;
        self.route(&lanes, Some(&receiver));
        let spec = spec.clone();
        self.members.insert(
            id,
            Member {
                lanes,
                receiver,
                books,
                spec,
            },
        );
        if let Err(failure) = self.attach().and_then(|()| self.publish(None)) {
            self.leave(id);
            return Err(failure);
        }
        Ok(id)
    }

    fn attach(&mut self) -> Result<(), Failure> {
        if self.attached.is_none() {
            self.attached = Some(self.object.attach()?);
        }
        Ok(())
    }

    /// Takes over new filters and caps. Its counters go on; samples on their way carry the bits of the old lanes, which stay
    /// its own until they are in the log.
    pub(super) fn change(&mut self, id: u64, spec: &CompiledSpec) -> Result<(), Failure> {
        self.fold()?;
        let wanted = lane::of(spec)?;
        let Some(member) = self.members.get(&id) else {
            return Err(Failure::new(Reason::Closed, "the session has been stopped"));
        };
        let (old, receiver) = (member.lanes.clone(), member.receiver.clone());
        let new = self.bits_for(&old, wanted)?;
        let before = self.object.counters()?;
        self.route(&new, Some(&receiver));
        let without = |lanes: &[(u32, Lane)], others: &[(u32, Lane)]| -> Vec<(u32, Lane)> {
            lanes
                .iter()
                .filter(|(bit, _)| others.iter().all(|(other, _)| other != bit))
                .cloned()
                .collect()
        };
        let gone = without(&old, &new);
        if let Err(failure) = self.publish(Some((id, &new))) {
            self.route(&without(&new, &old), None);
            return Err(failure);
        }
        // Counters of the old lanes are brought in while the session still has them.
        self.fold()?;
        self.reader.drain();
        let after = self.object.counters()?;
        if let Some(member) = self.members.get_mut(&id) {
            member.books.move_lanes(&Change {
                old: &old,
                new: &new,
                before: &before,
                gone: &gone,
                after: &after,
            });
            member.lanes = new;
            let least = spec.collection.sample_min_latency_ns;
            member
                .receiver
                .min_latency_ns
                .store(least, Ordering::Relaxed);
            member.spec = spec.clone();
        }
        self.route(&gone, None);
        Ok(())
    }

    /// Removes a session: when this returns everything measured for it is in its log and nothing more will come. What it came
    /// to.
    pub(super) fn leave(&mut self, id: u64) -> Option<Totals> {
        if self.members.contains_key(&id) && self.publish(Some((id, &[]))).is_ok() {
            // Its last counters are brought in while it is still a member, its last samples while it still has its bits.
            let _ = self.fold();
            self.reader.drain();
            self.tell_losses();
        }
        let member = self.members.remove(&id)?;
        self.route(&member.lanes, None);
        if self.members.is_empty() {
            self.attached = None;
        }
        let counters = self.object.counters().unwrap_or_default();
        Some(totals(&member, &[], &counters))
    }

    /// What a session came to so far.
    pub(super) fn totals(&mut self, id: u64) -> Result<Totals, Failure> {
        self.fold()?;
        let classes = self.object.classes.read(self.generation & 1)?;
        let counters = self.object.counters()?;
        let member = self.members.get(&id);
        Ok(member.map_or_else(Totals::default, |it| totals(it, &classes, &counters)))
    }

    /// The program as the kernel tells of it, for a session.
    pub(super) fn programs(&self, id: u64) -> Vec<ProgramStats> {
        let shared = self.members.keys().any(|other| *other != id);
        capability::program(&self.object, self.attached.is_some(), shared)
    }

    fn route(&self, lanes: &[(u32, Lane)], receiver: Option<&Arc<Receiver>>) {
        self.reader.route(|routes| {
            for (bit, _) in lanes {
                routes.receivers[*bit as usize] = receiver.cloned();
            }
        });
    }

    /// Writes the tables of all members into the bank that is not in use, and makes it the one in use; with `change`, as if
    /// that member had these lanes.
    fn publish(&mut self, change: Option<(u64, &[(u32, Lane)])>) -> Result<(), Failure> {
        self.fold()?;
        // 0 means "never classified" in a socket, so after a wrap-around it is left out, with the 1 that shares no bank.
        let next = self.generation.checked_add(1).unwrap_or(2);
        let bank = next & 1;
        let lanes: Vec<(u32, &Lane)> = self
            .members
            .iter()
            .flat_map(|(id, member)| match change {
                Some((changed, lanes)) if changed == *id => lanes,
                _ => &member.lanes,
            })
            .map(|(bit, lane)| (*bit, lane))
            .collect();
        let plan = plan::make(&lanes, bank)?;
        self.object.write_trie(bank, &plan.trie)?;
        self.object.write_config(bank, &plan.config)?;
        self.object.flip(next)?;
        self.generation = next;
        self.unfolded = true;
        Ok(())
    }

    /// Brings the counters of the bank that is not in use into the books and clears them.
    fn fold(&mut self) -> Result<(), Failure> {
        if !self.unfolded {
            return Ok(());
        }
        grace();
        let bank = 1 - (self.generation & 1);
        let classes = self.object.classes.read(bank)?;
        for member in self.members.values_mut() {
            member.books.fold(&member.lanes, &classes);
        }
        self.object.classes.clear(bank)?;
        self.unfolded = false;
        Ok(())
    }

    /// Tells every session's readers what the kernel lost since the last time.
    fn tell_losses(&mut self) {
        let Ok(counters) = self.object.counters() else {
            return;
        };
        let now = clock::wall_ns();
        for member in self.members.values_mut() {
            for (stage, count) in member.books.untold(&member.lanes, &counters) {
                if count > 0 {
                    let log = &member.receiver.log;
                    log.loss(stage, count, self.told_at_unix_ns, now);
                }
            }
        }
        self.told_at_unix_ns = now;
    }

    /// A bit for each lane: [`lane::assign`].
    fn bits_for(&self, old: &[(u32, Lane)], lanes: Vec<Lane>) -> Result<Vec<(u32, Lane)>, Failure> {
        let used = self.members.values().flat_map(|member| &member.lanes);
        assign("socket", used, old, lanes)
    }
}

fn totals(
    member: &Member,
    classes: &[(u64, ClassStats)],
    counters: &[latscope_events::counter::Counters],
) -> Totals {
    let mut totals = member
        .books
        .totals(&member.lanes, classes, counters, &Outside::NOTHING);
    totals.aggregated_only += member.receiver.faster.load(Ordering::Relaxed);
    totals
}

/// Tells losses, unless the engine is busy: it may be waiting for the very thread that asks.
fn tell_losses(shared: &Weak<Shared>) {
    if let Some(shared) = shared.upgrade()
        && let Some(mut state) = shared.try_lock()
        && let Some(state) = state.as_mut()
    {
        state.tell_losses();
    }
}
