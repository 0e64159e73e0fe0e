//! What the packet engine costs, ns a packet over a tc program that does nothing, by the kernel's own accounting
//! (`BPF_ENABLE_STATS`) while simulated traffic is pushed through with `BPF_PROG_TEST_RUN`; and how many round trips it finds
//! in that traffic. Needs root.
//!
//! All programs of a row see the same frames in turns, a chunk at a time, so that what disturbs one disturbs all.

mod empty;
mod options;
mod row;
mod sessions;
mod table;
mod traffic;

use anyhow::Context as _;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

fn main() -> anyhow::Result<()> {
    let options = options::parse()?;
    let mut cpu = CpuSet::new();
    cpu.set(options.cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpu).context("binding to one CPU")?;
    let _statistics = aya::sys::enable_stats(aya::sys::Stats::RunTime)
        .context("switching BPF statistics on; this needs root")?;
    table::head(&options);
    for ipv6 in options.families() {
        for timestamps in options.timestamps() {
            for flows in &options.flows {
                let traffic = traffic::make(*flows, ipv6, timestamps, options.packets);
                table::line(&row::measure(&traffic, &options)?);
            }
        }
    }
    Ok(())
}
