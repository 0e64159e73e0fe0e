//! A loop device of a test's own.

use std::{
    os::fd::AsRawFd as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf, process::Command,
};

pub(super) const BLOCK: usize = 4096;
pub(super) const BLOCKS: u64 = 64;

/// A loop device over a file; gone with the value.
pub(super) struct Disk {
    pub(super) device: PathBuf,
    open: std::fs::File,
    room: Vec<u8>,
    _file: tempfile::NamedTempFile,
}

impl Disk {
    pub(super) fn new() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(BLOCKS * BLOCK as u64).unwrap();
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let device = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        let open = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(&device)
            .unwrap();
        Self {
            device,
            open,
            room: vec![0; 2 * BLOCK],
            _file: file,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.device.file_name().unwrap().to_str().unwrap()
    }

    /// Reads every block by itself, past the page cache, with nothing but system calls.
    pub(super) fn read_all(&self) {
        let start = self.room.as_ptr().align_offset(BLOCK);
        for block in 0..BLOCKS {
            // SAFETY: there is room for a block at `start`, and nobody else reads there.
            let read = unsafe {
                libc::pread(
                    self.open.as_raw_fd(),
                    self.room[start..].as_ptr().cast_mut().cast(),
                    BLOCK,
                    (block * BLOCK as u64) as i64,
                )
            };
            if read != BLOCK as isize {
                // SAFETY: ends the process at once.
                unsafe { libc::_exit(1) };
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.device).status();
    }
}
