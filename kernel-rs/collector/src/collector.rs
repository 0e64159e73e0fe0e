//! The way in: engines of this host, and the sessions they serve.

use std::{
    fs,
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, RwLock};

use crate::{
    engine::Engine,
    failure::{Failure, Reason},
    footprint,
    histogram::{past, reader::HistogramReader},
    metric::{self, EngineKind},
    packet::{PacketEngine, Tables},
    proto::{
        Capability, HostStatus, NodeCapabilities, ProgramStats, SessionSpec,
        StreamHistogramsRequest, StreamSamplesRequest,
    },
    reader::Reader,
    scope::Scope,
    session::Session,
    socket::SocketEngine,
    span::SpanEngine,
    spec::{self, Bounds, Checked, time},
};

/// Engines, each with its kind; no kind twice.
pub type Engines = Vec<(EngineKind, Arc<dyn Engine>)>;

/// The engines of this host.
pub struct Collector {
    node: String,
    bounds: Bounds,
    engines: RwLock<Option<Engines>>,
    sessions: Mutex<Vec<Weak<Session>>>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Collector")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// The collector of this host, with every engine of this build; the packet engine's tables will be this large.
    #[must_use]
    pub fn open(node: String, tables: Tables) -> Self {
        Self::new(
            node,
            vec![
                (EngineKind::Packet, Arc::new(PacketEngine::new(tables))),
                (EngineKind::Socket, Arc::new(SocketEngine::new())),
                (EngineKind::Span, Arc::new(SpanEngine::new())),
            ],
        )
    }

    /// A collector over these engines; `node` is the name its messages carry.
    #[must_use]
    pub fn new(node: String, engines: Engines) -> Self {
        Self {
            node,
            bounds: Bounds::default(),
            engines: RwLock::new(Some(engines)),
            sessions: Mutex::default(),
        }
    }

    /// The same, granting sessions what these bounds say.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// What can be measured here, every metric of the contract.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn capabilities(&self) -> Result<NodeCapabilities, Failure> {
        let mut known = Vec::new();
        for (_, engine) in self.engines()? {
            known.extend(engine.capabilities());
        }
        footprint::give_back();
        let capabilities = metric::TABLE.iter().map(|row| {
            let probed = known
                .iter()
                .position(|it| it.metric == row.metric as i32)
                .map(|at| known.swap_remove(at));
            probed.unwrap_or_else(|| Capability {
                metric: row.metric as i32,
                reason: "not measured by this version yet".into(),
                filter_fields: row
                    .filter_fields
                    .iter()
                    .map(|it| it.name().to_owned())
                    .collect(),
                group_by: row
                    .group_by
                    .iter()
                    .map(|it| it.as_str_name().to_owned())
                    .collect(),
                ..Capability::default()
            })
        });
        let capabilities = capabilities.collect();
        let text = |path: &str| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Ok(NodeCapabilities {
            node: self.node.clone(),
            kernel_release: text("/proc/sys/kernel/osrelease"),
            btf: fs::exists("/sys/kernel/btf/vmlinux").unwrap_or(false),
            // The file is absent where the kernel always compiles.
            jit: text("/proc/sys/net/core/bpf_jit_enable") != "0",
            lockdown: lockdown(&text("/sys/kernel/security/lockdown")),
            capabilities,
        })
    }

    /// What this process costs: memory and processor time, its own and in the kernel. What sessions know, their owner adds.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn status(&self) -> Result<HostStatus, Failure> {
        drop(self.engines()?);
        let objects = footprint::objects();
        Ok(HostStatus {
            node: self.node.clone(),
            resident_bytes: footprint::resident_bytes(),
            cpu_time: Some(time::duration(footprint::cpu_time_ns())),
            bpf_time: Some(time::duration(objects.run_time_ns())),
            kernel_memory_bytes: objects.memory_bytes(),
            ..HostStatus::default()
        })
    }

    /// Checks a spec, and loads and verifies the programs that it takes; attaches nothing.
    ///
    /// # Errors
    /// Those of [`spec::check_within`] and of the engines; `CLOSED`.
    pub fn verify(&self, spec: &SessionSpec) -> Result<(Checked, Vec<ProgramStats>), Failure> {
        let spec = spec::check_within(spec, self.bounds)?;
        let mut programs = Vec::new();
        for (_, engine) in self.engines_of(&spec)? {
            programs.extend(engine.load(&spec.compiled)?);
        }
        Ok((spec, programs))
    }

    /// Checks the reader's side of a stream whose session is yet to be made.
    ///
    /// # Errors
    /// Those of [`Reader::check`]; `CLOSED`.
    pub fn check_reader(
        &self,
        request: &StreamSamplesRequest,
        scope: &Scope,
    ) -> Result<(), Failure> {
        drop(self.engines()?);
        Reader::check(request, &self.node, scope)
    }

    /// Checks the reader's side of a stream of histograms whose session is yet to be made.
    ///
    /// # Errors
    /// Those of [`HistogramReader::check`]; `CLOSED`.
    pub fn check_histogram_reader(
        &self,
        request: &StreamHistogramsRequest,
        scope: &Scope,
    ) -> Result<(), Failure> {
        drop(self.engines()?);
        HistogramReader::check(request, &self.node, scope)
    }

    /// Attaches a session.
    ///
    /// # Errors
    /// Those of [`spec::check_within`] and of the engines; `CLOSED`.
    pub fn start(&self, spec: &SessionSpec) -> Result<Arc<Session>, Failure> {
        let spec = spec::check_within(spec, self.bounds)?;
        let engines = self.engines_of(&spec)?;
        let session = Session::start(engines.iter().map(|it| (it.0, &*it.1)), spec)?;
        let mut sessions = self.sessions.lock();
        sessions.retain(|it| it.strong_count() > 0);
        sessions.push(Arc::downgrade(&session));
        drop(sessions);
        if self.engines.read().is_none() {
            session.close();
        }
        past::keep(&session);
        Ok(session)
    }

    /// Closes every session and lets the engines go. Idempotent.
    pub fn close(&self) {
        self.engines.write().take();
        let sessions = std::mem::take(&mut *self.sessions.lock());
        for session in sessions.iter().filter_map(Weak::upgrade) {
            session.close();
        }
    }

    fn engines(&self) -> Result<Engines, Failure> {
        self.engines
            .read()
            .clone()
            .ok_or_else(|| Failure::new(Reason::Closed, "the collector is closed"))
    }

    /// Those that a spec has probes for.
    fn engines_of(&self, spec: &Checked) -> Result<Engines, Failure> {
        let mut wanted = metric::rows(spec.compiled.metrics())
            .map(|row| row.engine)
            .collect::<Vec<_>>();
        wanted.sort_unstable();
        wanted.dedup();
        let engines = self.engines()?;
        wanted
            .into_iter()
            .map(|kind| {
                let engine = engines.iter().find(|it| it.0 == kind).cloned();
                engine.ok_or_else(|| {
                    Failure::new(
                        Reason::Internal,
                        format!("no engine of kind {kind:?} is open"),
                    )
                })
            })
            .collect()
    }
}

/// The mode in brackets of "none [integrity] confidentiality".
fn lockdown(modes: &str) -> String {
    let mode = modes
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    mode.map_or("none", |(mode, _)| mode).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_in_brackets_is_in_force() {
        assert_eq!(lockdown("none [integrity] confidentiality"), "integrity");
        assert_eq!(lockdown(""), "none");
    }

    #[test]
    fn a_closed_collector_says_so() {
        let collector = Collector::new("nodes/a".into(), Vec::new());
        assert_eq!(
            collector.capabilities().unwrap().capabilities.len(),
            metric::TABLE.len()
        );
        assert!(collector.status().unwrap().resident_bytes > 0);
        collector.close();
        collector.close();
        assert_eq!(
            collector.capabilities().unwrap_err().reason(),
            Reason::Closed
        );
    }
}
