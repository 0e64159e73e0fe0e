//! The command line.

use lexopt::{Arg, ValueExt as _};

use crate::sessions::Kind;

const HELP: &str = "\
latscope-bench-packet [OPTIONS]
  --packets N       packets of each row (400000)
  --runs N          runs of each row, of which the medians are shown (5)
  --flows N,...     flows, a row each (1,10,100,1000,10000)
  --sessions K,...  what listens, a column each (all of them): one, samples, capture, all64, disjoint64, grouped64;
                    one has histograms alone, samples every latency too, capture is that by the capture's clock, which also gives recall
  --ipv4, --ipv6    only these (both)
  --timestamps, --no-timestamps
                    only with, or without, TCP timestamps (both)
  --cpu N           the CPU to run on (1)
";

/// What to measure.
pub(crate) struct Options {
    pub(crate) packets: usize,
    pub(crate) runs: usize,
    pub(crate) flows: Vec<usize>,
    pub(crate) sessions: Vec<Kind>,
    pub(crate) cpu: usize,
    ipv6: Option<bool>,
    timestamps: Option<bool>,
}

impl Options {
    /// IPv6 or not, in turn.
    pub(crate) fn families(&self) -> Vec<bool> {
        self.ipv6.map_or_else(|| vec![false, true], |it| vec![it])
    }

    /// With TCP timestamps or without, in turn.
    pub(crate) fn timestamps(&self) -> Vec<bool> {
        self.timestamps
            .map_or_else(|| vec![true, false], |it| vec![it])
    }
}

pub(crate) fn parse() -> Result<Options, lexopt::Error> {
    let mut options = Options {
        packets: 400_000,
        runs: 5,
        flows: vec![1, 10, 100, 1000, 10_000],
        sessions: Kind::ALL.to_vec(),
        cpu: 1,
        ipv6: None,
        timestamps: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("packets") => options.packets = parser.value()?.parse()?,
            Arg::Long("runs") => options.runs = parser.value()?.parse()?,
            Arg::Long("flows") => {
                let list = parser.value()?.string()?;
                let numbers: Result<_, _> = list.split(',').map(str::parse).collect();
                options.flows = numbers.map_err(|error| format!("--flows {list}: {error}"))?;
            }
            Arg::Long("sessions") => {
                let list = parser.value()?.string()?;
                let kinds: Result<_, _> = list.split(',').map(Kind::parse).collect();
                options.sessions = kinds?;
            }
            Arg::Long("cpu") => options.cpu = parser.value()?.parse()?,
            Arg::Long("ipv4") => options.ipv6 = Some(false),
            Arg::Long("ipv6") => options.ipv6 = Some(true),
            Arg::Long("timestamps") => options.timestamps = Some(true),
            Arg::Long("no-timestamps") => options.timestamps = Some(false),
            Arg::Long("help") => {
                print!("{HELP}");
                std::process::exit(0);
            }
            _ => return Err(arg.unexpected()),
        }
    }
    if options.packets == 0 || options.runs == 0 {
        return Err("--packets and --runs must not be 0".into());
    }
    Ok(options)
}
