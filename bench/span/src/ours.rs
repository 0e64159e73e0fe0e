//! Sessions of the span engine, of all processes, in histograms alone.

use std::sync::Arc;

use anyhow::anyhow;
use latscope_collector::{
    collector::Collector,
    metric::EngineKind,
    proto::{
        Collection, EndReason, Probe, RunQueueProbe, SessionSpec, SyscallProbe, UserFunctionProbe,
        probe::Kind, user_function_probe::Target,
    },
    session::Session,
    span::SpanEngine,
};

use crate::work::Work;

/// The engine, loaded once.
pub(crate) struct Ours(Collector);

impl Ours {
    pub(crate) fn open() -> Self {
        let engine = (EngineKind::Span, Arc::new(SpanEngine::new()) as Arc<_>);
        Self(Collector::new("nodes/bench".into(), vec![engine]))
    }

    /// Measures what a work is about, until the session is dropped.
    pub(crate) fn start(&self, work: Work) -> anyhow::Result<Running> {
        let spec = SessionSpec {
            probes: vec![Probe {
                kind: Some(kind(work)?),
                timeout: None,
            }],
            collection: Some(Collection {
                histograms_only: true,
                ..Collection::default()
            }),
            ..SessionSpec::default()
        };
        let session = self.0.start(&spec);
        Ok(Running(session.map_err(|it| anyhow!("{}", it.message()))?))
    }
}

/// A session that measures.
pub(crate) struct Running(Arc<Session>);

impl Running {
    /// Runs of a program and ns in it, so far.
    pub(crate) fn runs(&self, program: &str) -> anyhow::Result<(u64, u64)> {
        let stats = self.0.stats().map_err(|it| anyhow!("{}", it.message()))?;
        let found = stats.programs.iter().find(|it| it.name == program);
        let counted = found.and_then(|it| Some((it.run_count?, it.run_time_ns?)));
        counted.ok_or_else(|| anyhow!("the kernel tells no statistics of {program}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop(EndReason::SessionStopped);
    }
}

fn kind(work: Work) -> anyhow::Result<Kind> {
    Ok(match work {
        Work::Calls => Kind::Syscall(SyscallProbe::default()),
        Work::Switches => Kind::RunQueue(RunQueueProbe {}),
        Work::Functions => Kind::UserFunction(UserFunctionProbe {
            binary: std::env::current_exe()?.to_string_lossy().into_owned(),
            target: Some(Target::Symbol("latscope_bench_nothing".into())),
            pid: 0,
        }),
    })
}
