//! A fast reader beside a stalled one, 50 slow ones and 200 idle ones.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use latscope_collector::proto::{
    Encoding, Filter, Position, StreamSamplesRequest,
    stream_samples_request::{Source as Of, Start},
};
use tokio::task::JoinSet;

use crate::{
    account::Account,
    connection::Connection,
    options::Options,
    reading::Reading,
    service::{self, Service, Source},
};

const SLOW: usize = 50;
const SLOW_BYTES_A_SECOND: u64 = 64 << 10;
const IDLE: usize = 200;
const HISTORY_BYTES: u64 = 256 << 20;
const BATCH_BYTES: u32 = 64 << 10;
/// What a producer makes while memory and losses are watched: many times what a slow reader takes.
const PER_SECOND: u64 = 50_000;
/// How much memory may differ from what it was after a tenth of the time.
const GROWS_BYTES: u64 = 16 << 20;
/// What no sample has.
const ANOTHER_VLAN: u32 = 4000;

/// Prints two tables: speed beside others, then memory and losses over time.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    println!(
        "| encoding | alone M samples/s | beside | ratio, median of {} pairs | range |",
        options.runs
    );
    println!("| --- | --- | --- | --- | --- |");
    for encoding in [Encoding::Columns, Encoding::Rows] {
        speed(options, encoding).await?;
    }
    println!();
    losses(options).await
}

async fn speed(options: &Options, encoding: Encoding) -> anyhow::Result<()> {
    let prefill = format!("prefill={}", options.samples);
    let service = Service::start(options.service_cpu, &Source::Synthetic(&prefill)).await?;
    let session = service::create(&service.connect(options.window).await?, HISTORY_BYTES).await?;
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let without = drain(&service, options, &session, encoding).await?;
        let others = Others::open(&service, options, &session, encoding).await?;
        let with = drain(&service, options, &session, encoding).await?;
        drop(others);
        alone.push(without);
        beside.push(with);
        ratios.push(with / without);
    }
    for list in [&mut alone, &mut beside, &mut ratios] {
        list.sort_by(f64::total_cmp);
    }
    let middle = options.runs / 2;
    println!(
        "| {} | {:.2} | {:.2} | {:.2} | {:.2} to {:.2} |",
        encoding.as_str_name(),
        alone[middle] / 1e6,
        beside[middle] / 1e6,
        ratios[middle],
        ratios[0],
        ratios[options.runs - 1]
    );
    Ok(())
}

/// Samples a second of a reader that takes a whole log.
async fn drain(
    service: &Service,
    options: &Options,
    session: &str,
    encoding: Encoding,
) -> anyhow::Result<f64> {
    let connection = service.connect(options.window).await?;
    let mut request = request(session, encoding, Position::Oldest);
    request.no_follow = true;
    let reading = open(&connection, &request).await?;
    let began = Instant::now();
    let account = reading.into_account().await?;
    Ok(account.samples as f64 / began.elapsed().as_secs_f64())
}

/// Readers that are in the way; dropping them is cancelling.
struct Others {
    _tasks: JoinSet<anyhow::Result<Account>>,
    _stalled: Reading,
}

impl Others {
    /// Opens them, each on a connection of its own, and waits until each has its first message.
    async fn open(
        service: &Service,
        options: &Options,
        session: &str,
        encoding: Encoding,
    ) -> anyhow::Result<Self> {
        let mut tasks = JoinSet::new();
        for _ in 0..SLOW {
            let connection = service.connect(options.window).await?;
            let reading = open(&connection, &request(session, encoding, Position::Oldest)).await?;
            tasks.spawn(reading.slowly(SLOW_BYTES_A_SECOND));
        }
        for _ in 0..IDLE {
            let connection = service.connect(options.window).await?;
            let reading = open(&connection, &request(session, encoding, Position::Latest)).await?;
            tasks.spawn(reading.into_account());
        }
        let connection = service.connect(options.window).await?;
        let stalled = open(&connection, &request(session, encoding, Position::Oldest)).await?;
        Ok(Self {
            _tasks: tasks,
            _stalled: stalled,
        })
    }
}

/// A stalled, slow, idle and fast readers follow a producer for a time, in which the service must not grow; then each one's books
/// must balance to the sample.
async fn losses(options: &Options) -> anyhow::Result<()> {
    let what = format!("per_second={PER_SECOND}");
    let service = Service::start(options.service_cpu, &Source::Synthetic(&what)).await?;
    let control = service.connect(options.window).await?;
    let session = service::create(&control, 0).await?;
    let request = request(&session, Encoding::Rows, Position::Latest);
    let mut nothing = request.clone();
    nothing.filters = vec![Filter {
        vlan_ids: vec![ANOTHER_VLAN],
        ..Filter::default()
    }];
    let mut readers = JoinSet::new();
    for _ in 0..IDLE {
        let reading = open(&service.connect(options.window).await?, &nothing).await?;
        readers.spawn(reading.into_account());
    }
    for _ in 0..SLOW {
        let reading = open(&service.connect(options.window).await?, &request).await?;
        readers.spawn(reading.slowly(SLOW_BYTES_A_SECOND));
    }
    let fast = open(&service.connect(options.window).await?, &request).await?;
    readers.spawn(fast.into_account());
    let stalled = open(&service.connect(options.window).await?, &request).await?;
    println!("| seconds | resident MB |\n| --- | --- |");
    let (began, step) = (Instant::now(), options.time / 10);
    let mut first = None;
    for _ in 0..10 {
        tokio::time::sleep(step).await;
        let bytes = service.resident_bytes()?;
        let megabytes = bytes as f64 / 1e6;
        println!("| {:.0} | {megabytes:.1} |", began.elapsed().as_secs_f64());
        let most = *first.get_or_insert(bytes) + GROWS_BYTES;
        ensure!(bytes <= most, "the service has grown");
    }
    service::stop(&control, &session).await?;
    readers.spawn(stalled.into_account());
    let mut accounts = Vec::new();
    while let Some(account) = readers.join_next().await {
        accounts.push(account??);
    }
    let end = accounts[0].next_index;
    for account in &accounts {
        let offered = account.next_index - account.first_index.context("no message")?;
        ensure!(
            account.next_index == end,
            "a reader ended at {}, another at {end}",
            account.next_index
        );
        let accounted = account.samples + account.filtered + account.lost;
        ensure!(accounted == offered, "{account:?}");
    }
    let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum::<u64>();
    println!(
        "\n{} readers: {} samples came, {} were told as lost, {} existed; the books of each balance",
        accounts.len(),
        sum(|it| it.samples),
        sum(|it| it.lost),
        end
    );
    Ok(())
}

fn request(session: &str, encoding: Encoding, position: Position) -> StreamSamplesRequest {
    StreamSamplesRequest {
        source: Some(Of::Session(session.into())),
        start: Some(Start::Position(position as i32)),
        encoding: encoding as i32,
        max_batch_bytes: BATCH_BYTES,
        max_batch_delay: Some(prost_types::Duration {
            seconds: 0,
            nanos: Duration::from_millis(100).subsec_nanos() as i32,
        }),
        ..StreamSamplesRequest::default()
    }
}

/// A stream that has begun.
async fn open(connection: &Connection, request: &StreamSamplesRequest) -> anyhow::Result<Reading> {
    let body = connection
        .stream("SampleService/StreamSamples", request)
        .await?;
    let mut reading = Reading::new(body);
    while reading.account.messages == 0 {
        ensure!(reading.more().await?, "the stream ended at once");
    }
    Ok(reading)
}
