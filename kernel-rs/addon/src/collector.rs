//! The collector.

use std::sync::Arc;

use latscope_collector::{
    collector,
    failure::{Failure, Reason},
    packet::Tables,
    proto::{Session, SessionSpec, SessionStats, StreamHistogramsRequest, StreamSamplesRequest},
    spec::Bounds,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use prost::Message as _;

use crate::{
    failure::{Answer, Thrown, malformed, thrown},
    runtime::blocking,
    scope::ReaderScope,
    session::SessionHandle,
};

/// Fixed for the life of a collector.
#[napi(object)]
pub struct CollectorOptions {
    /// The resource name of this host, `nodes/{hostname}`.
    pub node: String,
    /// A `SessionSpec` whose limits and collection are what a session gets that asks for nothing.
    pub defaults: Option<Buffer>,
    /// A `SessionSpec` whose limits and collection are the most that a session gets.
    pub maxima: Option<Buffer>,
    /// Whether the kernel counts what programs cost while a session is attached; unset = it does.
    pub count_runs: Option<bool>,
    /// IPv4 flows that the packet engine has room for, and everything else in proportion; unset = 16384.
    pub packet_flows: Option<u32>,
}

/// The eBPF side of the service; one for each process.
#[napi]
pub struct Collector {
    inner: Arc<collector::Collector>,
}

#[napi]
impl Collector {
    /// Opens the collector. Loads nothing yet.
    ///
    /// # Errors
    /// `MESSAGE_MALFORMED`, `DURATION_INVALID` of the bounds; `FIELD_INVALID` of `packet_flows`, and in builds for benches of
    /// what they are told to make up.
    #[napi(factory)]
    pub fn open(options: CollectorOptions) -> Result<Self, Thrown> {
        let bounds = bounds(&options);
        let inner = bounds
            .and_then(|bounds| {
                let tables = options
                    .packet_flows
                    .map_or_else(|| Ok(Tables::default()), Tables::for_flows)?;
                Ok(open(options.node, tables)?.within(bounds))
            })
            .map_err(|failure| crate::failure::thrown(&failure))?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// `NodeCapabilities`.
    ///
    /// # Errors
    /// `CLOSED`.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn capabilities(&self) -> Answer<Buffer> {
        let inner = self.inner.clone();
        blocking(move || inner.capabilities().map(|it| it.encode_to_vec().into())).await
    }

    /// `HostStatus`, without the counts that the service keeps (sessions, streams).
    ///
    /// # Errors
    /// `CLOSED`.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn status(&self) -> Answer<Buffer> {
        let inner = self.inner.clone();
        blocking(move || inner.status().map(|it| it.encode_to_vec().into())).await
    }

    /// Checks a `SessionSpec` for whom it is to be, and loads and verifies the programs that it takes; attaches nothing. Returns a
    /// `Session` with `effective_spec` and `stats.programs` only.
    ///
    /// # Errors
    /// Every wrong field at once; `REDACTION_DENIED` with each that is finer than what is told; `TARGET_DENIED` where nothing of a
    /// probe may be seen, or what may be cannot be told apart in the kernel; what the kernel refuses; `CLOSED`.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub async fn verify(&self, spec: Buffer, scope: ReaderScope) -> Answer<Buffer> {
        let inner = self.inner.clone();
        let spec = scope.narrow(&spec);
        blocking(move || {
            let (checked, programs) = inner.verify(&spec?)?;
            let message = Session {
                effective_spec: Some(checked.effective),
                stats: Some(SessionStats {
                    programs,
                    ..SessionStats::default()
                }),
                ..Session::default()
            };
            Ok(message.encode_to_vec().into())
        })
        .await
    }

    /// Checks the reader's side of a `StreamSamplesRequest` whose session is yet to be made.
    ///
    /// # Errors
    /// Every wrong field of the reader at once; the spec is not looked at. `CLOSED`.
    #[napi]
    pub fn check_reader(&self, request: Buffer, scope: ReaderScope) -> Result<(), Thrown> {
        StreamSamplesRequest::decode(&request[..])
            .map_err(|error| malformed("StreamSamplesRequest", &error))
            .and_then(|request| self.inner.check_reader(&request, &scope.check()?))
            .map_err(|failure| thrown(&failure))
    }

    /// Checks the reader's side of a `StreamHistogramsRequest` whose session is yet to be made.
    ///
    /// # Errors
    /// Every wrong field of the reader at once; of the spec only the groups are looked at. `CLOSED`.
    #[napi]
    pub fn check_histogram_reader(
        &self,
        request: Buffer,
        scope: ReaderScope,
    ) -> Result<(), Thrown> {
        StreamHistogramsRequest::decode(&request[..])
            .map_err(|error| malformed("StreamHistogramsRequest", &error))
            .and_then(|request| self.inner.check_histogram_reader(&request, &scope.check()?))
            .map_err(|failure| thrown(&failure))
    }

    /// Attaches a session, narrowed to what may be seen of it; `id` is the part after `sessions/`, `spec` a `SessionSpec`.
    ///
    /// # Errors
    /// As `verify`; nothing stays attached then.
    #[napi(ts_return_type = "Promise<SessionHandle>")]
    pub async fn start(
        &self,
        id: String,
        spec: Buffer,
        scope: ReaderScope,
    ) -> Answer<SessionHandle> {
        let inner = self.inner.clone();
        let spec = scope.narrow(&spec);
        blocking(move || Ok(SessionHandle::new(id, inner.start(&spec?)?))).await
    }

    /// A `SessionSpec` as somebody may see it: without what would tell more of its samples than they tell themselves.
    ///
    /// # Errors
    /// Every wrong field of the scope at once.
    #[allow(
        clippy::unused_self,
        reason = "a method like the others; napi copies it"
    )]
    #[napi]
    pub fn redact_spec(&self, spec: Buffer, scope: ReaderScope) -> Result<Buffer, Thrown> {
        scope
            .redact(&spec)
            .map(|it| it.encode_to_vec().into())
            .map_err(|failure| thrown(&failure))
    }

    /// Detaches everything. Idempotent.
    #[napi]
    pub fn close(&self) {
        self.inner.close();
    }
}

#[cfg(not(feature = "synthetic"))]
#[expect(clippy::unnecessary_wraps, reason = "the other build can fail")]
fn open(node: String, tables: Tables) -> Result<collector::Collector, Failure> {
    Ok(collector::Collector::open(node, tables))
}

/// What `LATSCOPE_SYNTHETIC` says is made up; without it, the kernel is measured.
#[cfg(feature = "synthetic")]
fn open(node: String, tables: Tables) -> Result<collector::Collector, Failure> {
    use latscope_collector::{engine::synthetic::Synthetic, metric::EngineKind};
    let Ok(text) = std::env::var("LATSCOPE_SYNTHETIC") else {
        return Ok(collector::Collector::open(node, tables));
    };
    let engine = Arc::new(Synthetic::parse(&text)?);
    Ok(collector::Collector::new(
        node,
        vec![(EngineKind::Packet, engine)],
    ))
}

fn bounds(options: &CollectorOptions) -> Result<Bounds, Failure> {
    let spec = |bytes: &Option<Buffer>| bytes.as_deref().map_or(Ok(SessionSpec::default()), decode);
    let (defaults, maxima) = (spec(&options.defaults)?, spec(&options.maxima)?);
    let bounds = Bounds::of(&defaults, &maxima)
        .map_err(|wrong| Failure::new(Reason::DurationInvalid, format!("a bound {wrong}")))?;
    Ok(Bounds {
        count_runs: options.count_runs.unwrap_or(bounds.count_runs),
        ..bounds
    })
}

/// The spec in `bytes`, or `MESSAGE_MALFORMED`.
pub(crate) fn decode(bytes: &[u8]) -> Result<SessionSpec, Failure> {
    SessionSpec::decode(bytes).map_err(|error| malformed("SessionSpec", &error))
}
