//! What the verifier says of programs that it took. aya asks for its log only when a program is refused, so a copy is verified for
//! the first who wants to know, and closed at once.

use std::{
    collections::HashMap,
    ffi::CStr,
    mem,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
};

use aya_obj::{
    Object, ProgramSection,
    generated::{bpf_attach_type, bpf_attr, bpf_cmd, bpf_map_info, bpf_prog_info},
};
use parking_lot::Mutex;

use crate::{
    bpf,
    footprint::{self, Objects},
    packet, program, socket, span,
};

/// What verifying came to (`BPF_LOG_STATS` of the kernel's `bpf_verifier.h`). Each step it took would be tens of megabytes.
const STATISTICS: u32 = 4;
const LOG_BYTES: usize = 16 << 10;
/// Bytes of a name that the kernel keeps (`BPF_OBJ_NAME_LEN`, less its NUL).
const NAME: usize = 15;

/// The verifier's log of one of our programs that is loaded: the time it took, the stack, instructions and states. `None` where
/// it cannot be had.
pub(crate) fn log(name: &str, id: u32) -> Option<String> {
    // The same code on the same kernel: what it came to once it comes to again.
    static KNOWN: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut known = KNOWN.lock();
    let known = known.get_or_insert_default();
    if let Some(log) = known.get(name) {
        return Some(log.clone());
    }
    let objects = [packet::OBJECT, socket::OBJECT, span::OBJECT];
    let log = objects.into_iter().find_map(|it| verify(it, name, id))?;
    known.insert(name.to_owned(), log.clone());
    Some(log)
}

/// Verifies a program of an object as it was when it was loaded: with the maps and the types that the loaded one has.
fn verify(object: &[u8], name: &str, id: u32) -> Option<String> {
    let mut object = Object::parse(object).ok()?;
    object.programs.get(name)?;
    let open = footprint::objects();
    // SAFETY: of integers and addresses, for which zero is a value.
    let mut info: bpf_prog_info = unsafe { mem::zeroed() };
    bpf::info(open.programs.get(&id)?.fd, &mut info)?;
    // The descriptor may have been closed meanwhile, and be another object's.
    (info.id == id).then_some(())?;

    if let Some(features) = aya::features().btf() {
        object.fixup_and_sanitize_btf(features).ok()?;
    }
    let maps = maps_of(&open, &program::map_ids(id));
    // Maps that only other programs of the object use are none of its own.
    let any = maps.first()?.1;
    let fd_of = |name: &str| {
        let kept = &name[..name.len().min(NAME)];
        maps.iter().find(|it| it.0 == kept).map_or(any, |it| it.1)
    };
    let sections = object.functions.keys().map(|it| it.0).collect();
    let wanted = mem::take(&mut object.maps);
    let given = wanted.iter().map(|(name, map)| (&**name, fd_of(name), map));
    object.relocate_maps(given, &sections).ok()?;
    object.relocate_calls(&sections).ok()?;
    object.sanitize_functions(aya::features());
    load(&object, name, &info, open.types.get(&info.btf_id).copied())
}

/// Name and descriptor of each of these maps.
fn maps_of(open: &Objects, ids: &[u32]) -> Vec<(String, RawFd)> {
    let named = ids.iter().filter_map(|id| {
        let fd = open.maps.get(id)?.fd;
        // SAFETY: of integers, for which zero is a value.
        let mut info: bpf_map_info = unsafe { mem::zeroed() };
        bpf::info(fd, &mut info)?;
        let name = info.name.map(|it| it as u8);
        let name = CStr::from_bytes_until_nul(&name).ok()?.to_str().ok()?;
        (info.id == *id).then(|| (name.to_owned(), fd))
    });
    named.collect()
}

fn load(object: &Object, name: &str, like: &bpf_prog_info, types: Option<RawFd>) -> Option<String> {
    let program = object.programs.get(name)?;
    let function = object.functions.get(&program.function_key())?;
    let (functions, lines) = (
        function.func_info.func_info_bytes(),
        function.line_info.line_info_bytes(),
    );
    let mut log = vec![0_u8; LOG_BYTES];
    // SAFETY: a union of integers and addresses, for which zero is a value.
    let mut attribute: bpf_attr = unsafe { mem::zeroed() };
    // SAFETY: this is the part of the union that BPF_PROG_LOAD takes.
    let it = unsafe { &mut attribute.__bindgen_anon_3 };
    it.prog_type = like.type_;
    it.prog_name = like.name;
    it.expected_attach_type = attach_type(&program.section);
    it.attach_btf_id = like.attach_btf_id;
    it.insns = function.instructions.as_ptr() as u64;
    it.insn_cnt = function.instructions.len() as u32;
    it.license = program.license.as_ptr() as u64;
    it.log_level = STATISTICS;
    it.log_buf = log.as_mut_ptr() as u64;
    it.log_size = LOG_BYTES as u32;
    if let Some(types) = types {
        it.prog_btf_fd = types as u32;
        it.func_info = functions.as_ptr() as u64;
        it.func_info_cnt = function.func_info.len() as u32;
        it.func_info_rec_size = function.func_info_rec_size as u32;
        it.line_info = lines.as_ptr() as u64;
        it.line_info_cnt = function.line_info.len() as u32;
        it.line_info_rec_size = function.line_info_rec_size as u32;
    }
    // SAFETY: everything that the attribute leads to lives until the call returns.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            bpf_cmd::BPF_PROG_LOAD,
            &raw mut attribute,
            size_of::<bpf_attr>(),
        )
    };
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor is new and nobody else's.
    drop(unsafe { OwnedFd::from_raw_fd(fd as RawFd) });
    let text = CStr::from_bytes_until_nul(&log).ok()?;
    Some(text.to_string_lossy().trim_end().to_owned())
}

/// What the kernel wants to know of a program before it verifies it, where that is not in its type.
fn attach_type(section: &ProgramSection) -> u32 {
    match section {
        ProgramSection::BtfTracePoint => bpf_attach_type::BPF_TRACE_RAW_TP as u32,
        ProgramSection::FEntry { .. } => bpf_attach_type::BPF_TRACE_FENTRY as u32,
        ProgramSection::FExit { .. } => bpf_attach_type::BPF_TRACE_FEXIT as u32,
        ProgramSection::Iter { .. } => bpf_attach_type::BPF_TRACE_ITER as u32,
        ProgramSection::SockOps => bpf_attach_type::BPF_CGROUP_SOCK_OPS as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        engine::Engine,
        packet::PacketEngine,
        proto::{Probe, SessionSpec, SocketProbe, SyscallProbe, TcpProbe, probe::Kind},
        socket::SocketEngine,
        span::SpanEngine,
        spec,
    };

    #[test]
    fn every_engine_s_programs_are_told_with_what_verifying_them_came_to() {
        let engines: [(Box<dyn Engine>, Kind, usize); 3] = [
            (
                Box::new(PacketEngine::default()),
                Kind::Tcp(TcpProbe::default()),
                2,
            ),
            (
                Box::new(SocketEngine::new()),
                Kind::Socket(SocketProbe::default()),
                1,
            ),
            (
                Box::new(SpanEngine::new()),
                Kind::Syscall(SyscallProbe::default()),
                3,
            ),
        ];
        for (engine, kind, least) in engines {
            let probes = vec![Probe {
                kind: Some(kind),
                timeout: None,
            }];
            let spec = SessionSpec {
                probes,
                ..SessionSpec::default()
            };
            let programs = engine.load(&spec::check(&spec).unwrap().compiled).unwrap();
            assert!(programs.len() >= least);
            for program in programs {
                let log = super::log(&program.name, program.program_id).expect(&program.name);
                let steps = format!("processed {} insns", program.verified_instructions);
                assert!(log.contains(&steps), "{}: {steps}: {log}", program.name);
                assert_eq!(super::log(&program.name, 0), Some(log), "known by its name");
            }
        }
    }

    #[test]
    fn a_program_that_is_none_of_ours_has_no_log() {
        assert_eq!(super::log("latscope_nothing", 1), None);
    }
}
