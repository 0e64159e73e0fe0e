//! A function of the kernel with the programs of its lane: fentry and fexit where the kernel takes them, else a kprobe and a
//! kretprobe.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use aya::{
    Btf,
    programs::{FEntry, FExit, KProbe, ProgramError, ProgramFd, ProgramInfo},
};
use aya_obj::btf::BtfKind;

use super::{link, symbol::Symbol};
use crate::{
    bpf, btf,
    failure::{Failure, Reason},
    footprint, program,
    proto::ProgramStats,
    span::object::{Object, PRIVILEGES},
    statistics,
};

#[cfg(test)]
thread_local! {
    static ONLY_KPROBES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Has what this thread attaches be attached as where there is no fentry.
#[cfg(test)]
pub(in crate::span) fn only_kprobes(only: bool) {
    ONLY_KPROBES.set(only);
}

/// Attached programs. Dropping it detaches them.
pub(super) struct Hooked {
    /// By what.
    pub(super) hook: &'static str,
    halves: [Half; 2],
}

/// One of the two.
struct Half {
    _link: OwnedFd,
    _program: ProgramFd,
    /// As it was when it was attached.
    stats: ProgramStats,
}

impl Hooked {
    /// Attaches to a function, its end first.
    ///
    /// # Errors
    /// `HOOK_UNAVAILABLE` with what each hook came to, `PRIVILEGE_MISSING`; nothing stays attached then.
    pub(super) fn attach(
        object: &mut Object,
        symbol: &Symbol,
        target: u64,
    ) -> Result<Self, Failure> {
        let fentry = match Self::by_fentry(object, symbol, target) {
            Ok(hooked) => return Ok(hooked),
            Err(why) => why,
        };
        let kprobe = match Self::by_kprobe(object, symbol, target) {
            Ok(hooked) => return Ok(hooked),
            Err(why) => why,
        };
        Err(crate::privilege::missing(PRIVILEGES).unwrap_or_else(|| {
            let text = format!(
                "nothing is to be attached to {}: fentry: {fentry}; kprobe: {kprobe}",
                symbol.name
            );
            Failure::new(Reason::HookUnavailable, text.clone()).with_precondition(
                "CAPABILITY",
                "kprobe",
                text,
            )
        }))
    }

    /// With programs that are loaded for this function alone.
    pub(super) fn by_fentry(
        object: &mut Object,
        symbol: &Symbol,
        target: u64,
    ) -> Result<Self, String> {
        #[cfg(test)]
        if ONLY_KPROBES.get() {
            return Err("is not tried".into());
        }
        if symbol.module.is_some() {
            return Err("is for the kernel's own functions, not those of modules".into());
        }
        let end = leave(object, symbol, target)?;
        Ok(Self {
            hook: "fentry",
            halves: [enter(object, symbol, target)?, end],
        })
    }

    /// With the programs of every function.
    pub(super) fn by_kprobe(
        object: &mut Object,
        symbol: &Symbol,
        target: u64,
    ) -> Result<Self, String> {
        let name = match &symbol.module {
            Some(module) => format!("{module}:{}", symbol.function),
            None => symbol.function.clone(),
        };
        let mut half = |program, returns| {
            let fd = object
                .loaded_program(program, KProbe::load)
                .and_then(|fd| fd.try_clone_to_owned().map_err(|it| unclonable(&it)))
                .map_err(|it| it.message().to_owned())?;
            let link = link::kprobe(fd.as_fd(), &name, returns, target).map_err(|it| why(&it))?;
            let (load_time, info, program_fd) = object.info(program).ok_or("is not loaded")?;
            Ok::<Half, String>(Half {
                _link: link,
                _program: program_fd,
                stats: stats(program, &format!("kprobe: {name}"), load_time, info),
            })
        };
        let end = half("latscope_kernel_return", true)?;
        Ok(Self {
            hook: "kprobe",
            halves: [half("latscope_kernel_call", false)?, end],
        })
    }

    /// Its programs as they are now.
    pub(super) fn programs(&self, shared: bool) -> impl Iterator<Item = ProgramStats> {
        self.halves.iter().map(move |it| {
            let now = footprint::program(it.stats.program_id).unwrap_or_default();
            let counted = statistics::on();
            ProgramStats {
                shared,
                recursion_misses: now.recursion_misses,
                run_count: counted.then_some(now.run_count),
                run_time_ns: counted.then_some(now.run_time_ns),
                ..it.stats.clone()
            }
        })
    }
}

fn enter(object: &mut Object, symbol: &Symbol, target: u64) -> Result<Half, String> {
    const NAME: &str = "latscope_kernel_enter";
    let program: &mut FEntry = found(object.program_of(NAME))?;
    // The one that was loaded before is its link's.
    let _ = program.unload();
    let begun = Instant::now();
    let load = program.load(&symbol.function, &types_of(symbol)?);
    load.map_err(|it| refused(&it))?;
    half(
        NAME,
        symbol,
        begun.elapsed(),
        (program.fd(), program.info()),
        |fd| link::function(fd, false, target),
    )
}

fn leave(object: &mut Object, symbol: &Symbol, target: u64) -> Result<Half, String> {
    const NAME: &str = "latscope_kernel_leave";
    let program: &mut FExit = found(object.program_of(NAME))?;
    // As above.
    let _ = program.unload();
    let begun = Instant::now();
    let load = program.load(&symbol.function, &types_of(symbol)?);
    load.map_err(|it| refused(&it))?;
    half(
        NAME,
        symbol,
        begun.elapsed(),
        (program.fd(), program.info()),
        |fd| link::function(fd, true, target),
    )
}

fn types_of(symbol: &Symbol) -> Result<Btf, String> {
    let name = &symbol.function;
    btf::types_for(BtfKind::Func, name)
        .ok_or_else(|| format!("the kernel's BTF has no function {name}"))
}

fn half(
    name: &'static str,
    symbol: &Symbol,
    load_time: Duration,
    (fd, info): (
        Result<&ProgramFd, ProgramError>,
        Result<ProgramInfo, ProgramError>,
    ),
    link: impl FnOnce(BorrowedFd<'_>) -> io::Result<OwnedFd>,
) -> Result<Half, String> {
    let fd = fd.map_err(|it| refused(&it))?;
    let info = info.map_err(|it| refused(&it))?;
    Ok(Half {
        _link: link(fd.as_fd()).map_err(|it| why(&it))?,
        _program: fd.try_clone().map_err(|it| it.to_string())?,
        stats: stats(
            name,
            &format!("fentry: {}", symbol.function),
            load_time,
            info,
        ),
    })
}

fn stats(name: &'static str, to: &str, load_time: Duration, info: ProgramInfo) -> ProgramStats {
    let own = program::Own {
        name,
        kind: if to.starts_with("kprobe") {
            "kprobe"
        } else {
            "tracing"
        },
        attached_to: to.into(),
        shared: false,
        load_time,
    };
    program::stats(own, info)
}

fn found<T>(it: Result<T, Failure>) -> Result<T, String> {
    it.map_err(|it| it.message().to_owned())
}

/// What a program was not loaded for; of the verifier's log, which is empty where the kernel lets nobody, nothing.
fn refused(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, .. } => why(io_error),
        _ => bpf::chain(error),
    }
}

fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENOENT) => {
            format!("the kernel lets nobody probe it ({error})")
        }
        _ => error.to_string(),
    }
}

fn unclonable(error: &io::Error) -> Failure {
    Failure::kernel("duplicating a descriptor", error)
}
