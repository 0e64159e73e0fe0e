//! Sessions in, generations out: who is measured for, and when a bank may be written again.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use aya::programs::sock_ops::SockOpsLink;
use latscope_events::{class::ClassStats, series::flags, socket::series::SeriesKey};
use parking_lot::Mutex;

use super::{
    attachment::{Last, SocketAttachment},
    capability,
    existing::Visit,
    lane,
    object::Object,
    plan,
    routes::Routes,
    series,
};
use crate::{
    bpf::grace,
    cgroup::{self, Places},
    class::{
        books::{Books, Change},
        grouping::Grouping,
        groups::{self, Groups},
        lane::{Lane, assign, without},
        outside::Outside,
        receiver::Receiver,
    },
    clock,
    engine::{Attachment, Engine},
    failure::{Failure, Reason},
    histogram::Histogram,
    log::SessionLog,
    proto::{self, Capability, ProgramStats, Totals},
    ring::Reader,
    spec::CompiledSpec,
};

/// How often the histograms are read though nobody asks: their counters of 32 bits must not go round twice.
const REFRESH: Duration = Duration::from_secs(60);

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
        let mut state = self.state.lock();
        let used = state.is_some();
        let outcome = capability::tried(|| {
            let state = open(&mut state, &self.state)?;
            let attached = state.attached.is_some();
            capability::attempt(&mut state.object, attached)
        });
        if !used {
            // What was only tried is not kept.
            *state = None;
        }
        capability::rows(&outcome)
    }

    fn check(&self, spec: &CompiledSpec) -> Result<(), Failure> {
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
    /// Its histograms of the generations before.
    groups: Groups,
    /// Its spec, for its probes.
    pub(super) spec: CompiledSpec,
}

impl Member {
    fn bits(&self) -> u64 {
        self.lanes.iter().fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// Groups that it may have.
    fn most_groups(&self) -> usize {
        self.spec.collection.max_groups as usize
    }

    /// Groups as the contract names them.
    fn name(&self, groups: &Groups) -> Vec<(proto::Group, Histogram)> {
        let probe = &self.receiver.probe;
        groups.list(|metric| probe.get(usize::from(metric)).copied().unwrap_or_default())
    }
}

/// Everything that is shared by the sessions of the engine.
pub(super) struct State {
    pub(super) object: Object,
    pub(super) members: HashMap<u64, Member>,
    attached: Option<SockOpsLink>,
    /// Connections that it does not see, for a person.
    pub(super) unseen: Option<String>,
    /// Generation since which it is attached.
    since: u32,
    /// Ways of grouping, by the index that the series of each bank name them by.
    groupings: [Vec<Grouping>; 2],
    places: Arc<Places>,
    refreshed: Instant,
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
        let places = Arc::new(Places::default());
        let routes = Routes::new(places.clone());
        Ok(Self {
            object,
            members: HashMap::new(),
            attached: None,
            unseen: None,
            since: 0,
            groupings: [Vec::new(), Vec::new()],
            places,
            refreshed: Instant::now(),
            reader: Reader::start("latscope-socket", routes, rings, move || {
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
        let receiver = Arc::new(Receiver::new(spec, log, 0));
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
                groups: Groups::default(),
                spec,
            },
        );
        if let Err(failure) = self.attach().and_then(|()| self.publish(None)) {
            self.leave(id);
            return Err(failure);
        }
        if self.since == self.generation {
            // Only now: whatever they call back about is measured.
            self.unseen = self.object.visit(Visit::Ask);
        }
        Ok(id)
    }

    fn attach(&mut self) -> Result<(), Failure> {
        if self.attached.is_none() {
            self.attached = Some(self.object.attach()?);
            self.since = self.next_generation();
        }
        Ok(())
    }

    fn detach(&mut self) {
        if self.attached.take().is_some() {
            // What could not be asked is not asked now either.
            let _ = self.object.visit(Visit::Release);
        }
    }

    /// 0 means "never classified" in a socket, so after a wrap-around it is left out, with the 1 that shares no bank.
    fn next_generation(&self) -> u32 {
        self.generation.checked_add(1).unwrap_or(2)
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
    pub(super) fn leave(&mut self, id: u64) -> Option<Last> {
        if self.members.contains_key(&id) && self.publish(Some((id, &[]))).is_ok() {
            // Its last counters are brought in while it is still a member, its last samples while it still has its bits.
            let _ = self.fold();
            self.reader.drain();
            self.tell_losses();
        }
        let member = self.members.remove(&id)?;
        self.route(&member.lanes, None);
        if self.members.is_empty() {
            self.detach();
        }
        let counters = self.object.counters().unwrap_or_default();
        Some(Last {
            totals: totals(&member, &[], &counters),
            histograms: member.name(&member.groups),
        })
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
        let next = self.next_generation();
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
        let plan = plan::make(&lanes, self.since, bank)?;
        self.object.write_trie(bank, &plan.trie)?;
        self.object.write_config(bank, &plan.config)?;
        self.object.flip(next)?;
        self.groupings[bank as usize] = plan.groupings;
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
        for (key, histogram) in self.object.histograms.retire(bank)? {
            let id = self.id_of(&key);
            for member in self.members.values_mut() {
                if member.bits() & key.sessions != 0 {
                    let most = member.most_groups();
                    member.groups.add(id.clone(), most, &histogram);
                }
            }
        }
        self.unfolded = false;
        Ok(())
    }

    /// What was counted in the kernel for a session since its start, by group.
    pub(super) fn histograms(
        &mut self,
        id: u64,
    ) -> Result<Vec<(proto::Group, Histogram)>, Failure> {
        self.fold()?;
        self.refresh()?;
        let Some(bits) = self.members.get(&id).map(Member::bits) else {
            return Ok(Vec::new());
        };
        let live: Vec<(groups::Id, Histogram)> = self
            .object
            .histograms
            .of(bits)
            .map(|(key, histogram)| (self.id_of(key), histogram.clone()))
            .collect();
        let Some(member) = self.members.get_mut(&id) else {
            return Ok(Vec::new());
        };
        let most = member.most_groups();
        let all = member.groups.with(most, live);
        Ok(member.name(&all))
    }

    fn refresh(&mut self) -> Result<(), Failure> {
        self.refreshed = Instant::now();
        self.object.histograms.refresh()
    }

    fn id_of(&self, key: &SeriesKey) -> groups::Id {
        let bank = usize::from(key.flags & flags::BANK);
        let grouping = self.groupings[bank].get(usize::from(key.grouping));
        series::id_of(key, grouping.copied().unwrap_or_default(), &self.places)
    }

    /// Tells every session's readers what the kernel lost since the last time.
    fn tell_losses(&mut self) {
        let Ok(counters) = self.object.counters() else {
            return;
        };
        let now = clock::wall_ns();
        let time = (self.told_at_unix_ns, now);
        for member in self.members.values_mut() {
            let log = &member.receiver.log;
            member.books.tell(&member.lanes, &counters, log, time);
        }
        self.told_at_unix_ns = now;
        if self.refreshed.elapsed() > REFRESH {
            // One that fails is tried again the next time; the counters have minutes until they go round.
            let _ = self.refresh();
        }
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
