//! The command line.

use std::time::Duration;

use lexopt::{Arg, ValueExt as _};

const HELP: &str = "\
latscope-bench-stream COMMAND [OPTIONS]
  throughput         a reader alone: out of a filled log, and behind a producer
  beside             a fast reader beside a stalled one, 50 slow and 200 idle ones
  live               kernel to client: TCP segments through a veth pair (root)

  --runs N           runs of each row, of which medians are shown (5; beside: 11 pairs)
  --samples N        samples in the filled log (6000000)
  --per-second N     what a producer makes, live what is sent (throughput: by encoding; live 130000)
  --seconds N        how long a producer is followed (10; live 60)
  --window BYTES     the HTTP/2 window of a reader's stream (65536)
  --service-cpu N    (0)
  --client-cpu N     (1)
";

/// Which bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Throughput,
    Beside,
    Live,
}

/// What to measure.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) runs: usize,
    pub(crate) samples: u64,
    pub(crate) per_second: Option<u64>,
    pub(crate) time: Duration,
    pub(crate) window: u32,
    pub(crate) service_cpu: usize,
    pub(crate) client_cpu: usize,
}

pub(crate) fn parse() -> Result<Options, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let (mut command, mut runs, mut seconds) = (None, None, None);
    let (mut samples, mut per_second) = (6_000_000, None);
    let mut window = crate::service::WINDOW;
    let (mut service_cpu, mut client_cpu) = (0, 1);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(word) if command.is_none() => {
                command = Some(match word.string()?.as_str() {
                    "throughput" => Command::Throughput,
                    "beside" => Command::Beside,
                    "live" => Command::Live,
                    other => return Err(format!("{other} is no command").into()),
                });
            }
            Arg::Long("runs") => runs = Some(parser.value()?.parse()?),
            Arg::Long("samples") => samples = parser.value()?.parse()?,
            Arg::Long("per-second") => per_second = Some(parser.value()?.parse()?),
            Arg::Long("seconds") => seconds = Some(parser.value()?.parse()?),
            Arg::Long("window") => window = parser.value()?.parse()?,
            Arg::Long("service-cpu") => service_cpu = parser.value()?.parse()?,
            Arg::Long("client-cpu") => client_cpu = parser.value()?.parse()?,
            Arg::Long("help") => {
                print!("{HELP}");
                std::process::exit(0);
            }
            _ => return Err(arg.unexpected()),
        }
    }
    let command = command.ok_or("name a command; --help says which")?;
    let runs = runs.unwrap_or(if command == Command::Beside { 11 } else { 5 });
    if runs == 0 {
        return Err("--runs must not be 0".into());
    }
    let otherwise = if command == Command::Live { 60 } else { 10 };
    Ok(Options {
        command,
        runs,
        samples,
        per_second,
        time: Duration::from_secs(seconds.unwrap_or(otherwise)),
        window,
        service_cpu,
        client_cpu,
    })
}
