//! Which sessions want a socket: decided once for each socket and generation, by bit vectors.

use aya_ebpf::{bindings::bpf_sock_ops, btf_maps::lpm_trie::Key};
use latscope_events::{
    config::{CLAUSES, Clauses, Config, TRIE_PREFIX, TrieKey, field},
    socket::{LEVELS, SLOTS, Socket},
};

use crate::{
    class::{any, class_of},
    kernel,
    maps::{CONFIG, TRIE, WORK},
    measure::Ends,
};

/// Room for classifying a socket, for which the stack is too small.
#[repr(C)]
pub(crate) struct Work {
    clauses: Clauses,
    found: Clauses,
    query: Query,
    local: [u32; 4],
    remote: [u32; 4],
    comm: [u32; 4],
    cgroup: u64,
    local_port: u32,
    remote_port: u32,
    pid: u32,
    /// [`field::IPV6`] or 0.
    pub(crate) ipv6: u32,
    bank: u32,
    fields: u32,
    passive: u32,
    reserved: u32,
    /// The socket's address.
    pub(crate) sock: u64,
}

impl Work {
    /// Notes both ends of a socket, and which of them is the client: where that is not known, the one with the higher port.
    #[inline(always)]
    pub(crate) fn place(&mut self, ops: *mut bpf_sock_ops, socket: &Socket) {
        let ends = Ends::of(ops);
        for word in 0..4 {
            self.local[word] = ends.local[word];
            self.remote[word] = ends.remote[word];
        }
        self.ipv6 = if ends.ipv6 { field::IPV6 } else { 0 };
        self.local_port = u32::from(ends.local_port.to_be());
        self.remote_port = u32::from(ends.remote_port.to_be());
        self.passive = u32::from(ends.passive(socket));
    }

    /// Addresses of client and server.
    #[inline(always)]
    pub(crate) fn addresses(&self) -> (&[u32; 4], &[u32; 4]) {
        if self.passive != 0 {
            (&self.remote, &self.local)
        } else {
            (&self.local, &self.remote)
        }
    }

    /// Ports of client and server, as on the wire.
    #[inline(always)]
    pub(crate) fn ports(&self) -> (u32, u32) {
        if self.passive != 0 {
            (self.remote_port, self.local_port)
        } else {
            (self.local_port, self.remote_port)
        }
    }
}

/// A trie key with its prefix length, aligned: the library's own is packed, and is written byte by byte.
#[repr(C, align(8))]
struct Query {
    prefix_len: u32,
    key: TrieKey,
}

/// What the trie would hold for a field that no clause accepts.
static NONE: Clauses = [0; CLAUSES];

/// Decides the socket's mask and class for a generation of the session set.
#[inline(always)]
pub(crate) fn classify(
    ops: *mut bpf_sock_ops,
    socket: &mut Socket,
    sock: u64,
    generation: u32,
    slot: u32,
) {
    let bank = generation & 1;
    let (Some(config), Some(work)) = (CONFIG.get(bank), WORK.get_ptr_mut(slot)) else {
        return;
    };
    // SAFETY: no other call on this CPU has this slot.
    let work = unsafe { &mut *work };
    work.place(ops, socket);
    work.pid = socket.pid;
    let comm = socket.comm;
    work.comm = [
        comm[0] as u32,
        (comm[0] >> 32) as u32,
        comm[1] as u32,
        (comm[1] >> 32) as u32,
    ];
    work.cgroup = kernel::cgroup(sock);
    socket.cgroup = kernel::cgroup_id(work.cgroup);
    work.bank = bank;
    work.fields = config.fields;
    // `latscope.v1.Direction`, by the number of the side.
    let opened = (socket.side & 3) as usize;
    let mut mask = config.group[0];
    if mask & !config.unfiltered != 0 {
        accept(slot, 0);
        mask &= config.unfiltered | any(&work.clauses, &config.direction[opened]);
    }
    if mask & config.excluding != 0 {
        accept(slot, field::EXCLUDE);
        mask &= !any(&work.clauses, &config.exclude_direction[opened]);
    }
    socket.class = u32::from(class_of(mask, bank));
    socket.mask = mask;
    socket.generation = generation;
}

/// Clauses that accept the socket in every field but direction.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn accept(slot: u32, exclude: u32) -> u32 {
    let Some(work) = WORK.get_ptr_mut(slot & (SLOTS as u32 - 1)) else {
        return 0;
    };
    // SAFETY: no other call on this CPU has this slot.
    let work = unsafe { &mut *work };
    for clause in &mut work.clauses {
        // SAFETY: a valid reference. Volatile, or the loop becomes a call of memset.
        unsafe { core::ptr::write_volatile(clause, u64::MAX) };
    }
    let family = exclude | work.ipv6;
    let bits = if work.ipv6 == 0 { 32 } else { 128 };
    let (client, server) = work.addresses();
    let (client, server) = (*client, *server);
    if work.fields & field::CLIENT != 0 {
        narrow(work, field::CLIENT | family, bits, client, None);
    }
    if work.fields & field::SERVER != 0 {
        narrow(work, field::SERVER | family, bits, server, None);
    }
    if work.fields & field::EITHER != 0 {
        narrow(work, field::EITHER | family, bits, client, Some(server));
    }
    let (client, server) = work.ports();
    let (client, server) = (word(client), word(server));
    if work.fields & field::CLIENT_PORT != 0 {
        narrow(work, field::CLIENT_PORT | exclude, 16, client, None);
    }
    if work.fields & field::SERVER_PORT != 0 {
        narrow(work, field::SERVER_PORT | exclude, 16, server, None);
    }
    if work.fields & field::EITHER_PORT != 0 {
        narrow(work, field::EITHER_PORT | exclude, 16, client, Some(server));
    }
    if work.fields & field::PID != 0 {
        let pid = word(work.pid);
        narrow(work, field::PID | exclude, 32, pid, None);
    }
    if work.fields & field::COMM != 0 {
        let comm = work.comm;
        narrow(work, field::COMM | exclude, 128, comm, None);
    }
    if work.fields & field::CGROUP != 0 {
        within(work, field::CGROUP | exclude);
    }
    0
}

const fn word(number: u32) -> [u32; 4] {
    [number, 0, 0, 0]
}

/// Keeps the clauses that accept `data` in a field; with `other`, that accept either.
#[inline(always)]
fn narrow(work: &mut Work, field: u32, bits: u32, data: [u32; 4], other: Option<[u32; 4]>) {
    let first = find(work, field, bits, data);
    let second = other.map_or(&NONE, |data| find(work, field, bits, data));
    for clause in 0..CLAUSES {
        work.clauses[clause] &= first[clause] | second[clause];
    }
}

/// Keeps the clauses that accept the socket's cgroup or one above it.
#[inline(always)]
fn within(work: &mut Work, field: u32) {
    for clause in &mut work.found {
        // SAFETY: a valid reference. Volatile, or the loop becomes a call of memset.
        unsafe { core::ptr::write_volatile(clause, 0) };
    }
    for level in 0..LEVELS {
        let id = kernel::cgroup_id(kernel::ancestor(work.cgroup, level));
        let found = find(work, field, 64, [id as u32, (id >> 32) as u32, 0, 0]);
        for (all, one) in work.found.iter_mut().zip(found) {
            *all |= one;
        }
    }
    for clause in 0..CLAUSES {
        work.clauses[clause] &= work.found[clause];
    }
}

#[inline(always)]
fn find(work: &mut Work, field: u32, bits: u32, data: [u32; 4]) -> &'static Clauses {
    work.query.prefix_len = TRIE_PREFIX + bits;
    work.query.key.field = field;
    work.query.key.bank = work.bank;
    work.query.key.data = data;
    // SAFETY: the same fields in the same places; the library's type asks for less alignment.
    TRIE.get(unsafe { &*(&raw const work.query).cast::<Key<TrieKey>>() })
        .unwrap_or(&NONE)
}

/// Whether any session of the mask wants a metric.
#[inline(always)]
pub(crate) fn wants(config: &Config, mask: u64, metric: u8) -> bool {
    mask & config.wants[usize::from(metric)] != 0
}
