//! What becomes of the sessions that accept a flow or a socket. Shared by the engines that classify; the tables are each one's own.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use latscope_events::{
    class::{self, CLASSES, PROBES},
    config::{CLAUSES, Clauses},
};

use crate::maps::CLASS_MASKS;

/// Sessions of which any clause is in both.
#[inline(always)]
pub(crate) fn any(clauses: &Clauses, also: &Clauses) -> u64 {
    let mut sessions = 0;
    for clause in 0..CLAUSES {
        sessions |= clauses[clause] & also[clause];
    }
    sessions
}

/// The mask's class, a new one if need be; `class::NONE` when the table is full.
#[inline(always)]
pub(crate) fn class_of(mask: u64, bank: u32) -> u16 {
    if mask == 0 {
        return class::NONE;
    }
    let base = bank as usize * CLASSES;
    let first = class::place(mask);
    for step in 0..PROBES {
        let index = base + ((first + step) & (CLASSES - 1));
        let Some(place) = CLASS_MASKS.get_ptr_mut(index as u32) else {
            return class::NONE;
        };
        // SAFETY: a map value; one word, claimed by exchange.
        let (seen, _) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::AcqRel }, { AtomicOrdering::Acquire }>(
                place, 0, mask,
            )
        };
        if seen == 0 || seen == mask {
            return index as u16;
        }
    }
    class::NONE
}
