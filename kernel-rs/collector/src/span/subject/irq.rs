//! Hard interrupts by the names of who asked for them.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// An interrupt without a name is looked for again after so long.
const AGAIN: Duration = Duration::from_secs(1);

static KNOWN: Mutex<Option<(Instant, HashMap<u64, String>)>> = Mutex::new(None);

/// Every interrupt of a name.
pub(super) fn numbers(name: &str) -> Result<Vec<u64>, String> {
    let all = read();
    let found: Vec<u64> = all
        .iter()
        .filter(|(_, it)| *it == name)
        .map(|(number, _)| *number)
        .collect();
    if found.is_empty() {
        return Err(format!("{name:?} is no interrupt of /proc/interrupts"));
    }
    Ok(found)
}

/// The name of an interrupt.
pub(super) fn name(number: u64) -> Cow<'static, str> {
    let mut known = KNOWN.lock();
    if let Some((read_at, names)) = &*known {
        match names.get(&number) {
            Some(name) => return name.clone().into(),
            None if read_at.elapsed() < AGAIN => return format!("irq_{number}").into(),
            None => {}
        }
    }
    let (_, names) = known.insert((Instant::now(), read()));
    names
        .get(&number)
        .map_or_else(|| format!("irq_{number}"), Clone::clone)
        .into()
}

fn read() -> HashMap<u64, String> {
    parse(&fs::read_to_string("/proc/interrupts").unwrap_or_default())
}

/// Lines are a number, a count for each CPU, the chip, its own number with the trigger, and the names.
fn parse(text: &str) -> HashMap<u64, String> {
    let mut lines = text.lines();
    let cpus = lines.next().map_or(0, |it| it.split_whitespace().count());
    lines
        .filter_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let number = number.trim().parse().ok()?;
            let mut words = rest.split_whitespace().skip(cpus + 1).peekable();
            // `2-edge` in one word, or `2 Edge` in two.
            let pin = words.next()?;
            if pin.bytes().all(|it| it.is_ascii_digit()) {
                words.next_if(|it| matches!(*it, "Edge" | "Level" | "None"));
            }
            let name = words.collect::<Vec<_>>().join(" ");
            (!name.is_empty()).then_some((number, name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_behind_the_counts_of_every_cpu() {
        let names = parse(
            "           CPU0       CPU1       \n\
             \x20 4:          0         12  IO-APIC    4-edge      ttyS0\n\
             \x20 9:          0          0  IO-APIC    9-fasteoi   acpi, i801\n\
             \x2013:          5          0  GICv3  27 Level     arch_timer\n\
             NMI:          0          0   Non-maskable interrupts\n",
        );
        assert_eq!(names[&4], "ttyS0");
        assert_eq!(names[&9], "acpi, i801");
        assert_eq!(names[&13], "arch_timer");
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn an_unknown_one_is_told_by_its_number() {
        assert_eq!(name(1_000_000), "irq_1000000");
        assert!(numbers("no such").is_err());
    }
}
