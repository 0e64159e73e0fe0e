//! Cgroups of version 2: a path for every id, and an id for every path.

use std::{
    collections::HashMap,
    fs, io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use crate::container;

/// Cgroups that are remembered; when there are more, all are forgotten.
const REMEMBERED: usize = 4096;
/// `FILEID_KERNFS` (include/linux/exportfs.h)
const FILEID_KERNFS: i32 = 0xfe;

/// Where a task runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Path below the root; empty = not known.
    pub(crate) path: Box<[u8]>,
    /// Empty = in no container.
    pub(crate) container: Box<[u8]>,
}

/// Places by the id of their cgroup.
#[derive(Default)]
pub(crate) struct Places {
    known: Mutex<HashMap<u64, Arc<Place>>>,
}

impl Places {
    /// The place of a cgroup: asked for when it is first seen, since it may be gone later.
    pub(crate) fn of(&self, id: u64) -> Arc<Place> {
        let mut known = self.known.lock();
        if let Some(place) = known.get(&id) {
            return place.clone();
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let path = path(id).unwrap_or_default();
        let place = Arc::new(Place {
            container: container::id(&path).unwrap_or_default().as_bytes().into(),
            path: path.into_bytes().into(),
        });
        known.insert(id, place.clone());
        place
    }
}

/// Where cgroup v2 is mounted: alone, or beside version 1 in a hybrid layout.
pub(crate) fn root() -> Option<&'static PathBuf> {
    static ROOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (place, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        })
    })
    .as_ref()
}

/// The id of a cgroup by its path below the root.
pub(crate) fn id(path: &str) -> Result<u64, String> {
    let root = root().ok_or("cgroup v2 is not mounted")?;
    let place = root.join(path.trim_start_matches('/'));
    match fs::metadata(&place) {
        Ok(found) if found.is_dir() => Ok(found.ino()),
        Ok(_) => Err(format!("{path:?} is not a cgroup")),
        Err(error) => Err(format!("no such cgroup {path:?}: {error}")),
    }
}

/// The path below the root of a cgroup by its id, which is its file handle.
fn path(id: u64) -> io::Result<String> {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        id: [u8; 8],
    }
    let root = root().ok_or(io::ErrorKind::NotFound)?;
    let mount = fs::File::open(root)?;
    let mut handle = Handle {
        bytes: 8,
        kind: FILEID_KERNFS,
        id: id.to_ne_bytes(),
    };
    // SAFETY: the handle is laid out as `struct file_handle` and lives through the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut handle,
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    let opened = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let whole = fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))?;
    let below = whole
        .strip_prefix(root)
        .map_err(|_| io::ErrorKind::NotFound)?;
    Ok(format!("/{}", below.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_leads_to_its_path_and_back() {
        let name = format!("/latscope-test-{}", std::process::id());
        let folder = root().expect("cgroup v2").join(&name[1..]);
        fs::create_dir(&folder).unwrap();
        let id = id(&name).unwrap();
        let found = path(id);
        fs::remove_dir(&folder).unwrap();
        assert_eq!(found.unwrap(), name);
        let gone = super::id(&name).unwrap_err();
        assert!(gone.starts_with("no such cgroup"), "{gone}");
    }

    #[test]
    fn the_root_is_a_slash() {
        let root = id("/").unwrap();
        let places = Places::default();
        assert_eq!(&*places.of(root).path, b"/");
        assert_eq!(*places.of(u64::MAX), Place::default());
    }
}
