//! Programs that a test builds, runs, and lets go when its session is there.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A program built from one of the sources beside the tests.
pub(super) struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    /// Builds it with this command, to which the source and the output are known as `SOURCE` and `OUTPUT`; `None` where the
    /// command is not there, as in the machines of other kernels.
    pub(super) fn build(source: &str, command: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/span/live_tests/programs")
            .join(source);
        let program = Self { folder };
        let output = program.path();
        let words = command.iter().map(|word| match *word {
            "SOURCE" => source.as_os_str(),
            "OUTPUT" => output.as_os_str(),
            word => word.as_ref(),
        });
        let words: Vec<_> = words.collect();
        let built = Command::new(words[0])
            .args(&words[1..])
            .env("GOCACHE", std::env::temp_dir().join("latscope-go-cache"))
            .env("GOFLAGS", "-mod=mod")
            .stdin(Stdio::null())
            .status();
        let Ok(status) = built else {
            eprintln!("skipped: there is no {}", command[0]);
            return None;
        };
        assert!(status.success(), "{command:?}");
        Some(program)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    /// Starts a copy of it in a file system that it alone sees, mounted where `inside` is to be; it waits to be let go.
    pub(super) fn start_hidden(&self, inside: &Path) -> Running {
        let script = format!(
            "mount -t tmpfs none {folder} && cp {program} {inside} && exec {inside}",
            folder = inside.parent().unwrap().display(),
            program = self.path().display(),
            inside = inside.display(),
        );
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let program = format!("/proc/{}/exe", child.id());
        let begun = Instant::now();
        while std::fs::read_link(&program).is_ok_and(|it| it != inside) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it does not start"
            );
            std::thread::yield_now();
        }
        Running(child)
    }

    /// Starts it; it waits to be let go.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let child = Command::new(self.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Running(child)
    }
}

/// A program that waits.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Lets it go, and waits until it has ended: what it printed.
    pub(super) fn run(mut self) -> String {
        self.0.stdin.take().unwrap().write_all(b"g").unwrap();
        let mut text = String::new();
        let mut output = self.0.stdout.take().unwrap();
        output.read_to_string(&mut text).unwrap();
        assert!(self.0.wait().unwrap().success());
        text
    }
}
