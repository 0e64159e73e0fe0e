//! Attaching the programs to an interface, so that nothing of ours outlives the process and nothing of others is touched.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use aya::{
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        tc::{SchedClassifierLink, TcAttachOptions},
    },
    util::KernelVersion,
};

use super::{
    clsact::Clsact,
    interface::Interface,
    object::{Hook, Object},
};
use crate::failure::{Failure, Reason};

/// The hook that holds its programs by links.
pub(super) const TCX: &str = "tcx";

/// Where the programs sit on an interface. Dropping it detaches them.
pub(super) struct Attached {
    /// The interface.
    pub(super) interface: Interface,
    /// `tcx` or `clsact`.
    pub(super) hook: &'static str,
    _links: Links,
}

/// Held only to be dropped.
#[expect(dead_code, reason = "dropping them detaches")]
enum Links {
    Tcx(Vec<SchedClassifierLink>),
    Clsact(Clsact),
}

impl Attached {
    /// Programs of this interface.
    pub(super) fn hooks(&self) -> [Hook; 2] {
        hooks(&self.interface)
    }
}

/// Whether a program is still attached to an interface that was left: a process that is being forked holds the link open for as
/// long as it has not become another program. Where that cannot be told, it may be.
pub(super) fn lingers(object: &Object, interface: &Interface) -> bool {
    let ours: Vec<u32> = object
        .loaded()
        .filter_map(|(_, _, program)| Some(program.info().ok()?.id()))
        .collect();
    [TcAttachType::Ingress, TcAttachType::Egress]
        .into_iter()
        .any(|at| {
            SchedClassifier::query_tcx(&interface.name, at).map_or(true, |(_, programs)| {
                programs.iter().any(|it| ours.contains(&it.id()))
            })
        })
}

/// Attaches both programs, before any others: a program that ends the chain ahead of ours would blind us, and ours, which
/// never gives a verdict, changes nothing for those behind it.
///
/// # Errors
/// What the kernel refuses; nothing stays attached then.
pub(super) fn attach(object: &mut Object, interface: &Interface) -> Result<Attached, Failure> {
    let mut links = Vec::new();
    for hook in hooks(interface) {
        match tcx(object.program(hook)?, interface, hook) {
            Ok(link) => links.push(link),
            Err(error) if without_tcx(&error) => {
                let clsact = clsact(object, interface)?;
                return Ok(Attached {
                    interface: interface.clone(),
                    hook: "clsact",
                    _links: Links::Clsact(clsact),
                });
            }
            Err(error) => return Err(refused(interface, &error)),
        }
    }
    Ok(Attached {
        interface: interface.clone(),
        hook: TCX,
        _links: Links::Tcx(links),
    })
}

fn hooks(interface: &Interface) -> [Hook; 2] {
    [false, true].map(|egress| Hook {
        raw: interface.raw,
        egress,
    })
}

fn tcx(
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
) -> Result<SchedClassifierLink, ProgramError> {
    let at = if hook.egress {
        TcAttachType::Egress
    } else {
        TcAttachType::Ingress
    };
    let options = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program.attach_with_options(&interface.name, at, options)?;
    program.take_link(id)
}

fn clsact(object: &mut Object, interface: &Interface) -> Result<Clsact, Failure> {
    let mut programs: Vec<(Hook, OwnedFd)> = Vec::new();
    for hook in hooks(interface) {
        let descriptor = object
            .program(hook)?
            .fd()
            .map_err(io::Error::other)
            .and_then(|it| it.as_fd().try_clone_to_owned())
            .map_err(|error| refused(interface, &error))?;
        programs.push((hook, descriptor));
    }
    let programs: Vec<(Hook, BorrowedFd<'_>)> =
        programs.iter().map(|it| (it.0, it.1.as_fd())).collect();
    Clsact::attach(interface.index, &programs).map_err(|error| refused(interface, &error))
}

/// Whether the kernel does not know tcx: what it does not know is invalid to it, and so is much else, so the version has to
/// allow that reading.
fn without_tcx(error: &ProgramError) -> bool {
    KernelVersion::current().is_ok_and(|it| it < KernelVersion::new(6, 6, 0))
        && matches!(error, ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::EINVAL))
}

fn refused(interface: &Interface, error: &dyn std::fmt::Display) -> Failure {
    crate::privilege::missing(&["CAP_BPF", "CAP_NET_ADMIN"]).unwrap_or_else(|| {
        Failure::new(
            Reason::KernelError,
            format!("cannot attach to interface {}: {error}", interface.name),
        )
        .with_metadata("interface", interface.name.clone())
    })
}
