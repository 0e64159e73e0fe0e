//! Calls of the program can interrupt one another on a CPU: connect is called by a process, with soft interrupts on.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use latscope_events::socket::SLOTS;

use crate::maps::BUSY;

/// Runs `act` with a slot of this CPU that no other call uses; not at all where there is none left.
#[inline(always)]
pub(crate) fn with(act: impl FnOnce(u32)) {
    let mut slot = 0;
    let mut taken = None;
    while slot < SLOTS as u32 {
        if let Some(busy) = BUSY.get_ptr_mut(slot) {
            // SAFETY: a map value; one word, claimed by exchange.
            let (seen, _) = unsafe {
                atomic_cxchg::<u64, { AtomicOrdering::AcqRel }, { AtomicOrdering::Acquire }>(
                    busy, 0, 1,
                )
            };
            if seen == 0 {
                taken = Some(busy);
                break;
            }
        }
        slot += 1;
    }
    if let Some(busy) = taken {
        act(slot);
        // SAFETY: a map value; one aligned word.
        unsafe { busy.write_volatile(0) };
    }
}
