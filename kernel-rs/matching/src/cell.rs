//! Words that two CPUs touch: published by one store, claimed by one exchange.

/// Reads a word that another CPU may be writing.
#[inline(always)]
#[must_use]
pub fn peek(word: &u64) -> u64 {
    // SAFETY: a reference is valid and aligned.
    unsafe { core::ptr::read_volatile(word) }
}

/// Publishes a word.
#[inline(always)]
pub fn publish(word: &mut u64, value: u64) {
    // SAFETY: a reference is valid and aligned.
    unsafe { core::ptr::write_volatile(word, value) }
}

/// Takes a word and leaves 0: of two CPUs that try, one gets it.
#[inline(always)]
pub fn claim(word: &mut u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    // SAFETY: a reference is valid and aligned. The target has the instruction, core::sync::atomic does not offer it.
    unsafe {
        core::intrinsics::atomic_xchg::<u64, { core::intrinsics::AtomicOrdering::AcqRel }>(word, 0)
    }
    #[cfg(not(target_arch = "bpf"))]
    core::mem::take(word)
}

/// The place of a side in arrays of two: masked here, whatever is known of it. Left to the compiler the mask stays where it
/// was made, and what the verifier of 6.12 knew of it is lost on the way.
#[inline(always)]
#[must_use]
pub fn index(side: u8) -> usize {
    let side = u64::from(side);
    #[cfg(target_arch = "bpf")]
    let side = {
        let mut side = side;
        // SAFETY: a move to itself.
        unsafe { core::arch::asm!("{0} = {0}", inout(reg) side, options(pure, nomem, nostack)) };
        side
    };
    (side & 1) as usize
}
