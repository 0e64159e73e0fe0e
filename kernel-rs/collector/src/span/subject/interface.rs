//! Network interfaces by index and namespace.

use std::{borrow::Cow, ffi::CString, os::unix::fs::MetadataExt as _, sync::OnceLock};

use latscope_events::span::receive::device;

/// The number of an interface of this network namespace, or of `INDEX@NAMESPACE`, as others are called.
pub(super) fn number(name: &str) -> Result<u64, String> {
    if let Some((index, namespace)) = name.split_once('@')
        && let (Ok(index), Ok(namespace)) = (index.parse(), namespace.parse())
    {
        return Ok(device::pack(namespace, index));
    }
    let text = CString::new(name).map_err(|error| error.to_string())?;
    // SAFETY: a string that ends.
    match unsafe { libc::if_nametoindex(text.as_ptr()) } {
        0 => Err(format!("there is no interface {name:?}")),
        index => Ok(device::pack(own_namespace(), index)),
    }
}

/// The name of an interface; `INDEX@NAMESPACE` of one of another network namespace, by the namespace's inode.
pub(super) fn name(number: u64) -> Cow<'static, str> {
    let (namespace, index) = (device::namespace(number), device::index(number));
    let mut room = [0_u8; libc::IF_NAMESIZE];
    if namespace == own_namespace()
        // SAFETY: room for the longest name and its end.
        && !unsafe { libc::if_indextoname(index, room.as_mut_ptr().cast()) }.is_null()
    {
        let name = room.split(|byte| *byte == 0).next().unwrap_or_default();
        return String::from_utf8_lossy(name).into_owned().into();
    }
    format!("{index}@{namespace}").into()
}

/// Inode of the service's network namespace; 0 where it cannot be found out.
fn own_namespace() -> u32 {
    static INODE: OnceLock<u32> = OnceLock::new();
    *INODE.get_or_init(|| {
        let found = std::fs::metadata("/proc/self/ns/net");
        found.map_or(0, |it| it.ino() as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_names_here_and_numbers_elsewhere() {
        let lo = number("lo").unwrap();
        assert_eq!((device::index(lo), &*name(lo)), (1, "lo"));
        let other = device::pack(7, 3);
        assert_eq!(name(other), "3@7");
        assert_eq!(number("3@7"), Ok(other));
        assert!(number("nothing0").unwrap_err().contains("no interface"));
    }
}
