//! What this host offers the socket engine, found out by trying.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::OnceLock,
};

use aya::util::KernelVersion;

use super::{
    existing::Visit,
    object::{Object, PROGRAM},
};
use crate::{
    failure::Failure,
    metric::{self, EngineKind, Row},
    program,
    proto::{Capability, HookResult, Metric, ProbeStatus, ProgramStats},
    spec::CompiledSpec,
};

const HOOK: &str = "sock_ops";

/// The outcome, which does not change while the kernel runs.
static TRIED: OnceLock<Outcome> = OnceLock::new();

/// What of the host's connections is not seen, for a person; or why nothing is.
pub(super) type Outcome = Result<Option<String>, String>;

/// What trying came to; it is tried once.
pub(super) fn tried(attempt: impl FnOnce() -> Result<Option<String>, Failure>) -> Outcome {
    let attempt = || attempt().map_err(|failure| failure.message().to_owned());
    TRIED.get_or_init(attempt).clone()
}

/// Attaches the program once, and takes it off again at once. What sessions have asked of sockets, where it is `attached`, stays.
///
/// # Errors
/// Why that is not possible.
pub(super) fn attempt(object: &mut Object, attached: bool) -> Result<Option<String>, Failure> {
    let _link = object.attach()?;
    // One that is there in any case.
    let _connection = connection();
    let unseen = object.visit(Visit::Ask);
    if !attached {
        let _ = object.visit(Visit::Release);
    }
    Ok(unseen)
}

/// Both ends of a connection, where there is a loopback interface.
fn connection() -> Option<[TcpStream; 2]> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    let client = TcpStream::connect(server.local_addr().ok()?).ok()?;
    let (accepted, _) = server.accept().ok()?;
    Some([client, accepted])
}

/// A row for every metric of the socket engine.
pub(super) fn rows(outcome: &Outcome) -> Vec<Capability> {
    metric::rows(u32::MAX)
        .filter(|row| row.engine == EngineKind::Socket)
        .map(|row| capability(row, outcome))
        .collect()
}

fn capability(row: &Row, outcome: &Outcome) -> Capability {
    let reason = outcome.as_ref().err().cloned().unwrap_or_default();
    let supported = outcome.is_ok();
    Capability {
        metric: row.metric.into(),
        supported,
        hook: if supported {
            HOOK.into()
        } else {
            String::new()
        },
        hooks: row
            .hooks
            .iter()
            .map(|(hook, minimum)| HookResult {
                hook: (*hook).into(),
                minimum_kernel: (*minimum).into(),
                works: supported,
                reason: reason.clone(),
            })
            .collect(),
        reason: match outcome {
            Ok(unseen) => limits(row.metric, unseen.as_deref()),
            Err(reason) => reason.clone(),
        },
        filter_fields: row
            .filter_fields
            .iter()
            .map(|field| field.name().into())
            .collect(),
        group_by: row
            .group_by
            .iter()
            .map(|group| group.as_str_name().into())
            .collect(),
    }
}

/// What a metric that is supported does not show.
fn limits(metric: Metric, unseen: Option<&str>) -> String {
    const RAW: KernelVersion = KernelVersion::new(6, 10, 0);
    let smoothed = metric == Metric::SocketRtt && KernelVersion::current().is_ok_and(|it| it < RAW);
    let derived = smoothed.then_some(
        "this kernel hands over smoothed values only: each is derived from two neighbours, and told with the next",
    );
    let limits: Vec<&str> = unseen.into_iter().chain(derived).collect();
    limits.join("; ")
}

/// Each socket probe of a spec: they all are attached.
pub(super) fn probes(spec: &CompiledSpec, unseen: Option<&str>) -> Vec<ProbeStatus> {
    spec.probes
        .iter()
        .filter_map(|probe| {
            let row = metric::rows(probe.metrics).find(|row| row.engine == EngineKind::Socket)?;
            Some(ProbeStatus {
                probe: probe.index,
                attached: true,
                capability: Some(Capability {
                    metric: row.metric.into(),
                    supported: true,
                    hook: HOOK.into(),
                    reason: limits(row.metric, unseen),
                    ..Capability::default()
                }),
                ..ProbeStatus::default()
            })
        })
        .collect()
}

/// The program as the kernel tells of it.
pub(super) fn program(object: &Object, attached: bool, shared: bool) -> Vec<ProgramStats> {
    let stats = object.loaded().and_then(|(program, load_time)| {
        let own = program::Own {
            name: PROGRAM,
            kind: HOOK,
            attached_to: if attached {
                "sock_ops: /".into()
            } else {
                String::new()
            },
            shared,
            load_time,
        };
        Some(program::stats(own, program.info().ok()?))
    });
    stats.into_iter().collect()
}
