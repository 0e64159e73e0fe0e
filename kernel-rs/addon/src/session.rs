//! A session.

use std::sync::Arc;

use latscope_collector::{
    failure::Failure,
    histogram::reader::HistogramReader,
    proto::{
        EndReason, GetSnapshotRequest, Session as SessionMessage, StreamHistogramsRequest,
        StreamSamplesRequest,
    },
    reader::Reader,
    session::Session,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{
    failure::{Answer, Thrown, malformed, thrown},
    histogram::HistogramReaderHandle,
    reader::ReaderHandle,
    runtime::blocking,
    scope::{self, ReaderScope},
};

/// The names that every message of a reader carries, and for whom it reads.
#[napi(object)]
pub struct ReaderHeader {
    /// `nodes/{hostname}`.
    pub node: String,
    /// `sessions/{id}`.
    pub session: String,
    /// What it may see.
    pub scope: ReaderScope,
}

/// A map of the kernel.
#[napi(object)]
pub struct MapMemory {
    pub id: u32,
    /// Of kernel memory.
    pub bytes: i64,
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

    /// Why engines could not attach their part of it, each as the JSON of a failure.
    #[napi]
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.inner.refusals().iter().map(Failure::to_json).collect()
    }

    /// `SessionStats`; `full` with the programs' bytecode and what the verifier said of them.
    ///
    /// # Errors
    /// `CLOSED`.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn stats(&self, full: bool) -> Answer<Buffer> {
        let inner = self.inner.clone();
        blocking(move || {
            let stats = if full {
                inner.full_stats()
            } else {
                inner.stats()
            };
            Ok(stats?.encode_to_vec().into())
        })
        .await
    }

    /// New filters, exclude, collection and limits, narrowed to what may be seen. Returns the effective `SessionSpec`.
    ///
    /// # Errors
    /// Every wrong field at once; `TARGET_DENIED`, `REDACTION_DENIED`; the old spec stays in force then. `CLOSED`, also once it is
    /// stopped.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn update(&self, spec: Buffer, scope: ReaderScope) -> Answer<Buffer> {
        let inner = self.inner.clone();
        let spec = scope.narrow(&spec);
        blocking(move || Ok(inner.update(&spec?)?.encode_to_vec().into())).await
    }

    /// The next `SessionChange`; null once closed.
    #[napi(ts_return_type = "Promise<Buffer | null>")]
    pub async fn changes(&self) -> Answer<Option<Buffer>> {
        let inner = self.inner.clone();
        Answer(Ok(inner
            .next_change()
            .await
            .map(|it| it.encode_to_vec().into())))
    }

    /// At most so many individual samples a second and CPU from now on, whatever was or will be asked for; null takes that back.
    /// Readers hear of it as a change, with this reason. Returns the effective `SessionSpec`.
    ///
    /// # Errors
    /// What the kernel answers; what held before stays in force then. `CLOSED`, also once it is stopped.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn thin(&self, samples_per_second: Option<u32>, reason: String) -> Answer<Buffer> {
        let inner = self.inner.clone();
        blocking(move || {
            let spec = inner.thin(samples_per_second, &reason)?;
            Ok(spec.encode_to_vec().into())
        })
        .await
    }

    /// The maps that serve it; other sessions may use them too.
    ///
    /// # Errors
    /// `CLOSED`.
    #[napi(ts_return_type = "Promise<Array<MapMemory>>")]
    pub async fn maps(&self) -> Answer<Vec<MapMemory>> {
        let inner = self.inner.clone();
        blocking(move || {
            let maps = inner.maps()?.into_iter();
            Ok(maps
                .map(|(id, bytes)| MapMemory {
                    id,
                    bytes: bytes.try_into().unwrap_or(i64::MAX),
                })
                .collect())
        })
        .await
    }

    /// Detaches; the log stays readable. `reason` is the `EndReason` for its readers, `why` what the change that they hear of
    /// says. Idempotent.
    #[napi(ts_return_type = "Promise<void>")]
    pub async fn stop(&self, reason: i32, why: Option<String>) -> Answer<()> {
        let inner = self.inner.clone();
        blocking(move || {
            let reason = end_reason(reason);
            inner.stop_because(reason, why.as_deref().unwrap_or(reason.as_str_name()));
            Ok(())
        })
        .await
    }

    /// A reader for a `StreamSamplesRequest`.
    ///
    /// # Errors
    /// Every wrong field at once; `REDACTION_DENIED`; `CLOSED`.
    #[napi]
    pub fn reader(&self, request: Buffer, header: ReaderHeader) -> Result<ReaderHandle, Thrown> {
        StreamSamplesRequest::decode(&request[..])
            .map_err(|error| malformed("StreamSamplesRequest", &error))
            .and_then(|request| {
                let scope = header.scope.check()?;
                let names = (&*header.node, &*header.session);
                Reader::open(self.inner.clone(), &request, names, &scope)
            })
            .map(ReaderHandle::new)
            .map_err(|failure| thrown(&failure))
    }

    /// A reader for a `StreamHistogramsRequest`.
    ///
    /// # Errors
    /// Every wrong field at once; `TARGET_DENIED`, `REDACTION_DENIED`; `CLOSED`.
    #[napi]
    pub fn histogram_reader(
        &self,
        request: Buffer,
        header: ReaderHeader,
    ) -> Result<HistogramReaderHandle, Thrown> {
        StreamHistogramsRequest::decode(&request[..])
            .map_err(|error| malformed("StreamHistogramsRequest", &error))
            .and_then(|request| {
                let scope = header.scope.check()?;
                let names = (&*header.node, &*header.session);
                HistogramReader::open(self.inner.clone(), &request, names, &scope)
            })
            .map(HistogramReaderHandle::new)
            .map_err(|failure| thrown(&failure))
    }

    /// The `GetSnapshotResponse` to a `GetSnapshotRequest`.
    ///
    /// # Errors
    /// Every wrong field at once; `TARGET_DENIED`, `REDACTION_DENIED`; `CLOSED`; what the kernel answers.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn snapshot(&self, request: Buffer, header: ReaderHeader) -> Answer<Buffer> {
        let inner = self.inner.clone();
        let request = GetSnapshotRequest::decode(&request[..])
            .map_err(|error| malformed("GetSnapshotRequest", &error));
        blocking(move || {
            let scope = header.scope.check()?;
            let answer = inner.snapshot(&request?, &header.node, &scope)?;
            Ok(answer.encode_to_vec().into())
        })
        .await
    }

    /// Whether nothing that it ever measured is outside of these targets, each a `Filter`.
    ///
    /// # Errors
    /// Every wrong field of them at once.
    #[napi]
    pub fn is_within(&self, targets: Vec<Buffer>) -> Result<bool, Thrown> {
        scope::targets(&targets)
            .map(|it| self.inner.is_within(&it))
            .map_err(|failure| thrown(&failure))
    }

    /// Frees the log; readers get End. Idempotent.
    #[napi]
    pub fn close(&self) {
        // Closed for all who ask from now on; detaching, which waits for the kernel, is done elsewhere.
        self.inner.begin_close();
        let inner = self.inner.clone();
        napi::bindgen_prelude::spawn_blocking(move || inner.close());
    }
}

/// The reason of a number of the contract; a stop for a number that it does not have.
pub(crate) fn end_reason(number: i32) -> EndReason {
    EndReason::try_from(number).unwrap_or(EndReason::SessionStopped)
}
