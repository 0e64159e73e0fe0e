//! A reader of a session's histograms.

use std::sync::Arc;

use latscope_collector::histogram::reader::HistogramReader;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{failure::Answer, session::end_reason};

/// One reader of a session's histograms.
#[napi]
pub struct HistogramReaderHandle {
    inner: Arc<HistogramReader>,
}

impl HistogramReaderHandle {
    pub(crate) fn new(inner: HistogramReader) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

#[napi]
impl HistogramReaderHandle {
    /// One encoded `StreamHistogramsResponse`, or null after End and after `close`. At most one call under way.
    ///
    /// # Errors
    /// `NEXT_CONCURRENT`; what the kernel answers.
    #[napi(ts_return_type = "Promise<Buffer | null>")]
    pub async fn next(&self) -> Answer<Option<Buffer>> {
        let inner = self.inner.clone();
        Answer(inner.next().await.map(|message| message.map(Buffer::from)))
    }

    /// Makes the next messages the interval so far and an End with this `EndReason`.
    #[napi]
    pub fn end(&self, reason: i32) {
        self.inner.end(end_reason(reason));
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
