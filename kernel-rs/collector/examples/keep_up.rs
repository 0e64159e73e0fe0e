//! Whether the reader keeps up with the packet engine's samples: `cargo run --release --example keep_up -- [samples a second]
//! [seconds]`, as root, on two CPUs or more.
//!
//! Two threads, one for each of CPUs 0 and 1, show the attached program segments of two hosts that answer each other, by
//! `BPF_PROG_TEST_RUN`: every segment ends a round trip. The session asks for every sample, without a cap.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts of a bench are far from 2^52"
)]

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aya::programs::{ProgramInfo, SchedClassifier, TestRun as _, TestRunOptions, loaded_programs};
use etherparse::PacketBuilder;
use latscope_collector::{
    collector::Collector,
    metric::EngineKind,
    packet::PacketEngine,
    proto::{Collection, EndReason, Metric, Probe, SessionSpec, TcpProbe, probe::Kind},
};
use nix::{
    sched::{CloneFlags, CpuSet, sched_setaffinity, unshare},
    unistd::Pid,
};

type Failed = Box<dyn Error + Send + Sync>;

/// Loopback, which the session watches.
const IFINDEX: u32 = 1;
const IFINDEX_AT: usize = 40;
/// How often a thread looks whether it is too early.
const SPELL: u64 = 250;

fn main() -> Result<(), Failed> {
    let mut numbers = env::args().skip(1).map(|it| it.parse::<u64>());
    let rate = numbers.next().transpose()?.unwrap_or(500_000);
    let seconds = numbers.next().transpose()?.unwrap_or(10);
    unshare(CloneFlags::CLONE_NEWNET)?;
    let engine = Arc::new(PacketEngine::default());
    let collector = Collector::new("nodes/bench".into(), vec![(EngineKind::Packet, engine)]);
    let session = collector.start(&SessionSpec {
        probes: vec![Probe {
            kind: Some(Kind::Tcp(TcpProbe {
                metrics: vec![Metric::TcpRtt.into()],
            })),
            timeout: None,
        }],
        collection: Some(Collection {
            max_samples_per_second: Some(0),
            ..Collection::default()
        }),
        interfaces: vec!["lo".into()],
        ..SessionSpec::default()
    })?;
    let program = session
        .stats()?
        .programs
        .first()
        .ok_or("nothing is attached")?
        .program_id;
    let shown = AtomicU64::new(0);
    let begun = Instant::now();
    let until = Duration::from_secs(seconds);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..2_u8)
            .map(|cpu| {
                let shown = &shown;
                scope.spawn(move || -> Result<(), Failed> {
                    let mut cpus = CpuSet::new();
                    cpus.set(cpu.into())?;
                    sched_setaffinity(Pid::from_raw(0), &cpus)?;
                    let sent = talk(program, cpu, rate / 2, until)?;
                    shown.fetch_add(sent, Ordering::Relaxed);
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|it| it.join().map_err(|_| "a thread panicked")?)
    })?;
    let took = begun.elapsed().as_secs_f64();
    session.stop(EndReason::SessionStopped);
    let totals = session.totals();
    println!(
        "{} segments in {took:.2} s, {} measured: {:.0} samples/s",
        shown.into_inner(),
        totals.measured,
        totals.measured as f64 / took
    );
    println!("{} delivered, lost: {:?}", totals.delivered, totals.losses);
    Ok(())
}

/// Shows a program segments of a connection, so many a second; how many.
fn talk(program: u32, host: u8, rate: u64, until: Duration) -> Result<u64, Failed> {
    let info = loaded_programs()
        .flatten()
        .find(|it: &ProgramInfo| it.id() == program)
        .ok_or("the program has gone")?;
    let program = SchedClassifier::from_program_info(info, "latscope_in".into())?;
    let mut context = [0; 192];
    context[IFINDEX_AT..IFINDEX_AT + 4].copy_from_slice(&IFINDEX.to_ne_bytes());
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < until {
        let due = Duration::from_nanos(sent * 1_000_000_000 / rate);
        thread::sleep(due.saturating_sub(begun.elapsed()));
        for _ in 0..SPELL {
            let bytes = segment(host, sent as u32)?;
            let mut options = TestRunOptions::new();
            options.data_in = Some(&bytes);
            options.ctx_in = Some(&context);
            program.test_run(options)?;
            sent += 1;
        }
    }
    Ok(sent)
}

/// The segment of a number: sent by one host and the other in turns, a byte that acknowledges all that the other sent.
fn segment(host: u8, number: u32) -> Result<Vec<u8>, Failed> {
    let (here, there) = ([10, 0, host, 1], [10, 0, host, 2]);
    let round = number / 2;
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let (from, to, ports, ack) = if number.is_multiple_of(2) {
        (here, there, (1000, 2000), round)
    } else {
        (there, here, (2000, 1000), round + 1)
    };
    let builder = builder
        .ipv4(from, to, 64)
        .tcp(ports.0, ports.1, round, u16::MAX)
        .ack(ack);
    let mut bytes = Vec::with_capacity(builder.size(1));
    builder.write(&mut bytes, b"x")?;
    Ok(bytes)
}
