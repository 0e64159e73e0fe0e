//! Reading from a packet without changing it.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};

use crate::clock::replaying;

/// Offsets beyond this are no header any more.
const LIMIT: u32 = 2048;

/// Reads a header: from the linear part where it is there, else through the helper, which leaves the packet as it is.
/// `None` when the packet ends before it does.
#[inline(always)]
pub(crate) fn load<T: Copy>(ctx: *mut __sk_buff, offset: u32) -> Option<T> {
    // Of a single byte the verifier would not believe the check.
    const { assert!(size_of::<T>() > 1) };
    let offset = opaque(offset);
    if offset > LIMIT {
        return None;
    }
    // SAFETY: ctx is the program's context; the bounds are checked as the verifier wants it.
    unsafe {
        let start = (*ctx).data as usize + offset as usize;
        if start + size_of::<T>() <= (*ctx).data_end as usize {
            // Headers may lie at any address, as the kernel's own are read; `read_unaligned` would load bytes.
            return Some((start as *const T).read());
        }
        let mut copy = MaybeUninit::<T>::uninit();
        let failed = bpf_skb_load_bytes(
            ctx.cast(),
            offset,
            copy.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        );
        if failed == 0 {
            Some(copy.assume_init())
        } else {
            None
        }
    }
}

/// The same value, of which the compiler knows nothing: it leaves out checks that it can prove, and the verifier, which
/// cannot prove them, wants to see them.
#[inline(always)]
pub(crate) fn opaque(value: u32) -> u32 {
    let mut value = u64::from(value);
    // SAFETY: a move to itself (no instruction at all would leave two line numbers at one place, which the kernel refuses).
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
    value as u32
}

/// Bytes of the frame on the wire.
#[inline(always)]
pub(crate) fn frame_length(ctx: *mut __sk_buff) -> u32 {
    // SAFETY: ctx is the program's context.
    unsafe {
        // Opaque, or one load from a chosen offset is made of the two, which the verifier refuses.
        let length = opaque((*ctx).len);
        if replaying() { (*ctx).wire_len } else { length }
    }
}
