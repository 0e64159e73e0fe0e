//! One reader alone.

use std::time::Instant;

use latscope_collector::proto::{
    Encoding, EndReason, Position, StreamSamplesRequest,
    stream_samples_request::{Source as Of, Start},
};

use crate::{
    account::Account,
    options::Options,
    reading::Reading,
    service::{self, Service, Source},
};

/// Bytes of a batch, each a row: what a client gets that says nothing, and what one says that drains.
const BATCH_BYTES: [u32; 3] = [16 << 10, 64 << 10, 256 << 10];
/// Enough for the samples of a filled log.
const HISTORY_BYTES: u64 = 256 << 20;

/// What one run came to.
struct Run {
    samples: u64,
    lost: u64,
    bytes: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// Prints a table.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    println!(
        "| from | encoding | batch | M samples/s | range | MB/s | bytes a sample | CPU of the service | lost |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let prefill = format!("prefill={}", options.samples);
    let service = Service::start(options.service_cpu, &Source::Synthetic(&prefill)).await?;
    let session = service::create(&service.connect(options.window).await?, HISTORY_BYTES).await?;
    for encoding in [Encoding::Columns, Encoding::Rows] {
        for batch_bytes in BATCH_BYTES {
            let mut runs = Vec::new();
            for _ in 0..options.runs {
                let start = (Start::Position(Position::Oldest as i32), true);
                runs.push(one(&service, options, &session, encoding, batch_bytes, start).await?);
            }
            line("filled log", encoding, batch_bytes, &mut runs);
        }
    }
    drop(service);
    for encoding in [Encoding::Columns, Encoding::Rows] {
        for batch_bytes in BATCH_BYTES {
            let most = if encoding == Encoding::Columns {
                5_500_000
            } else {
                600_000
            };
            let per_second = options.per_second.unwrap_or(most);
            let what = format!("per_second={per_second}");
            let mut runs = Vec::new();
            for _ in 0..options.runs {
                let service =
                    Service::start(options.service_cpu, &Source::Synthetic(&what)).await?;
                let session =
                    service::create(&service.connect(options.window).await?, HISTORY_BYTES).await?;
                let start = (Start::Position(Position::Latest as i32), false);
                runs.push(one(&service, options, &session, encoding, batch_bytes, start).await?);
            }
            line(
                &format!("producer, {:.1} M/s", per_second as f64 / 1e6),
                encoding,
                batch_bytes,
                &mut runs,
            );
        }
    }
    Ok(())
}

async fn one(
    service: &Service,
    options: &Options,
    session: &str,
    encoding: Encoding,
    max_batch_bytes: u32,
    (start, no_follow): (Start, bool),
) -> anyhow::Result<Run> {
    let connection = service.connect(options.window).await?;
    let request = StreamSamplesRequest {
        source: Some(Of::Session(session.into())),
        start: Some(start),
        no_follow,
        encoding: encoding as i32,
        max_batch_bytes,
        ..StreamSamplesRequest::default()
    };
    let body = connection
        .stream("SampleService/StreamSamples", &request)
        .await?;
    let mut reading = Reading::new(body);
    reading.more().await?;
    let (began, cpu) = (Instant::now(), service.cpu_seconds()?);
    let before = reading.account.samples;
    while (no_follow || began.elapsed() < options.time) && reading.more().await? {}
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = service.cpu_seconds()? - cpu;
    let Account {
        samples,
        lost,
        bytes,
        end,
        ..
    } = &reading.account;
    if no_follow {
        reading.account.check()?;
        let reason = end.as_ref().map(|it| it.reason);
        anyhow::ensure!(
            reason == Some(EndReason::EndOfHistory as i32),
            "ended with {reason:?}"
        );
    }
    Ok(Run {
        samples: samples - before,
        lost: *lost,
        bytes: *bytes,
        seconds,
        cpu_seconds,
    })
}

fn line(from: &str, encoding: Encoding, batch_bytes: u32, runs: &mut [Run]) {
    let rate = |it: &Run| it.samples as f64 / it.seconds / 1e6;
    runs.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let median = &runs[runs.len() / 2];
    println!(
        "| {from} | {} | {} KiB | {:.2} | {:.2} to {:.2} | {:.0} | {:.1} | {:.0} % | {} |",
        encoding.as_str_name().trim_start_matches("ENCODING_"),
        batch_bytes >> 10,
        rate(median),
        rate(&runs[0]),
        rate(&runs[runs.len() - 1]),
        median.bytes as f64 / median.seconds / 1e6,
        median.bytes as f64 / median.samples as f64,
        100.0 * median.cpu_seconds / median.seconds,
        runs.iter().map(|it| it.lost).sum::<u64>(),
    );
}
