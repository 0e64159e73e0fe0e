//! Where the packet engine's samples go.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use latscope_events::SESSIONS;

use super::{convert, record::Record};
use crate::{class::receiver::Receiver, log::SessionLog, ring};

/// What the engine changes and the reader reads.
pub(super) struct Routes {
    /// Receiver of each bit.
    pub(super) receivers: [Option<Arc<Receiver>>; SESSIONS],
    /// Names of interfaces by index.
    pub(super) names: HashMap<u32, Box<[u8]>>,
}

impl Routes {
    /// Nobody gets anything.
    pub(super) fn new() -> Self {
        Self {
            receivers: [const { None }; SESSIONS],
            names: HashMap::new(),
        }
    }

    /// The name of an interface; of one that has long gone its index.
    pub(super) fn interface(&self, index: u32) -> String {
        self.names.get(&index).map_or_else(
            || index.to_string(),
            |name| String::from_utf8_lossy(name).into_owned(),
        )
    }
}

impl ring::Routes for Routes {
    type Record = Record;

    fn read(bytes: &[u8]) -> Option<Record> {
        Record::read(bytes)
    }

    fn time_ns(record: &Record) -> u64 {
        record.sample.time_ns
    }

    fn deliver(&self, batch: &[Record], offset: u64) {
        let mut bits = batch
            .iter()
            .fold(0, |bits, record| bits | record.sample.mask);
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let Some(receiver) = &self.receivers[bit as usize] else {
                continue;
            };
            let least = receiver.min_latency_ns.load(Ordering::Relaxed);
            if least > 0 {
                let faster = batch
                    .iter()
                    .filter(|it| it.sample.mask >> bit & 1 != 0 && it.sample.latency_ns < least);
                receiver
                    .faster
                    .fetch_add(faster.count() as u64, Ordering::Relaxed);
            }
            receiver.log.append(
                batch
                    .iter()
                    .filter(|record| {
                        record.sample.mask >> bit & 1 != 0 && record.sample.latency_ns >= least
                    })
                    .map(|record| convert::sample(record, receiver, &self.names, offset)),
            );
        }
    }

    fn logs(&self) -> impl Iterator<Item = &SessionLog> {
        self.receivers.iter().flatten().map(|it| &*it.log)
    }
}
