//! How fast one reader gets a pre-filled log, encoded: `cargo run --release --features synthetic --example drain -- [samples [flows]]`.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes of a bench are far from 2^52"
)]

use std::{env, sync::Arc, time::Instant};

use latscope_collector::{
    collector::Collector,
    engine::synthetic::Synthetic,
    metric::EngineKind,
    proto::{Encoding, Limits, Probe, SessionSpec, StreamSamplesRequest, TcpProbe, probe::Kind},
    reader::Reader,
    scope::Scope,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = env::args().skip(1).map(|it| it.parse::<u64>());
    let samples = numbers.next().transpose()?.unwrap_or(2_000_000);
    let flows = numbers.next().transpose()?.unwrap_or(16).try_into()?;
    let engine = Synthetic {
        prefill: samples,
        per_second: 0,
        flows,
        hostile: None,
        lose: 0,
        refuse: false,
    };
    let collector = Collector::new(
        "nodes/bench".into(),
        vec![(EngineKind::Packet, Arc::new(engine))],
    );
    let start = Instant::now();
    let session = collector.start(&SessionSpec {
        probes: vec![Probe {
            kind: Some(Kind::Tcp(TcpProbe::default())),
            timeout: None,
        }],
        limits: Some(Limits {
            history_bytes: Some(1 << 30),
            ..Limits::default()
        }),
        ..SessionSpec::default()
    })?;
    report("append", samples, 0, start);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    for encoding in [Encoding::Columns, Encoding::Rows] {
        for max_batch_bytes in [16 << 10, 256 << 10] {
            let request = StreamSamplesRequest {
                no_follow: true,
                encoding: encoding as i32,
                max_batch_bytes,
                ..StreamSamplesRequest::default()
            };
            let reader = Reader::open(
                session.clone(),
                &request,
                ("nodes/bench", "sessions/drain"),
                &Scope::default(),
            )?;
            let start = Instant::now();
            let mut bytes = 0;
            while let Some(message) = runtime.block_on(reader.next())? {
                bytes += message.len();
            }
            assert_eq!(reader.totals().delivered, samples);
            report(
                &format!("{} {max_batch_bytes}", encoding.as_str_name()),
                samples,
                bytes,
                start,
            );
        }
    }
    Ok(())
}

fn report(what: &str, samples: u64, bytes: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {:.2} M samples/s, {:.1} bytes a sample",
        samples as f64 / seconds / 1e6,
        bytes as f64 / samples as f64
    );
}
