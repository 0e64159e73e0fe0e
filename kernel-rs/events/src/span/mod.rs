//! The span engine: time between two points of one task, request or object.

pub mod config;
pub mod counters;
pub mod frames;
pub mod offsets;
pub mod pair;
pub mod receive;
pub mod sample;
pub mod series;
pub mod thread;

/// Numbers of its metrics, those of `latscope.v1.Metric`.
pub mod metric {
    /// A system call, entered to left.
    pub const SYSCALL: u32 = 14;
    /// Runnable to running.
    pub const RUN_QUEUE: u32 = 15;
    /// Off the CPU to on it again.
    pub const OFF_CPU: u32 = 16;
    /// A block request, issued to its device to completed.
    pub const BLOCK_IO_DEVICE: u32 = 17;
    /// A block request, queued to issued.
    pub const BLOCK_IO_QUEUE: u32 = 18;
    /// A soft interrupt's handler.
    pub const SOFTIRQ: u32 = 19;
    /// A hard interrupt's handler.
    pub const HARDIRQ: u32 = 20;
    /// A packet from its device to its socket.
    pub const NET_STACK_RECEIVE: u32 = 21;
    /// A function of the kernel.
    pub const KERNEL_FUNCTION: u32 = 22;
    /// A function of a program or library.
    pub const USER_FUNCTION: u32 = 23;
    /// Two tracepoints.
    pub const TRACEPOINT_PAIR: u32 = 24;
    /// Lateness of a timer.
    pub const CPU_STALL: u32 = 25;

    /// Length of a table indexed by metric; a power of two, so that an index can be masked.
    pub const METRICS: usize = 32;
}
