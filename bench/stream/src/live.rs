//! Kernel to client: TCP segments and their acknowledgements through a veth pair, each a round trip, and how late it arrives.

use std::{
    iter,
    path::Path,
    process::Stdio,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};
use latscope_collector::proto::{
    Encoding, End, StreamSamplesRequest, StreamSamplesResponse, Totals,
    stream_samples_request::Source as Of, stream_samples_response::Event,
};
use prost::Message as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
};

use crate::{
    connection::Whole,
    namespace::{Namespace, WIRE},
    options::Options,
    service::{self, Service, Source},
};

/// Sent a second where nobody says otherwise: a bit more than the bar.
const PER_SECOND: u64 = 130_000;
const CONNECTIONS: u16 = 64;
/// How long a batch may wait for more, each a row.
const DELAYS_MS: [i32; 2] = [100, 5];
const HISTORY_BYTES: u64 = 32 << 20;

/// Prints a table.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    println!(
        "| batch delay | seconds | samples | samples/s | lost | delay p50 | p99 | p99.9 | CPU of the service |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for delay_ms in DELAYS_MS {
        one(options, delay_ms).await?;
    }
    Ok(())
}

async fn one(options: &Options, delay_ms: i32) -> anyhow::Result<()> {
    let namespace = Namespace::new()?;
    let service = Service::start(options.service_cpu, &Source::Kernel(&namespace.name)).await?;
    let control = service.connect(options.window).await?;
    let session = service::create(&control, HISTORY_BYTES).await?;
    let request = StreamSamplesRequest {
        source: Some(Of::Session(session.clone())),
        encoding: Encoding::Columns as i32,
        max_batch_delay: Some(prost_types::Duration {
            seconds: 0,
            nanos: delay_ms * 1_000_000,
        }),
        ..StreamSamplesRequest::default()
    };
    let connection = service.connect(options.window).await?;
    let body = connection
        .stream("SampleService/StreamSamples", &request)
        .await?;
    let mut messages = Whole::new(body);
    // Start: attached.
    messages.next().await?.context("no Start")?;
    let reader = tokio::spawn(follow(messages));
    let (began, cpu) = (Instant::now(), service.cpu_seconds()?);
    let per_second = options.per_second.unwrap_or(PER_SECOND);
    let segments = per_second * options.time.as_secs();
    flood(&namespace, options.client_cpu, segments, per_second).await?;
    let (seconds, cpu) = (began.elapsed(), service.cpu_seconds()? - cpu);
    service::stop(&control, &session).await?;
    let (mut delays_us, totals) = reader.await??;
    delays_us.sort_unstable();
    let quantile =
        |part: f64| f64::from(delays_us[(part * (delays_us.len() - 1) as f64) as usize]) / 1e3;
    let lost: u64 = totals
        .iter()
        .flat_map(|it| &it.losses)
        .map(|it| it.count)
        .sum();
    let samples = delays_us.len();
    ensure!(
        totals[0].delivered == samples as u64,
        "{samples} samples came, {} were sent",
        totals[0].delivered
    );
    println!(
        "| {delay_ms} ms | {:.1} | {samples} | {:.0} | {lost} | {:.1} ms | {:.1} ms | {:.1} ms | {:.0} % |",
        seconds.as_secs_f64(),
        samples as f64 / seconds.as_secs_f64(),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        100.0 * cpu / seconds.as_secs_f64(),
    );
    Ok(())
}

/// Sends so many segments and their acknowledgements; returns when the last is out.
async fn flood(
    namespace: &Namespace,
    cpu: usize,
    segments: u64,
    per_second: u64,
) -> anyhow::Result<()> {
    let relay = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/latscope-relay");
    let mut sender = Command::new("taskset")
        .args(["--cpu-list", &cpu.to_string()])
        .args(["ip", "netns", "exec", &namespace.name])
        .arg(relay)
        .arg("inject")
        .args(WIRE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting latscope-relay")?;
    let mut lines = BufReader::new(sender.stdout.take().context("no output")?).lines();
    let commands = format!("flood {CONNECTIONS} {segments} {per_second}\nsync done\n");
    let mut input = sender.stdin.take().context("no input")?;
    input.write_all(commands.as_bytes()).await?;
    while let Some(line) = lines.next_line().await? {
        if line == "done" {
            return Ok(());
        }
    }
    bail!("latscope-relay ended: {}", sender.wait().await?)
}

/// How late each sample came, microseconds, and the books of the reader and of the session.
async fn follow(mut messages: Whole) -> anyhow::Result<(Vec<u32>, [Totals; 2])> {
    let mut delays_us = Vec::new();
    while let Some(message) = messages.next().await? {
        match StreamSamplesResponse::decode(&*message)?.event {
            Some(Event::Columns(columns)) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
                let mut time = columns.base_time_unix_ns;
                let deltas = columns.time_delta_ns.iter().copied().chain(iter::repeat(0));
                delays_us.extend(deltas.take(columns.latency_ns.len()).map(|delta| {
                    time = time.wrapping_add_signed(delta);
                    (now.saturating_sub(time) / 1000) as u32
                }));
            }
            Some(Event::End(End {
                totals: Some(own),
                session_totals: Some(session),
                ..
            })) => {
                return Ok((delays_us, [own, session]));
            }
            _ => {}
        }
    }
    bail!("the stream ended without End")
}
