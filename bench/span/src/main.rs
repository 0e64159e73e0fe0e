//! What the span engine costs. Needs root.
//!
//! Cost of a run: our programs and ones that do nothing are attached in turns while the same work goes on; ns a run are the
//! kernel's own (`BPF_ENABLE_STATS`), and what doing nothing costs is subtracted.
//!
//! Slowdown: how much of the same work is done in a second with nothing attached, with us, and with bpftrace's one-liner of the
//! same purpose, in turns and without the kernel's statistics. Everything is measured, of all processes, in histograms.

mod bpftrace;
mod cost;
mod empty;
mod median;
mod ours;
mod slowdown;
mod work;

use std::time::Duration;

use anyhow::Context as _;
use lexopt::prelude::*;

/// What is asked for.
pub(crate) struct Options {
    /// Turns of each.
    pub(crate) runs: usize,
    /// How long each lasts.
    pub(crate) turn: Duration,
}

fn main() -> anyhow::Result<()> {
    let options = options()?;
    let statistics = aya::sys::enable_stats(aya::sys::Stats::RunTime)
        .context("switching BPF statistics on; this needs root")?;
    cost::table(&options)?;
    drop(statistics);
    println!();
    slowdown::table(&options)
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options {
        runs: 5,
        turn: Duration::from_secs(1),
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("runs") => options.runs = arguments.value()?.parse::<usize>()?.max(1),
            Long("seconds") => {
                options.turn = Duration::from_secs_f64(arguments.value()?.parse()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}
