//! The thread that drains an engine's rings into the session logs.
//!
//! It sleeps on the rings only when nothing has come for a while, and says so to the programs, whose next record then wakes
//! it; while records come it looks every few milliseconds, or when a ring fills, since a wake-up for each of them would cost the
//! host more than everything else (KERNELS: 7 to 14 us). What several rings hold is put in order by its time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use aya::maps::{Array, MapData, RingBuf};
use latscope_events::sample::wake;
use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    eventfd::{EfdFlags, EventFd},
};
use parking_lot::RwLock;

use crate::{
    clock::{monotonic_ns, wall_offset_ns},
    failure::Failure,
    log::SessionLog,
};

/// How often it looks while records come.
const PERIOD_MS: u8 = 5;
/// How long nothing must have come before it sleeps on the rings.
const LINGER: Duration = Duration::from_millis(20);
/// How often what was lost is told.
const TICK: Duration = Duration::from_millis(500);
/// How often it is while nothing comes: a session above its cap, or without room for flows, loses without a record.
const QUIET_TICK_MS: u16 = 1000;
/// Longest time between a program's reading of the clock and its record in the ring: it runs for microseconds, and whatever
/// interrupts it for not much longer.
const ON_ITS_WAY_NS: u64 = 10_000_000;
/// Age from which on records are put into the order of their time: hardly any comes later.
const SETTLED_NS: u64 = 1_000_000;
/// Records taken out of a ring at once.
const BATCH: usize = 4096;

/// Batches that are taken out of each ring in one go: more than a ring of 1 MiB can hold of the smallest record.
const PASSES: usize = 4;

/// Readers so far; logs tell them apart by it.
static SOURCES: AtomicU64 = AtomicU64::new(1);

/// The rings of an engine, and how its programs wake their reader.
pub(crate) struct Rings {
    /// One for each shard of CPUs.
    pub(crate) shards: Vec<RingBuf<MapData>>,
    /// A word for each ring: `wake`.
    pub(crate) wake: Array<MapData, u32>,
    /// The programs know [`wake::LINGERS`].
    pub(crate) by_fill: bool,
}

/// Who gets what comes out of a ring; the engine changes it through [`Reader::route`].
pub(crate) trait Routes: Send + Sync + 'static {
    /// A record, read.
    type Record: Send;

    /// Reads a record of the ring; `None` where it is of no known size.
    fn read(bytes: &[u8]) -> Option<Self::Record>;

    /// Appends records to the logs of those who get them. `offset` leads from `CLOCK_MONOTONIC` to wall time.
    fn deliver(&self, batch: &[Self::Record], offset: u64);

    /// By which the records of several rings are put in order, ns of `CLOCK_MONOTONIC`.
    fn time_ns(record: &Self::Record) -> u64;

    /// Every log that records may go to.
    fn logs(&self) -> impl Iterator<Item = &SessionLog>;
}

/// A handle to the thread; dropping it ends the thread.
pub(crate) struct Reader<R> {
    routes: Arc<RwLock<R>>,
    requests: Option<mpsc::Sender<Request>>,
    alarm: Arc<EventFd>,
    source: u64,
    thread: Option<JoinHandle<()>>,
}

/// Asks for everything that is in the ring to be in the logs; answered when it is.
struct Request(mpsc::SyncSender<()>);

impl<R: Routes> Reader<R> {
    /// Starts the thread. It calls `tick` twice a second while records come, else once.
    pub(crate) fn start(
        name: &str,
        routes: R,
        rings: Rings,
        tick: impl Fn() + Send + 'static,
    ) -> Result<Self, Failure> {
        let alarm = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|error| Failure::kernel("eventfd", &error))?;
        let alarm = Arc::new(alarm);
        let epoll = watch(&alarm, &rings.shards)
            .map_err(|error| Failure::kernel("watching the rings", &error))?;
        let routes = Arc::new(RwLock::new(routes));
        let (requests, inbox) = mpsc::channel();
        let source = SOURCES.fetch_add(1, Ordering::Relaxed);
        let mut loop_ = Loop {
            source,
            rings,
            epoll,
            alarm: alarm.clone(),
            inbox,
            routes: routes.clone(),
            batch: Vec::with_capacity(BATCH),
            held: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || loop_.run(tick))
            .map_err(|error| Failure::kernel("starting the reader thread", &error))?;
        Ok(Self {
            routes,
            requests: Some(requests),
            alarm,
            source,
            thread: Some(thread),
        })
    }

    /// Changes who gets what. The thread looks up once, so that a new receiver learns how things are.
    pub(crate) fn route(&self, change: impl FnOnce(&mut R)) {
        change(&mut self.routes.write());
        let _ = self.alarm.write(1);
    }

    /// What logs know it by.
    pub(crate) fn source(&self) -> u64 {
        self.source
    }

    /// What can be told of who gets what.
    pub(crate) fn look<T>(&self, pick: impl FnOnce(&R) -> T) -> T {
        pick(&self.routes.read())
    }

    /// Returns once everything that was in the ring is in the logs.
    pub(crate) fn drain(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        if let Some(requests) = &self.requests
            && requests.send(Request(done)).is_ok()
        {
            let _ = self.alarm.write(1);
            let _ = wait.recv();
        }
    }
}

impl<R> Drop for Reader<R> {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.alarm.write(1);
        // The last hold on an engine may be the one that its own reader had for a moment.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// What wakes the reader. Edge-triggered: records alone, which are there most of the time, do not.
fn watch(alarm: &EventFd, rings: &[RingBuf<MapData>]) -> nix::Result<Epoll> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
    epoll.add(alarm, EpollEvent::new(edge, 0))?;
    for ring in rings {
        epoll.add(ring, EpollEvent::new(edge, 0))?;
    }
    Ok(epoll)
}

struct Loop<R: Routes> {
    source: u64,
    rings: Rings,
    epoll: Epoll,
    alarm: Arc<EventFd>,
    inbox: mpsc::Receiver<Request>,
    routes: Arc<RwLock<R>>,
    batch: Vec<R::Record>,
    /// Read, but perhaps not the oldest that there is.
    held: Vec<R::Record>,
}

impl<R: Routes> Loop<R> {
    fn run(&mut self, tick: impl Fn()) {
        let mut busy = Instant::now();
        let mut ticked = Instant::now();
        loop {
            let before = monotonic_ns();
            if self.drain(false) {
                busy = Instant::now();
            }
            self.tell_watermark(before);
            loop {
                match self.inbox.try_recv() {
                    Ok(Request(done)) => {
                        self.drain(true);
                        let _ = done.send(());
                    }
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            let lingers = busy.elapsed() < LINGER;
            if ticked.elapsed() >= TICK || (ticked < busy && !lingers) {
                tick();
                ticked = Instant::now();
            }
            if lingers {
                if self.rings.by_fill {
                    self.say(wake::LINGERS);
                }
                self.wait(EpollTimeout::from(PERIOD_MS));
                if self.rings.by_fill {
                    self.say(wake::AWAKE);
                }
            } else {
                self.say(wake::SLEEPS);
                // A record written before the word was set would have woken nobody.
                if self.drain(false) || !self.held.is_empty() {
                    busy = Instant::now();
                } else {
                    self.tell_quiet(true);
                    self.wait(self.rest());
                    self.tell_quiet(false);
                }
            }
        }
    }

    /// How long it may sleep: for ever while there is nobody to tell anything.
    fn rest(&self) -> EpollTimeout {
        if self.routes.read().logs().next().is_some() {
            EpollTimeout::from(QUIET_TICK_MS)
        } else {
            EpollTimeout::NONE
        }
    }

    fn say(&mut self, state: u32) {
        for shard in 0..self.rings.shards.len() as u32 {
            let _ = self.rings.wake.set(shard, state, 0);
        }
    }

    fn wait(&self, timeout: EpollTimeout) {
        let _ = self.epoll.wait(&mut [EpollEvent::empty()], timeout);
        // Only whether it was raised matters, and that the inbox is looked at next.
        let _ = self.alarm.read();
    }

    /// Moves what the rings hold to the logs; what may not be the oldest only when `all` is wanted that there is now. Whether
    /// there was anything.
    fn drain(&mut self, all: bool) -> bool {
        let mut any = false;
        // What was there when this began is less than so many; a reader slower than the programs must come to other things.
        for _ in 0..PASSES {
            self.batch.append(&mut self.held);
            // While one ring is read, others take up what is newer than what it gave.
            let mut horizon = monotonic_ns() - if all { 0 } else { SETTLED_NS };
            let mut more = false;
            for ring in &mut self.rings.shards {
                let begin = self.batch.len();
                while self.batch.len() - begin < BATCH {
                    let Some(record) = ring.next() else {
                        break;
                    };
                    self.batch.extend(R::read(&record));
                }
                // Of a ring that holds more, what is yet to come may be older than what others gave.
                if self.batch.len() - begin == BATCH {
                    more = true;
                    horizon = horizon.min(self.batch.last().map_or(0, R::time_ns));
                }
            }
            if self.batch.is_empty() {
                return any;
            }
            any = true;
            if self.rings.shards.len() > 1 {
                self.batch.sort_by_key(R::time_ns);
                let due = self.batch.partition_point(|it| R::time_ns(it) <= horizon);
                self.held.extend(self.batch.drain(due..));
            }
            self.routes.read().deliver(&self.batch, wall_offset_ns());
            self.batch.clear();
            if !more {
                break;
            }
        }
        any
    }

    fn tell_quiet(&self, quiet: bool) {
        for log in self.routes.read().logs() {
            log.set_quiet(self.source, quiet);
        }
    }

    /// What ended this long before the rings were last found empty is in the logs.
    fn tell_watermark(&self, monotonic_ns: u64) {
        let unix_ns = monotonic_ns
            .wrapping_sub(ON_ITS_WAY_NS)
            .wrapping_add(wall_offset_ns());
        for log in self.routes.read().logs() {
            log.set_watermark(self.source, unix_ns);
        }
    }
}
