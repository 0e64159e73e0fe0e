//! Strings of the kernel and the wire, made fit for a message: valid UTF-8, no control characters, bounded.

use std::{
    borrow::Cow,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Longest string a message carries, in bytes: the kernel's `PATH_MAX`.
pub const TEXT_MAX: usize = 4096;

/// Any bytes as text: what is not valid UTF-8, and every control character, becomes `\xNN` for each byte; cut at [`TEXT_MAX`].
///
/// A backslash stays itself (systemd writes `\x2d` in cgroup names), so that escaping twice changes nothing.
#[must_use]
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if text.len() <= TEXT_MAX && !text.chars().any(char::is_control) => {
            Cow::Borrowed(text)
        }
        _ => Cow::Owned(escaped(bytes)),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().min(TEXT_MAX));
    let mut unit = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            unit.clear();
            if character.is_control() {
                let mut buffer = [0; 4];
                push_hex(&mut unit, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                unit.push(character);
            }
            if text.len() + unit.len() > TEXT_MAX {
                return text;
            }
            text.push_str(&unit);
        }
        for byte in chunk.invalid() {
            if text.len() + 4 > TEXT_MAX {
                return text;
            }
            push_hex(&mut text, &[*byte]);
        }
    }
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(text, "\\x{byte:02x}").expect("writing to a string never fails");
    }
}

/// A task's or an interface's name as the kernel keeps it: up to the first NUL.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|it| *it == 0).next().unwrap_or_default()
}

/// A domain name from the wire in presentation format (RFC 1035 5.1, RFC 4343 2.1), without the final dot; the root is `.`.
///
/// `None` where the bytes are no uncompressed name: cut short, a label over 63 bytes, or a name over 255.
#[must_use]
pub fn dns_name(wire: &[u8]) -> Option<String> {
    const LABEL_MAX: usize = 63;
    const NAME_MAX: usize = 255;
    let mut name = String::new();
    let mut rest = wire;
    loop {
        let (length, tail) = rest.split_first()?;
        let length = usize::from(*length);
        if wire.len() - tail.len() + length > NAME_MAX || length > LABEL_MAX {
            return None;
        }
        if length == 0 {
            break;
        }
        let (label, tail) = tail.split_at_checked(length)?;
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            match byte {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                    name.extend(['\\', char::from(*byte)]);
                }
                0x21..=0x7e => name.push(char::from(*byte)),
                _ => write!(name, "\\{byte:03}").expect("writing to a string never fails"),
            }
        }
        rest = tail;
    }
    if name.is_empty() {
        name.push('.');
    }
    Some(name)
}

/// The address in `bytes`; IPv4 is in the first four.
#[must_use]
pub fn address(ipv4: bool, bytes: &[u8; 16]) -> IpAddr {
    if ipv4 {
        let [a, b, c, d, ..] = *bytes;
        Ipv4Addr::new(a, b, c, d).into()
    } else {
        Ipv6Addr::from(*bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_text_is_itself() {
        assert_eq!(
            escape("größe/\u{1f600}\\x2d".as_bytes()),
            "größe/\u{1f600}\\x2d"
        );
    }

    #[test]
    fn bad_bytes_and_control_characters_are_escaped() {
        assert_eq!(
            escape(b"a\xffb\n\x1b[31m\xc2\x9b"),
            "a\\xffb\\x0a\\x1b[31m\\xc2\\x9b"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let long = "ä".repeat(TEXT_MAX);
        assert_eq!(escape(long.as_bytes()).len(), TEXT_MAX);
        assert_eq!(escape(&[0xff; TEXT_MAX]).len(), TEXT_MAX);
    }

    #[test]
    fn names_in_presentation_format() {
        assert_eq!(
            dns_name(b"\x03www\x07example\x03com\x00").unwrap(),
            "www.example.com"
        );
        assert_eq!(dns_name(b"\x00").unwrap(), ".");
        assert_eq!(
            dns_name(b"\x05a.b\\\xff\x01\x00\x00").unwrap(),
            "a\\.b\\\\\\255.\\000"
        );
        for wrong in [&b""[..], b"\x03ww", b"\x03www", b"\x40", b"\xc0\x0c"] {
            assert_eq!(dns_name(wrong), None, "{wrong:?}");
        }
        assert_eq!(dns_name(&b"\x3f".repeat(256)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_become_bounded_text_and_twice_is_once(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let once = escape(&bytes).into_owned();
            prop_assert!(once.len() <= TEXT_MAX);
            prop_assert!(!once.chars().any(char::is_control));
            prop_assert_eq!(escape(once.as_bytes()), once.as_str());
        }

        #[test]
        fn any_name_is_printable(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(name) = dns_name(&bytes) {
                prop_assert!(name.bytes().all(|it| it.is_ascii_graphic()));
            }
        }
    }
}
