//! A function of the kernel as a probe names it.

use std::fs;

use crate::failure::{Failure, Reason};

/// What names functions that the kernel has made for itself, which are not to be probed.
const MADE: [&str; 4] = [
    "bpf",
    "__builtin__ftrace",
    "__builtin__kprobes",
    "__builtin__bpf",
];

/// One function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::span) struct Symbol {
    /// As the probe has it.
    pub(super) name: String,
    /// In its own file.
    pub(super) function: String,
    /// The module that it is in.
    pub(super) module: Option<String>,
}

impl Symbol {
    /// Looks it up in the running kernel: `function`, or `module:function`.
    ///
    /// # Errors
    /// `FIELD_INVALID` where there is none, or more than one, of this name.
    pub(super) fn find(name: &str, path: &str) -> Result<Self, Failure> {
        let symbols = fs::read_to_string("/proc/kallsyms").map_err(|error| {
            let text = format!("the kernel's symbols cannot be read: {error}");
            Failure::new(Reason::HookUnavailable, text)
        })?;
        find_in(&symbols, name).map_err(|why| Failure::field(Reason::FieldInvalid, path, why))
    }

    /// One that runs when the machine is about to start again.
    pub(super) fn to_try() -> Self {
        Self {
            name: "kernel_restart".into(),
            function: "kernel_restart".into(),
            module: None,
        }
    }
}

fn find_in(symbols: &str, name: &str) -> Result<Symbol, String> {
    let (module, function) = match name.split_once(':') {
        Some((module, function)) => (Some(module), function),
        None => (None, name),
    };
    let mut found: Vec<Option<&str>> = Vec::new();
    let mut variants: Vec<&str> = Vec::new();
    for (symbol, of) in symbols.lines().filter_map(code) {
        if of.is_some_and(|it| MADE.contains(&it)) || (module.is_some() && of != module) {
            continue;
        }
        if symbol == function {
            found.push(of);
        } else if symbol
            .strip_prefix(function)
            .is_some_and(|it| it.starts_with('.'))
        {
            variants.push(symbol);
        }
    }
    if module.is_none() && found.contains(&None) {
        // That of a module of the same name has to be asked for by its module.
        found.retain(Option::is_none);
    }
    match found[..] {
        [of] => Ok(Symbol {
            name: name.into(),
            function: function.into(),
            module: of.map(str::to_owned),
        }),
        [] => Err(missing(name, &variants)),
        _ => Err(format!(
            "{name} is the name of {} functions, and nothing says which{}",
            found.len(),
            found
                .iter()
                .flatten()
                .next()
                .map_or_else(String::new, |it| format!(
                    "; name the module too, {it}:{function}"
                ))
        )),
    }
}

fn missing(name: &str, variants: &[&str]) -> String {
    if variants.is_empty() {
        return format!(
            "this kernel has no function {name}: its module may not be loaded, or the compiler has put it into those that call it"
        );
    }
    format!(
        "the compiler has made {} of {name}, with other arguments or without a part of it: name that",
        variants.join(", ")
    )
}

/// A function of a line, and its module: `ffffffff81000000 T name [module]`.
fn code(line: &str) -> Option<(&str, Option<&str>)> {
    let mut words = line.split_ascii_whitespace();
    let (_, kind, name) = (words.next()?, words.next()?, words.next()?);
    if !matches!(kind, "t" | "T" | "w" | "W") {
        return None;
    }
    let module = words.next();
    Some((name, module.map(|it| it.trim_matches(['[', ']']))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "\
ffffffff81000000 T vfs_read
ffffffff81000100 t twice
ffffffff81000200 t twice
ffffffff81000300 t changed.isra.0
ffffffff81000400 D data
ffffffffc0000000 t veth_xmit\t[veth]
ffffffffc0000100 t vfs_read\t[mine]
ffffffffc0000200 t both\t[one]
ffffffffc0000300 t both\t[two]
ffffffffc0000400 t bpf_prog_1_x\t[bpf]
";

    fn found(name: &str) -> Result<(String, Option<String>), String> {
        find_in(SYMBOLS, name).map(|it| (it.function, it.module))
    }

    #[test]
    fn a_function_is_found_in_the_kernel_or_its_module() {
        assert_eq!(found("vfs_read"), Ok(("vfs_read".into(), None)));
        let veth = Ok(("veth_xmit".into(), Some("veth".into())));
        assert_eq!(found("veth_xmit"), veth);
        assert_eq!(found("veth:veth_xmit"), veth);
        let mine = Ok(("vfs_read".into(), Some("mine".into())));
        assert_eq!(found("mine:vfs_read"), mine);
        assert_eq!(found("changed.isra.0"), Ok(("changed.isra.0".into(), None)));
    }

    #[test]
    fn what_is_not_one_function_is_refused() {
        assert!(found("twice").unwrap_err().contains("2 functions"));
        assert!(found("both").unwrap_err().contains("one:both"));
        assert!(found("changed").unwrap_err().contains("changed.isra.0"));
        for name in ["data", "nothing", "veth:vfs_read", "bpf_prog_1_x"] {
            assert!(found(name).unwrap_err().contains("no function"), "{name}");
        }
    }

    #[test]
    fn the_one_that_is_tried_is_there() {
        let it = Symbol::to_try();
        assert_eq!(Symbol::find(&it.name, "p").unwrap(), it);
    }
}
