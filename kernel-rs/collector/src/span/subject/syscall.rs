//! System calls by name, of this architecture and of the 32-bit one that its kernel serves too.

use std::borrow::Cow;

use latscope_events::span::offsets::COMPAT;
use syscalls::{Sysno, x86};

/// Whether 32-bit programs run here, whose calls have other numbers.
const HAS_COMPAT: bool = cfg!(target_arch = "x86_64");
/// How those are told apart in names.
const PREFIX: &str = "ia32:";

/// Every number that a name stands for.
pub(super) fn numbers(name: &str) -> Result<Vec<u64>, String> {
    let (native, plain) = match name.strip_prefix(PREFIX) {
        Some(plain) => (None, plain),
        None => (name.parse::<Sysno>().ok(), name),
    };
    let compat = HAS_COMPAT
        .then(|| plain.parse::<x86::Sysno>().ok())
        .flatten()
        .map(|it| u64::from(it.id() as u32 | COMPAT));
    let numbers: Vec<u64> = native
        .map(|it| it.id() as u64)
        .into_iter()
        .chain(compat)
        .collect();
    if numbers.is_empty() {
        return Err(format!(
            "{name:?} is not a system call of {}",
            std::env::consts::ARCH
        ));
    }
    Ok(numbers)
}

/// The name of a number.
pub(super) fn name(number: u32) -> Cow<'static, str> {
    let plain = (number & (COMPAT - 1)) as usize;
    if number & COMPAT == 0 {
        Sysno::new(plain).map_or_else(|| format!("syscall_{plain}").into(), |it| it.name().into())
    } else {
        match x86::Sysno::new(plain) {
            Some(it) => format!("{PREFIX}{}", it.name()).into(),
            None => format!("{PREFIX}syscall_{plain}").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_numbers_and_back() {
        let openat = libc::SYS_openat as u32;
        assert_eq!(numbers("openat").unwrap()[0], u64::from(openat));
        assert_eq!(name(openat), "openat");
        assert_eq!(name(COMPAT - 1), "syscall_65535");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_of_32_bit_programs_have_their_own_numbers() {
        // openat is 257, and 295 for i386 (arch/x86/entry/syscalls).
        let compat = COMPAT + 295;
        assert_eq!(numbers("openat").unwrap(), [257, u64::from(compat)]);
        assert_eq!(name(compat), "ia32:openat");
        assert_eq!(numbers("ia32:openat").unwrap(), [u64::from(compat)]);
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let refused = numbers("openatt").unwrap_err();
        assert!(
            refused.contains("\"openatt\" is not a system call"),
            "{refused}"
        );
    }
}
