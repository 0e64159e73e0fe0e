//! What an engine of the kernel side offers to sessions.

#[cfg(any(test, feature = "synthetic"))]
mod hostile;
#[cfg(any(test, feature = "synthetic"))]
pub(crate) mod refused;
#[cfg(any(test, feature = "synthetic"))]
pub mod synthetic;

use std::sync::Arc;

use crate::{
    failure::Failure,
    histogram::Histogram,
    log::SessionLog,
    proto::{Capability, Group, ProbeStatus, ProgramStats, Totals},
    spec::CompiledSpec,
};

/// Measures for sessions: loads its programs once and shares them.
pub trait Engine: Send + Sync {
    /// Each metric that the engine measures on some kernel, as probed on this one.
    fn capabilities(&self) -> Vec<Capability>;

    /// Checks what only the host can tell (interfaces, namespaces, hooks); attaches nothing.
    ///
    /// # Errors
    /// All violations at once, with the path of each field.
    fn check(&self, spec: &CompiledSpec) -> Result<(), Failure>;

    /// Loads and verifies the programs that a session takes, which stay loaded; attaches nothing.
    ///
    /// # Errors
    /// As [`Engine::check`], and what the kernel refuses.
    fn load(&self, spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure>;

    /// Attaches a session; its samples and losses go to `log` until the attachment is stopped.
    ///
    /// # Errors
    /// As [`Engine::check`], and what the kernel refuses. Nothing stays attached then.
    fn start(
        &self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure>;
}

/// One session inside an engine.
pub trait Attachment: Send {
    /// Takes over filters, exclude, collection and limits of `spec`, without losing a sample.
    ///
    /// # Errors
    /// As [`Engine::start`]; the old spec stays in force then.
    fn update(&mut self, spec: &CompiledSpec) -> Result<(), Failure>;

    /// `measured`, `aggregated_only`, losses at `KERNEL_*` stages and refusals since the start. The log knows the rest.
    fn totals(&self) -> Totals;

    /// Everything counted since the start, each group once, whatever their number; also after `stop`, with what it came to.
    ///
    /// A group that was there stays, and its counts only grow: whoever wants an interval subtracts. [`crate::histogram::group`] has the names
    /// and the forms of keys; `other` holds what the kernel could not keep apart.
    ///
    /// # Errors
    /// `KERNEL_ERROR`.
    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure>;

    /// The programs that serve the session.
    fn programs(&self) -> Vec<ProgramStats>;

    /// Kernel memory of the engine's maps.
    fn kernel_memory_bytes(&self) -> u64;

    /// One for each probe of the spec that is this engine's.
    fn probes(&self) -> Vec<ProbeStatus>;

    /// Detaches, after everything measured so far is in the log. Idempotent.
    fn stop(&mut self);
}
