//! Memory of the whole process.

use latscope_collector::footprint;
use napi_derive::napi;

/// Gives memory back to the host that was freed and kept, JavaScript's too. For a moment at which much was, such as the end of a
/// start.
#[napi]
pub fn give_memory_back() {
    footprint::give_back();
}
