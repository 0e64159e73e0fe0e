//! ns a run of each program, over one that does nothing on the same hook.

use crate::{
    Options,
    empty::{Empty, Hook},
    median::Median,
    ours::Ours,
    work::Work,
};

const PROGRAMS: [(Work, &str, Hook); 6] = [
    (
        Work::Calls,
        "latscope_sys_enter",
        Hook::Tracepoint("sys_enter"),
    ),
    (
        Work::Calls,
        "latscope_sys_exit",
        Hook::Tracepoint("sys_exit"),
    ),
    (
        Work::Switches,
        "latscope_switch",
        Hook::Tracepoint("sched_switch"),
    ),
    (
        Work::Switches,
        "latscope_wakeup",
        Hook::Tracepoint("sched_wakeup"),
    ),
    (Work::Functions, "latscope_call", Hook::Call),
    (Work::Functions, "latscope_return", Hook::Return),
];

pub(crate) fn table(options: &Options) -> anyhow::Result<()> {
    println!("| program | driven by | runs | ns a run | doing nothing | over that |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let ours = Ours::open();
    for (work, name, hook) in PROGRAMS {
        let (mut own, mut nothing, mut runs) = (Vec::new(), Vec::new(), 0);
        for _ in 0..options.runs {
            let empty = Empty::attach(hook)?;
            work.run(options.turn)?;
            nothing.push(each(empty.runs()?, (0, 0)).1);
            drop(empty);
            let session = ours.start(work)?;
            let before = session.runs(name)?;
            work.run(options.turn)?;
            let (count, cost) = each(session.runs(name)?, before);
            runs += count;
            own.push(cost);
        }
        let over = own.iter().zip(&nothing).map(|(own, nothing)| own - nothing);
        let over = Median::of(over.collect::<Vec<_>>());
        println!(
            "| `{name}` | {work:?} | {runs} | {} | {} | {} |",
            Median::of(own).show(0),
            Median::of(nothing).show(0),
            over.show(0),
        );
    }
    Ok(())
}

/// Runs since then, and ns of each.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures of a bench have fewer digits"
)]
fn each(now: (u64, u64), before: (u64, u64)) -> (u64, f64) {
    let (runs, ns) = (now.0 - before.0, now.1 - before.1);
    (runs, ns as f64 / runs.max(1) as f64)
}
