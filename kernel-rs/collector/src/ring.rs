//! The thread that drains an engine's ring into the session logs.
//!
//! It sleeps on the ring only when nothing has come for a while, and says so to the programs, whose next record then wakes
//! it; while records come it looks every few milliseconds, since a wake-up for each of them would cost the host more than
//! everything else (KERNELS: 7 to 14 us).

use std::{
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use aya::maps::{Array, MapData, RingBuf};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};
use parking_lot::RwLock;

use crate::{
    clock::{monotonic_ns, wall_offset_ns},
    failure::Failure,
    log::SessionLog,
};

/// How often it looks while records come.
const PERIOD_MS: u8 = 5;
/// How long nothing must have come before it sleeps on the ring.
const LINGER: Duration = Duration::from_millis(20);
/// How often what was lost is told.
const TICK: Duration = Duration::from_millis(500);
/// How often it is while nothing comes: a session above its cap, or without room for flows, loses without a record.
const QUIET_TICK_MS: u16 = 1000;
/// Records taken out of the ring at once.
const BATCH: usize = 4096;

/// Readers so far; logs tell them apart by it.
static SOURCES: AtomicU64 = AtomicU64::new(1);

/// Who gets what comes out of a ring; the engine changes it through [`Reader::route`].
pub(crate) trait Routes: Send + Sync + 'static {
    /// A record, read.
    type Record: Send;

    /// Reads a record of the ring; `None` where it is of no known size.
    fn read(bytes: &[u8]) -> Option<Self::Record>;

    /// Appends records to the logs of those who get them. `offset` leads from `CLOCK_MONOTONIC` to wall time.
    fn deliver(&self, batch: &[Self::Record], offset: u64);

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
        ring: RingBuf<MapData>,
        wake: Array<MapData, u32>,
        tick: impl Fn() + Send + 'static,
    ) -> Result<Self, Failure> {
        let alarm = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|error| Failure::kernel("eventfd", &error))?;
        let alarm = Arc::new(alarm);
        let routes = Arc::new(RwLock::new(routes));
        let (requests, inbox) = mpsc::channel();
        let source = SOURCES.fetch_add(1, Ordering::Relaxed);
        let mut loop_ = Loop {
            source,
            ring,
            wake,
            alarm: alarm.clone(),
            inbox,
            routes: routes.clone(),
            batch: Vec::with_capacity(BATCH),
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
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Loop<R: Routes> {
    source: u64,
    ring: RingBuf<MapData>,
    wake: Array<MapData, u32>,
    alarm: Arc<EventFd>,
    inbox: mpsc::Receiver<Request>,
    routes: Arc<RwLock<R>>,
    batch: Vec<R::Record>,
}

impl<R: Routes> Loop<R> {
    fn run(&mut self, tick: impl Fn()) {
        let mut busy = Instant::now();
        let mut ticked = Instant::now();
        loop {
            let before = monotonic_ns();
            if self.drain() {
                busy = Instant::now();
            }
            self.tell_watermark(before);
            loop {
                match self.inbox.try_recv() {
                    Ok(Request(done)) => {
                        self.drain();
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
                self.wait(false, PollTimeout::from(PERIOD_MS));
            } else {
                let _ = self.wake.set(0, 1, 0);
                // A record written before the word was set would have woken nobody.
                if self.drain() {
                    busy = Instant::now();
                } else {
                    self.tell_quiet(true);
                    self.wait(true, self.rest());
                    self.tell_quiet(false);
                }
            }
        }
    }

    /// How long it may sleep: for ever while there is nobody to tell anything.
    fn rest(&self) -> PollTimeout {
        if self.routes.read().logs().next().is_some() {
            PollTimeout::from(QUIET_TICK_MS)
        } else {
            PollTimeout::NONE
        }
    }

    fn wait(&self, on_ring: bool, timeout: PollTimeout) {
        let alarm = PollFd::new(self.alarm.as_fd(), PollFlags::POLLIN);
        let _ = if on_ring {
            poll(
                &mut [alarm, PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)],
                timeout,
            )
        } else {
            poll(&mut [alarm], timeout)
        };
        // Only whether it was raised matters, and that the inbox is looked at next.
        let _ = self.alarm.read();
    }

    /// Moves everything to the logs; whether there was anything.
    fn drain(&mut self) -> bool {
        let mut any = false;
        loop {
            self.batch.clear();
            while self.batch.len() < BATCH {
                let Some(record) = self.ring.next() else {
                    break;
                };
                self.batch.extend(R::read(&record));
            }
            if self.batch.is_empty() {
                return any;
            }
            any = true;
            self.routes.read().deliver(&self.batch, wall_offset_ns());
        }
    }

    fn tell_quiet(&self, quiet: bool) {
        for log in self.routes.read().logs() {
            log.set_quiet(self.source, quiet);
        }
    }

    /// What ended before the ring was last found empty is in the logs.
    fn tell_watermark(&self, monotonic_ns: u64) {
        let unix_ns = monotonic_ns.wrapping_add(wall_offset_ns());
        for log in self.routes.read().logs() {
            log.set_watermark(self.source, unix_ns);
        }
    }
}
