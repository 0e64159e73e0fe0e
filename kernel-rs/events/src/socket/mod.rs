//! The socket engine: what is kept with each socket, what the kernel's fields lie at, and what comes out.

pub mod series;

use crate::layout;

/// Calls of the program on one CPU that can be under way at once: a process's, and the soft interrupts and processes that
/// interrupt it. Whatever is kept by CPU is kept for each of them.
pub const SLOTS: usize = 4;

/// What is kept with a socket, for as long as it lives.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// Sessions that want it.
    pub mask: u64,
    /// When connect began, ns; 0 when it was not seen or is over.
    pub connect_ns: u64,
    /// When the round trip was measured whose value is yet to be told, ns; 0 when none is.
    pub rtt_ns: u64,
    /// Its cgroup; 0 = not read yet.
    pub cgroup: u64,
    /// The name of the task that called connect.
    pub comm: [u64; 2],
    /// That task's process; 0 = not known.
    pub pid: u32,
    /// That task.
    pub tid: u32,
    /// Generation of the session set that `mask` and `class` were decided for.
    pub generation: u32,
    /// Index of the mask's class.
    pub class: u32,
    /// The smoothed round-trip time before that round trip, eighths of a microsecond.
    pub srtt: u32,
    /// [`side`]; 0 = not known.
    pub side: u32,
    /// The retransmission timeout that ran out and is yet to be told, jiffies; 0 when none is.
    pub timeout: u32,
    /// The first byte that is not acknowledged, as last told.
    pub unacknowledged: u32,
    /// Since when that byte, being in flight, is the first; 0 = not known.
    pub waits_ns: u64,
    /// What was sent before this byte may have been sent twice.
    pub clean: u32,
    /// Callbacks that it was asked for on our behalf alone.
    pub asked: u32,
}
layout!(Socket, 96);

/// Values of [`Socket::side`].
pub mod side {
    /// It was there before.
    pub const UNKNOWN: u32 = 0;
    /// This host called connect.
    pub const ACTIVE: u32 = 1;
    /// This host accepted.
    pub const PASSIVE: u32 = 2;
}

/// Words that a visit of all sockets counts in.
pub mod visited {
    /// Sockets with a connection.
    pub const SEEN: u32 = 0;
    /// Those of them whose callbacks could be changed, or had not to be.
    pub const DONE: u32 = 1;
    /// Words.
    pub const WORDS: usize = 2;
}

/// Where the running kernel keeps fields, in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.comm`
    pub task_comm: u32,
    /// `sock.sk_cgrp_data`, which begins with the cgroup.
    pub sock_cgroup: u32,
    /// `sock.sk_err`
    pub sock_error: u32,
    /// `sock_common.skc_state`
    pub sock_state: u32,
    /// `cgroup.kn`
    pub cgroup_node: u32,
    /// `kernfs_node.id`
    pub node_id: u32,
    /// `cgroup.level`
    pub cgroup_level: u32,
    /// `cgroup.ancestors`
    pub cgroup_ancestors: u32,
}
layout!(Offsets, 40);

/// Levels of cgroups below the root that a filter's path is looked for in.
pub const LEVELS: usize = 16;

/// One latency of a socket.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SocketSample {
    /// Sessions that get it.
    pub mask: u64,
    /// When it ended, ns.
    pub time_ns: u64,
    /// How long it took, ns.
    pub latency_ns: u64,
    /// The socket's cgroup.
    pub cgroup: u64,
    /// The name of the task that called connect.
    pub comm: [u64; 2],
    /// Address of this side, as on the wire; IPv4 in the first word.
    pub local: [u32; 4],
    /// Address of the other side.
    pub remote: [u32; 4],
    /// The process that called connect; 0 = not known.
    pub pid: u32,
    /// The task that did.
    pub tid: u32,
    /// Generation of `mask`.
    pub generation: u32,
    /// errno.
    pub result: i32,
    /// Port of this side.
    pub local_port: u16,
    /// Port of the other side.
    pub remote_port: u16,
    /// Bit n is `latscope.v1.Quality` n.
    pub quality: u16,
    /// `latscope.v1.Metric`.
    pub metric: u8,
    /// [`flags`].
    pub flags: u8,
    /// Segments sent again before.
    pub retries: u32,
    /// Unused.
    pub reserved: u32,
}
layout!(SocketSample, 112);

/// Bits of [`SocketSample::flags`].
pub mod flags {
    /// Addresses are those of IPv6.
    pub const IPV6: u8 = 1;
    /// This host accepted: the other side is the client.
    pub const PASSIVE: u8 = 2;
    /// The connection was there before: the client is the side with the higher port.
    pub const OPENER_UNKNOWN: u8 = 4;
}
