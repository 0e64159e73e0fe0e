//! `StreamSamplesResponse`: what every message of a stream carries, in front of its event.

use prost::Message as _;

use super::wire::Wire;
use crate::proto::{StreamSamplesResponse, stream_samples_response::Event};

/// Fields that are the same in every message of a stream, encoded once.
#[derive(Debug)]
pub(crate) struct Header {
    prefix: Vec<u8>,
}

/// What a message accounts for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'a> {
    pub(crate) cursor: &'a str,
    pub(crate) first_index: u64,
    pub(crate) next_index: u64,
    pub(crate) filtered: u64,
}

impl Header {
    pub(crate) fn new(node: &str, session: &str) -> Self {
        let mut prefix = Vec::with_capacity(node.len() + session.len() + 6);
        prefix.put_bytes(1, node.as_bytes());
        prefix.put_bytes(2, session.as_bytes());
        Self { prefix }
    }

    /// A message whose event is the encoded `payload` of field number `field`.
    pub(crate) fn with_payload(&self, account: Account<'_>, field: u32, payload: &[u8]) -> Vec<u8> {
        let mut message = self.begin(account, payload.len());
        message.put_length(field, payload.len());
        message.extend_from_slice(payload);
        message
    }

    /// A message with any other event.
    pub(crate) fn with_event(&self, account: Account<'_>, event: Event) -> Vec<u8> {
        let event = StreamSamplesResponse {
            event: Some(event),
            ..StreamSamplesResponse::default()
        };
        let mut message = self.begin(account, event.encoded_len());
        event.encode_raw(&mut message);
        message
    }

    fn begin(&self, account: Account<'_>, payload: usize) -> Vec<u8> {
        const NUMBERS: usize = 48;
        let Account {
            cursor,
            first_index,
            next_index,
            filtered,
        } = account;
        let mut message = Vec::with_capacity(self.prefix.len() + cursor.len() + NUMBERS + payload);
        message.extend_from_slice(&self.prefix);
        message.put_bytes(3, cursor.as_bytes());
        message.put_uint(4, first_index);
        message.put_uint(5, next_index);
        message.put_uint(6, filtered);
        message
    }
}
