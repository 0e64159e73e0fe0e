//! The engine on real tasks: children of the test, since the service's own process is not measured.

mod block_io;
mod capability;
mod child;
mod cpu_stall;
mod filters;
mod histogram;
mod interrupt;
mod namespace;
mod scheduler;
mod sessions;
mod syscall;
mod user_function;
