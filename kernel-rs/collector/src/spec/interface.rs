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
    fn what_no_interface_can_be_called_is_refused() {
        for wrong in ["", "a/b", "a b", "a\n", "sixteen-bytes-xy"] {
            assert!(InterfacePattern::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
