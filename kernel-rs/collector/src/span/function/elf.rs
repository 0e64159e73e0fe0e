//! What is in a program or library: functions, USDT probes, and whether it is Go's.

use std::{fs, num::NonZeroU32, path::Path};

use object::{
    Architecture, Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _,
    SymbolKind,
};

use super::go;
use crate::span::uprobe::Place;

/// Instances of one function that are measured together, such as a generic's.
const INSTANCES_MAX: usize = 16;
/// Largest file that is read.
const FILE_MAX: u64 = 4 << 30;
/// `NT_STAPSDT`
const USDT_NOTE: u32 = 3;

/// A file's bytes.
pub(super) struct File {
    bytes: Vec<u8>,
}

impl File {
    /// Reads a file.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let length = fs::metadata(path).map_err(failed)?.len();
        if length > FILE_MAX {
            return Err(format!("{} is too large to be a program", path.display()));
        }
        let file = Self {
            bytes: fs::read(path).map_err(failed)?,
        };
        file.parse()?;
        Ok(file)
    }

    fn parse(&self) -> Result<object::File<'_>, String> {
        object::File::parse(&*self.bytes)
            .map_err(|error| format!("is no program or library: {error}"))
    }

    /// Whether Go's compiler made it.
    pub(super) fn is_go(&self) -> bool {
        self.parse().is_ok_and(|file| {
            [".go.buildinfo", ".gopclntab", ".note.go.buildid"]
                .iter()
                .any(|name| file.section_by_name(name).is_some())
        })
    }

    /// Whether it has no names but those that it exports.
    pub(super) fn is_stripped(&self) -> bool {
        self.parse().is_ok_and(|it| it.symbols().next().is_none())
    }

    /// Offsets of a function: by its symbol, or by a Rust path as people write it, without the hash behind it.
    pub(super) fn functions(&self, name: &str) -> Result<Vec<u64>, String> {
        let file = self.parse()?;
        let named = |symbol: &str| {
            symbol == name || format!("{:#}", rustc_demangle::demangle(symbol)) == name
        };
        let mut addresses: Vec<u64> = file
            .symbols()
            .chain(file.dynamic_symbols())
            .filter(|it| it.is_definition() && it.kind() == SymbolKind::Text)
            .filter(|it| it.name().is_ok_and(named))
            .map(|it| it.address())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            let hint = if self.is_stripped() {
                "; it is stripped, only what it exports can be measured"
            } else {
                ""
            };
            return Err(format!("no function {name:?} in it{hint}"));
        }
        if addresses.len() > INSTANCES_MAX {
            return Err(format!(
                "{name:?} has {} instances, at most {INSTANCES_MAX} are measured together; give the symbol of one",
                addresses.len()
            ));
        }
        let offsets = addresses
            .iter()
            .map(|it| offset(&file, *it))
            .collect::<Option<_>>();
        offsets.ok_or_else(|| format!("{name:?} is not in the file"))
    }

    /// Offsets of where a function of a Go program begins and of where it returns.
    pub(super) fn go(&self, name: &str) -> Result<(u64, Vec<u64>), String> {
        /// From here on a program tells its version, and has its goroutine in R14.
        const OLDEST: u32 = 18;
        let file = self.parse()?;
        if file.architecture() != Architecture::X86_64 {
            return Err("where its functions return is known of x86-64 alone".into());
        }
        let section = file.section_by_name(".go.buildinfo");
        let version = section.and_then(|it| go::minor_version(it.data().ok()?));
        if version.is_none_or(|it| it < OLDEST) {
            return Err(format!("it was not made by Go 1.{OLDEST} or later"));
        }
        let address_of = |name: &str| {
            let mut symbols = file.symbols();
            Some(symbols.find(|it| it.name() == Ok(name))?.address())
        };
        let (Some(begin), Some(end)) = (address_of("runtime.text"), address_of("runtime.etext"))
        else {
            return Err("it is stripped: where its functions end cannot be told".into());
        };
        let symbol = file
            .symbols()
            .find(|it| it.is_definition() && it.name() == Ok(name))
            .filter(|it| (begin..end).contains(&it.address()))
            .ok_or("it was not compiled from Go")?;
        let at = offset(&file, symbol.address()).ok_or("it is not in the file")?;
        let code = usize::try_from(at)
            .ok()
            .zip(usize::try_from(symbol.size()).ok());
        let code = code.and_then(|(at, size)| self.bytes.get(at..at.checked_add(size)?));
        let places = go::places(code.ok_or("it is not in the file")?)?;
        let returns = places.returns.iter().map(|it| at + it).collect();
        Ok((at + places.begin, returns))
    }

    /// Places of a USDT probe (the notes that `sys/sdt.h` leaves).
    pub(super) fn usdt(&self, provider: &str, name: &str) -> Result<Vec<Place>, String> {
        let file = self.parse()?;
        let section = file.section_by_name(".note.stapsdt");
        let notes = section.and_then(|it| it.data().ok()).unwrap_or_default();
        let base = file
            .section_by_name(".stapsdt.base")
            .map_or(0, |it| it.address());
        let mut found = Vec::new();
        let mut rest = notes;
        while let Some((note, after)) = Note::read(rest) {
            rest = after;
            if note.provider != provider.as_bytes() || note.name != name.as_bytes() {
                continue;
            }
            // A prelinked file's addresses have moved since the note was written, and the section with them.
            let moved = base.wrapping_sub(note.base);
            let at = |address: u64| {
                offset(&file, address.wrapping_add(moved))
                    .ok_or_else(|| format!("{provider}:{name} is not in the file"))
            };
            let semaphore = match note.semaphore {
                0 => None,
                address => {
                    let offset = u32::try_from(at(address)?).ok().and_then(NonZeroU32::new);
                    Some(offset.ok_or_else(|| {
                        format!("the kernel cannot reach the semaphore of {provider}:{name}")
                    })?)
                }
            };
            found.push(Place {
                offset: at(note.place)?,
                semaphore,
            });
        }
        if found.is_empty() {
            return Err(format!("no USDT probe {provider}:{name} in it"));
        }
        Ok(found)
    }
}

/// Where in the file an address lies.
fn offset(file: &object::File<'_>, address: u64) -> Option<u64> {
    file.segments().find_map(|it| {
        let inside = address.checked_sub(it.address())?;
        let (start, length) = it.file_range();
        (inside < length).then_some(start + inside)
    })
}

/// One note of `.note.stapsdt`.
struct Note<'a> {
    place: u64,
    base: u64,
    semaphore: u64,
    provider: &'a [u8],
    name: &'a [u8],
}

impl<'a> Note<'a> {
    /// The first note, and what is behind it; notes of other kinds are passed over.
    fn read(mut bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        loop {
            let word =
                |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
            let (owner, length, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
            let start = 12 + owner.next_multiple_of(4);
            let text = bytes.get(start..start + length)?;
            bytes = bytes
                .get(start + length.next_multiple_of(4)..)
                .unwrap_or_default();
            if kind != USDT_NOTE {
                continue;
            }
            let long = |at: usize| Some(u64::from_ne_bytes(text.get(at..at + 8)?.try_into().ok()?));
            let mut words = text.get(24..)?.split(|it| *it == 0);
            let note = Self {
                place: long(0)?,
                base: long(8)?,
                semaphore: long(16)?,
                provider: words.next()?,
                name: words.next()?,
            };
            return Some((note, bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What `command` makes of a source; `None` where it is not there. `OUTPUT` is the file that it makes.
    fn build(source: (&str, &str), command: &[&str]) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(source.0), source.1).unwrap();
        let built = Command::new(command[0])
            .args(&command[1..])
            .env("RUSTC_BOOTSTRAP", "1")
            .current_dir(folder.path())
            .status();
        let Ok(status) = built else {
            eprintln!("skipped: there is no {}", command[0]);
            return None;
        };
        assert!(status.success(), "{command:?}");
        Some(fs::read(folder.path().join("OUTPUT")).unwrap())
    }

    #[test]
    fn rust_paths_are_found_however_they_are_mangled() {
        const SOURCE: &str = "pub mod inside { pub struct One; impl One { #[inline(never)] pub fn nap(&self) {} } } \
            fn main() { std::hint::black_box(inside::One).nap() }";
        for mangling in ["legacy", "v0"] {
            let mangling = format!("symbol-mangling-version={mangling}");
            let command = [
                "rustc",
                "--crate-name",
                "demo",
                "-Zunstable-options",
                "-C",
                &mangling,
                "-o",
                "OUTPUT",
                "demo.rs",
            ];
            let Some(bytes) = build(("demo.rs", SOURCE), &command) else {
                return;
            };
            let file = File { bytes };
            let found = file.functions("demo::inside::One::nap");
            let found = found.or_else(|_| file.functions("<demo::inside::One>::nap"));
            assert_eq!(found.unwrap().len(), 1, "{mangling}");
        }
    }

    #[test]
    fn a_stripped_library_has_what_it_exports_and_a_stripped_program_says_so() {
        const SOURCE: &str = "int shown(void) { return 1; } static int hidden(void) { return 2; } \
            int (*kept)(void) = hidden; int main(void) { return shown() + kept(); }";
        let library = ["cc", "-s", "-shared", "-fPIC", "-o", "OUTPUT", "it.c"];
        let Some(bytes) = build(("it.c", SOURCE), &library) else {
            return;
        };
        let library = File { bytes };
        assert!(library.is_stripped());
        assert_eq!(library.functions("shown").unwrap().len(), 1);
        let whole = build(("it.c", SOURCE), &["cc", "-o", "OUTPUT", "it.c"]).unwrap();
        assert_eq!(File { bytes: whole }.functions("hidden").unwrap().len(), 1);
        let stripped = build(("it.c", SOURCE), &["cc", "-s", "-o", "OUTPUT", "it.c"]).unwrap();
        let why = File { bytes: stripped }.functions("hidden").unwrap_err();
        assert!(why.contains("it is stripped"), "{why}");
    }

    #[test]
    fn a_prelinked_file_s_probes_are_where_they_have_been_moved_to() {
        /// How far everything was before.
        const BEFORE: u64 = 0x1000;
        let source = include_str!("../live_tests/programs/points.c");
        let Some(bytes) = build(("points.c", source), &["cc", "-o", "OUTPUT", "points.c"]) else {
            return;
        };
        let file = File { bytes };
        let found = file.usdt("latscope", "begin").unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].semaphore.is_some());
        let mut bytes = file.bytes.clone();
        let notes = file.parse().unwrap();
        let (start, size) = notes
            .section_by_name(".note.stapsdt")
            .unwrap()
            .file_range()
            .unwrap();
        let mut at = start as usize;
        while at < (start + size) as usize {
            let word =
                |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let text = at + 12 + word(at).next_multiple_of(4);
            let end = text + word(at + 4).next_multiple_of(4);
            for number in bytes[text..text + 24].chunks_exact_mut(8) {
                let moved = u64::from_ne_bytes(number.try_into().unwrap()) + BEFORE;
                number.copy_from_slice(&moved.to_ne_bytes());
            }
            at = end;
        }
        assert_eq!(File { bytes }.usdt("latscope", "begin").unwrap(), found);
    }
}
