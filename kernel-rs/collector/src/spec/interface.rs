//! Names and globs of network interfaces.

use std::fmt;

/// Longest name of an interface, in bytes (`IFNAMSIZ` without its NUL).
const NAME_MAX: usize = 15;

/// A name, or a glob with `*`, `?`, `[...]` or `{a,b}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePattern {
    pattern: String,
    glob: bool,
}

impl InterfacePattern {
    /// Parses a name or a glob.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let glob = pattern.contains(['*', '?', '[', '{']);
        if pattern.is_empty() {
            return Err("is empty".into());
        }
        if pattern
            .chars()
            .any(|it| it == '/' || it.is_whitespace() || it.is_control())
        {
            return Err(format!("{pattern:?} has a character no interface name has"));
        }
        if !glob && pattern.len() > NAME_MAX {
            return Err(format!(
                "{pattern:?} is longer than the {NAME_MAX} bytes of an interface name"
            ));
        }
        Ok(Self {
            pattern: pattern.into(),
            glob,
        })
    }

    /// The exact name, unless this is a glob: a name that no interface bears is an error, a glob waits for one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (!self.glob).then_some(&self.pattern)
    }

    /// Whether everything it means is meant by another, as far as patterns tell: a glob is within itself, and within a beginning of
    /// what it begins with and a `*`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        const SPECIAL: [char; 6] = ['*', '?', '[', '{', '!', '\\'];
        if self == other {
            return true;
        }
        if !self.glob {
            return other.matches(&self.pattern);
        }
        let beginning = other
            .pattern
            .strip_suffix('*')
            .filter(|it| !it.contains(SPECIAL));
        let own = self.pattern.split(SPECIAL).next().unwrap_or_default();
        beginning.is_some_and(|it| own.starts_with(it))
    }

    /// What both mean, where patterns tell.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        if self.is_within(other) {
            Some(self.clone())
        } else {
            other.is_within(self).then(|| other.clone())
        }
    }

    /// Whether an interface of this name is meant.
    #[must_use]
    pub fn matches(&self, interface: &str) -> bool {
        if self.glob {
            fast_glob::glob_match(&self.pattern, interface)
        } else {
            self.pattern == interface
        }
    }
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_and_a_glob_is_many() {
        let name = InterfacePattern::parse("eth0").unwrap();
        assert_eq!(name.name(), Some("eth0"));
        assert!(name.matches("eth0") && !name.matches("eth01"));
        let glob = InterfacePattern::parse("veth*").unwrap();
        assert_eq!(glob.name(), None);
        assert!(glob.matches("veth7a") && !glob.matches("eth0"));
        assert!(InterfacePattern::parse("{eth,en}?").unwrap().matches("en1"));
    }

    #[test]
    fn a_glob_is_within_what_it_begins_with() {
        let within = |inner: &str, outer: &str| {
            let [inner, outer] = [inner, outer].map(|it| InterfacePattern::parse(it).unwrap());
            (inner.is_within(&outer), inner.meet(&outer))
        };
        for (inner, outer) in [
            ("eth0", "eth0"),
            ("eth0", "eth*"),
            ("eth0", "eth?"),
            ("veth1*", "veth*"),
            ("v?th1", "v*"),
            ("veth[0-9]", "*"),
            ("v*h", "v*h"),
        ] {
            let (is_within, meet) = within(inner, outer);
            assert!(is_within, "{inner} in {outer}");
            assert_eq!(meet.unwrap().to_string(), inner);
        }
        for (inner, outer) in [
            ("eth0", "ens*"),
            ("v*", "veth*"),
            ("v*h", "ve*"),
            ("!veth*", "veth*"),
            ("veth1*", "!v*"),
            ("veth1*", "v?*"),
        ] {
            assert!(!within(inner, outer).0, "{inner} in {outer}");
        }
        assert_eq!(within("v*", "veth*").1.unwrap().to_string(), "veth*");
        assert_eq!(within("v*h", "ve*").1, None);
    }

    #[test]
    fn what_no_interface_can_be_called_is_refused() {
        for wrong in ["", "a/b", "a b", "a\n", "sixteen-bytes-xy"] {
            assert!(InterfacePattern::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
