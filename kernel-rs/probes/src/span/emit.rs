//! Spans on their way out: counted by lane, in a histogram, and as a sample of their own below the cap.

use latscope_events::{
    counter,
    histogram::exponent,
    span::{
        config::{Config, EXPONENTS, TIMEOUTS},
        counters::{Counters, count},
        metric::METRICS,
        sample::SpanSample,
    },
};

use crate::{
    histogram, lanes,
    maps::{COUNTERS, SAMPLES},
    wake::wakeup,
};

/// Ends a span that `sample.lanes` want.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn finish(sample: *const SpanSample) -> u32 {
    // SAFETY: the verifier asks for the check; it is the caller's.
    let (Some(sample), Some((generation, config))) = (unsafe { sample.as_ref() }, lanes::current())
    else {
        return 0;
    };
    let Some(counters) = COUNTERS.get_ptr_mut(sample.metric & (METRICS as u32 - 1)) else {
        return 0;
    };
    // SAFETY: this CPU's own value, of this metric, whose programs do not interrupt each other.
    let counters = unsafe { &mut *counters };
    if sample.latency_ns >> 63 != 0 {
        refuse(counters, count::CLOCK_BACKWARDS, sample.lanes);
        return 0;
    }
    let began = sample.time_ns.wrapping_sub(sample.latency_ns);
    if began < config.valid_from[sample.metric as usize & (METRICS - 1)] {
        return 0;
    }
    let late = sample.lanes & late(config, sample.latency_ns);
    if late != 0 {
        refuse(counters, count::UNMATCHED_START, late);
    }
    let wanted = sample.lanes & !late;
    if wanted == 0 {
        return 0;
    }
    let counted = histogram::count(sample, wanted, config, generation);
    let open = admit(counters, config, generation, sample, wanted, counted);
    if open == 0 {
        return 0;
    }
    let Some(mut entry) = SAMPLES.reserve_untyped::<SpanSample>(0) else {
        refuse(counters, count::RING_FULL, open);
        return 0;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the reservation is as large as the record and aligned; every byte of it is written.
    unsafe {
        (*record).lanes = open;
        (*record).time_ns = sample.time_ns;
        (*record).latency_ns = sample.latency_ns;
        (*record).task.comm[0] = sample.task.comm[0];
        (*record).task.comm[1] = sample.task.comm[1];
        (*record).task.cgroup = sample.task.cgroup;
        (*record).task.pid = sample.task.pid;
        (*record).task.tid = sample.task.tid;
        (*record).subject = sample.subject;
        (*record).result = sample.result;
        (*record).metric = sample.metric;
    }
    entry.submit(wakeup());
    0
}

/// Counts a start that found no room, for every lane that wants the metric: who began it is not known.
#[inline(always)]
pub(crate) fn no_slot(metric: u32, lanes: u64) {
    tally(metric, count::SLOTS_FULL, lanes);
}

/// Counts a start whose end will not come.
#[inline(always)]
pub(crate) fn no_end(metric: u32, lanes: u64) {
    tally(metric, count::UNMATCHED_START, lanes);
}

/// Counts an end whose start is not known.
#[inline(always)]
pub(crate) fn no_begin(metric: u32, lanes: u64) {
    tally(metric, count::UNMATCHED_END, lanes);
}

/// Counts a start that a table keeps which forgets.
#[inline(always)]
pub(crate) fn begun(metric: u32, lanes: u64) {
    tally(metric, count::BEGUN, lanes);
}

/// Counts that one of these left it.
#[inline(always)]
pub(crate) fn ended(metric: u32, lanes: u64) {
    tally(metric, count::ENDED, lanes);
}

#[inline(always)]
fn tally(metric: u32, what: usize, lanes: u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(metric & (METRICS as u32 - 1)) {
        // SAFETY: as in `finish`.
        refuse(unsafe { &mut *counters }, what, lanes);
    }
}

/// Lanes that have given up a start so old.
#[inline(always)]
fn late(config: &Config, age: u64) -> u64 {
    let mut lanes = 0;
    for n in 0..TIMEOUTS {
        if n as u32 >= config.timeouts_used {
            break;
        }
        if age > config.timeouts[n].ns {
            lanes |= config.timeouts[n].lanes;
        }
    }
    lanes
}

#[inline(always)]
fn refuse(counters: &mut Counters, what: usize, lanes: u64) {
    counters.begin();
    counter::add(&mut counters.planes[what], lanes);
    counters.end();
}

/// Counts a latency for all who want it; the lanes that get it as a sample of its own.
#[inline(always)]
fn admit(
    counters: &mut Counters,
    config: &Config,
    generation: u32,
    sample: &SpanSample,
    wanted: u64,
    counted: bool,
) -> u64 {
    let faster = config.faster[exponent(sample.latency_ns) as usize & (EXPONENTS - 1)];
    let withheld = wanted & (faster | !config.sampled);
    counters.begin();
    counter::add(&mut counters.planes[count::MEASURED], wanted);
    if withheld != 0 {
        if counted {
            counter::add(&mut counters.planes[count::WITHHELD], withheld);
        } else {
            counter::add(&mut counters.planes[count::NO_ROOM], withheld);
        }
    }
    let sampled = wanted & !withheld;
    let cap = &mut counters.cap;
    let open = cap.admit(
        &config.cap,
        config.capped,
        generation,
        sampled,
        sample.time_ns,
    );
    counter::add(&mut counters.planes[count::RATE_LIMITED], sampled & !open);
    counters.end();
    open
}
