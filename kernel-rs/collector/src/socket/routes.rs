//! Where the socket engine's samples go.

use std::sync::{Arc, atomic::Ordering};

use latscope_events::{SESSIONS, socket::SocketSample};

use super::convert;
use crate::{
    cgroup::{Place, Places},
    class::receiver::Receiver,
    log::SessionLog,
    ring,
};

/// What the engine changes and the reader reads.
pub(super) struct Routes {
    /// Receiver of each bit.
    pub(super) receivers: [Option<Arc<Receiver>>; SESSIONS],
    places: Arc<Places>,
}

impl Routes {
    /// Nobody gets anything.
    pub(super) fn new(places: Arc<Places>) -> Self {
        Self {
            receivers: [const { None }; SESSIONS],
            places,
        }
    }
}

impl ring::Routes for Routes {
    type Record = SocketSample;

    fn read(bytes: &[u8]) -> Option<SocketSample> {
        // SAFETY: as long as the type, which is valid for every bit pattern.
        (bytes.len() >= size_of::<SocketSample>())
            .then(|| unsafe { bytes.as_ptr().cast::<SocketSample>().read_unaligned() })
    }

    fn time_ns(record: &SocketSample) -> u64 {
        record.time_ns
    }

    fn deliver(&self, batch: &[SocketSample], offset: u64) {
        let places: Vec<Arc<Place>> = batch.iter().map(|it| self.places.of(it.cgroup)).collect();
        let mut bits = batch.iter().fold(0, |bits, record| bits | record.mask);
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let Some(receiver) = &self.receivers[bit as usize] else {
                continue;
            };
            let own = || {
                batch
                    .iter()
                    .zip(&places)
                    .filter(|(record, _)| record.mask >> bit & 1 != 0)
            };
            let least = receiver.min_latency_ns.load(Ordering::Relaxed);
            if least > 0 {
                let faster = own().filter(|(record, _)| record.latency_ns < least);
                receiver
                    .faster
                    .fetch_add(faster.count() as u64, Ordering::Relaxed);
            }
            receiver
                .log
                .append(own().filter(|(record, _)| record.latency_ns >= least).map(
                    |(record, place)| {
                        let probe = receiver.probe.get(usize::from(record.metric));
                        convert::sample(record, probe.copied().unwrap_or_default(), place, offset)
                    },
                ));
        }
    }

    fn logs(&self) -> impl Iterator<Item = &SessionLog> {
        self.receivers.iter().flatten().map(|it| &*it.log)
    }
}
