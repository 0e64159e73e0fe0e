//! Other network namespaces: found by path or process, entered only for as long as something is done there.
//!
//! A descriptor of a namespace, or a socket made in it, keeps it alive when everybody else has left. The engine therefore holds
//! neither for longer than what a session named leads there, and looks once a second whether it still does.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::MetadataExt as _,
    },
};

use nix::sched::{CloneFlags, setns};

use crate::{
    failure::{Failure, Reason},
    spec::compiled::{CompiledSpec, Namespace},
};

/// What tells a namespace from every other that lives at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    device: u64,
    /// What samples name it by.
    pub(super) inode: u64,
}

/// A namespace, and where a session found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: Id,
    path: String,
}

impl Id {
    /// Of the namespace that this thread is in.
    pub(super) fn own() -> io::Result<Self> {
        Self::of(&File::open("/proc/thread-self/ns/net")?)
    }

    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl Place {
    /// What a session means.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    fn find(namespace: &Namespace) -> Result<Self, String> {
        let path = match namespace {
            Namespace::Path(path) => path.clone(),
            Namespace::Pid(pid) => format!("/proc/{pid}/ns/net"),
        };
        let file = File::open(&path).map_err(|error| match (namespace, error.kind()) {
            (Namespace::Pid(pid), io::ErrorKind::NotFound) => format!("there is no process {pid}"),
            _ => format!("cannot open {path}: {error}"),
        })?;
        if !is_network(&file) {
            return Err(format!("{path} is not a network namespace"));
        }
        let id = Id::of(&file).map_err(|error| format!("cannot read {path}: {error}"))?;
        Ok(Self { id, path })
    }

    /// Whether it still leads to the same namespace.
    pub(super) fn leads_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|it| {
            self.id
                == Id {
                    device: it.dev(),
                    inode: it.ino(),
                }
        })
    }

    /// Does something inside, on a thread of its own.
    ///
    /// # Errors
    /// `NAMESPACE_UNKNOWN` when it is gone, `PRIVILEGE_MISSING`, and those of `act`.
    pub(super) fn inside<T: Send>(
        &self,
        act: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        std::thread::scope(|scope| {
            let inside = std::thread::Builder::new()
                .name("latscope-netns".into())
                .spawn_scoped(scope, || {
                    self.enter()?;
                    act()
                })
                .map_err(|error| Failure::kernel("starting a thread for a namespace", &error))?;
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn enter(&self) -> Result<(), Failure> {
        let file = File::open(&self.path).map_err(|error| self.gone(&error))?;
        if Id::of(&file).map_err(|error| self.gone(&error))? != self.id {
            return Err(self.gone(&"it leads to another"));
        }
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|error| {
            privilege().unwrap_or_else(|| Failure::kernel(&format!("entering {self}"), &error))
        })
    }

    fn gone(&self, why: &dyn std::fmt::Display) -> Failure {
        Failure::new(
            Reason::NamespaceUnknown,
            format!("network namespace {self} is gone: {why}"),
        )
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.path)
    }
}

/// Where a session is to be attached, each namespace once; `None` is the one this thread is in.
///
/// # Errors
/// `NAMESPACE_UNKNOWN` with the path of every one that is none, `PRIVILEGE_MISSING`.
pub(super) fn places(spec: &CompiledSpec) -> Result<Vec<Option<Place>>, Failure> {
    if spec.network_namespaces.is_empty() {
        return Ok(vec![None]);
    }
    let own = Id::own().map_err(|error| Failure::kernel("reading the own namespace", &error))?;
    if let Some(failure) = privilege() {
        return Err(failure);
    }
    let mut places = Vec::new();
    let mut wrong = Vec::new();
    for (at, namespace) in spec.network_namespaces.iter().enumerate() {
        match Place::find(namespace) {
            Ok(place) => {
                let place = (place.id != own).then_some(place);
                let id = |it: &Option<Place>| it.as_ref().map(|it| it.id);
                if places.iter().all(|other| id(other) != id(&place)) {
                    places.push(place);
                }
            }
            Err(description) => wrong.push((format!("spec.network_namespaces[{at}]"), description)),
        }
    }
    let Some((field, description)) = wrong.first() else {
        return Ok(places);
    };
    let failure = Failure::new(Reason::NamespaceUnknown, format!("{field}: {description}"));
    Err(wrong
        .into_iter()
        .fold(failure, |failure, (field, description)| {
            failure.with_violation(field, description)
        }))
}

fn privilege() -> Option<Failure> {
    crate::privilege::missing(&["CAP_SYS_ADMIN"])
}

/// Whether a file is one (`ioctl_ns(2)`); others do not know the request.
fn is_network(file: &File) -> bool {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: the request takes no memory.
    unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) == libc::CLONE_NEWNET }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        proto::{Probe, SessionSpec, TcpProbe, probe},
        spec,
    };

    fn places_of(names: &[&str]) -> Result<Vec<Option<Place>>, Failure> {
        let spec = SessionSpec {
            probes: vec![Probe {
                kind: Some(probe::Kind::Tcp(TcpProbe::default())),
                timeout: None,
            }],
            network_namespaces: names.iter().map(|it| (*it).to_owned()).collect(),
            ..SessionSpec::default()
        };
        places(&spec::check(&spec).unwrap().compiled)
    }

    #[test]
    fn what_leads_here_is_the_own_one() {
        let own = format!("pid:{}", std::process::id());
        assert_eq!(places_of(&[&own, "/proc/self/ns/net"]).unwrap(), [None]);
    }

    #[test]
    fn what_is_none_is_told_with_its_path() {
        let failure = places_of(&[
            "/proc/self/ns/net",
            "/no/such",
            "pid:4194304",
            "/proc/self/ns/uts",
            "/etc/passwd",
        ])
        .unwrap_err();
        assert_eq!(failure.reason(), Reason::NamespaceUnknown);
        let wrong: Vec<_> = failure
            .violations()
            .iter()
            .map(|it| (it.field.as_str(), it.description.as_str()))
            .collect();
        assert_eq!(
            wrong,
            [
                (
                    "spec.network_namespaces[1]",
                    "cannot open /no/such: No such file or directory (os error 2)"
                ),
                ("spec.network_namespaces[2]", "there is no process 4194304"),
                (
                    "spec.network_namespaces[3]",
                    "/proc/self/ns/uts is not a network namespace"
                ),
                (
                    "spec.network_namespaces[4]",
                    "/etc/passwd is not a network namespace"
                ),
            ]
        );
    }
}
