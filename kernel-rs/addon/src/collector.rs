//! The collector.

use std::sync::Arc;

use latscope_collector::proto::SessionSpec;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{failure::malformed, runtime::blocking, session::SessionHandle};

/// Fixed for the life of a collector.
#[napi(object)]
pub struct CollectorOptions {
    /// The resource name of this host, `nodes/{hostname}`.
    pub node: String,
}

/// The eBPF side of the service; one for each process.
#[napi]
pub struct Collector {
    inner: Arc<latscope_collector::collector::Collector>,
}

#[napi]
impl Collector {
    /// Opens the collector. Loads nothing yet.
    #[napi(factory)]
    #[must_use]
    pub fn open(options: CollectorOptions) -> Self {
        let inner = latscope_collector::collector::Collector::open(options.node);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// `NodeCapabilities`.
    ///
    /// # Errors
    /// `CLOSED`.
    #[napi]
    pub async fn capabilities(&self) -> napi::Result<Buffer> {
        let inner = self.inner.clone();
        blocking(move || inner.capabilities().map(|it| it.encode_to_vec().into())).await
    }

    /// `HostStatus`, without the counts that the service keeps (sessions, streams).
    ///
    /// # Errors
    /// `CLOSED`.
    #[napi]
    pub async fn status(&self) -> napi::Result<Buffer> {
        let inner = self.inner.clone();
        blocking(move || inner.status().map(|it| it.encode_to_vec().into())).await
    }

    /// Checks a `SessionSpec` and attaches nothing. Returns the effective `SessionSpec`.
    ///
    /// # Errors
    /// Every wrong field at once.
    #[napi]
    pub async fn check(&self, spec: Buffer) -> napi::Result<Buffer> {
        let (inner, spec) = (self.inner.clone(), decode(&spec)?);
        blocking(move || {
            inner
                .check(&spec)
                .map(|it| it.effective.encode_to_vec().into())
        })
        .await
    }

    /// Attaches a session; `id` is the part after `sessions/`, `spec` a `SessionSpec`.
    ///
    /// # Errors
    /// As [`Collector::check`], and what the kernel refuses; nothing stays attached then.
    #[napi]
    pub async fn start(&self, id: String, spec: Buffer) -> napi::Result<SessionHandle> {
        let (inner, spec) = (self.inner.clone(), decode(&spec)?);
        let session = blocking(move || inner.start(&spec)).await?;
        Ok(SessionHandle::new(id, session))
    }

    /// Lets everything go. Idempotent.
    #[napi]
    pub fn close(&self) {
        self.inner.close();
    }
}

/// The spec in `bytes`.
///
/// # Errors
/// `MESSAGE_MALFORMED`.
pub(crate) fn decode(bytes: &[u8]) -> napi::Result<SessionSpec> {
    SessionSpec::decode(bytes).map_err(|error| malformed("SessionSpec", &error))
}
