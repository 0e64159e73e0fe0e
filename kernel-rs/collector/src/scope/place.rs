//! Where a session looks: interfaces and network namespaces, which targets name too.

use std::{fs, os::unix::fs::MetadataExt as _};

use super::product::meet;
use crate::spec::{
    compiled::{Clause, CompiledSpec, Namespace},
    interface::InterfacePattern,
};

/// What of a session's places is a target's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Places {
    /// Names and globs; empty = every interface.
    pub(super) interfaces: Vec<InterfacePattern>,
    /// Positions in `spec.network_namespaces`.
    pub(super) namespaces: Vec<usize>,
}

/// What of a session's places is in a target; `None` if nothing is, as far as patterns tell.
pub(super) fn of(target: &Clause, spec: &CompiledSpec) -> Option<Places> {
    let interfaces = meet(&spec.interfaces, &target.interfaces, |one, other| {
        one.meet(other)
    })?;
    let wanted = &target.network_namespaces;
    let is_wanted = |inode: Option<u64>| {
        wanted.is_empty() || inode.is_some_and(|inode| wanted.contains(&inode))
    };
    if spec.network_namespaces.is_empty() {
        return is_wanted(Some(0)).then_some(Places {
            interfaces,
            namespaces: Vec::new(),
        });
    }
    let namespaces = spec.network_namespaces.iter().enumerate();
    let namespaces = namespaces
        .filter(|(_, it)| wanted.is_empty() || is_wanted(inode(it)))
        .map(|(at, _)| at)
        .collect::<Vec<_>>();
    (!namespaces.is_empty()).then_some(Places {
        interfaces,
        namespaces,
    })
}

/// Whether all of a session's places are in a target.
pub(super) fn holds(target: &Clause, spec: &CompiledSpec) -> bool {
    let interfaces = target.interfaces.is_empty()
        || !spec.interfaces.is_empty()
            && spec
                .interfaces
                .iter()
                .all(|it| target.interfaces.iter().any(|outer| it.is_within(outer)));
    let wanted = &target.network_namespaces;
    let namespaces = wanted.is_empty()
        || if spec.network_namespaces.is_empty() {
            wanted.contains(&0)
        } else {
            let mut named = spec.network_namespaces.iter();
            named.all(|it| inode(it).is_some_and(|inode| wanted.contains(&inode)))
        };
    interfaces && namespaces
}

/// As samples name it: 0 for the service's own; `None` if it is not there.
fn inode(namespace: &Namespace) -> Option<u64> {
    let place = |path: &str| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let found = match namespace {
        Namespace::Path(path) => place(path),
        Namespace::Pid(pid) => place(&format!("/proc/{pid}/ns/net")),
    }?;
    let own = place("/proc/thread-self/ns/net")?;
    Some(if found == own { 0 } else { found.1 })
}
