//! Messages of one stream: what each accounts for, and where it can be resumed.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    cursor::{Cursor, OWN_STAGES},
    request::Place,
};
use crate::{
    encode::{Account, Header},
    proto::stream_samples_response::Event,
};

/// An idle stream says so this often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A place in the log: the next sample to look at, and what was lost before it and not told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) position: u64,
    pub(super) untold: [u64; OWN_STAGES.len()],
}

/// Encodes messages, each accounting for what follows the one before.
#[derive(Debug)]
pub(super) struct Outbox {
    header: Header,
    node: String,
    principal: String,
    epoch: u64,
    /// Indexes are the reader's own: of the samples that it may see.
    narrowed: bool,
    next_index: u64,
    /// Left out by filters since the last message.
    filtered: u64,
    last_message: Instant,
}

impl Outbox {
    /// The first message begins at `place`.
    pub(super) fn new(
        (node, session): (&str, &str),
        principal: &str,
        epoch: u64,
        place: &Place,
        narrowed: bool,
    ) -> Self {
        let begins_at = if narrowed { place.number } else { place.index };
        let untold = place.untold.iter().sum();
        Self {
            header: Header::new(node, session),
            node: node.into(),
            principal: principal.into(),
            epoch,
            narrowed,
            next_index: begins_at.saturating_sub(untold),
            filtered: 0,
            last_message: Instant::now(),
        }
    }

    /// The next message accounts for samples that a filter left out.
    pub(super) fn add_filtered(&mut self, count: u64) {
        self.filtered += count;
    }

    /// When a stream that sends nothing else says that it is idle.
    pub(super) fn heartbeat_at(&self) -> Instant {
        self.last_message + HEARTBEAT
    }

    /// A message that accounts for `indexes` besides what was filtered.
    pub(super) fn event(
        &mut self,
        now: Instant,
        mark: Mark,
        indexes: u64,
        event: Event,
    ) -> Vec<u8> {
        self.account(now, mark, indexes, |header, account| {
            header.with_event(account, event)
        })
    }

    /// A message with so many samples, encoded.
    pub(super) fn samples(
        &mut self,
        now: Instant,
        mark: Mark,
        count: u64,
        field: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        self.account(now, mark, count, |header, account| {
            header.with_payload(account, field, payload)
        })
    }

    /// Resumes at a place.
    pub(super) fn cursor(&self, mark: Mark) -> String {
        let Mark { position, untold } = mark;
        let number = self.next_index + self.filtered + untold.iter().sum::<u64>();
        Cursor {
            node: self.node.clone(),
            epoch: self.epoch,
            index: position,
            untold,
            number: self.narrowed.then_some(number),
        }
        .seal(&self.principal)
    }

    fn account(
        &mut self,
        now: Instant,
        mark: Mark,
        indexes: u64,
        encode: impl FnOnce(&Header, Account<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        let filtered = std::mem::take(&mut self.filtered);
        let first_index = self.next_index;
        self.next_index += filtered + indexes;
        self.last_message = now;
        let cursor = self.cursor(mark);
        let account = Account {
            cursor: &cursor,
            first_index,
            next_index: self.next_index,
            filtered,
        };
        encode(&self.header, account)
    }
}
