//! A hash table of the kernel, read whole.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError},
};

use crate::{
    bpf::take,
    failure::Failure,
    wire::{Layout, Wire, zero},
};

/// A table whose entries are only looked at.
pub(super) struct Table<K, V> {
    name: &'static str,
    map: MapData,
    entries: PhantomData<(K, V)>,
}

/// A map that is an LRU hash table, whatever it holds.
struct Lru(MapData);

impl TryFrom<Map> for Lru {
    type Error = MapError;

    fn try_from(map: Map) -> Result<Self, MapError> {
        match map {
            Map::LruHashMap(map) => Ok(Self(map)),
            _ => Err(MapError::InvalidMapType { map_type: 0 }),
        }
    }
}

/// What `bpf(2)` takes for `BPF_MAP_LOOKUP_BATCH` (include/uapi/linux/bpf.h, `union bpf_attr`).
#[repr(C)]
struct Batch {
    begin: *const u32,
    end: *mut u32,
    keys: *mut libc::c_void,
    values: *mut libc::c_void,
    count: u32,
    map: u32,
    entry_flags: u64,
    flags: u64,
}

impl<K: Layout, V: Layout> Table<K, V> {
    /// Takes the table out of a loaded object, which says what it holds.
    pub(super) fn open(ebpf: &mut Ebpf, name: &'static str) -> Result<Self, Failure> {
        let Lru(map) = take(ebpf, name)?;
        Ok(Self {
            name,
            map,
            entries: PhantomData,
        })
    }

    /// Shows every entry that is there all the while, others perhaps. One call of the kernel's copies many: their number is
    /// bounded by the table's buckets, whatever comes and goes.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn each(&self, mut show: impl FnMut(&K, &V)) -> Result<(), Failure> {
        /// Entries to a call: more than any bucket holds.
        const MOST: usize = 1024;
        const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;
        let mut keys = vec![Wire(zero::<K>()); MOST];
        let mut values = vec![Wire(zero::<V>()); MOST];
        let mut place = 0;
        let mut batch = Batch {
            begin: std::ptr::null(),
            end: &raw mut place,
            keys: keys.as_mut_ptr().cast(),
            values: values.as_mut_ptr().cast(),
            count: 0,
            map: self.map.fd().as_fd().as_raw_fd() as u32,
            entry_flags: 0,
            flags: 0,
        };
        loop {
            batch.count = MOST as u32;
            // SAFETY: the attributes point to room for `count` keys and values of the sizes that the table was made with, and
            // to a word each for where the walk stands.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_bpf,
                    BPF_MAP_LOOKUP_BATCH,
                    &raw mut batch,
                    size_of::<Batch>(),
                )
            };
            let error = (result != 0).then(io::Error::last_os_error);
            match &error {
                None => {}
                Some(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Some(error) => {
                    return Err(Failure::kernel(&format!("reading {}", self.name), error));
                }
            }
            for (key, value) in keys.iter().zip(&values).take(batch.count as usize) {
                show(&key.0, &value.0);
            }
            if error.is_some() {
                return Ok(());
            }
            batch.begin = &raw const place;
        }
    }
}
