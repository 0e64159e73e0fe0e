//! A reader of a session.

use std::sync::Arc;

use latscope_collector::reader::Reader;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{failure::Answer, session::end_reason};

/// One reader of a session's log.
#[napi]
pub struct ReaderHandle {
    inner: Arc<Reader>,
}

impl ReaderHandle {
    pub(crate) fn new(inner: Reader) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

#[napi]
impl ReaderHandle {
    /// One encoded `StreamSamplesResponse`, or null after End and after `close`. At most one call under way.
    ///
    /// # Errors
    /// `NEXT_CONCURRENT`; `READER_TOO_SLOW` under the policy `DISCONNECT`.
    #[napi(ts_return_type = "Promise<Buffer | null>")]
    pub async fn next(&self) -> Answer<Option<Buffer>> {
        let inner = self.inner.clone();
        Answer(inner.next().await.map(|message| message.map(Buffer::from)))
    }

    /// Makes the next message an End with this `EndReason`.
    #[napi]
    pub fn end(&self, reason: i32) {
        self.inner.end(end_reason(reason));
    }

    /// Samples that it has sent so far, without the other totals.
    #[napi(getter)]
    #[must_use]
    pub fn delivered(&self) -> i64 {
        self.inner.delivered().try_into().unwrap_or(i64::MAX)
    }

    /// `Totals` of this reader.
    #[napi]
    #[must_use]
    pub fn totals(&self) -> Buffer {
        self.inner.totals().encode_to_vec().into()
    }

    /// A pending `next` resolves to null at once. Idempotent.
    #[napi]
    pub fn close(&self) {
        self.inner.close();
    }
}
