//! Work off Node's thread.

use std::time::Duration;

use latscope_collector::{
    failure::{Failure, Reason},
    footprint,
};
use napi::bindgen_prelude::create_custom_tokio_runtime;
use napi_derive::module_init;

use crate::failure::Answer;

/// Threads for work that blocks, at most; they leave after a while without any.
const BLOCKING_THREADS: usize = 4;
const BLOCKING_IDLE: Duration = Duration::from_secs(2);

/// One thread is enough for the readers, which mostly wait; what waits for the kernel has threads that come and go.
#[module_init]
fn start() {
    footprint::bound();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(BLOCKING_IDLE)
        .thread_name("latscope-addon")
        .enable_time()
        .build();
    if let Ok(runtime) = runtime {
        create_custom_tokio_runtime(runtime);
    }
}

/// Runs what may block on a thread where it hinders nobody; `INTERNAL` when it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Answer<T> {
    Answer(
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|panic| Err(Failure::new(Reason::Internal, panic.to_string()))),
    )
}
