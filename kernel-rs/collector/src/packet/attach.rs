//! Attaching the programs to an interface, so that nothing of ours outlives the process and nothing of others is touched.

use aya::{
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError},
    },
    util::KernelVersion,
};

use super::{
    interface::Interface,
    object::{Hook, Object},
};
use crate::failure::{Failure, Reason};

/// Where the programs sit on an interface. Dropping it detaches them.
pub(super) struct Attached {
    /// The interface.
    pub(super) interface: Interface,
    /// `tcx` or `clsact`.
    pub(super) hook: &'static str,
    links: Vec<SchedClassifierLink>,
}

impl Attached {
    /// Programs of this interface.
    pub(super) fn hooks(&self) -> [Hook; 2] {
        [false, true].map(|egress| Hook {
            raw: self.interface.raw,
            egress,
        })
    }
}

/// Attaches both programs, before any others: a program that ends the chain ahead of ours would blind us, and ours, which
/// never gives a verdict, changes nothing for those behind it.
///
/// # Errors
/// What the kernel refuses; nothing stays attached then.
pub(super) fn attach(object: &mut Object, interface: &Interface) -> Result<Attached, Failure> {
    let mut attached = Attached {
        interface: interface.clone(),
        hook: "tcx",
        links: Vec::new(),
    };
    for hook in attached.hooks() {
        let program = object.program(hook)?;
        let (link, name) =
            attach_one(program, interface, hook).map_err(|error| refused(interface, &error))?;
        attached.hook = name;
        attached.links.push(link);
    }
    Ok(attached)
}

fn attach_one(
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
) -> Result<(SchedClassifierLink, &'static str), ProgramError> {
    let at = if hook.egress {
        TcAttachType::Egress
    } else {
        TcAttachType::Ingress
    };
    let tcx = TcAttachOptions::TcxOrder(LinkOrder::first());
    match program.attach_with_options(&interface.name, at, tcx) {
        Ok(id) => return Ok((program.take_link(id)?, "tcx")),
        Err(error) if !without_tcx(&error) => return Err(error),
        Err(_) => {}
    }
    // A filter of ours that outlived a crash: nobody else's bears that name.
    let _ = tc::qdisc_detach_program(&interface.name, at, hook.program());
    match tc::qdisc_add_clsact(&interface.name) {
        Ok(()) | Err(TcError::AlreadyAttached) => {}
        Err(error) => return Err(error.into()),
    }
    // Without a priority of its own a filter goes before those that are there.
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let id = program.attach_with_options(&interface.name, at, options)?;
    Ok((program.take_link(id)?, "clsact"))
}

/// Whether the kernel does not know tcx: what it does not know is invalid to it, and so is much else, so the version has to
/// allow that reading.
fn without_tcx(error: &ProgramError) -> bool {
    KernelVersion::current().is_ok_and(|it| it < KernelVersion::new(6, 6, 0))
        && matches!(error, ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::EINVAL))
}

fn refused(interface: &Interface, error: &ProgramError) -> Failure {
    crate::privilege::missing(&["CAP_BPF", "CAP_NET_ADMIN"]).unwrap_or_else(|| {
        Failure::new(
            Reason::KernelError,
            format!("cannot attach to interface {}: {error}", interface.name),
        )
        .with_metadata("interface", interface.name.clone())
    })
}
