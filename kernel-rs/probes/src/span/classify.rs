//! Which lanes accept a task: decided once for each generation, and when its name or cgroup changes.

use latscope_events::{
    config::{CLAUSES, Clauses},
    span::{
        config::{Accepting, Config, FilterKey, LEVELS, field},
        thread::{Accepts, Thread},
    },
};

use crate::{
    kernel::{offset, peek},
    maps::{CONFIG, FILTERS},
};

/// Decides for a thread whose `task` and `cgroup_at` are filled in.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn classify(thread: *mut Thread, generation: u32) -> u32 {
    // SAFETY: the verifier asks for the check; it is a map value.
    let (Some(thread), Some(config)) = (unsafe { thread.as_mut() }, CONFIG.get(generation & 1))
    else {
        return 0;
    };
    let bank = generation & 1;
    let accepts = &mut thread.accepts;
    let by_pid = named(config, field::PID, bank, [u64::from(thread.task.pid), 0]);
    each(&mut accepts.filters, &by_pid.filters, |_, new| new);
    each(&mut accepts.exclude, &by_pid.exclude, |_, new| new);
    narrow(accepts, named(config, field::COMM, bank, thread.task.comm));
    if config.cgroups == 0 {
        narrow(accepts, &config.any[field::CGROUP as usize]);
    } else {
        by_cgroup(thread, bank);
    }
    settle(&mut thread.accepts, config);
    thread.generation = generation;
    0
}

/// What accepts a value: its entry in the table, which holds those without a condition too.
#[inline(always)]
fn named(config: &'static Config, field: u32, bank: u32, value: [u64; 2]) -> &'static Accepting {
    let key = FilterKey {
        field: field as u16,
        metric: 0,
        bank,
        value,
    };
    // SAFETY: the user side writes the bank only while it is not in use.
    match unsafe { FILTERS.get(key) } {
        Some(found) => found,
        None => &config.any[field as usize & 3],
    }
}

#[inline(always)]
fn narrow(accepts: &mut Accepts, by: &Accepting) {
    each(&mut accepts.filters, &by.filters, |old, new| old & new);
    each(&mut accepts.exclude, &by.exclude, |old, new| old & new);
}

/// Changes every clause. Volatile, or a copy becomes a call of memcpy.
#[inline(always)]
fn each(clauses: &mut Clauses, by: &Clauses, change: impl Fn(u64, u64) -> u64) {
    for (clause, by) in clauses.iter_mut().zip(by) {
        // SAFETY: a valid reference.
        unsafe { core::ptr::write_volatile(clause, change(*clause, *by)) };
    }
}

/// Narrows by the task's cgroup and those above it: filters and exclusions one after the other, for the stack's sake.
#[inline(always)]
fn by_cgroup(thread: &mut Thread, bank: u32) {
    let found = above(thread.cgroup_at, bank, |it| &it.filters);
    each(&mut thread.accepts.filters, &found, |old, new| old & new);
    let found = above(thread.cgroup_at, bank, |it| &it.exclude);
    each(&mut thread.accepts.exclude, &found, |old, new| old & new);
}

/// What accepts a cgroup or one of those above it.
#[inline(always)]
fn above(cgroup: u64, bank: u32, side: impl Fn(&Accepting) -> &Clauses) -> Clauses {
    let mut all = [0; CLAUSES];
    let Some(config) = CONFIG.get(bank) else {
        return all;
    };
    each(
        &mut all,
        side(&config.any[field::CGROUP as usize]),
        |_, new| new,
    );
    let level = peek(cgroup + u64::from(offset!(cgroup_level))) as u32;
    for at in 0..LEVELS {
        if at > level {
            break;
        }
        let found = named(config, field::CGROUP, bank, [ancestor(cgroup, at), 0]);
        each(&mut all, side(found), |old, new| old | new);
    }
    all
}

/// The id of the cgroup at a level above another.
#[inline(always)]
fn ancestor(cgroup: u64, level: u32) -> u64 {
    let above = peek(cgroup + u64::from(offset!(cgroup_ancestors)) + u64::from(level) * 8);
    let node = peek(above + u64::from(offset!(cgroup_kn)));
    peek(node + u64::from(offset!(kernfs_id)))
}

#[inline(always)]
fn settle(accepts: &mut Accepts, config: &Config) {
    let any = &config.any[field::SUBJECT as usize];
    let (mut lanes, mut excluded) = (0, 0);
    for clause in 0..CLAUSES {
        lanes |= accepts.filters[clause] & any.filters[clause];
        excluded |= accepts.exclude[clause] & any.exclude[clause];
    }
    accepts.lanes = lanes & !excluded;
}
