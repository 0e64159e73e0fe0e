//! What the encoders read: a chunk as it is, or as a reader with a redaction may see it.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::{
    log::chunk::{Chunk, Flow, Process},
    scope::Redaction,
};

/// Samples of a chunk against a dictionary; ids are 1-based, 0 = none.
pub(crate) trait Source {
    /// Where all comes from that is never withheld, and the texts.
    fn chunk(&self) -> &Chunk;
    fn flow_id(&self, at: usize) -> u32;
    fn process_id(&self, at: usize) -> u32;
    fn subject_id(&self, at: usize) -> u32;
    fn flows(&self) -> &[Flow];
    fn processes(&self) -> &[Process];
}

impl Source for Chunk {
    #[inline]
    fn chunk(&self) -> &Chunk {
        self
    }

    #[inline]
    fn flow_id(&self, at: usize) -> u32 {
        self.flow_ids.get(at)
    }

    #[inline]
    fn process_id(&self, at: usize) -> u32 {
        self.process_ids.get(at)
    }

    #[inline]
    fn subject_id(&self, at: usize) -> u32 {
        self.subject_ids.get(at)
    }

    #[inline]
    fn flows(&self) -> &[Flow] {
        &self.flows
    }

    #[inline]
    fn processes(&self) -> &[Process] {
        &self.processes
    }
}

/// Redacts chunks: each entry of a dictionary once, however many samples refer to it.
#[derive(Debug)]
pub(crate) struct Redactor {
    redaction: Redaction,
    /// The chunk whose dictionary this is.
    first_index: Option<u64>,
    flows: Entries<Flow>,
    processes: Entries<Process>,
}

/// Entries as they are told. Those that look the same afterwards are one: two would tell that there are two.
#[derive(Debug)]
struct Entries<T> {
    /// Of each entry of the chunk, 1-based.
    ids: Vec<u32>,
    told: Vec<T>,
    known: FxHashMap<T, u32>,
}

impl Redactor {
    pub(crate) fn new(redaction: Redaction) -> Self {
        Self {
            redaction,
            first_index: None,
            flows: Entries::default(),
            processes: Entries::default(),
        }
    }

    pub(crate) fn redaction(&self) -> Redaction {
        self.redaction
    }

    /// A chunk as it may be seen.
    pub(crate) fn view<'a>(&'a mut self, chunk: &'a Chunk) -> View<'a> {
        if self.first_index.replace(chunk.first_index) != Some(chunk.first_index) {
            self.flows = Entries::default();
            self.processes = Entries::default();
        }
        let redaction = self.redaction;
        self.flows.extend(&chunk.flows, |it| redaction.flow(it));
        self.processes
            .extend(&chunk.processes, |it| redaction.process(it));
        View {
            chunk,
            redactor: self,
        }
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            told: Vec::new(),
            known: FxHashMap::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Entries<T> {
    /// Takes over what was added to the dictionary of the chunk.
    fn extend(&mut self, entries: &[T], redact: impl Fn(&T) -> T) {
        let Self { ids, told, known } = self;
        for entry in &entries[ids.len()..] {
            let entry = redact(entry);
            ids.push(*known.entry(entry).or_insert_with(|| {
                told.push(entry);
                told.len() as u32
            }));
        }
    }

    fn id(&self, id: u32) -> u32 {
        id.checked_sub(1).map_or(0, |at| self.ids[at as usize])
    }
}

/// A chunk through a redaction.
pub(crate) struct View<'a> {
    chunk: &'a Chunk,
    redactor: &'a Redactor,
}

impl Source for View<'_> {
    fn chunk(&self) -> &Chunk {
        self.chunk
    }

    fn flow_id(&self, at: usize) -> u32 {
        self.redactor.flows.id(self.chunk.flow_ids.get(at))
    }

    fn process_id(&self, at: usize) -> u32 {
        self.redactor.processes.id(self.chunk.process_ids.get(at))
    }

    fn subject_id(&self, at: usize) -> u32 {
        if self
            .redactor
            .redaction
            .tells_subject(self.chunk.metrics[at])
        {
            self.chunk.subject_ids.get(at)
        } else {
            0
        }
    }

    fn flows(&self) -> &[Flow] {
        &self.redactor.flows.told
    }

    fn processes(&self) -> &[Process] {
        &self.redactor.processes.told
    }
}
