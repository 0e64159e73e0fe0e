//! Sockets that were there before the program: asked to call back, and left as they were when nobody measures any more.
//!
//! A socket's iterator may change the callbacks of each from kernel 6.12 on (`TCP_BPF_SOCK_OPS_CB_FLAGS` as a socket option).

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_SK_STORAGE_GET_F_CREATE,
    helpers::generated::{
        bpf_getsockopt, bpf_setsockopt, bpf_sk_storage_delete, bpf_sk_storage_get,
    },
};
use latscope_events::socket::{Socket, side, visited};

use crate::{
    kernel::offset,
    maps::{SOCKETS, VISITED},
    measure::{CALLBACKS, SYN_SENT},
};

/// `struct bpf_iter__tcp`
#[repr(C)]
struct Iterated {
    meta: *mut c_void,
    sock: *mut c_void,
    uid: u64,
}

const SOL_TCP: i32 = 6;
/// `TCP_BPF_SOCK_OPS_CB_FLAGS` of linux/bpf.h.
const CALLBACKS_OPTION: i32 = 1008;

/// States of `linux/tcp_states.h` in which a connection is, or is about to be: all but `SYN_RECV`, `TIME_WAIT`, `CLOSE`, `LISTEN`
/// and `NEW_SYN_RECV`.
const CONNECTED: u32 = 1 << 1 | 1 << SYN_SENT | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// Asks a socket to call back.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn latscope_ask(ctx: *mut Iterated) -> i32 {
    let Some((sock, state, flags)) = connected(ctx) else {
        return 0;
    };
    let added = CALLBACKS & !flags;
    if added != 0 && !set(sock, flags | CALLBACKS) {
        return 0;
    }
    count(visited::DONE);
    if added == 0 {
        return 0;
    }
    // SAFETY: a socket, as the verifier has seen; a new value is made of zeros.
    let kept = unsafe {
        bpf_sk_storage_get(
            (&raw const SOCKETS).cast_mut().cast(),
            sock,
            core::ptr::null_mut(),
            u64::from(BPF_SK_STORAGE_GET_F_CREATE),
        )
        .cast::<Socket>()
        .as_mut()
    };
    if let Some(kept) = kept {
        kept.asked |= added;
        if state == SYN_SENT {
            kept.side = side::ACTIVE;
        }
    }
    0
}

/// Takes back what a socket was asked for, and forgets it.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn latscope_release(ctx: *mut Iterated) -> i32 {
    let Some((sock, _, flags)) = connected(ctx) else {
        return 0;
    };
    // SAFETY: a socket, as the verifier has seen.
    let kept = unsafe {
        bpf_sk_storage_get(
            (&raw const SOCKETS).cast_mut().cast(),
            sock,
            core::ptr::null_mut(),
            0,
        )
        .cast::<Socket>()
        .as_ref()
    };
    let Some(kept) = kept else {
        return 0;
    };
    if kept.asked == 0 || set(sock, flags & !kept.asked) {
        count(visited::DONE);
        // SAFETY: as above.
        unsafe { bpf_sk_storage_delete((&raw const SOCKETS).cast_mut().cast(), sock) };
    }
    0
}

/// A socket with a connection: it, its state, and the callbacks it is asked for.
#[inline(always)]
fn connected(ctx: *mut Iterated) -> Option<(*mut c_void, u32, u32)> {
    // SAFETY: the program's context.
    let sock = unsafe { (*ctx).sock };
    if sock.is_null() {
        return None;
    }
    let at = offset!(sock_state) as usize;
    // SAFETY: the verifier checks the offset against the type.
    let state = u32::from(unsafe { sock.cast::<u8>().add(at).read() });
    if 1_u32.checked_shl(state)? & CONNECTED == 0 {
        return None;
    }
    count(visited::SEEN);
    let mut flags = 0_u32;
    // SAFETY: a socket, and room for the value.
    let failed =
        unsafe { bpf_getsockopt(sock, SOL_TCP, CALLBACKS_OPTION, (&raw mut flags).cast(), 4) };
    (failed == 0).then_some((sock, state, flags))
}

#[inline(always)]
fn set(sock: *mut c_void, mut flags: u32) -> bool {
    // SAFETY: a socket, and a value of this size.
    let failed =
        unsafe { bpf_setsockopt(sock, SOL_TCP, CALLBACKS_OPTION, (&raw mut flags).cast(), 4) };
    failed == 0
}

#[inline(always)]
fn count(word: u32) {
    if let Some(count) = VISITED.get_ptr_mut(word) {
        // SAFETY: a map value; a visit is one thread's.
        unsafe { *count += 1 };
    }
}
