//! Values that a program changes while the user side may copy them: two words tell whether a copy is whole.
//!
//! The value's first word counts changes that have ended, its last one those that have begun. A copy is made in ascending order:
//! when the two agree, nothing changed while it was made.

use core::sync::atomic::{Ordering, compiler_fence};

/// Begins a change.
#[inline(always)]
pub fn begin(before: &mut u64) {
    // SAFETY: a valid reference. Volatile, for another CPU may copy it meanwhile.
    unsafe { (&raw mut *before).write_volatile(before.wrapping_add(1)) };
    compiler_fence(Ordering::SeqCst);
}

/// Ends it.
#[inline(always)]
pub fn end(before: u64, after: &mut u64) {
    compiler_fence(Ordering::SeqCst);
    // SAFETY: as in `begin`.
    unsafe { (&raw mut *after).write_volatile(before) };
}
