//! The rings that samples leave by: one for each shard of CPUs, so that they do not wait for one another.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    btf_maps::RingBuf,
    helpers::generated::{bpf_get_smp_processor_id, bpf_ringbuf_query},
};
use latscope_events::sample::{SHARD_BYTES, SHARDS, wake};

use crate::maps::{SAMPLES, WAKE};

/// Shards in use less one, a power of two less one; a load-time choice.
#[unsafe(no_mangle)]
static SHARD_MASK: u32 = 0;

/// Bytes in a ring at which a reader that lingers is woken; a load-time choice.
#[unsafe(no_mangle)]
static FILL: u64 = SHARD_BYTES as u64 / 2;

/// The ring of this CPU, with its shard.
#[inline(always)]
pub(crate) fn ring() -> Option<(&'static RingBuf<(), SHARD_BYTES>, u32)> {
    // SAFETY: a static is valid; volatile, since the loader rewrites it after compilation. The helper takes nothing.
    let shard = unsafe {
        bpf_get_smp_processor_id() & (&raw const SHARD_MASK).read_volatile() & (SHARDS as u32 - 1)
    };
    Some((SAMPLES.get(shard)?, shard))
}

/// Whether a record wakes the reader: only when that is about to sleep, or lingers while the ring is half full. A wake-up costs a
/// hundred times a record.
#[inline(always)]
pub(crate) fn wakeup(ring: &RingBuf<(), SHARD_BYTES>, shard: u32) -> u64 {
    let Some(word) = WAKE.get_ptr_mut(shard) else {
        return u64::from(BPF_RB_NO_WAKEUP);
    };
    // SAFETY: a map value; one aligned word. The static as above.
    unsafe {
        let state = word.read_volatile();
        if state == wake::AWAKE
            || state == wake::LINGERS && filled(ring) < (&raw const FILL).read_volatile()
        {
            return u64::from(BPF_RB_NO_WAKEUP);
        }
        word.write_volatile(wake::AWAKE);
    }
    u64::from(BPF_RB_FORCE_WAKEUP)
}

/// Bytes that the reader has not taken yet.
#[inline(always)]
fn filled(ring: &RingBuf<(), SHARD_BYTES>) -> u64 {
    let map = core::ptr::from_ref(ring).cast_mut().cast();
    // SAFETY: only the address is used, which is the ring's.
    unsafe { bpf_ringbuf_query(map, u64::from(BPF_RB_AVAIL_DATA)) }
}
