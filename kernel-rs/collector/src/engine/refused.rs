//! A program that no verifier takes, to see what becomes of its log. Only in builds with the feature `synthetic`.

use aya::{EbpfLoader, programs::SchedClassifier};

use crate::{bpf, failure::Failure};

static EMPTY: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../probes/prebuilt/empty.bpf.o"
));
const NAME: &str = "latscope_empty";

/// `r0 = -1 ll; exit`, and the same with a register that nobody has written.
const RETURN: [u8; 24] = [
    0x18, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
];
const REFUSED: [u8; 24] = [
    0xbf, 0x50, 0, 0, 0, 0, 0, 0, 0xbf, 0x50, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
];

/// Asks the kernel to load it.
///
/// # Errors
/// `PROGRAM_REFUSED`, always.
pub(crate) fn load() -> Result<(), Failure> {
    let internal = |error: &dyn std::fmt::Display| Failure::kernel("the refused program", error);
    let mut object = EMPTY.to_vec();
    for at in 0..object.len().saturating_sub(RETURN.len()) {
        if object[at..].starts_with(&RETURN) {
            object[at..at + REFUSED.len()].copy_from_slice(&REFUSED);
        }
    }
    let mut ebpf = EbpfLoader::new()
        .load(&object)
        .map_err(|error| internal(&error))?;
    let program = ebpf.program_mut(NAME).ok_or_else(|| internal(&"is gone"))?;
    let program: &mut SchedClassifier = program.try_into().map_err(|error| internal(&error))?;
    program
        .load()
        .map_err(|error| bpf::not_loaded(NAME, &["CAP_BPF"], error))
}
