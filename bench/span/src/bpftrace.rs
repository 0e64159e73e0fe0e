//! The one-liners that people would write otherwise.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::work::Work;

/// One that runs until it is dropped.
pub(crate) struct Bpftrace(Child);

impl Bpftrace {
    /// Starts that of the same purpose; `None` where there is no bpftrace.
    pub(crate) fn start(work: Work) -> anyhow::Result<Option<Self>> {
        /// Behind its last word before it attaches: raw tracepoints are there at once.
        const ATTACHES: Duration = Duration::from_millis(500);
        /// It looks for tracepoints in a file system that not every host has mounted.
        const SCRIPT: &str = "mount -t tracefs none /sys/kernel/tracing; mount -t debugfs none /sys/kernel/debug; \
            mount -t tracefs none /sys/kernel/debug/tracing; exec bpftrace -e \"$0\"";
        if Command::new("bpftrace").arg("--version").output().is_err() {
            return Ok(None);
        }
        let mut child = Command::new("unshare")
            .args(["--mount", "sh", "-c", SCRIPT, one_liner(work)])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("its output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        anyhow::ensure!(line.starts_with("Attaching"), "bpftrace says {line:?}");
        // What it prints in the end is nobody's concern, but it has to be able to.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        std::thread::sleep(ATTACHES);
        Ok(Some(Self(child)))
    }
}

impl Drop for Bpftrace {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT);
        let _ = self.0.wait();
    }
}

/// As in bpftrace's own documentation, and its runqlat.bt.
fn one_liner(work: Work) -> &'static str {
    match work {
        Work::Switches => {
            "tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new { @begun[args->pid] = nsecs; } \
             tracepoint:sched:sched_switch { if (args->prev_state == 0) { @begun[args->prev_pid] = nsecs; } \
             $begun = @begun[args->next_pid]; if ($begun) { @ns = hist(nsecs - $begun); } delete(@begun[args->next_pid]); }"
        }
        _ => {
            "tracepoint:raw_syscalls:sys_enter { @begun[tid] = nsecs; } \
             tracepoint:raw_syscalls:sys_exit /@begun[tid]/ { @ns = hist(nsecs - @begun[tid]); delete(@begun[tid]); }"
        }
    }
}
