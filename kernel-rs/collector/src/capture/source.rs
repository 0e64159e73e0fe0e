//! Bytes of a file, taken piece by piece.

use std::io::{BufRead as _, BufReader, ErrorKind, Read};

/// Longest piece that is believed; libpcap and Wireshark take no longer block either.
pub(super) const LONGEST: usize = 16 << 20;

/// Why a piece could not be had.
#[derive(Debug)]
pub(super) enum Cut {
    /// The file ends after some of the piece's bytes.
    Short { wanted: usize, there: usize },
    /// The piece would be longer than [`LONGEST`].
    Huge(u64),
    /// The operating system's answer.
    Io(std::io::Error),
}

/// A stream of bytes, and the piece taken last.
pub(super) struct Source<R> {
    reader: BufReader<R>,
    piece: Vec<u8>,
    position: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        const AHEAD: usize = 1 << 18;
        Self {
            reader: BufReader::with_capacity(AHEAD, reader),
            piece: Vec::new(),
            position: 0,
        }
    }

    /// Bytes taken so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&mut self) -> Result<bool, Cut> {
        loop {
            match self.reader.fill_buf() {
                Ok(rest) => return Ok(rest.is_empty()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Cut::Io(error)),
            }
        }
    }

    /// Begins a piece of `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&[u8], Cut> {
        self.piece.clear();
        self.extend(length as u64)
    }

    /// Makes the piece `length` bytes longer.
    pub(super) fn extend(&mut self, length: u64) -> Result<&[u8], Cut> {
        let before = self.piece.len();
        let wanted = length.saturating_add(before as u64);
        if wanted > LONGEST as u64 {
            return Err(Cut::Huge(wanted));
        }
        // Not filled with zeros first: a false length shall cost nothing but what is there.
        let read = self
            .reader
            .by_ref()
            .take(length)
            .read_to_end(&mut self.piece)
            .map_err(Cut::Io)?;
        self.position += read as u64;
        if read as u64 == length {
            Ok(&self.piece)
        } else {
            Err(Cut::Short {
                wanted: wanted as usize,
                there: before + read,
            })
        }
    }

    /// The piece taken last.
    pub(super) fn piece(&self) -> &[u8] {
        &self.piece
    }
}
