//! Sessions in, generations out: who is measured for, where the programs sit, and when a bank may be written again.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use latscope_events::{
    class::ClassStats,
    config::UNCERTAIN,
    counter::Counters,
    flow::GROUPS,
    series::{SeriesKey, flags},
};
use parking_lot::Mutex;

use super::{
    attach::{self, Attached, TCX},
    attachment::{self, PacketAttachment},
    books::{Books, Change},
    capability,
    grouping::Grouping,
    groups::{self, Groups},
    interface::{self, Interface},
    lane::{self, Lane},
    monitor::Monitor,
    namespace::{self, Id, Place},
    object::{Clock, Hook, Object},
    plan::{self, Placed},
    presence::{self, Ended},
    routes::Routes,
    session::{Member, View},
    shards,
    spanning::Spanning,
    tables::Tables,
};
use crate::{
    bpf::grace,
    class::receiver::Receiver,
    clock,
    engine::{Attachment, Engine},
    failure::{Failure, Reason},
    histogram::Histogram,
    log::SessionLog,
    proto::{self, Capability, ProgramStats},
    ring::Reader,
    spec::CompiledSpec,
};

/// How often the histograms are read though nobody asks: their counters of 32 bits must not go round twice.
const REFRESH: Duration = Duration::from_secs(60);

/// The packet engine. In the namespace that the service runs in it loads its programs with the first session and keeps them; in
/// another, for as long as sessions are held there.
#[derive(Clone, Default)]
pub struct PacketEngine {
    tables: Tables,
    state: Arc<Shared>,
    abroad: Arc<Mutex<HashMap<Id, Weak<Shared>>>>,
}

type Shared = Mutex<Option<State>>;

impl PacketEngine {
    /// An engine that has loaded nothing yet. Its tables will be this large, in each namespace that it measures in.
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self {
            tables,
            ..Self::default()
        }
    }

    /// The instance of a namespace.
    fn instance(&self, place: Option<&Place>) -> Arc<Shared> {
        let Some(place) = place else {
            return self.state.clone();
        };
        let mut abroad = self.abroad.lock();
        abroad.retain(|_, it| it.strong_count() > 0);
        let known = abroad.get(&place.id).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let fresh = Arc::default();
            abroad.insert(place.id, Arc::downgrade(&fresh));
            fresh
        })
    }
}

impl Engine for PacketEngine {
    fn capabilities(&self) -> Vec<Capability> {
        let outcome = match open(&mut self.state.lock(), &self.state, None, self.tables) {
            Ok(state) => capability::tried(&mut state.object),
            Err(failure) => Err(failure.message().to_owned()),
        };
        capability::rows(&outcome)
    }

    fn check(&self, spec: &CompiledSpec) -> Result<(), Failure> {
        looked_at(&namespace::places(spec)?, spec).map(drop)
    }

    fn load(&self, spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure> {
        let looked_at = looked_at(&namespace::places(spec)?, spec)?;
        // The programs are the same everywhere.
        let mut state = self.state.lock();
        let state = open(&mut state, &self.state, None, self.tables)?;
        let wanted: Vec<Hook> = Hook::ALL
            .into_iter()
            .filter(|hook| looked_at.iter().any(|it| it.raw == hook.raw))
            .collect();
        for hook in &wanted {
            state.object.program(*hook)?;
        }
        Ok(attachment::programs(
            state,
            &wanted,
            !state.members.is_empty(),
        ))
    }

    fn start(
        &self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure> {
        let places = namespace::places(spec)?;
        looked_at(&places, spec)?;
        let mut parts = Vec::new();
        for place in places {
            let shared = self.instance(place.as_ref());
            let mut state = shared.lock();
            let open = open(&mut state, &shared, place.as_ref(), self.tables)?;
            let id = open.join(spec, log.clone(), place)?;
            drop(state);
            parts.push(PacketAttachment::new(shared, id));
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => Box::new(only),
            last => Box::new(Spanning::new(parts.into_iter().chain(last).collect(), spec)),
        })
    }
}

/// Checks a spec; the interfaces that it is about, whichever namespace they are in. A plain name has to be one's in one of the
/// namespaces.
fn looked_at(places: &[Option<Place>], spec: &CompiledSpec) -> Result<Vec<Interface>, Failure> {
    let mut all = Vec::new();
    for place in places {
        all.extend(presence::interfaces(place.as_ref())?);
    }
    lane::of(spec)?;
    interface::chosen(&all, &spec.interfaces)
}

fn open<'a>(
    state: &'a mut Option<State>,
    shared: &Arc<Shared>,
    place: Option<&Place>,
    tables: Tables,
) -> Result<&'a mut State, Failure> {
    if state.is_none() {
        *state = Some(State::open(
            Arc::downgrade(shared),
            place.is_some(),
            tables,
        )?);
    }
    state
        .as_mut()
        .ok_or_else(|| Failure::new(Reason::Internal, "the packet engine did not open"))
}

/// Everything that is shared by the sessions of the engine.
pub(super) struct State {
    pub(super) object: Object,
    pub(super) members: HashMap<u64, Member>,
    pub(super) attached: HashMap<u32, Attached>,
    pub(super) reader: Reader<Routes>,
    groups: [Option<View>; GROUPS],
    /// The generation since which each group has looked.
    since: [u32; GROUPS],
    /// Interfaces that were left, where a program still runs.
    lingering: Vec<Interface>,
    next_id: u64,
    generation: u32,
    /// Ways of grouping, by the index that the series of each bank name them by.
    groupings: [Vec<Grouping>; 2],
    refreshed: Instant,
    /// Whether the bank that is not in use holds counters that are not in the books yet.
    unfolded: bool,
    told_at_unix_ns: u64,
    pub(super) shared: Weak<Shared>,
    /// In another namespace than the service's own.
    pub(super) abroad: bool,
    /// In the own namespace always there; abroad while there are members, for it holds the namespace.
    pub(super) monitor: Option<Monitor>,
    /// Sessions whose namespace went before they were stopped.
    pub(super) ended: HashMap<u64, Ended>,
}

impl State {
    fn open(shared: Weak<Shared>, abroad: bool, tables: Tables) -> Result<Self, Failure> {
        let mut object = Object::open(Clock::Kernel, shards::count(), tables)?;
        let rings = object.take_rings()?;
        let losses = shared.clone();
        Ok(Self {
            object,
            members: HashMap::new(),
            attached: HashMap::new(),
            reader: Reader::start("latscope-packet", Routes::new(), rings, move || {
                tell_losses(&losses);
            })?,
            groups: [const { None }; GROUPS],
            since: [0; GROUPS],
            lingering: Vec::new(),
            next_id: 0,
            generation: 0,
            groupings: [Vec::new(), Vec::new()],
            refreshed: Instant::now(),
            unfolded: false,
            told_at_unix_ns: clock::wall_ns(),
            shared,
            abroad,
            monitor: None,
            ended: HashMap::new(),
        })
    }

    /// Adds a session; it is attached when this returns. One that fails leaves nothing behind.
    fn join(
        &mut self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
        place: Option<Place>,
    ) -> Result<u64, Failure> {
        let joined = self.admit(spec, log, place);
        if joined.is_err() {
            for (group, view) in self.groups.iter_mut().enumerate() {
                if self.members.values().all(|it| it.group != group) {
                    *view = None;
                }
            }
            self.let_go();
        }
        joined
    }

    /// Nobody holds the namespace of another any more without members.
    fn let_go(&mut self) {
        if self.abroad && self.members.is_empty() {
            self.monitor = None;
        }
    }

    fn admit(
        &mut self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
        place: Option<Place>,
    ) -> Result<u64, Failure> {
        self.fold()?;
        self.forget_names()?;
        self.listen(place.as_ref())?;
        let bits = self.bits_for(&[], lane::of(spec)?)?;
        let view = View::of(spec);
        let group = self.group_of(&view)?;
        let receiver = Arc::new(Receiver::new(
            spec,
            log,
            place.as_ref().map_or(0, |it| it.id.inode),
        ));
        let books = Books::open(
            &bits,
            &self.object.counters()?,
            &self.object.group(group as u32, true)?,
        );
        self.next_id += 1;
        let id = self.next_id;
        self.reader.route(|routes| {
            for (bit, _) in &bits {
                routes.receivers[*bit as usize] = Some(receiver.clone());
            }
        });
        let spec = spec.clone();
        self.members.insert(
            id,
            Member {
                lanes: bits,
                group,
                look: view.look,
                receiver,
                books,
                groups: Groups::default(),
                spec,
                place,
            },
        );
        // First the tables, then the interfaces: while there is but one group, all that is attached is taken for its own.
        if let Err(failure) = self.publish(None).and_then(|()| self.reconcile()) {
            self.leave(id);
            return Err(failure);
        }
        Ok(id)
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
        self.reader.route(|routes| {
            for (bit, _) in &new {
                routes.receivers[*bit as usize] = Some(receiver.clone());
            }
        });
        let gone = lane::without(&old, &new);
        let published = self.publish(Some((id, &new)));
        let after = match published.and_then(|()| self.brought_in()) {
            Ok(after) => after,
            Err(failure) => {
                let _ = self.publish(None);
                self.unroute(&lane::without(&new, &old));
                return Err(failure);
            }
        };
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
        self.unroute(&gone);
        Ok(())
    }

    /// Brings in the counters and the samples of lanes that are given up, while the session still has them; the counters then.
    fn brought_in(&mut self) -> Result<Vec<Counters>, Failure> {
        self.fold()?;
        self.reader.drain();
        self.object.counters()
    }

    /// Removes a session: when this returns everything measured for it is in its log and nothing more will come.
    pub(super) fn leave(&mut self, id: u64) -> Option<Member> {
        let group = self.members.get(&id)?.group;
        let alone = |(other, it): (&u64, &Member)| *other == id || it.group != group;
        if self.members.iter().all(alone) {
            // First the interfaces, then the tables: see `join`.
            self.groups[group] = None;
            let _ = self.reconcile();
        }
        if self.publish(Some((id, &[]))).is_ok() {
            // Its last counters are brought in while it is still a member, its last samples while it still has its bits.
            let _ = self.fold();
            self.reader.drain();
            self.tell_losses();
        }
        let member = self.members.remove(&id)?;
        self.unroute(&member.lanes);
        if self.abroad && self.members.is_empty() {
            self.monitor = None;
        }
        Some(member)
    }

    fn unroute(&self, lanes: &[(u32, Lane)]) {
        self.reader.route(|routes| {
            for (bit, _) in lanes {
                routes.receivers[*bit as usize] = None;
            }
        });
    }

    /// Writes the tables of all members into the bank that is not in use, and makes it the one in use; with `change`, as if
    /// that member had these lanes.
    pub(super) fn publish(&mut self, change: Option<(u64, &[(u32, Lane)])>) -> Result<(), Failure> {
        self.fold()?;
        let next = self.next_generation();
        let bank = next & 1;
        let placed: Vec<Placed<'_>> = self
            .members
            .iter()
            .flat_map(|(id, member)| {
                let lanes = match change {
                    Some((changed, lanes)) if changed == *id => lanes,
                    _ => &member.lanes,
                };
                lanes.iter().map(|(bit, lane)| Placed {
                    bit: *bit,
                    group: member.group,
                    look: member.look,
                    since: self.since[member.group],
                    lane,
                })
            })
            .collect();
        let mut plan = plan::make(&placed, bank)?;
        if plan.config.groups != 0 && !self.lingering.is_empty() {
            plan.config.groups |= UNCERTAIN;
        }
        self.object.write_trie(bank, &plan.trie)?;
        self.object
            .write_config(bank, &plan.config, &plan.options)?;
        self.object.flip(next)?;
        self.groupings[bank as usize] = plan.groupings;
        self.generation = next;
        self.unfolded = true;
        Ok(())
    }

    /// 0 means "never classified" in a flow, so after a wrap-around it is left out, with the 1 that shares no bank.
    fn next_generation(&self) -> u32 {
        self.generation.checked_add(1).unwrap_or(2)
    }

    /// Brings the counters of the bank that is not in use into the books and clears them.
    pub(super) fn fold(&mut self) -> Result<(), Failure> {
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
        let retired = self.object.histograms.retire(bank)?;
        for (series, histogram) in &retired {
            let id = self.id_of(series);
            for member in self.members.values_mut() {
                if member.bits() & series.sessions != 0 {
                    let most = member.most_groups();
                    member.groups.add(id.clone(), most, histogram);
                }
            }
        }
        self.unfolded = false;
        Ok(())
    }

    /// Counters that are not in the books yet: of the bank in use, and for a while after a change of the other.
    pub(super) fn classes(&self) -> Result<Vec<(u64, ClassStats)>, Failure> {
        let bank = self.generation & 1;
        let mut classes = self.object.classes.read(bank)?;
        if self.unfolded {
            classes.extend(self.object.classes.read(1 - bank)?);
        }
        Ok(classes)
    }

    /// Forgets the names of interfaces that went before; first what still bears them is brought into the books and the logs.
    fn forget_names(&mut self) -> Result<(), Failure> {
        let stale = |routes: &Routes, attached: &HashMap<u32, Attached>| {
            let mut names = routes.names.keys();
            names.any(|index| !attached.contains_key(index))
        };
        if !self.reader.look(|routes| stale(routes, &self.attached)) {
            return Ok(());
        }
        self.fold()?;
        self.reader.drain();
        let attached = &self.attached;
        self.reader
            .route(|routes| routes.names.retain(|index, _| attached.contains_key(index)));
        Ok(())
    }

    /// What was counted in the kernel for a session since its start, by group.
    pub(super) fn histograms(
        &mut self,
        id: u64,
    ) -> Result<Vec<(proto::Group, Histogram)>, Failure> {
        if let Some(ended) = self.ended.get(&id) {
            return Ok(ended.histograms.clone());
        }
        self.fold()?;
        self.refresh()?;
        let Some(bits) = self.members.get(&id).map(Member::bits) else {
            return Ok(Vec::new());
        };
        let live: Vec<(groups::Id, Histogram)> = self
            .object
            .histograms
            .of(bits)
            .map(|(series, histogram)| (self.id_of(series), histogram.clone()))
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

    fn id_of(&self, series: &SeriesKey) -> groups::Id {
        let bank = usize::from(series.flags & flags::BANK);
        let grouping = self.groupings[bank]
            .get(usize::from(series.grouping))
            .copied()
            .unwrap_or_default();
        groups::Id {
            metric: series.metric,
            keys: grouping.names(series, |index| {
                self.reader.look(|routes| routes.interface(index))
            }),
            other: series.flags & flags::OTHER != 0,
        }
    }

    /// [`Self::reconcile`], in the namespace that this thread is in.
    pub(super) fn reconcile_here(&mut self) -> Result<bool, Failure> {
        let all = interface::list()?;
        let mut wanted: HashMap<u32, (Interface, u32)> = HashMap::new();
        for (group, view) in self.groups.iter().enumerate() {
            let Some(view) = view else {
                continue;
            };
            for interface in interface::matching(&all, &view.interfaces) {
                wanted.entry(interface.index).or_insert((interface, 0)).1 |= 1 << group;
            }
        }
        self.forget_names()?;
        let gone: Vec<u32> = self
            .attached
            .iter()
            .filter(|(index, it)| {
                wanted
                    .get(index)
                    .is_none_or(|(now, _)| now.raw != it.interface.raw)
            })
            .map(|(index, _)| *index)
            .collect();
        for index in &gone {
            // Filters of clsact are gone when they have been removed.
            if let Some(Attached {
                interface,
                hook: TCX,
                ..
            }) = self.attached.remove(index)
            {
                self.lingering.push(interface);
            }
            self.object.write_interface(*index, 0)?;
        }
        self.lingering.retain(|left| {
            let there = all.iter().any(|it| it.index == left.index);
            there && !wanted.contains_key(&left.index) && attach::lingers(&self.object, left)
        });
        for (index, (interface, groups)) in wanted {
            self.object.write_interface(index, groups)?;
            self.reader.route(|routes| {
                routes
                    .names
                    .insert(index, interface.name.clone().into_bytes().into());
            });
            if let Some(attached) = self.attached.get_mut(&index) {
                attached.interface = interface;
            } else {
                match attach::attach(&mut self.object, &interface) {
                    Ok(attached) => {
                        self.attached.insert(index, attached);
                    }
                    // It went meanwhile, which the monitor has heard as well.
                    Err(_) if interface::list()?.iter().all(|it| it.index != index) => {
                        self.object.write_interface(index, 0)?;
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(!gone.is_empty())
    }

    /// Tells every session's readers what the kernel lost since the last time.
    pub(super) fn tell_losses(&mut self) {
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

    /// The group of a view, a new one if need be.
    fn group_of(&mut self, view: &View) -> Result<usize, Failure> {
        if let Some(group) = self.groups.iter().position(|it| it.as_ref() == Some(view)) {
            return Ok(group);
        }
        let Some(group) = self.groups.iter().position(Option::is_none) else {
            let text = format!(
                "sessions look at {GROUPS} different sets of interfaces already; use one of theirs or stop one"
            );
            return Err(Failure::new(Reason::CapacityExhausted, text.clone())
                .with_quota("interface sets", text));
        };
        self.groups[group] = Some(view.clone());
        self.since[group] = self.next_generation();
        self.object.begin(group, self.since[group]);
        Ok(group)
    }

    /// A bit for each lane: [`lane::assign`].
    fn bits_for(&self, old: &[(u32, Lane)], lanes: Vec<Lane>) -> Result<Vec<(u32, Lane)>, Failure> {
        let used = self.members.values().flat_map(|member| &member.lanes);
        lane::assign("packet", used, old, lanes)
    }
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

#[cfg(test)]
mod ring_tests;
