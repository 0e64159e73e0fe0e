//! Finding a program or library: as a path, or by a library's name as the dynamic loader would.

use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

/// Where the loader looks besides what its configuration names (ld.so(8)).
const FOLDERS: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The file, as this process sees it. With `pid`, as that process does: what it has mapped comes first.
pub(super) fn find(name: &str, pid: Option<NonZeroU32>) -> Result<PathBuf, String> {
    let root = match pid {
        Some(pid) => PathBuf::from(format!("/proc/{pid}/root")),
        None => PathBuf::from("/"),
    };
    if let Some(pid) = pid
        && !Path::new(&format!("/proc/{pid}")).exists()
    {
        return Err(format!("there is no process {pid}"));
    }
    let seen = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    if name.contains('/') {
        let path = seen(Path::new(name));
        return match fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(path),
            Ok(_) => Err(format!("{name:?} is not a file")),
            Err(error) => Err(format!("{name:?}: {error}")),
        };
    }
    if let Some(pid) = pid
        && let Some(path) = mapped(name, pid)
    {
        return Ok(seen(&path));
    }
    for folder in folders(&root) {
        if let Some(path) = library(&seen(&folder), name) {
            return Ok(path);
        }
    }
    Err(format!(
        "no library {name:?} where the loader looks; give its path"
    ))
}

/// A file that a process has mapped.
fn mapped(name: &str, pid: NonZeroU32) -> Option<PathBuf> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])))
        .find(|path| {
            path.file_name()
                .and_then(|it| it.to_str())
                .is_some_and(|it| is_of(it, name))
        })
        .map(Path::to_path_buf)
}

/// Whether a file's name is that of a library: `libc.so.6` of `libc`, `libc.so.6` and `libc.so`.
fn is_of(file: &str, name: &str) -> bool {
    let rest = file.strip_prefix(name);
    rest.is_some_and(|it| {
        it.is_empty() || it.starts_with(".so") || (name.contains(".so") && it.starts_with('.'))
    })
}

/// The library of a name in a folder: of several versions the last.
fn library(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|it| Some(it.ok()?.path()))
        .filter(|it| {
            let file = it.file_name().and_then(|it| it.to_str());
            file.is_some_and(|it| is_of(it, name)) && is_elf(it)
        })
        .collect();
    found.sort();
    found.pop()
}

/// Some `lib*.so` are scripts for the linker.
fn is_elf(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0; 4];
    fs::File::open(path)
        .is_ok_and(|mut it| it.read_exact(&mut magic).is_ok() && &magic == b"\x7fELF")
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    configured(root, Path::new("etc/ld.so.conf"), 0, &mut folders);
    folders.extend(FOLDERS.map(PathBuf::from));
    folders
}

/// Folders that a configuration file names, and those it includes.
fn configured(root: &Path, file: &Path, depth: u32, folders: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(root.join(file)) else {
        return;
    };
    for line in text
        .lines()
        .map(str::trim)
        .filter(|it| !it.starts_with('#'))
    {
        if let Some(pattern) = line.strip_prefix("include ") {
            let pattern = pattern.trim().trim_start_matches('/');
            let folder = Path::new(pattern).parent().unwrap_or(Path::new(""));
            let mut files: Vec<PathBuf> = fs::read_dir(root.join(folder))
                .into_iter()
                .flatten()
                .filter_map(|it| Some(folder.join(it.ok()?.file_name())))
                .filter(|it| {
                    it.to_str()
                        .is_some_and(|it| fast_glob::glob_match(pattern, it))
                })
                .collect();
            files.sort();
            if depth < 4 {
                for file in files {
                    configured(root, &file, depth + 1, folders);
                }
            }
        } else if line.starts_with('/') {
            folders.push(line.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_as_the_loader_finds_it() {
        let path = find("libc", None).unwrap();
        assert!(path.to_str().unwrap().ends_with("/libc.so.6"), "{path:?}");
        assert_eq!(find("libc.so.6", None).unwrap(), path);
        let mine = NonZeroU32::new(std::process::id()).unwrap();
        let seen = find("libc", Some(mine)).unwrap();
        assert!(seen.starts_with(format!("/proc/{mine}/root")), "{seen:?}");
        assert!(seen.to_str().unwrap().ends_with("/libc.so.6"), "{seen:?}");
    }

    #[test]
    fn what_is_not_there_is_refused() {
        assert!(
            find("libnosuchthing", None)
                .unwrap_err()
                .contains("no library")
        );
        assert!(
            find("/no/such/file", None)
                .unwrap_err()
                .contains("/no/such/file")
        );
        assert!(find("/tmp", None).unwrap_err().contains("not a file"));
        let nobody = NonZeroU32::new(i32::MAX as u32).unwrap();
        assert!(
            find("libc", Some(nobody))
                .unwrap_err()
                .contains("no process")
        );
    }
}
