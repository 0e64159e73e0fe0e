//! A session.

use std::sync::Arc;

use latscope_collector::{
    proto::{EndReason, Session as SessionMessage, StreamSamplesRequest},
    reader::Reader,
    session::Session,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{
    collector::decode,
    failure::{error, malformed},
    reader::ReaderHandle,
    runtime::blocking,
};

/// The names that every message of a reader carries.
#[napi(object)]
pub struct ReaderHeader {
    /// `nodes/{hostname}`.
    pub node: String,
    /// `sessions/{id}`.
    pub session: String,
}

/// One attached session.
#[napi]
pub struct SessionHandle {
    id: String,
    inner: Arc<Session>,
}

impl SessionHandle {
    pub(crate) fn new(id: String, inner: Arc<Session>) -> Self {
        Self { id, inner }
    }
}

#[napi]
impl SessionHandle {
    /// The part of its name after `sessions/`.
    #[napi(getter)]
    #[must_use]
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// `SessionSpec` with defaults filled in and limits clamped.
    #[napi]
    #[must_use]
    pub fn effective_spec(&self) -> Buffer {
        self.inner.effective_spec().encode_to_vec().into()
    }

    /// A `Session` with only `probe_statuses`, `state` and `state_reason` set.
    #[napi]
    #[must_use]
    pub fn probes(&self) -> Buffer {
        let (probe_statuses, state, state_reason) = self.inner.probes();
        let message = SessionMessage {
            probe_statuses,
            state: state.into(),
            state_reason,
            ..SessionMessage::default()
        };
        message.encode_to_vec().into()
    }

    /// `SessionStats`.
    ///
    /// # Errors
    /// None but `INTERNAL`.
    #[napi]
    pub async fn stats(&self) -> napi::Result<Buffer> {
        let inner = self.inner.clone();
        blocking(move || Ok(inner.stats().encode_to_vec().into())).await
    }

    /// New filters, exclude, collection and limits. Returns the effective `SessionSpec`.
    ///
    /// # Errors
    /// Every wrong field at once; the old spec stays in force then.
    #[napi]
    pub async fn update(&self, spec: Buffer) -> napi::Result<Buffer> {
        let (inner, spec) = (self.inner.clone(), decode(&spec)?);
        blocking(move || inner.update(&spec).map(|it| it.encode_to_vec().into())).await
    }

    /// The next `SessionChange` that the collector itself decided on; null once closed.
    ///
    /// # Errors
    /// None.
    #[napi]
    pub async fn changes(&self) -> napi::Result<Option<Buffer>> {
        let inner = self.inner.clone();
        Ok(inner
            .next_change()
            .await
            .map(|it| it.encode_to_vec().into()))
    }

    /// Detaches; the log stays readable. `reason` is the `EndReason` for its readers. Idempotent.
    ///
    /// # Errors
    /// None but `INTERNAL`.
    #[napi]
    pub async fn stop(&self, reason: i32) -> napi::Result<()> {
        let inner = self.inner.clone();
        blocking(move || {
            inner.stop(end_reason(reason));
            Ok(())
        })
        .await
    }

    /// A reader for a `StreamSamplesRequest`.
    ///
    /// # Errors
    /// Every wrong field at once.
    #[napi]
    pub fn reader(&self, request: Buffer, header: ReaderHeader) -> napi::Result<ReaderHandle> {
        let request = StreamSamplesRequest::decode(&request[..])
            .map_err(|error| malformed("StreamSamplesRequest", &error))?;
        Reader::open(self.inner.clone(), &request, &header.node, &header.session)
            .map(ReaderHandle::new)
            .map_err(|failure| error(&failure))
    }

    /// Frees the log; readers get End. Idempotent.
    #[napi]
    pub fn close(&self) {
        // Detaching waits for the kernel.
        let inner = self.inner.clone();
        napi::bindgen_prelude::spawn_blocking(move || inner.close());
    }
}

/// The reason of a number of the contract; a stop for a number that it does not have.
pub(crate) fn end_reason(number: i32) -> EndReason {
    EndReason::try_from(number).unwrap_or(EndReason::SessionStopped)
}
