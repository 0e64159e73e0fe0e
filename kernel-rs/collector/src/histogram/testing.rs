//! A session whose counts a test decides on.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::Histogram;
use crate::{
    engine::{Attachment, Engine},
    failure::{Failure, Reason},
    log::SessionLog,
    metric::EngineKind,
    proto::{
        self, Capability, Group, GroupBy, Probe, ProbeStatus, ProgramStats, SessionSpec, TcpProbe,
        Totals, probe::Kind,
    },
    session::Session,
    spec::{self, Bounds, CompiledSpec, compiled::Collection, violations::Violations},
    testing,
};

/// Counts what it is told; `readings` says how often it was asked.
#[derive(Clone, Default)]
pub(crate) struct Counter {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    groups: HashMap<Group, Histogram>,
    measured: u64,
    readings: usize,
    fails: bool,
}

impl Counter {
    /// Counts a latency of the group with this server port.
    pub(crate) fn record(&self, port: u16, latency_ns: u64) {
        let mut inner = self.inner.lock();
        inner.measured += 1;
        inner
            .groups
            .entry(group(port))
            .or_insert_with(|| Histogram::new(3))
            .record(latency_ns);
    }

    pub(crate) fn counted(&self, port: u16) -> Option<proto::Histogram> {
        self.inner
            .lock()
            .groups
            .get(&group(port))
            .map(proto::Histogram::from)
    }

    pub(crate) fn readings(&self) -> usize {
        self.inner.lock().readings
    }

    /// The kernel does not answer any more.
    pub(crate) fn fail(&self) {
        self.inner.lock().fails = true;
    }
}

/// TCP round trips of servers at a port, as groups of two keys.
pub(crate) fn group(port: u16) -> Group {
    let keys = [
        ("server_port", port.to_string()),
        ("protocol", "tcp".to_owned()),
    ];
    Group {
        metric: 3,
        keys: keys
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        ..Group::default()
    }
}

/// What a session gets that asks for groups by these keys alone.
pub(crate) fn collection(group_by: &[GroupBy]) -> Collection {
    let asked = proto::Collection {
        group_by: group_by.iter().map(|it| *it as i32).collect(),
        ..proto::Collection::default()
    };
    let mut violations = Violations::default();
    spec::collection::compile(&asked, 0, &Bounds::default(), "", &mut violations)
}

/// A running session that groups by server port and protocol.
pub(crate) fn session(counter: &Counter) -> Arc<Session> {
    let spec = SessionSpec {
        probes: vec![Probe {
            kind: Some(Kind::Tcp(TcpProbe::default())),
            timeout: None,
        }],
        collection: Some(proto::Collection {
            group_by: vec![GroupBy::ServerPort as i32, GroupBy::Protocol as i32],
            ..proto::Collection::default()
        }),
        ..SessionSpec::default()
    };
    let engines: [(EngineKind, &dyn Engine); 1] = [(EngineKind::Packet, counter)];
    let log = SessionLog::new(&testing::limits());
    Session::start_with(engines, spec::check(&spec).unwrap(), log).unwrap()
}

impl Engine for Counter {
    fn capabilities(&self) -> Vec<Capability> {
        Vec::new()
    }

    fn check(&self, _spec: &CompiledSpec) -> Result<(), Failure> {
        Ok(())
    }

    fn load(&self, _spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure> {
        Ok(Vec::new())
    }

    fn start(
        &self,
        _spec: &CompiledSpec,
        _log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure> {
        Ok(Box::new(self.clone()))
    }
}

impl Attachment for Counter {
    fn update(&mut self, _spec: &CompiledSpec) -> Result<(), Failure> {
        Ok(())
    }

    fn totals(&self) -> Totals {
        let measured = self.inner.lock().measured;
        Totals {
            measured,
            aggregated_only: measured,
            ..Totals::default()
        }
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        let mut inner = self.inner.lock();
        inner.readings += 1;
        if inner.fails {
            return Err(Failure::new(Reason::KernelError, "reading a map: EIO"));
        }
        let groups = inner.groups.iter();
        Ok(groups.map(|it| (it.0.clone(), it.1.clone())).collect())
    }

    fn programs(&self) -> Vec<ProgramStats> {
        vec![ProgramStats {
            name: "counter".into(),
            verifier_log: "secret".into(),
            bytecode: vec![1],
            ..ProgramStats::default()
        }]
    }

    fn kernel_memory_bytes(&self) -> u64 {
        0
    }

    fn probes(&self) -> Vec<ProbeStatus> {
        Vec::new()
    }

    fn stop(&mut self) {}
}
