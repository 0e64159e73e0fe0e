//! Reads a stream of samples and throws them away.

use std::time::{Duration, Instant};

use h2::RecvStream;
use tokio::time::sleep_until;

use crate::{
    account::Account,
    connection::{PREFIX, check},
};

/// Bytes of a message that surely hold the fields in front of its samples.
const HEAD: usize = 512;

/// One stream of samples.
pub(crate) struct Reading {
    body: RecvStream,
    frames: Frames,
    pub(crate) account: Account,
}

impl Reading {
    pub(crate) fn new(body: RecvStream) -> Self {
        Self {
            body,
            frames: Frames::default(),
            account: Account::default(),
        }
    }

    /// Takes what has come; false at the end of the stream.
    pub(crate) async fn more(&mut self) -> anyhow::Result<bool> {
        let Some(data) = self.body.data().await else {
            check(self.body.trailers().await?.as_ref())?;
            return Ok(false);
        };
        let data = data?;
        self.body.flow_control().release_capacity(data.len())?;
        self.frames.take(&data, &mut self.account)?;
        Ok(true)
    }

    /// Reads to the end of the stream.
    pub(crate) async fn into_account(mut self) -> anyhow::Result<Account> {
        while self.more().await? {}
        self.account.check()?;
        Ok(self.account)
    }

    /// Reads so many bytes a second at most, until the stream ends or for ever.
    pub(crate) async fn slowly(mut self, bytes_a_second: u64) -> anyhow::Result<Account> {
        let start = Instant::now();
        loop {
            let before = self.account.bytes;
            if !self.more().await? {
                self.account.check()?;
                return Ok(self.account);
            }
            if self.account.bytes > before {
                let earned =
                    Duration::from_secs_f64(self.account.bytes as f64 / bytes_a_second as f64);
                sleep_until((start + earned).into()).await;
            }
        }
    }
}

/// Cuts bytes into messages of which only the beginning is kept.
#[derive(Default)]
struct Frames {
    kept: Vec<u8>,
    /// Bytes of the message that are still to come; its prefix included.
    missing: usize,
    length: usize,
}

impl Frames {
    fn take(&mut self, mut data: &[u8], account: &mut Account) -> anyhow::Result<()> {
        loop {
            if self.length == 0 {
                let wanted = PREFIX - self.kept.len();
                if data.len() < wanted {
                    self.kept.extend_from_slice(data);
                    return Ok(());
                }
                let (prefix, rest) = data.split_at(wanted);
                self.kept.extend_from_slice(prefix);
                data = rest;
                let [_, a, b, c, d] = self.kept[..] else {
                    anyhow::bail!("a prefix of {} bytes", self.kept.len());
                };
                self.length = u32::from_be_bytes([a, b, c, d]) as usize;
                self.missing = self.length;
                self.kept.clear();
            }
            let (now, rest) = data.split_at(self.missing.min(data.len()));
            self.missing -= now.len();
            self.keep(now);
            if self.missing > 0 {
                return Ok(());
            }
            account.take(&self.kept, self.length)?;
            self.kept.clear();
            self.length = 0;
            data = rest;
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Keeps what is needed of the next bytes of a message.
    fn keep(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.kept.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.kept.extend_from_slice(head);
        if !rest.is_empty() && !Account::is_enough(&self.kept) {
            self.kept.extend_from_slice(rest);
        }
    }
}
