//! Capabilities of this process.

use latscope_collector::privilege;
use napi_derive::napi;

use crate::failure::{Thrown, thrown};

/// Gives up every capability but those that some metric needs and those in `also`, and new privileges by execution. Where there is
/// something to give up, the program is run again in place of itself and this does not return; then it does.
/// `socket_group` is the group that the socket is to have.
///
/// # Errors
/// `FIELD_INVALID` for a name that is no capability; `KERNEL_ERROR`: the process is to end then.
#[napi]
pub fn drop_privileges(also: Vec<String>, socket_group: Option<u32>) -> Result<(), Thrown> {
    privilege::drop_rest(&also, socket_group).map_err(|failure| thrown(&failure))
}
