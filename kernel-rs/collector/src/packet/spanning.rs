//! A session in several network namespaces: one hold on the engine of each.

use super::attachment::PacketAttachment;
use crate::{
    books,
    engine::Attachment,
    failure::Failure,
    histogram::Histogram,
    proto::{Group, ProbeStatus, ProgramStats, Totals},
    spec::CompiledSpec,
};

/// The holds, which are let go together.
pub(super) struct Spanning {
    parts: Vec<PacketAttachment>,
    /// The spec in force.
    spec: CompiledSpec,
}

impl Spanning {
    pub(super) fn new(parts: Vec<PacketAttachment>, spec: &CompiledSpec) -> Self {
        Self {
            parts,
            spec: spec.clone(),
        }
    }
}

impl Attachment for Spanning {
    fn update(&mut self, spec: &CompiledSpec) -> Result<(), Failure> {
        // All at once: what a part gives up for the new spec nobody else may take until every part has that. In one order for all
        // sessions, or two would wait for each other.
        let mut parts: Vec<&PacketAttachment> = self.parts.iter().collect();
        parts.sort_by_key(|part| part.address());
        let mut held: Vec<_> = parts.into_iter().map(PacketAttachment::hold).collect();
        for at in 0..held.len() {
            if let Err(failure) = held[at].update(spec) {
                for changed in &mut held[..at] {
                    // There is room for what was there before; the kernel may still refuse, and then the others go back all the same.
                    let _ = changed.update(&self.spec);
                }
                return Err(failure);
            }
        }
        drop(held);
        self.spec = spec.clone();
        Ok(())
    }

    fn totals(&self) -> Totals {
        books::add(self.parts.iter().map(Attachment::totals))
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        let mut all: Vec<(Group, Histogram)> = Vec::new();
        for part in &self.parts {
            for (group, histogram) in part.histograms()? {
                match all.iter_mut().find(|(known, _)| *known == group) {
                    Some((_, sum)) => sum.merge(&histogram),
                    None => all.push((group, histogram)),
                }
            }
        }
        Ok(all)
    }

    fn programs(&self) -> Vec<ProgramStats> {
        self.parts.iter().flat_map(Attachment::programs).collect()
    }

    fn kernel_memory_bytes(&self) -> u64 {
        self.parts.iter().map(Attachment::kernel_memory_bytes).sum()
    }

    /// A probe is attached when it is in every namespace.
    fn probes(&self) -> Vec<ProbeStatus> {
        let mut all: Vec<ProbeStatus> = Vec::new();
        for status in self.parts.iter().flat_map(Attachment::probes) {
            match all.iter_mut().find(|known| known.probe == status.probe) {
                Some(known) if known.attached => *known = status,
                Some(_) => {}
                None => all.push(status),
            }
        }
        all
    }

    fn stop(&mut self) {
        for part in &mut self.parts {
            part.stop();
        }
    }
}
