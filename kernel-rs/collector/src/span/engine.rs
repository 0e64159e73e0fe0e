//! Sessions in, generations out: which lanes there are, which programs are attached for them, and when a bank may be
//! written again.

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use latscope_events::{
    SESSIONS,
    span::{counters::Counters, metric::METRICS, series::SeriesKey},
};
use parking_lot::Mutex;

use super::{
    anchor::{Anchor, Anchors},
    attachment::SpanAttachment,
    books::Books,
    capability, function, hook,
    lane::{self, Lane},
    object::Object,
    plan::{self, Placed},
    routes::{Receiver, Routes},
    series::Groups,
    target::{CALLS_A_SECOND, Target},
    task::cgroup::Places,
    trap::{self, Trap},
};
use crate::{
    bpf::grace,
    btf::Btf,
    clock,
    engine::{Attachment, Engine},
    failure::{Failure, Reason},
    histogram::{Histogram, readings::Readings},
    log::SessionLog,
    metric, program,
    proto::{Capability, Group, Metric, ProgramStats, SessionState},
    ring::{Reader, Rings},
    spec::CompiledSpec,
};

/// The span engine of the host. Loads its object with the first session and keeps it.
#[derive(Clone, Default)]
pub struct SpanEngine {
    state: Arc<Mutex<Option<State>>>,
}

impl SpanEngine {
    /// An engine that has loaded nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Engine for SpanEngine {
    fn capabilities(&self) -> Vec<Capability> {
        let mut state = self.state.lock();
        let used = state.is_some();
        // Read once for all of them.
        let _types = Btf::running();
        let rows = capability::rows(|metric| open(&mut state, &self.state)?.try_out(metric));
        if !used {
            // What was only tried is not kept.
            *state = None;
        }
        rows
    }

    fn check(&self, spec: &CompiledSpec) -> Result<(), Failure> {
        lane::of(spec).map(|_| ())
    }

    fn load(&self, spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure> {
        let lanes = lane::of(spec)?;
        let metrics = metrics(&lanes);
        let mut state = self.state.lock();
        let state = open(&mut state, &self.state).map_err(|failure| told(metrics, failure))?;
        for anchor in lanes.iter().filter_map(|it| it.anchor.as_ref()) {
            let tried = state.try_anchor(anchor);
            tried.map_err(|failure| capability::refusal(anchor.metric(), &failure))?;
        }
        for row in metric::rows(metrics) {
            for hook in hook::of(row.metric) {
                let loaded = state.object.load(*hook);
                loaded.map_err(|failure| capability::refusal(row.metric, &failure))?;
            }
        }
        Ok(state.programs(metrics, !state.members.is_empty()))
    }

    fn start(
        &self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure> {
        let lanes = lane::of(spec)?;
        let mut state = self.state.lock();
        let state =
            open(&mut state, &self.state).map_err(|failure| told(metrics(&lanes), failure))?;
        let id = state.join(spec, lanes, log)?;
        Ok(Box::new(SpanAttachment::new(self.state.clone(), id)))
    }
}

/// Everything that lanes measure.
fn metrics<'a>(lanes: impl IntoIterator<Item = &'a Lane>) -> u32 {
    lanes.into_iter().fold(0, |all, it| all | it.metrics)
}

/// A failure of the engine as that of the first metric that was asked for.
fn told(metrics: u32, failure: Failure) -> Failure {
    match metric::rows(metrics).next() {
        Some(row) => capability::refusal(row.metric, &failure),
        None => failure,
    }
}

fn open<'a>(
    state: &'a mut Option<State>,
    shared: &Arc<Mutex<Option<State>>>,
) -> Result<&'a mut State, Failure> {
    if state.is_none() {
        *state = Some(State::open(Arc::downgrade(shared))?);
    }
    state
        .as_mut()
        .ok_or_else(|| Failure::new(Reason::Internal, "the span engine did not open"))
}

/// A lane with its bit.
#[derive(Clone)]
pub(super) struct Seated {
    pub(super) bit: u32,
    /// Generation since which it is there.
    pub(super) since: u32,
    pub(super) lane: Lane,
    receiver: Arc<Receiver>,
}

/// A session inside the engine.
pub(super) struct Member {
    pub(super) lanes: Vec<Seated>,
    pub(super) books: Books,
    groups: Groups,
    log: Arc<SessionLog>,
    pub(super) spec: CompiledSpec,
    /// Probes that could not be attached, and why.
    pub(super) refused: Vec<(u32, Failure)>,
    /// By which hook each probe was, where there is more than one.
    pub(super) hooks: HashMap<u32, &'static str>,
    /// Starts of it in the table that forgets, when that was looked at last.
    waiting: u64,
}

impl Member {
    /// Everything that it measures.
    pub(super) fn metrics(&self) -> u32 {
        metrics(self.lanes.iter().map(|it| &it.lane))
    }

    /// What the kernel counted for it.
    pub(super) fn totals(&self, counters: &[Counters]) -> crate::proto::Totals {
        let mut totals = self.books.totals(counters, self.waiting);
        let faster = |it: &Seated| it.receiver.faster.load(Ordering::Relaxed);
        totals.aggregated_only += self.lanes.iter().map(faster).sum::<u64>();
        totals
    }

    /// Its histograms with their names.
    pub(super) fn histograms(&self, places: &Places) -> Vec<(Group, Histogram)> {
        let group_by = |probe| {
            let lane = self.lanes.iter().find(|it| it.lane.probe == probe);
            lane.map(|it| it.lane.group_by.clone()).unwrap_or_default()
        };
        self.groups.all(group_by, places)
    }
}

/// Everything that is shared by the sessions of the engine.
pub(super) struct State {
    pub(super) object: Object,
    pub(super) members: HashMap<u64, Member>,
    pub(super) places: Arc<Places>,
    reader: Reader<Routes>,
    readings: Readings<SeriesKey>,
    /// Interval of the timers.
    tick_ns: u64,
    /// Functions by the bit of their lane.
    targets: HashMap<u32, Target>,
    /// What a trap costs, once a function has been measured; the inner `None` = that could not be told.
    trap: OnceCell<Option<Trap>>,
    /// What else is attached lane by lane.
    anchors: Anchors,
    next_id: u64,
    generation: u32,
    /// Since when each metric's programs are all attached.
    valid_from: [u64; METRICS],
    told_at_unix_ns: u64,
}

impl State {
    fn open(shared: Weak<Mutex<Option<Self>>>) -> Result<Self, Failure> {
        let mut object = Object::open()?;
        let (ring, wake) = object.take_ring()?;
        let rings = Rings {
            shards: vec![ring],
            wake,
            by_fill: false,
        };
        let places = Arc::new(Places::default());
        let routes = Routes::new(places.clone());
        Ok(Self {
            object,
            members: HashMap::new(),
            places,
            reader: Reader::start("latscope-span", routes, rings, move || {
                tell_losses(&shared);
            })?,
            readings: Readings::default(),
            tick_ns: lane::TICK_NS,
            targets: HashMap::new(),
            trap: OnceCell::new(),
            anchors: Anchors::default(),
            next_id: 0,
            generation: 0,
            valid_from: [0; METRICS],
            told_at_unix_ns: clock::wall_ns(),
        })
    }

    /// Attaches the programs of a metric and, unless a session has them, takes them off again: the hook that took them.
    fn try_out(&mut self, metric: Metric) -> Result<&'static str, Failure> {
        let mut outcome = self.attach(metric);
        if metric == Metric::UserFunction && outcome.is_ok() {
            // On a function of this process alone, which it does not call.
            outcome = function::of_libc().and_then(|it| {
                Target::attach(&mut self.object, &it, SESSIONS as u32 - 1, 0).map(|_| "uprobe")
            });
        }
        if outcome.is_ok() {
            outcome = match Anchor::to_try(metric) {
                Ok(Some(anchor)) => self.try_anchor(&anchor),
                Ok(None) => outcome,
                Err(failure) => Err(failure),
            };
        }
        self.detach_unused();
        outcome
    }

    /// Attaches to it for nobody, and lets it go: the hook that took it.
    fn try_anchor(&mut self, anchor: &Anchor) -> Result<&'static str, Failure> {
        // The bit of the lane that is seated last; where there is one the kernel has shown that it can.
        let bit = SESSIONS as u32 - 1;
        if self.lanes() >> bit & 1 != 0 {
            return Err(no_seat());
        }
        let outcome = self.anchors.attach(&mut self.object, anchor, bit, 0);
        let seated = self.lanes();
        self.anchors.keep(&mut self.object, seated);
        outcome
    }

    /// Bits that are in use.
    fn lanes(&self) -> u64 {
        let lanes = self.members.values().flat_map(|it| &it.lanes);
        lanes.fold(0, |all, it| all | 1 << it.bit)
    }

    /// Adds a session; it is attached when this returns.
    fn join(
        &mut self,
        spec: &CompiledSpec,
        mut lanes: Vec<Lane>,
        log: Arc<SessionLog>,
    ) -> Result<u64, Failure> {
        let mut refused: Vec<(u32, Failure)> = Vec::new();
        self.agree_on_tick(&lanes)?;
        for lane in &lanes {
            for row in metric::rows(lane.metrics) {
                if let Err(failure) = self.attach(row.metric) {
                    refused.push((lane.probe, capability::refusal(row.metric, &failure)));
                }
            }
        }
        lanes.retain(|lane| refused.iter().all(|(probe, _)| *probe != lane.probe));
        if lanes.is_empty()
            && let Some((_, failure)) = refused.first()
        {
            self.detach_unused();
            return Err(failure.clone());
        }
        let mut seated = self
            .seat(&[], lanes, &log)
            .inspect_err(|_| self.detach_unused())?;
        let mut hooks = HashMap::new();
        let failed = self.attach_functions(&seated, &mut hooks);
        seated.retain(|it| failed.iter().all(|(probe, _)| *probe != it.lane.probe));
        refused.extend(failed);
        if seated.is_empty()
            && let Some((_, failure)) = refused.first()
        {
            self.detach_unused();
            return Err(failure.clone());
        }
        let counters = self.counters(&seated)?;
        let mut books = Books::default();
        for it in &seated {
            books.open(it.bit, &counters);
        }
        self.route(&seated);
        self.next_id += 1;
        let id = self.next_id;
        self.members.insert(
            id,
            Member {
                lanes: seated,
                books,
                groups: Groups::default(),
                log,
                spec: spec.clone(),
                refused,
                hooks,
                waiting: 0,
            },
        );
        if let Err(failure) = self.publish(None) {
            self.leave(id);
            return Err(failure);
        }
        Ok(id)
    }

    /// Takes over new filters, caps and groups.
    pub(super) fn change(&mut self, id: u64, spec: &CompiledSpec) -> Result<(), Failure> {
        let mut wanted = lane::of(spec)?;
        let Some(member) = self.members.get(&id) else {
            return Err(Failure::new(Reason::Closed, "the session has been stopped"));
        };
        wanted.retain(|lane| member.refused.iter().all(|it| it.0 != lane.probe));
        let (old, log) = (member.lanes.clone(), member.log.clone());
        let new = self.seat(&old, wanted, &log)?;
        let absent = |from: &[Seated], it: &Seated| from.iter().all(|other| other.bit != it.bit);
        let added: Vec<Seated> = new.iter().filter(|it| absent(&old, it)).cloned().collect();
        let gone: Vec<Seated> = old.iter().filter(|it| absent(&new, it)).cloned().collect();
        let before = self.counters(&new)?;
        self.route(&added);
        if let Err(failure) = self.publish(Some((id, &new))) {
            self.unroute(&added);
            return Err(failure);
        }
        self.reader.drain();
        let after = self.counters(&old)?;
        if let Some(member) = self.members.get_mut(&id) {
            for it in &added {
                member.books.open(it.bit, &before);
            }
            for it in &gone {
                member.books.close(it.bit, &after);
            }
            for it in &new {
                let least = it.lane.min_latency_ns;
                it.receiver.min_latency_ns.store(least, Ordering::Relaxed);
            }
            member.lanes = new;
            member.spec = spec.clone();
        }
        self.unroute(&gone);
        Ok(())
    }

    /// Removes a session: when this returns everything measured for it is in its log and nothing more will come.
    pub(super) fn leave(&mut self, id: u64) -> Option<(Member, Vec<Counters>)> {
        if self.members.contains_key(&id) && self.publish(Some((id, &[]))).is_ok() {
            self.reader.drain();
            self.bury_goroutines();
            self.tell_losses();
        }
        let mut member = self.members.remove(&id)?;
        self.unroute(&member.lanes);
        let counters = self.counters(&member.lanes).unwrap_or_default();
        member.waiting = self.waiting(&member.lanes);
        self.detach_unused();
        Some((member, counters))
    }

    /// The timers are the host's: whoever comes while they run has to take their interval.
    fn agree_on_tick(&mut self, lanes: &[Lane]) -> Result<(), Failure> {
        let Some(wanted) = lanes.iter().find_map(|it| it.tick_ns) else {
            return Ok(());
        };
        let others = self
            .members
            .values()
            .flat_map(|it| &it.lanes)
            .map(|it| &it.lane);
        let mut all = others.chain(lanes).filter_map(|it| it.tick_ns);
        if let Some(other) = all.find(|it| *it != wanted) {
            let text = format!(
                "timers run every {} us for other probes; take that interval or stop them",
                other / 1000
            );
            return Err(
                Failure::new(Reason::OptionConflict, text.clone()).with_precondition(
                    "STATE",
                    "cpu_stall.interval",
                    text,
                ),
            );
        }
        self.tick_ns = wanted;
        Ok(())
    }

    /// Attaches to the functions of lanes: probes that could not be, and why.
    fn attach_functions(
        &mut self,
        seated: &[Seated],
        hooks: &mut HashMap<u32, &'static str>,
    ) -> Vec<(u32, Failure)> {
        let mut failed = Vec::new();
        for it in seated {
            if let Some(anchor) = &it.lane.anchor {
                match self
                    .anchors
                    .attach(&mut self.object, anchor, it.bit, it.since)
                {
                    Ok(hook) => drop(hooks.insert(it.lane.probe, hook)),
                    Err(failure) => failed.push((
                        it.lane.probe,
                        capability::refusal(anchor.metric(), &failure),
                    )),
                }
            }
            let Some(function) = &it.lane.function else {
                continue;
            };
            self.trap.get_or_init(|| trap::calibrate(&mut self.object));
            match Target::attach(&mut self.object, function, it.bit, it.since) {
                Ok(target) => drop(self.targets.insert(it.bit, target)),
                Err(failure) => failed.push((
                    it.lane.probe,
                    capability::refusal(Metric::UserFunction, &failure),
                )),
            }
        }
        failed
    }

    /// Takes programs off functions that are called so often that measuring them would slow the host down.
    fn spare_the_host(&mut self) {
        for member in self.members.values_mut() {
            for it in &member.lanes {
                let (Some(target), Ok(hits)) =
                    (self.targets.get_mut(&it.bit), self.object.hits(it.bit))
                else {
                    continue;
                };
                if !target.is_too_often(hits) {
                    continue;
                }
                self.targets.remove(&it.bit);
                let name = it.lane.function.as_ref().map_or("", |it| &it.name);
                let text = format!(
                    "{name} is called more than {CALLS_A_SECOND} times a second: it is measured no more, for each call traps twice"
                );
                member.log.change(SessionState::Degraded, &text);
                let failure = Failure::new(Reason::HookUnavailable, text);
                member.refused.push((it.lane.probe, failure));
            }
        }
    }

    /// Attaches the programs of a metric: the hook that took them.
    fn attach(&mut self, metric: Metric) -> Result<&'static str, Failure> {
        if metric == Metric::CpuStall {
            if self.object.start_timers(self.tick_ns)? {
                self.valid_from[metric as usize] = clock::monotonic_ns();
            }
            return Ok("perf_event");
        }
        let mut news = false;
        for hook in hook::of(metric) {
            news |= self.object.attach(*hook)?;
        }
        if metric == Metric::NetStackReceive {
            self.object.watch_datagrams();
        }
        if news {
            self.valid_from[metric as usize] = clock::monotonic_ns();
        }
        Ok(match metric {
            Metric::UserFunction => "uprobe",
            _ => "tp_btf",
        })
    }

    fn detach_unused(&mut self) {
        let metrics = self.members.values().fold(0, |all, it| all | it.metrics());
        self.object.detach_all_but(&hook::of_all(metrics));
        if metrics & metric::bit(Metric::CpuStall) == 0 {
            self.object.stop_timers();
        }
        if metrics & metric::bit(Metric::NetStackReceive) == 0 {
            self.object.leave_datagrams();
        }
        let seated = self.lanes();
        self.anchors.keep(&mut self.object, seated);
        self.targets.retain(|bit, _| seated >> bit & 1 != 0);
    }

    fn route(&self, lanes: &[Seated]) {
        self.reader.route(|routes| {
            for it in lanes {
                routes.receivers[it.bit as usize] = Some(it.receiver.clone());
            }
        });
    }

    fn unroute(&self, lanes: &[Seated]) {
        self.reader.route(|routes| {
            for it in lanes {
                routes.receivers[it.bit as usize] = None;
            }
        });
    }

    /// Writes the tables of all members into the bank that is not in use, makes it the one in use, and waits until the
    /// other is not any more; with `change`, as if that member had these lanes.
    fn publish(&mut self, change: Option<(u64, &[Seated])>) -> Result<(), Failure> {
        let next = self.next_generation();
        let placed: Vec<Placed<'_>> = self
            .members
            .iter()
            .flat_map(|(id, member)| match change {
                Some((changed, lanes)) if changed == *id => lanes,
                _ => &member.lanes,
            })
            .map(|it| Placed {
                bit: it.bit,
                since: it.since,
                lane: &it.lane,
            })
            .collect();
        let mut plan = plan::make(&placed, next)?;
        plan.config.valid_from = self.valid_from;
        plan.config.tick_ns = self.tick_ns;
        let bank = next & 1;
        self.object
            .write(bank, &plan.config, &plan::of_bank(plan.filters, bank))?;
        self.object.flip(next)?;
        self.generation = next;
        grace();
        self.harvest()
    }

    /// 0 means "never classified" in a thread.
    fn next_generation(&self) -> u32 {
        self.generation.checked_add(1).unwrap_or(2)
    }

    /// Adds what the histograms counted since the last time to those of the sessions.
    pub(super) fn harvest(&mut self) -> Result<(), Failure> {
        for (key, values) in self.object.series()? {
            let counted = self.readings.since_last(&key, values);
            if counted.count() == 0 {
                continue;
            }
            for member in self.members.values_mut() {
                for it in &member.lanes {
                    if key.lanes >> it.bit & 1 != 0 {
                        let lane = &it.lane;
                        member
                            .groups
                            .add(lane.probe, &lane.group_by, &key, &counted);
                    }
                }
            }
        }
        let of_before: Vec<_> = self
            .readings
            .keys()
            .filter(|key| key.generation != self.generation)
            .copied()
            .collect();
        for key in of_before {
            self.object.forget(&key);
            self.readings.forget(&key);
        }
        Ok(())
    }

    /// The programs that measure these metrics, as far as they are loaded.
    pub(super) fn programs(&self, metrics: u32, shared: bool) -> Vec<ProgramStats> {
        let mine = hook::of_all(metrics);
        self.object
            .loaded()
            .filter(|(hook, ..)| mine.contains(hook))
            .map(|(hook, load_time, attached, info)| {
                let own = program::Own {
                    name: hook.program,
                    kind: "tracing",
                    attached_to: if attached {
                        format!("tp_btf: {}", hook.tracepoint)
                    } else {
                        String::new()
                    },
                    shared,
                    load_time,
                };
                program::stats(own, info)
            })
            .chain(self.functions(metrics, shared))
            .chain(self.anchors.programs(&self.object, metrics, shared))
            .collect()
    }

    /// Programs on functions and timers.
    fn functions(&self, metrics: u32, shared: bool) -> Vec<ProgramStats> {
        let wanted = |name: &str| {
            let metric = if name == "latscope_tick" {
                Metric::CpuStall
            } else {
                Metric::UserFunction
            };
            metrics & metric::bit(metric) != 0
        };
        let lanes = self.members.values().flat_map(|it| &it.lanes);
        let mut names: Vec<&str> = lanes
            .filter_map(|it| Some(it.lane.function.as_ref()?.name.as_str()))
            .collect();
        names.sort_unstable();
        names.dedup();
        let functions = self.object.functions();
        functions
            .filter(|(name, ..)| wanted(name))
            .map(|(name, load_time, info)| {
                let (kind, attached_to) = if name == "latscope_tick" {
                    ("perf_event", "perf_event: cpu-clock on every CPU".into())
                } else {
                    ("kprobe", format!("uprobe: {}", names.join(", ")))
                };
                let own = program::Own {
                    name,
                    kind,
                    attached_to,
                    shared,
                    load_time,
                };
                let trap = self
                    .trap
                    .get()
                    .copied()
                    .flatten()
                    .and_then(|trap| match name {
                        "latscope_tick" => None,
                        "latscope_return" => Some(trap.returned),
                        _ => Some(trap.reached),
                    });
                ProgramStats {
                    trap_time: trap.and_then(|it| it.try_into().ok()),
                    ..program::stats(own, info)
                }
            })
            .collect()
    }

    /// Starts of these lanes in the table that forgets.
    fn waiting(&self, lanes: &[Seated]) -> u64 {
        let pairs = lanes.iter().filter(|it| it.lane.anchor.is_some());
        let targets: Vec<u64> = pairs.filter_map(|it| self.anchors.target(it.bit)).collect();
        if targets.is_empty() {
            return 0;
        }
        self.object.waiting(&targets)
    }

    /// Looks up what of a session waits.
    pub(super) fn count_waiting(&mut self, id: u64) {
        let waiting = self.members.get(&id).map(|it| self.waiting(&it.lanes));
        if let (Some(member), Some(waiting)) = (self.members.get_mut(&id), waiting) {
            member.waiting = waiting;
        }
    }

    /// Counters of the metrics of these lanes.
    pub(super) fn counters(&self, lanes: &[Seated]) -> Result<Vec<Counters>, Failure> {
        let metrics = metrics(lanes.iter().map(|it| &it.lane));
        let mut all = Vec::new();
        for row in metric::rows(metrics) {
            all.extend(self.object.counters(row.metric as u32)?);
        }
        Ok(all)
    }

    /// Tells every session's readers what the kernel lost since the last time.
    pub(super) fn tell_losses(&mut self) {
        let now = clock::wall_ns();
        for member in self.members.values_mut() {
            let counters: Vec<Counters> = metric::rows(member.metrics())
                .filter_map(|row| self.object.counters(row.metric as u32).ok())
                .flatten()
                .collect();
            for (stage, count) in member.books.untold(&counters) {
                if count > 0 {
                    member.log.loss(stage, count, self.told_at_unix_ns, now);
                }
            }
        }
        self.told_at_unix_ns = now;
    }

    /// A bit for each lane; one that measures the same as one of `old` keeps its.
    fn seat(
        &self,
        old: &[Seated],
        lanes: Vec<Lane>,
        log: &Arc<SessionLog>,
    ) -> Result<Vec<Seated>, Failure> {
        let mut used = self.lanes();
        let mut seated = Vec::new();
        for lane in lanes {
            let same =
                |it: &&Seated| (it.lane.probe, it.lane.metrics) == (lane.probe, lane.metrics);
            if let Some(it) = old.iter().find(same) {
                seated.push(Seated { lane, ..it.clone() });
                continue;
            }
            let bit = used.trailing_ones();
            if bit as usize >= SESSIONS {
                return Err(no_seat());
            }
            used |= 1 << bit;
            seated.push(Seated {
                bit,
                since: self.next_generation(),
                receiver: Arc::new(Receiver {
                    log: log.clone(),
                    probe: lane.probe,
                    min_latency_ns: AtomicU64::new(lane.min_latency_ns),
                    faster: AtomicU64::new(0),
                }),
                lane,
            });
        }
        Ok(seated)
    }
}

fn no_seat() -> Failure {
    let text = format!(
        "the span engine serves {SESSIONS} probes at once, those of all sessions together; stop a session"
    );
    Failure::new(Reason::CapacityExhausted, text.clone()).with_quota("span probes", text)
}

/// Tells losses, unless the engine is busy: it may be waiting for the very thread that asks.
fn tell_losses(shared: &Weak<Mutex<Option<State>>>) {
    if let Some(shared) = shared.upgrade()
        && let Some(mut state) = shared.try_lock()
        && let Some(state) = state.as_mut()
    {
        state.bury_goroutines();
        state.tell_losses();
        state.spare_the_host();
    }
}
