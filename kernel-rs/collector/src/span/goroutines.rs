//! Goroutines that will never return: those of processes that are gone. Of threads the kernel tells when they end, of goroutines
//! it knows nothing.

use std::path::Path;

use latscope_events::span::frames::target;

use super::engine::State;

impl State {
    /// Counts what they were in as starts without an end.
    pub(super) fn bury_goroutines(&mut self) {
        let gone = |pid: u32| !Path::new(&format!("/proc/{pid}")).exists();
        for frames in self.object.goroutines_of(gone) {
            for frame in frames.frame.iter().filter(|it| it.time != 0) {
                for member in self.members.values_mut() {
                    let mut lanes = member.lanes.iter();
                    if lanes.any(|it| target::is_of(frame.target, it.bit, it.since)) {
                        member.books.lose_start();
                    }
                }
            }
        }
    }
}
