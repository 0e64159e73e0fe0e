//! A network namespace with a wire: what is sent into one end is seen at the other.

use std::process::Command;

use anyhow::{Context as _, ensure};

/// Ends of the wire.
pub(crate) const WIRE: [&str; 2] = ["wire-a", "wire-b"];

/// A namespace that is taken away when this is dropped.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let namespace = Self {
            name: format!("latscope-bench-{}", std::process::id()),
        };
        let [a, b] = WIRE;
        ip(&["netns", "add", &namespace.name])?;
        let inside = ["-netns", &namespace.name, "link"];
        for rest in [
            &["add", a, "type", "veth", "peer", "name", b][..],
            &["set", a, "up"],
            &["set", b, "up"],
        ] {
            ip(&[&inside[..], rest].concat())?;
        }
        Ok(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!("{error}");
        }
    }
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("ip").args(words).status().context("ip")?;
    ensure!(status.success(), "ip {}: {status}", words.join(" "));
    Ok(())
}
