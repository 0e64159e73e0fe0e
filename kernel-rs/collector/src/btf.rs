//! Where the running kernel keeps the fields of its structures, as its BTF says (Documentation/bpf/btf.rst).

use std::{collections::HashMap, fs, sync::OnceLock};

const MAGIC: u16 = 0xeb9f;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;
const SECTION: u32 = 15;

/// The kernel's own types.
pub(crate) struct Btf {
    bytes: Vec<u8>,
    strings: usize,
    /// Position of each type.
    types: Vec<usize>,
    structs: HashMap<Box<[u8]>, u32>,
    typedefs: HashMap<Box<[u8]>, u32>,
    variables: HashMap<Box<[u8]>, u32>,
}

impl Btf {
    /// The running kernel's, read once; or why it cannot be had.
    pub(crate) fn running() -> &'static Result<Btf, String> {
        static BTF: OnceLock<Result<Btf, String>> = OnceLock::new();
        BTF.get_or_init(|| {
            let path = "/sys/kernel/btf/vmlinux";
            let bytes = fs::read(path).map_err(|error| {
                format!("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): {path}: {error}")
            })?;
            Btf::parse(bytes).ok_or_else(|| format!("{path} is no BTF that is known"))
        })
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let header = |at: usize| word(&bytes, at).map(|it| it as usize);
        if bytes.get(..2)? != MAGIC.to_ne_bytes() {
            return None;
        }
        let length = header(4)?;
        let (first, end) = (length + header(8)?, length + header(8)? + header(12)?);
        let mut btf = Self {
            strings: length + header(16)?,
            // Number 0 is void.
            types: vec![0],
            structs: HashMap::new(),
            typedefs: HashMap::new(),
            variables: HashMap::new(),
            bytes,
        };
        let mut at = first;
        while at < end {
            let info = word(&btf.bytes, at + 4)?;
            let (kind, entries) = (info >> 24 & 0x1f, info as usize & 0xffff);
            let id = btf.types.len() as u32;
            btf.types.push(at);
            let name: Box<[u8]> = btf.string(word(&btf.bytes, at)?)?.into();
            match kind {
                STRUCT if entries > 0 && !name.is_empty() => {
                    btf.structs.entry(name).or_insert(id);
                }
                TYPEDEF => {
                    btf.typedefs.entry(name).or_insert(id);
                }
                SECTION if *name == *b".data..percpu" => {
                    for entry in 0..entries {
                        let entry = at + 12 + 12 * entry;
                        let variable = *btf.types.get(word(&btf.bytes, entry)? as usize)?;
                        let offset = word(&btf.bytes, entry + 4)?;
                        let name = btf.string(word(&btf.bytes, variable)?)?.into();
                        btf.variables.insert(name, offset);
                    }
                }
                _ => {}
            }
            at += 12 + tail(kind, entries)?;
        }
        Some(btf)
    }

    /// Byte offset of a field of a structure, inside unions and structures without a name too.
    pub(crate) fn offset(&self, structure: &str, field: &str) -> Option<u32> {
        let id = *self.structs.get(structure.as_bytes())?;
        Some(self.bits(id, field.as_bytes())? / 8)
    }

    /// Whether there is a raw tracepoint of this name.
    pub(crate) fn has_tracepoint(&self, name: &str) -> bool {
        self.typedefs
            .contains_key(format!("btf_trace_{name}").as_bytes())
    }

    /// Where in its memory every CPU has its own of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<u32> {
        self.variables.get(name.as_bytes()).copied()
    }

    fn bits(&self, id: u32, field: &[u8]) -> Option<u32> {
        let at = *self.types.get(id as usize)?;
        let info = word(&self.bytes, at + 4)?;
        if !matches!(info >> 24 & 0x1f, STRUCT | UNION) {
            return None;
        }
        for entry in 0..info as usize & 0xffff {
            let at = at + 12 + 12 * entry;
            let name = self.string(word(&self.bytes, at)?)?;
            let mut bits = word(&self.bytes, at + 8)?;
            if info >> 31 != 0 {
                // The upper byte is the width of a bit field.
                bits &= 0x00ff_ffff;
            }
            if name == field {
                return Some(bits);
            }
            if name.is_empty()
                && let Some(inside) = self.bits(word(&self.bytes, at + 4)?, field)
            {
                return Some(bits + inside);
            }
        }
        None
    }

    fn string(&self, offset: u32) -> Option<&[u8]> {
        let rest = self.bytes.get(self.strings + offset as usize..)?;
        rest.split(|byte| *byte == 0).next()
    }
}

/// Bytes behind the common part of a type.
fn tail(kind: u32, entries: usize) -> Option<usize> {
    Some(match kind {
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => 12 * entries,
        // ENUM, FUNC_PROTO
        6 | 13 => 8 * entries,
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_tells_its_fields() {
        let btf = Btf::running().as_ref().unwrap();
        // The first field of all, and one inside unions without a name.
        assert_eq!(btf.offset("list_head", "next"), Some(0));
        assert_eq!(btf.offset("list_head", "prev"), Some(8));
        let (pid, tgid) = (
            btf.offset("task_struct", "pid"),
            btf.offset("task_struct", "tgid"),
        );
        assert_eq!(tgid.unwrap() - pid.unwrap(), 4);
        assert!(btf.offset("sk_buff", "tstamp").unwrap() > 0);
        assert_eq!(btf.offset("task_struct", "no_such_field"), None);
        assert!(btf.variable("runqueues").unwrap().is_multiple_of(64));
        assert_eq!(btf.variable("no_such_variable"), None);
        assert!(btf.has_tracepoint("sched_switch"));
        assert!(!btf.has_tracepoint("sched_nothing"));
    }

    #[test]
    fn what_is_no_btf_is_none() {
        assert!(Btf::parse(vec![0; 64]).is_none());
        assert!(Btf::parse(Vec::new()).is_none());
    }
}
