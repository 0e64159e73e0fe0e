//! Disks by name.

use std::{borrow::Cow, collections::HashMap, fs};

use parking_lot::Mutex;

/// Bits of a minor number (`MINORBITS` of the kernel).
const MINOR_BITS: u32 = 20;
/// Disks that are remembered; when there are more, all are forgotten.
const REMEMBERED: usize = 1024;

static KNOWN: Mutex<Option<HashMap<u64, String>>> = Mutex::new(None);

/// The number of a disk, major above minor.
pub(super) fn number(name: &str) -> Result<u64, String> {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    // As sysfs writes it.
    let folder = name.replace('/', "!");
    let refused =
        || format!("{name:?} is no disk of this host (a name in /sys/block, not a partition)");
    if folder.is_empty() || folder.starts_with('.') {
        return Err(refused());
    }
    let text = fs::read_to_string(format!("/sys/block/{folder}/dev")).map_err(|_| refused())?;
    parse(text.trim()).ok_or_else(refused)
}

/// The name of a disk.
pub(super) fn name(number: u64) -> Cow<'static, str> {
    let mut known = KNOWN.lock();
    let known = known.get_or_insert_default();
    if let Some(name) = known.get(&number) {
        return name.clone().into();
    }
    if known.len() >= REMEMBERED {
        known.clear();
    }
    let (major, minor) = (number >> MINOR_BITS, number & ((1 << MINOR_BITS) - 1));
    let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}"));
    let Some(name) = link
        .ok()
        .and_then(|it| Some(it.file_name()?.to_str()?.replace('!', "/")))
    else {
        return format!("{major}:{minor}").into();
    };
    known.insert(number, name.clone());
    name.into()
}

fn parse(text: &str) -> Option<u64> {
    let (major, minor) = text.split_once(':')?;
    Some(major.parse::<u64>().ok()? << MINOR_BITS | minor.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_leads_to_its_number_and_back() {
        let any = fs::read_dir("/sys/block").unwrap().next().unwrap().unwrap();
        let disk = any.file_name().into_string().unwrap();
        assert_eq!(name(number(&disk).unwrap()), disk);
        assert_eq!(parse("7:3"), Some(7 << 20 | 3));
        assert_eq!(name(4095 << 20), "4095:0");
    }

    #[test]
    fn what_is_no_disk_is_refused() {
        for wrong in ["nosuchdisk", "", "..", "/dev/"] {
            assert!(number(wrong).unwrap_err().contains("is no disk"), "{wrong}");
        }
    }
}
