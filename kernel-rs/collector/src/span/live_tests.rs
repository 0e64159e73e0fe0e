//! The engine on real tasks: children of the test, since the service's own process is not measured.

mod block_io;
mod capability;
mod child;
mod cpu_stall;
mod disk;
mod everywhere;
mod filters;
mod go;
mod histogram;
mod interrupt;
mod kernel_function;
mod namespace;
mod net_stack;
mod program;
mod scheduler;
mod sessions;
mod syscall;
mod tracepoint_pair;
mod usdt;
mod user_function;
