//! Sends hand-made frames through two interfaces, with chosen gaps.
//!
//! Commands are lines on standard input, carried out in order: `a HEX` and `b HEX` send one Ethernet frame through the first or
//! second interface, `wait 5ms` waits at least that long after what came before, `sync WORD` answers `WORD` on standard output.
//! `READY` is printed when both interfaces are open.

use std::io::{self, BufRead as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use crate::flood::Flood;
use crate::link::{HEADER_BYTES, Link};

/// Carries out commands until standard input ends.
///
/// # Errors
/// An interface that cannot be opened or refuses a frame; a line that is no command, with its text.
pub(crate) fn run(a: &str, b: &str) -> io::Result<()> {
    let (a, b) = (Link::open(a)?, Link::open(b)?);
    let mut out = io::stdout();
    writeln!(out, "READY")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let wrong = |what: &str| io::Error::other(format!("{what}: {line}"));
        match line.split_once(' ') {
            Some(("a", hex)) => {
                a.send_bytes(&frame(hex).ok_or_else(|| wrong("not a frame in hex"))?)?;
            }
            Some(("b", hex)) => {
                b.send_bytes(&frame(hex).ok_or_else(|| wrong("not a frame in hex"))?)?;
            }
            Some(("wait", text)) => {
                sleep(humantime::parse_duration(text).map_err(|error| wrong(&error.to_string()))?);
            }
            Some(("flood", text)) => {
                let flood = Flood::parse(text).ok_or_else(|| wrong("not three numbers"))?;
                flood.send(&a, &b)?;
            }
            Some(("sync", word)) => writeln!(out, "{word}")?,
            _ => return Err(wrong("not a command")),
        }
    }
    Ok(())
}

/// A zeroed `virtio_net_hdr` (nothing left to the device), then the frame.
fn frame(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = vec![0; HEADER_BYTES];
    for pair in digits.chunks_exact(2) {
        bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(bytes)
}

/// Sleeps at least so long.
pub(crate) fn sleep(gap: Duration) {
    let due = Instant::now() + gap;
    while let Some(left) = due
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        thread::sleep(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_becomes_a_frame_behind_an_empty_header() {
        let bytes = frame("02ff00").expect("valid");
        assert_eq!(bytes[..HEADER_BYTES], [0; HEADER_BYTES]);
        assert_eq!(bytes[HEADER_BYTES..], [2, 255, 0]);
    }

    #[test]
    fn what_is_not_hex_is_refused() {
        assert_eq!(frame("0"), None);
        assert_eq!(frame("+f"), None);
        assert_eq!(frame("é"), None);
    }
}
