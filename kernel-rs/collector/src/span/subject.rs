//! What a metric calls its subject: the programs know it by number, people by name.

mod device;
mod interface;
mod irq;
mod softirq;
mod syscall;

use std::borrow::Cow;

use super::function;
use crate::{
    failure::Reason,
    proto::{Metric, probe::Kind},
    spec::{compiled::CompiledProbe, violations::Violations},
};

/// The subjects that a probe itself names; `None` = any.
pub(super) fn of_probe(
    probe: &CompiledProbe,
    violations: &mut Violations,
) -> Option<Vec<(Metric, u64)>> {
    let path = format!("spec.probes[{}]", probe.index);
    match &probe.kind {
        Kind::Syscall(it) => named(
            Metric::Syscall,
            &it.names,
            &format!("{path}.syscall.names"),
            violations,
        ),
        Kind::BlockIo(it) => {
            let path = format!("{path}.block_io.devices");
            let device = named(Metric::BlockIoDevice, &it.devices, &path, violations)?;
            let queue = |(_, disk): &(Metric, u64)| (Metric::BlockIoQueue, *disk);
            Some(device.iter().map(queue).chain(device.clone()).collect())
        }
        _ => None,
    }
}

/// The subjects that a clause names; `None` = any.
pub(super) fn of_clause(
    metric: Metric,
    names: &[String],
    path: &str,
    violations: &mut Violations,
) -> Option<Vec<(Metric, u64)>> {
    named(metric, names, &format!("{path}.subjects"), violations)
}

fn named(
    metric: Metric,
    names: &[String],
    path: &str,
    violations: &mut Violations,
) -> Option<Vec<(Metric, u64)>> {
    if names.is_empty() {
        return None;
    }
    let mut numbers = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let found = numbers_of(metric, name);
        let field = format!("{path}[{index}]");
        numbers.extend(
            violations
                .take(Reason::FieldInvalid, field, found)
                .into_iter()
                .flatten()
                .map(|number| (metric, number)),
        );
    }
    Some(numbers)
}

fn numbers_of(metric: Metric, name: &str) -> Result<Vec<u64>, String> {
    match metric {
        Metric::Syscall => syscall::numbers(name),
        Metric::BlockIoDevice | Metric::BlockIoQueue => device::number(name).map(|it| vec![it]),
        Metric::Softirq => softirq::number(name).map(|it| vec![it]),
        Metric::Hardirq => irq::numbers(name),
        Metric::NetStackReceive => interface::number(name).map(|it| vec![it]),
        Metric::UserFunction | Metric::KernelFunction | Metric::TracepointPair => {
            Ok(vec![function::number(name)])
        }
        _ => Err(format!("{} has no subjects", metric.as_str_name())),
    }
}

/// The name of a subject; empty where the metric has none.
pub(super) fn name(metric: Metric, number: u64) -> Cow<'static, str> {
    match metric {
        Metric::Syscall => syscall::name(number as u32),
        Metric::BlockIoDevice | Metric::BlockIoQueue => device::name(number),
        Metric::Softirq => softirq::name(number),
        Metric::Hardirq => irq::name(number),
        Metric::NetStackReceive => interface::name(number),
        Metric::UserFunction | Metric::KernelFunction | Metric::TracepointPair => {
            function::name(number).into()
        }
        _ => Cow::Borrowed(""),
    }
}
