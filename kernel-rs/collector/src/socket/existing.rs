//! Sockets that were there before the program is attached: asked to call back, and left as they were when it is taken off, by the
//! kernel's own iterator in every network namespace.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    thread,
};

use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::{Iter, iter::IterLink, loaded_programs},
};
use aya_obj::{btf::BtfKind, generated::bpf_prog_type::BPF_PROG_TYPE_SOCK_OPS};
use latscope_events::socket::visited;
use nix::sched::{CloneFlags, setns};

use super::object::{PRIVILEGES, PROGRAM};
use crate::{
    bpf::{self, take},
    btf,
    failure::{Failure, Reason},
};

/// What a visit does with each socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// Asks it to call back.
    Ask,
    /// Takes that back.
    Release,
}

impl Visit {
    const fn program(self) -> &'static str {
        match self {
            Self::Ask => "latscope_ask",
            Self::Release => "latscope_release",
        }
    }
}

/// The programs that visit sockets, and what they count.
pub(super) struct Existing {
    visited: Array<MapData, u64>,
}

impl Existing {
    pub(super) fn open(ebpf: &mut Ebpf) -> Result<Self, Failure> {
        Ok(Self {
            visited: take(ebpf, "VISITED")?,
        })
    }

    /// Visits every connected socket: what could not be, for a person; `None` = all were. Nothing is taken back while somebody else
    /// may count on it: whoever finds a socket asked already does not ask again.
    pub(super) fn visit(&mut self, ebpf: &mut Ebpf, visit: Visit) -> Option<String> {
        if visit == Visit::Release && others(ebpf) {
            return None;
        }
        match self.everywhere(ebpf, visit) {
            Ok(unseen) => unseen,
            Err(failure) => Some(not_seen(failure.message())),
        }
    }

    fn everywhere(&mut self, ebpf: &mut Ebpf, visit: Visit) -> Result<Option<String>, Failure> {
        for word in [visited::SEEN, visited::DONE] {
            let cleared = self.visited.set(word, 0, 0);
            cleared.map_err(|error| Failure::kernel("writing VISITED", &error))?;
        }
        let program = loaded(ebpf, visit.program())?;
        walk(link(program)?).map_err(|error| Failure::kernel("walking over sockets", &error))?;
        let mut refused = None;
        for path in namespaces() {
            let link = link(program)?;
            if let Err(error) = walk_in(&path, link)
                && error.kind() != io::ErrorKind::NotFound
            {
                refused = Some(error);
            }
        }
        let read = |word| {
            let value = self.visited.get(&word, 0);
            value.map_err(|error| Failure::kernel("reading VISITED", &error))
        };
        if read(visited::SEEN)? > 0 && read(visited::DONE)? == 0 {
            return Ok(Some(not_seen("that takes Linux 6.12")));
        }
        Ok(refused.map(|error| {
            format!("connections that were there before, in other network namespaces, are not seen: {error}")
        }))
    }
}

/// Whether the host may have another program that sockets call back; so it is taken to be where that cannot be told.
fn others(ebpf: &Ebpf) -> bool {
    let own = ebpf.program(PROGRAM).and_then(|it| it.info().ok());
    let own = own.map(|it| it.id());
    loaded_programs().any(|it| {
        it.map_or(true, |it| {
            it.program_type() == BPF_PROG_TYPE_SOCK_OPS && own != Some(it.id())
        })
    })
}

fn not_seen(why: &str) -> String {
    format!("connections that were there before the session are not seen: {why}")
}

fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Iter, Failure> {
    let program: &mut Iter = bpf::program(ebpf, name)?;
    if program.fd().is_err() {
        let types = btf::types_for(BtfKind::Func, "bpf_iter_tcp").ok_or_else(|| {
            Failure::new(
                Reason::HookUnavailable,
                "the kernel has no iterator of TCP sockets",
            )
        })?;
        let loaded = program.load("tcp", &types);
        loaded.map_err(|error| bpf::not_loaded(name, PRIVILEGES, error))?;
    }
    Ok(program)
}

fn link(program: &mut Iter) -> Result<IterLink, Failure> {
    program
        .attach()
        .and_then(|id| program.take_link(id))
        .map_err(|error| Failure::kernel("attaching an iterator of sockets", &error))
}

/// Runs over the sockets of the namespace that this thread is in.
fn walk(link: IterLink) -> io::Result<()> {
    let mut file = link.into_file().map_err(io::Error::other)?;
    // The programs write nothing: one reading goes over all.
    while file.read(&mut [0; 64])? > 0 {}
    Ok(())
}

fn walk_in(namespace: &PathBuf, link: IterLink) -> io::Result<()> {
    thread::scope(|scope| {
        let walk = move || {
            setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET)?;
            walk(link)
        };
        let inside = thread::Builder::new()
            .name("latscope-netns".into())
            .spawn_scoped(scope, walk)?;
        inside
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A way to each network namespace that a thread of the host is in, but for that of this thread.
fn namespaces() -> Vec<PathBuf> {
    let id = |path: &PathBuf| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    let own = id(&PathBuf::from("/proc/thread-self/ns/net"));
    let mut ways = BTreeMap::new();
    for process in numbered("/proc".into()) {
        for thread in numbered(process.join("task")) {
            let way = thread.join("ns/net");
            if let Some(id) = id(&way) {
                ways.entry(id).or_insert(way);
            }
        }
    }
    if let Some(own) = own {
        ways.remove(&own);
    }
    ways.into_values().collect()
}

/// Entries of a folder that are numbers.
fn numbered(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|it| it.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .map(|it| it.path())
        .collect()
}
