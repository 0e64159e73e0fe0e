//! The filters that a session has had: what was measured under one of them stays in its log and its histograms.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{
    scope,
    spec::compiled::{Clause, CompiledSpec},
};

/// Most different filters that are remembered; a session that had more is within no targets.
const SETS_MAX: usize = 16;

/// Every list of filters so far.
pub(super) struct Seen {
    inner: Mutex<Inner>,
    generation: AtomicU64,
}

struct Inner {
    /// For what never changes: probes, interfaces, namespaces.
    spec: CompiledSpec,
    sets: Vec<Vec<Clause>>,
    forgot: bool,
}

impl Seen {
    pub(super) fn of(spec: &CompiledSpec) -> Self {
        Self {
            inner: Mutex::new(Inner {
                spec: spec.clone(),
                sets: vec![spec.filters.clone()],
                forgot: false,
            }),
            generation: AtomicU64::new(0),
        }
    }

    /// The session is about to be filtered so.
    pub(super) fn add(&self, spec: &CompiledSpec) {
        let mut inner = self.inner.lock();
        if inner.sets.contains(&spec.filters) {
            return;
        }
        if inner.sets.len() < SETS_MAX {
            inner.sets.push(spec.filters.clone());
        } else {
            inner.forgot = true;
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether all that any of them let through is in one of these targets.
    pub(super) fn are_within(&self, targets: &[Clause]) -> bool {
        let Inner { spec, sets, forgot } = &*self.inner.lock();
        !forgot && sets.iter().all(|it| scope::covers(targets, spec, it))
    }
}
