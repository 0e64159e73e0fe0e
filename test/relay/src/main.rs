//! `latscope-relay`: the delaying wire and the frame injector of latscope's tests.
//!
//! ```text
//! latscope-relay IFA IFB --delay 20ms [--delay-back 30ms] [--drop syn:1] [--drop-back data:2]
//! latscope-relay inject IFA IFB
//! ```
//!
//! The first form forwards every frame that arrives at one interface out of the other, no earlier than the delay after the
//! kernel saw it arrive. Tests need it where the kernel has no netem. It prints `READY` once both interfaces are open, relays
//! until its standard input ends, then prints its counters as one line of JSON.
//!
//! The second form sends hand-made frames; see [`inject`].
//!
//! Both work in the network namespace they are started in. Exit code 2 is wrong usage, 1 anything else that went wrong.

mod args;
mod drops;
mod flood;
mod inject;
mod link;
mod relay;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let command = match args::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("latscope-relay: {error}");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        Command::Relay(options) => relay::run(&options),
        Command::Inject { a, b } => inject::run(&a, &b),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latscope-relay: {error}");
            ExitCode::FAILURE
        }
    }
}
