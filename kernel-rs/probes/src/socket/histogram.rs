//! Latencies into histograms: one add for each way of grouping, whatever the number of sessions.

use aya_ebpf::bindings::BPF_NOEXIST;
use latscope_events::{
    histogram::Histogram,
    series::{GROUPINGS, Grouping, flags, key},
    socket::{SLOTS, Socket, series::SeriesKey},
};

use crate::{
    classify::Work,
    emit::Found,
    maps::{CONFIG, NEW_HISTOGRAM, OTHERS, SERIES, SERIES_KEY, WORK},
};

/// Counts a latency in the histograms of `wanted`; those of them for which there was no room. Apart from `emit`, whose stack
/// would be below.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn count(
    socket: *const Socket,
    found: *const Found,
    slot: u32,
    wanted: u64,
) -> u64 {
    // SAFETY: the verifier asks for the checks; the memory is a map value and the caller's.
    let (Some(socket), Some(found)) = (unsafe { (socket.as_ref(), found.as_ref()) }) else {
        return wanted;
    };
    let slot = slot & (SLOTS as u32 - 1);
    let Some(config) = CONFIG.get(socket.generation & 1) else {
        return wanted;
    };
    let mut lost = 0;
    for index in 0..GROUPINGS {
        if index as u32 >= config.groupings {
            break;
        }
        let sessions = wanted & config.grouping[index].sessions;
        if sessions != 0 && count_in(socket, found, slot, index as u32, sessions) == 0 {
            lost |= sessions;
        }
    }
    lost
}

/// Counts a latency in the histogram of one way of grouping; 0 where there was no room. A function of its own, or the verifier of
/// 6.1 follows each of its ways once for each way of grouping, and gives up.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_in(
    socket: *const Socket,
    found: *const Found,
    slot: u32,
    index: u32,
    sessions: u64,
) -> u32 {
    // SAFETY: as in `count`.
    let (Some(socket), Some(found)) = (unsafe { (socket.as_ref(), found.as_ref()) }) else {
        return 0;
    };
    let slot = slot & (SLOTS as u32 - 1);
    let (Some(config), Some(work), Some(key)) = (
        CONFIG.get(socket.generation & 1),
        WORK.get_ptr_mut(slot),
        SERIES_KEY.get_ptr_mut(slot),
    ) else {
        return 0;
    };
    // SAFETY: no other call on this CPU has this slot.
    let (work, key) = unsafe { (&*work, &mut *key) };
    key.sessions = sessions;
    key.metric = found.metric;
    key.grouping = index as u8;
    key.slot = slot as u8;
    key.flags = socket.generation as u8 & flags::BANK;
    let grouping = &config.grouping[index as usize & (GROUPINGS - 1)];
    fill(key, socket, found, work, grouping);
    let Some(histogram) = find(key) else {
        return 0;
    };
    // SAFETY: a value of this CPU and slot alone.
    unsafe { (*histogram).add(found.latency) };
    1
}

/// Enters what is grouped by, and zeros for the rest.
#[inline(always)]
fn fill(key: &mut SeriesKey, socket: &Socket, found: &Found, work: &Work, grouping: &Grouping) {
    let keys = grouping.keys;
    let by = |bit: u32, value: u64| if keys & bit == 0 { 0 } else { value };
    let ipv6 = work.ipv6 != 0;
    if ipv6 && keys & (key::CLIENT_PREFIX | key::SERVER_PREFIX) != 0 {
        key.flags |= flags::IPV6;
    }
    let (client, server) = work.addresses();
    for word in 0..4 {
        let mask = if ipv6 {
            grouping.ipv6_mask[word]
        } else if word == 0 {
            grouping.ipv4_mask
        } else {
            0
        };
        let client = by(key::CLIENT_PREFIX, u64::from(client[word] & mask)) as u32;
        let server = by(key::SERVER_PREFIX, u64::from(server[word] & mask)) as u32;
        // SAFETY: valid references. Volatile, or the zeros become a call of memset.
        unsafe {
            (&raw mut key.client[word]).write_volatile(client);
            (&raw mut key.server[word]).write_volatile(server);
        }
    }
    key.cgroup = by(key::CGROUP, socket.cgroup);
    key.comm[0] = by(key::COMM, socket.comm[0]);
    key.comm[1] = by(key::COMM, socket.comm[1]);
    key.result = by(key::RESULT, found.result as u64) as i32;
    let (_, port) = work.ports();
    key.server_port = by(key::SERVER_PORT, u64::from(u16::from_be(port as u16))) as u16;
}

/// The histogram of a key; where there is no room for it, the one of all that had none.
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a copy of the key would take of the stack"
)]
#[inline(always)]
fn find(key: &mut SeriesKey) -> Option<*mut Histogram> {
    if let Some(known) = SERIES.get_ptr_mut(&*key) {
        return Some(known);
    }
    let new = NEW_HISTOGRAM.get(0)?;
    // Another CPU may have been faster.
    let _ = SERIES.insert(&*key, new, u64::from(BPF_NOEXIST));
    if let Some(made) = SERIES.get_ptr_mut(&*key) {
        return Some(made);
    }
    for word in 0..4 {
        // SAFETY: as above.
        unsafe {
            (&raw mut key.client[word]).write_volatile(0);
            (&raw mut key.server[word]).write_volatile(0);
        }
    }
    key.cgroup = 0;
    for word in &mut key.comm {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(word, 0) };
    }
    key.result = 0;
    key.server_port = 0;
    key.flags = key.flags & flags::BANK | flags::OTHER;
    if let Some(known) = OTHERS.get_ptr_mut(&*key) {
        return Some(known);
    }
    let _ = OTHERS.insert(&*key, new, u64::from(BPF_NOEXIST));
    OTHERS.get_ptr_mut(&*key)
}
