//! What this host offers the socket engine, found out by trying.

use std::sync::OnceLock;

use aya::util::KernelVersion;

use super::object::{Object, PROGRAM};
use crate::{
    metric::{self, EngineKind, Row},
    program,
    proto::{Capability, HookResult, Metric, ProbeStatus, ProgramStats},
    spec::CompiledSpec,
};

const HOOK: &str = "sock_ops";

/// The outcome, which does not change while the kernel runs.
static TRIED: OnceLock<Result<(), String>> = OnceLock::new();

/// Attaches the program once, and takes it off again at once; or why that is not possible.
pub(super) fn tried(object: &mut Object) -> Result<(), String> {
    let attempt = || match object.attach() {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.message().to_owned()),
    };
    TRIED.get_or_init(attempt).clone()
}

/// A row for every metric of the socket engine.
pub(super) fn rows(outcome: &Result<(), String>) -> Vec<Capability> {
    metric::rows(u32::MAX)
        .filter(|row| row.engine == EngineKind::Socket)
        .map(|row| capability(row, outcome))
        .collect()
}

fn capability(row: &Row, outcome: &Result<(), String>) -> Capability {
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
        reason: if supported {
            limits(row.metric)
        } else {
            reason
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
fn limits(metric: Metric) -> String {
    const RAW: KernelVersion = KernelVersion::new(6, 10, 0);
    let mut text = String::from("connections that were there before the session are not seen");
    if metric == Metric::SocketRtt && KernelVersion::current().is_ok_and(|it| it < RAW) {
        text.push_str(
            "; this kernel hands over smoothed values only: each is derived from two neighbours, and told with the next",
        );
    }
    text
}

/// Each socket probe of a spec: they all are attached.
pub(super) fn probes(spec: &CompiledSpec) -> Vec<ProbeStatus> {
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
