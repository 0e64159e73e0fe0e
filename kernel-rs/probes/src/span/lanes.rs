//! Which lanes want an event.

use latscope_events::{
    config::CLAUSES,
    span::{
        config::{Config, FilterKey, field},
        metric::METRICS,
        thread::Accepts,
    },
};

use crate::maps::{CONFIG, CONTROL, FILTERS};

/// The generation in force and its lanes.
#[inline(always)]
pub(crate) fn current() -> Option<(u32, &'static Config)> {
    let generation = CONTROL.get(0)?.generation;
    Some((generation, CONFIG.get(generation & 1)?))
}

/// Lanes that want a metric of a task they accept, with this subject.
#[inline(always)]
pub(crate) fn wanting(
    config: &Config,
    generation: u32,
    accepts: &Accepts,
    metric: u32,
    subject: u64,
) -> u64 {
    let wants = config.wants[metric as usize & (METRICS - 1)];
    if config.subjects == 0 {
        return wants & accepts.lanes;
    }
    if wants == 0 {
        return 0;
    }
    wants & accepting_subject(accepts, subject, metric, generation & 1)
}

/// Lanes that accept a task with this subject.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn accepting_subject(
    accepts: *const Accepts,
    subject: u64,
    metric: u32,
    bank: u32,
) -> u64 {
    // SAFETY: the verifier asks for the check; it is a map value.
    let (Some(accepts), Some(config)) = (unsafe { accepts.as_ref() }, CONFIG.get(bank & 1)) else {
        return 0;
    };
    let key = FilterKey {
        field: field::SUBJECT as u16,
        metric: metric as u16,
        bank,
        value: [subject, 0],
    };
    // SAFETY: the user side writes the bank only while it is not in use.
    let accepting = match unsafe { FILTERS.get(key) } {
        Some(found) => found,
        None => &config.any[field::SUBJECT as usize],
    };
    let (mut lanes, mut excluded) = (0, 0);
    for clause in 0..CLAUSES {
        lanes |= accepts.filters[clause] & accepting.filters[clause];
        excluded |= accepts.exclude[clause] & accepting.exclude[clause];
    }
    lanes & !excluded
}

/// Lanes that were there when a span of this generation began.
#[inline(always)]
pub(crate) fn there_since(config: &Config, now: u32, then: u32) -> u64 {
    let back = now.wrapping_sub(then) as usize;
    config.since.get(back).copied().unwrap_or(0)
}
