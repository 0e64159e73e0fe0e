//! Where the running kernel keeps the fields of its structures, as its BTF says (Documentation/bpf/btf.rst).

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, Weak},
};

use aya_obj::btf::BtfKind;
use object::Endianness;
use parking_lot::Mutex;

const MAGIC: u16 = 0xeb9f;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FWD: u32 = 7;
const SECTION: u32 = 15;

/// The kernel's own types.
pub(crate) struct Btf {
    bytes: Vec<u8>,
    strings: usize,
    /// Position of each type.
    types: Vec<usize>,
    structs: HashMap<Box<[u8]>, u32>,
    variables: HashMap<Box<[u8]>, u32>,
}

impl Btf {
    /// The running kernel's, or why it cannot be had. Read anew where nobody holds it any more: an idle service does without
    /// these megabytes.
    pub(crate) fn running() -> Result<Arc<Self>, String> {
        static HELD: Mutex<Weak<Btf>> = Mutex::new(Weak::new());
        let mut held = HELD.lock();
        if let Some(btf) = held.upgrade() {
            return Ok(btf);
        }
        let path = "/sys/kernel/btf/vmlinux";
        let bytes = fs::read(path).map_err(|error| {
            format!("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): {path}: {error}")
        })?;
        let btf = Self::parse(bytes).ok_or_else(|| format!("{path} is no BTF that is known"))?;
        let btf = Arc::new(btf);
        *held = Arc::downgrade(&btf);
        Ok(btf)
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

    /// Number of the first type of a kind and a name.
    pub(crate) fn number(&self, kind: BtfKind, name: &str) -> Option<u32> {
        let found = self.types.iter().skip(1).position(|at| {
            let part = |offset| word(&self.bytes, at + offset).unwrap_or_default();
            part(4) >> 24 & 0x1f == kind as u32 && self.string(part(0)) == Some(name.as_bytes())
        });
        Some(found? as u32 + 1)
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

/// The kernel's types for aya, which looks for the number of this one and for nothing else: all that come before it are blank. The
/// real ones would be tens of megabytes. `None` where the kernel has no such type, or no BTF.
pub(crate) fn types_for(kind: BtfKind, name: &str) -> Option<aya::Btf> {
    let number = Btf::running().ok()?.number(kind, name)?;
    let header = 24_u32;
    let types = number * 12;
    let mut strings = vec![0];
    strings.extend_from_slice(name.as_bytes());
    strings.push(0);
    let mut bytes = Vec::with_capacity((header + types) as usize + strings.len());
    bytes.extend_from_slice(&MAGIC.to_ne_bytes());
    // Version and flags.
    bytes.extend_from_slice(&[1, 0]);
    for part in [header, 0, types, types, strings.len() as u32] {
        bytes.extend_from_slice(&part.to_ne_bytes());
    }
    let mut add = |name: u32, kind: u32| {
        for part in [name, kind << 24, 0] {
            bytes.extend_from_slice(&part.to_ne_bytes());
        }
    };
    (1..number).for_each(|_| add(0, FWD));
    add(1, kind as u32);
    bytes.extend_from_slice(&strings);
    aya::Btf::parse(&bytes, Endianness::default()).ok()
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
        let btf = Btf::running().unwrap();
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
    }

    #[test]
    fn aya_finds_the_number_of_a_type_as_in_the_whole() {
        let whole = aya::Btf::from_sys_fs().unwrap();
        for (kind, name) in [
            (BtfKind::Typedef, "btf_trace_sched_switch"),
            (BtfKind::Typedef, "btf_trace_sys_enter"),
            (BtfKind::Func, "bpf_iter_tcp"),
        ] {
            let number = |types: &aya::Btf| types.id_by_type_name_kind(name, kind).unwrap();
            let alone = types_for(kind, name).unwrap();
            assert_eq!(number(&alone), number(&whole), "{name}");
        }
        assert!(types_for(BtfKind::Typedef, "btf_trace_sched_nothing").is_none());
        assert!(types_for(BtfKind::Func, "btf_trace_sched_switch").is_none());
    }

    #[test]
    fn nobody_who_holds_it_reads_it_twice() {
        let held = Btf::running().unwrap();
        assert!(Arc::ptr_eq(&held, &Btf::running().unwrap()));
    }

    #[test]
    fn what_is_no_btf_is_none() {
        assert!(Btf::parse(vec![0; 64]).is_none());
        assert!(Btf::parse(Vec::new()).is_none());
    }
}
