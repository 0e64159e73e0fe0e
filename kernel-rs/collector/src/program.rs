//! What the kernel tells of a loaded program.

use std::{mem, os::fd::RawFd, time::Duration};

use aya::programs::ProgramInfo;
use aya_obj::generated::bpf_prog_info;

use crate::{bpf, footprint, proto::ProgramStats, statistics};

/// What its engine knows of a program.
pub(crate) struct Own<'a> {
    pub(crate) name: &'a str,
    /// As bpftool names it: `sched_cls`, `kprobe`.
    pub(crate) kind: &'a str,
    /// Where it is attached now, for a person; empty = nowhere.
    pub(crate) attached_to: String,
    /// Whether other sessions run it too.
    pub(crate) shared: bool,
    /// How long the kernel took to verify and compile it.
    pub(crate) load_time: Duration,
}

/// All that can be told of a program without its bytecode and its verifier's log.
pub(crate) fn stats(own: Own<'_>, info: ProgramInfo) -> ProgramStats {
    let counted = statistics::on() || info.run_count() > 0;
    let id = info.id();
    ProgramStats {
        name: own.name.into(),
        r#type: own.kind.into(),
        attached_to: own.attached_to,
        program_id: id,
        tag: format!("{:016x}", info.tag().swap_bytes()),
        bytecode_bytes: info.size_translated().unwrap_or_default(),
        jited_bytes: info.size_jitted(),
        verified_instructions: info.verified_instruction_count().unwrap_or_default(),
        run_count: counted.then(|| info.run_count()),
        run_time_ns: counted.then(|| info.run_time().as_nanos() as u64),
        shared: own.shared,
        load_time: prost_types::Duration::try_from(own.load_time).ok(),
        recursion_misses: footprint::program(id).map_or(0, |it| it.recursion_misses),
        map_bytes: bpf::map_bytes([info]),
        ..ProgramStats::default()
    }
}

/// The instructions of one of our programs as the kernel runs them, after its own rewriting: an array of `struct bpf_insn`.
/// `None` for a program that is not ours, and without `CAP_BPF`.
pub(crate) fn bytecode(id: u32) -> Option<Vec<u8>> {
    let fd = footprint::program(id)?.fd;
    let length = translated(fd, id, &mut [])?;
    let mut bytes = vec![0; length as usize];
    let written = translated(fd, id, &mut bytes)?;
    bytes.truncate(written as usize);
    Some(bytes).filter(|it| !it.is_empty())
}

/// The maps that one of our programs uses, by id; none for a program that is not ours.
pub(crate) fn map_ids(id: u32) -> Vec<u32> {
    /// Most of a program (`MAX_USED_MAPS`).
    const MAPS: usize = 64;
    let ids = || {
        let fd = footprint::program(id)?.fd;
        let mut ids = vec![0_u32; MAPS];
        // SAFETY: of integers and addresses, for which zero is a value.
        let mut info: bpf_prog_info = unsafe { mem::zeroed() };
        info.nr_map_ids = MAPS as u32;
        info.map_ids = ids.as_mut_ptr() as u64;
        bpf::info(fd, &mut info)?;
        ids.truncate(info.nr_map_ids as usize);
        // The descriptor may have been closed meanwhile, and be another object's.
        (info.id == id).then_some(ids)
    };
    ids().unwrap_or_default()
}

/// Length of the translated instructions, which are copied into `bytes` as far as it goes.
fn translated(fd: RawFd, id: u32, bytes: &mut [u8]) -> Option<u32> {
    // SAFETY: of integers and addresses, for which zero is a value.
    let mut info: bpf_prog_info = unsafe { mem::zeroed() };
    info.xlated_prog_len = bytes.len().try_into().ok()?;
    if !bytes.is_empty() {
        info.xlated_prog_insns = bytes.as_mut_ptr() as u64;
    }
    bpf::info(fd, &mut info)?;
    // The descriptor may have been closed meanwhile, and be another object's.
    (info.id == id).then_some(info.xlated_prog_len)
}
