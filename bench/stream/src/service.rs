//! The service under test, on a CPU of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use latscope_collector::proto::{
    Collection, CreateSessionRequest, CreateSessionResponse, Limits, Probe, Session, SessionSpec,
    StopSessionRequest, StopSessionResponse, TcpProbe, probe::Kind,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::connection::Connection;

/// The HTTP/2 window of a stream that most clients begin with.
pub(crate) const WINDOW: u32 = 64 << 10;

/// A cap that is never reached.
const SAMPLES_PER_SECOND: u32 = 10_000_000;

/// What the service measures.
pub(crate) enum Source<'a> {
    /// What the synthetic engine is told to make up: `prefill=N,per_second=N,flows=N`.
    Synthetic(&'a str),
    /// The kernel, in a network namespace.
    Kernel(&'a str),
}

/// `latscope serve`, as it is built, on a socket in a folder of its own. It ends when this is dropped.
pub(crate) struct Service {
    child: Child,
    folder: TempDir,
}

impl Service {
    /// Starts it on a CPU and waits until it serves.
    pub(crate) async fn start(cpu: usize, source: &Source<'_>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("latscope.sock");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut words = vec!["taskset".to_owned(), "--cpu-list".into(), cpu.to_string()];
        if let Source::Kernel(namespace) = source {
            words.extend(["ip", "netns", "exec", namespace].map(str::to_owned));
        }
        words.push("node".into());
        if matches!(source, Source::Synthetic(_)) {
            let hook = root.join("bench/stream/synthetic.js");
            words.extend(["--import".into(), hook.display().to_string()]);
        }
        words.push(
            root.join("clients/cli/bin/latscope.js")
                .display()
                .to_string(),
        );
        words.extend(
            [
                "serve",
                "--node",
                "bench",
                "--log-level",
                "warn",
                "--socket",
            ]
            .map(str::to_owned),
        );
        words.push(socket.display().to_string());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .kill_on_drop(true)
            .stdout(Stdio::null());
        if let Source::Synthetic(what) = source {
            command.env("LATSCOPE_SYNTHETIC", what);
        }
        let mut service = Self {
            child: command.spawn().context("starting the service")?,
            folder,
        };
        service.ready().await?;
        Ok(service)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        for _ in 0..2000 {
            if self.socket().exists() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the service ended: {status}; was the bench's addon built (bench/stream/build.sh)?"
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the service does not serve")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("latscope.sock")
    }

    pub(crate) async fn connect(&self, window: u32) -> anyhow::Result<Connection> {
        Connection::open(&self.socket(), window).await
    }

    /// Processor time so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        const TICKS_A_SECOND: f64 = 100.0;
        let text = fs::read_to_string(self.proc("stat"))?;
        let (_, fields) = text.rsplit_once(')').context("/proc/PID/stat")?;
        let fields = fields.split_whitespace().collect::<Vec<_>>();
        let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok());
        // Fields 14 and 15 of proc(5): user and system time.
        let both = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
        Ok(both.context("/proc/PID/stat")? / TICKS_A_SECOND)
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        const PAGE: u64 = 4096;
        let text = fs::read_to_string(self.proc("statm"))?;
        let pages = text
            .split_whitespace()
            .nth(1)
            .and_then(|it| it.parse::<u64>().ok());
        Ok(pages.context("/proc/PID/statm")? * PAGE)
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id().unwrap_or_default())
    }
}

/// A session of every TCP metric, with so many bytes of history.
pub(crate) async fn create(connection: &Connection, history_bytes: u64) -> anyhow::Result<String> {
    let spec = SessionSpec {
        probes: vec![Probe {
            kind: Some(Kind::Tcp(TcpProbe::default())),
            timeout: None,
        }],
        collection: Some(Collection {
            max_samples_per_second: Some(SAMPLES_PER_SECOND),
            ..Collection::default()
        }),
        limits: Some(Limits {
            history_bytes: Some(history_bytes),
            ..Limits::default()
        }),
        ..SessionSpec::default()
    };
    let request = CreateSessionRequest {
        session: Some(Session {
            spec: Some(spec),
            ..Session::default()
        }),
        ..CreateSessionRequest::default()
    };
    let answer: CreateSessionResponse = connection
        .unary("SessionService/CreateSession", &request)
        .await?;
    Ok(answer
        .session
        .context("CreateSession answered no session")?
        .name)
}

/// Stops a session: its readers read to the end.
pub(crate) async fn stop(connection: &Connection, name: &str) -> anyhow::Result<()> {
    let request = StopSessionRequest {
        name: name.into(),
        ..StopSessionRequest::default()
    };
    let _: StopSessionResponse = connection
        .unary("SessionService/StopSession", &request)
        .await?;
    Ok(())
}
