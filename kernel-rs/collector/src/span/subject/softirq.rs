//! Soft interrupts by name (`softirq_to_name` of the kernel).

use std::borrow::Cow;

const NAMES: [&str; 10] = [
    "HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU",
];

/// The vector of a name.
pub(super) fn number(name: &str) -> Result<u64, String> {
    let at = NAMES.iter().position(|it| *it == name);
    at.map(|it| it as u64).ok_or_else(|| {
        format!(
            "{name:?} is no soft interrupt; there are {}",
            NAMES.join(", ")
        )
    })
}

/// The name of a vector.
pub(super) fn name(number: u64) -> Cow<'static, str> {
    match NAMES.get(number as usize) {
        Some(name) => (*name).into(),
        None => format!("vector_{number}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_the_same_names_in_the_same_order() {
        let text = std::fs::read_to_string("/proc/softirqs").unwrap();
        let names: Vec<&str> = text
            .lines()
            .skip(1)
            .filter_map(|line| line.trim().split(':').next())
            .collect();
        assert_eq!(names, NAMES);
        assert_eq!(number("NET_RX"), Ok(3));
        assert!(number("net_rx").unwrap_err().contains("NET_RX"));
        assert_eq!(name(10), "vector_10");
    }
}
