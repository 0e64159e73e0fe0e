//! What the kernel tells of a loaded program.

use std::{os::fd::RawFd, time::Duration};

use aya::programs::ProgramInfo;

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

/// All that can be told of a program without its bytecode.
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
    let length = info(fd, id, ProgInfo::default())?.xlated_len;
    let mut bytes = vec![0_u8; length as usize];
    let asked = ProgInfo {
        xlated_len: length,
        xlated: bytes.as_mut_ptr() as u64,
        ..ProgInfo::default()
    };
    let written = info(fd, id, asked)?.xlated_len;
    bytes.truncate(written as usize);
    Some(bytes).filter(|it| !it.is_empty())
}

/// The maps that one of our programs uses, by id; none for a program that is not ours.
pub(crate) fn map_ids(id: u32) -> Vec<u32> {
    let ids = || {
        let fd = footprint::program(id)?.fd;
        let count = info(fd, id, ProgInfo::default())?.nr_map_ids;
        let mut ids = vec![0_u32; count as usize];
        let asked = ProgInfo {
            nr_map_ids: count,
            map_ids: ids.as_mut_ptr() as u64,
            ..ProgInfo::default()
        };
        let written = info(fd, id, asked)?.nr_map_ids;
        ids.truncate(written as usize);
        Some(ids)
    };
    ids().unwrap_or_default()
}

/// The beginning of `struct bpf_prog_info`; the kernel takes and gives as much of it as it is told.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_len: u32,
    xlated_len: u32,
    jited: u64,
    xlated: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
}

/// What the kernel tells of a program; it fills the buffers that `info` points to, as far as they go.
fn info(fd: RawFd, id: u32, mut info: ProgInfo) -> Option<ProgInfo> {
    const OBJ_GET_INFO_BY_FD: libc::c_long = 15;

    #[repr(C)]
    struct Attribute {
        fd: u32,
        info_len: u32,
        info: u64,
    }

    let mut attribute = Attribute {
        fd: fd.try_into().ok()?,
        info_len: size_of::<ProgInfo>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the kernel writes at most `info_len` bytes to `info`, and to the buffers in it no more than the lengths beside
    // them say; callers keep those alive until it returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            OBJ_GET_INFO_BY_FD,
            &raw mut attribute,
            size_of::<Attribute>(),
        )
    };
    // The descriptor may have been closed meanwhile, and be another object's.
    (result == 0 && info.id == id).then_some(info)
}
