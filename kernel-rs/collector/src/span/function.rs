//! Functions of programs and libraries: where they lie in which file.

mod binary;
mod elf;
mod go;

use std::{collections::HashMap, num::NonZeroU32, path::PathBuf};

use parking_lot::Mutex;

use super::uprobe::Place;
use crate::{
    failure::{Failure, Reason},
    proto::{Metric, probe::Kind, user_function_probe::Target},
    spec::compiled::CompiledProbe,
};

/// Where a probe's two ends are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// The file, as this process sees it.
    pub(super) path: PathBuf,
    /// Where it begins.
    pub(super) begins: Vec<Place>,
    /// Where it ends.
    pub(super) ends: Ends,
    /// Only in this process.
    pub(super) pid: Option<NonZeroU32>,
    /// What samples call it.
    pub(super) name: String,
}

/// How a probe's end is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// By the return of the thread that called it.
    Return,
    /// By the next of these places that its thread comes to.
    Points(Vec<Place>),
    /// By one of these places in the same goroutine.
    Goroutine(Vec<Place>),
}

/// The function of a probe; `None` for a probe of another kind.
///
/// # Errors
/// `FIELD_INVALID` where there is no such file or function, `HOOK_UNAVAILABLE` where it cannot be measured without harm.
pub(super) fn of(probe: &CompiledProbe) -> Result<Option<Function>, Failure> {
    let Kind::UserFunction(it) = &probe.kind else {
        return Ok(None);
    };
    let field = |name: &str| format!("spec.probes[{}].user_function.{name}", probe.index);
    let wrong = |name: &str, why: String| Failure::field(Reason::FieldInvalid, field(name), why);
    let pid = NonZeroU32::new(it.pid);
    let path = binary::find(&it.binary, pid).map_err(|why| wrong("binary", why))?;
    let file = elf::File::open(&path).map_err(|why| wrong("binary", why))?;
    let (begins, ends, name) = match it.target.as_ref() {
        Some(Target::Symbol(symbol)) => {
            let found = file.functions(symbol).map_err(|why| {
                if file.is_go() && file.is_stripped() {
                    no_go(
                        &it.binary,
                        symbol,
                        "it is stripped: it has no names of functions",
                    )
                } else {
                    wrong("symbol", why)
                }
            })?;
            let (begins, ends) = if file.is_go() {
                let (begin, returns) = file
                    .go(symbol)
                    .map_err(|why| no_go(&it.binary, symbol, &why))?;
                let returns = returns.into_iter().map(Place::at).collect();
                (vec![Place::at(begin)], Ends::Goroutine(returns))
            } else {
                (found.into_iter().map(Place::at).collect(), Ends::Return)
            };
            (begins, ends, symbol.clone())
        }
        Some(Target::Usdt(usdt)) => {
            let points = |name: &str, at: &str| {
                let found = file.usdt(&usdt.provider, name);
                found.map_err(|why| wrong(&format!("usdt.{at}"), why))
            };
            let name = format!("{}:{}-{}", usdt.provider, usdt.start, usdt.end);
            let begins = points(&usdt.start, "start")?;
            (begins, Ends::Points(points(&usdt.end, "end")?), name)
        }
        None => return Ok(None),
    };
    Ok(Some(Function {
        path,
        begins,
        ends,
        pid,
        name,
    }))
}

/// A function that every program has and none calls, of this process.
///
/// # Errors
/// `HOOK_UNAVAILABLE` where there is no such library.
pub(super) fn of_libc() -> Result<Function, Failure> {
    const NAME: &str = "gnu_get_libc_version";
    let unavailable = |why: String| Failure::new(Reason::HookUnavailable, why);
    let pid = NonZeroU32::new(std::process::id());
    // Where this process has it, wherever the loader found that.
    let path = binary::find("libc", pid).map_err(unavailable)?;
    let file = elf::File::open(&path).map_err(unavailable)?;
    Ok(Function {
        begins: file
            .functions(NAME)
            .map_err(unavailable)?
            .into_iter()
            .map(Place::at)
            .collect(),
        path,
        ends: Ends::Return,
        pid,
        name: NAME.into(),
    })
}

fn no_go(binary: &str, symbol: &str, why: &str) -> Failure {
    let text = format!(
        "{binary} is a Go program, which a return probe would crash, and {symbol} cannot be measured without one: {why}; measure its system calls, or a pair of USDT probes"
    );
    Failure::new(Reason::HookUnavailable, text.clone())
        .with_precondition("CAPABILITY", "uretprobe", text)
        .with_metadata("metric", Metric::UserFunction.as_str_name())
}

/// Names of functions by the number that the programs know them by. Numbers are for ever: a sample may come late.
static NAMES: Mutex<Option<Names>> = Mutex::new(None);

#[derive(Default)]
struct Names {
    numbers: HashMap<String, u64>,
    names: Vec<String>,
}

/// The number of a name.
pub(super) fn number(name: &str) -> u64 {
    let mut known = NAMES.lock();
    let known = known.get_or_insert_default();
    if let Some(number) = known.numbers.get(name) {
        return *number;
    }
    let number = known.names.len() as u64;
    known.names.push(name.into());
    known.numbers.insert(name.into(), number);
    number
}

/// The name of a number.
pub(super) fn name(number: u64) -> String {
    let known = NAMES.lock();
    let name = known.as_ref().and_then(|it| it.names.get(number as usize));
    name.cloned().unwrap_or_default()
}
