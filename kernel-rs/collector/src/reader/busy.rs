//! One call at a time.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Reason};

/// While it lives, nobody else takes the same flag.
pub(crate) struct Busy<'a>(&'a AtomicBool);

impl<'a> Busy<'a> {
    /// # Errors
    /// `NEXT_CONCURRENT` while another holds it.
    pub(crate) fn take(flag: &'a AtomicBool) -> Result<Self, Failure> {
        flag.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .map(|_| Self(flag))
            .map_err(|_| {
                Failure::new(
                    Reason::NextConcurrent,
                    "next was called while the last call had not answered",
                )
            })
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
