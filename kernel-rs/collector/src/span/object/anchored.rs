//! Programs that are attached lane by lane, and the tables of tracepoints and pairs.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use aya::programs::{Program, ProgramError, ProgramFd, ProgramInfo};
use latscope_events::span::pair::{Pair, Point};

use super::{Object, PRIVILEGES, full};
use crate::{bpf, failure::Failure, wire::Wire};

impl Object {
    /// A program of the object.
    ///
    /// # Errors
    /// `INTERNAL` where there is none of this name and type.
    pub(in crate::span) fn program_of<'a, P>(&'a mut self, name: &str) -> Result<&'a mut P, Failure>
    where
        &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
    {
        bpf::program(&mut self.ebpf, name)
    }

    /// A program, loaded if it has not been.
    ///
    /// # Errors
    /// `PROGRAM_REFUSED` with the end of the verifier's log.
    pub(in crate::span) fn loaded_program<P>(
        &mut self,
        name: &'static str,
        load: impl FnOnce(&mut P) -> Result<(), ProgramError>,
    ) -> Result<BorrowedFd<'_>, Failure>
    where
        for<'a> &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
    {
        if !self.anchored.contains_key(name) {
            let begun = Instant::now();
            load(self.program_of(name)?)
                .map_err(|error| bpf::not_loaded(name, PRIVILEGES, error))?;
            self.anchored.insert(name, begun.elapsed());
        }
        let program = self
            .ebpf
            .program(name)
            .ok_or_else(|| bpf::absent("program", name))?;
        let fd = program
            .fd()
            .map_err(|error| Failure::kernel("program descriptor", &error))?;
        Ok(fd.as_fd())
    }

    /// How long loading such a program took, what the kernel tells of it, and a descriptor of it; `None` if it is not loaded.
    pub(in crate::span) fn info(&self, name: &str) -> Option<(Duration, ProgramInfo, ProgramFd)> {
        let load_time = *self.anchored.get(name)?;
        let program = self.ebpf.program(name)?;
        let fd = program.fd().ok()?.try_clone().ok()?;
        Some((load_time, program.info().ok()?, fd))
    }

    /// Writes what a tracepoint's program has to do there.
    ///
    /// # Errors
    /// `CAPACITY_EXHAUSTED`.
    pub(in crate::span) fn lay_point(&mut self, cookie: u64, point: Point) -> Result<(), Failure> {
        self.points
            .insert(cookie, Wire(point), 0)
            .map_err(|error| full("table of tracepoints", &error))
    }

    /// Removes it.
    pub(in crate::span) fn forget_point(&mut self, cookie: u64) {
        let _ = self.points.remove(&cookie);
    }

    /// Writes the pair of a lane.
    ///
    /// # Errors
    /// `KERNEL_ERROR`.
    pub(in crate::span) fn lay_pair(&mut self, bit: u32, pair: Pair) -> Result<(), Failure> {
        self.pairs
            .set(bit, Wire(pair), 0)
            .map_err(|error| Failure::kernel("writing PAIRS", &error))
    }

    /// Removes what has begun for pairs that nobody wants any more.
    pub(in crate::span) fn forget_starts(&mut self, targets: &[u64]) {
        let keys: Vec<_> = self.starts.keys().flatten().collect();
        for key in keys.iter().filter(|it| targets.contains(&it.0.target)) {
            let _ = self.starts.remove(key);
        }
    }

    /// How much has begun for these pairs and not ended.
    pub(in crate::span) fn waiting(&self, targets: &[u64]) -> u64 {
        let keys = self.starts.keys().flatten();
        keys.filter(|it| targets.contains(&it.0.target)).count() as u64
    }
}
