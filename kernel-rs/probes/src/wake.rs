//! When a record wakes the reader. Shared by the engines that have one ring.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};

use crate::maps::WAKE;

/// A record wakes the reader only when that is about to sleep: a wake-up costs a hundred times a record.
#[inline(always)]
pub(crate) fn wakeup() -> u64 {
    let Some(wake) = WAKE.get_ptr_mut(0) else {
        return u64::from(BPF_RB_NO_WAKEUP);
    };
    // SAFETY: a map value; one aligned word.
    unsafe {
        if wake.read_volatile() == 0 {
            return u64::from(BPF_RB_NO_WAKEUP);
        }
        wake.write_volatile(0);
    }
    u64::from(BPF_RB_FORCE_WAKEUP)
}
