//! What a probe on a function costs its caller: the trap into the kernel and back, which no statistics of the kernel's show.

use std::{fs, hint::black_box, num::NonZeroU32, path::PathBuf, time::Duration, time::Instant};

use latscope_events::{SESSIONS, span::frames::target};

use super::{
    object::Object,
    uprobe::{Place, When},
};

/// Wall time of one trap, in the caller's context, with the program that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trap {
    /// At an instruction.
    pub(super) reached: Duration,
    /// At the return of a function, besides that at its beginning.
    pub(super) returned: Duration,
}

/// Calls that are timed together, and how often: what a busy machine adds is left out with all but the shortest.
const CALLS: u32 = 50;
const ROUNDS: u32 = 5;

/// Measures it on a function of this process, which is not measured itself; `None` where no program can be put there.
pub(super) fn calibrate(object: &mut Object) -> Option<Trap> {
    let (path, place) = stepping_stone_in_its_file()?;
    let pid = NonZeroU32::new(std::process::id());
    let cookie = target::pack(SESSIONS as u32 - 1, 0, 0);
    let mut attach = |program, when| {
        let link = object.attach_function(program, (path.as_path(), place), when, cookie, pid);
        link.ok()
    };
    let none = time();
    let _call = attach("latscope_call", When::Reached)?;
    let one = time();
    let _return = attach("latscope_return", When::Returned)?;
    let both = time();
    Some(Trap {
        reached: one.saturating_sub(none),
        returned: both.saturating_sub(one),
    })
}

/// What a call takes.
fn time() -> Duration {
    let round = || {
        let begun = Instant::now();
        for n in 0..CALLS {
            black_box(stepping_stone(black_box(n)));
        }
        begun.elapsed() / CALLS
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

#[inline(never)]
extern "C" fn stepping_stone(n: u32) -> u32 {
    black_box(n)
}

/// The file that it was loaded from, and where it is there.
fn stepping_stone_in_its_file() -> Option<(PathBuf, Place)> {
    let address = stepping_stone as *const () as u64;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let start = number(start)?;
        if !(start..number(end)?).contains(&address) {
            return None;
        }
        let offset = number(words.nth(1)?)?;
        let path = PathBuf::from(&line[line.find('/')?..]);
        Some((path, Place::at(address - start + offset)))
    })
}
