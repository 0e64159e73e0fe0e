//! How fast samples leave the service. The readers are this process, bound to one CPU; the service is another, on the other.
//!
//! Readers are plain HTTP/2 without a gRPC library: they read the few fields in front of each message and throw its samples
//! away, so that what is measured is the service.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes of a bench are far from 2^52"
)]

mod account;
mod beside;
mod connection;
mod live;
mod namespace;
mod options;
mod reading;
mod service;
mod throughput;

use anyhow::Context as _;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use options::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = options::parse()?;
    let mut cpu = CpuSet::new();
    cpu.set(options.client_cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpu).context("binding to one CPU")?;
    match options.command {
        Command::Throughput => throughput::run(&options).await,
        Command::Beside => beside::run(&options).await,
        Command::Live => live::run(&options).await,
    }
}
