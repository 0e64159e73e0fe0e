//! The network interfaces of the namespace this thread is in.

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

use crate::{
    failure::{Failure, Reason},
    spec::interface::InterfacePattern,
};

/// An interface that the programs can be attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) up: bool,
    /// Frames begin with the IP header.
    pub(super) raw: bool,
}

/// Of `linux/if_arp.h`; libc lacks it.
const ARPHRD_RAWIP: u16 = 519;
const ETHERNET: u16 = libc::ARPHRD_ETHER;
const LOOPBACK: u16 = libc::ARPHRD_LOOPBACK;
/// tun and `WireGuard`, PPP, raw IP (mobile modems), IP in IP, SIT, IPv6 tunnels.
const RAW: [u16; 6] = [
    libc::ARPHRD_NONE,
    libc::ARPHRD_PPP,
    ARPHRD_RAWIP,
    libc::ARPHRD_TUNNEL,
    libc::ARPHRD_SIT,
    libc::ARPHRD_TUNNEL6,
];

/// All interfaces whose packets can be read, by index.
///
/// # Errors
/// What the kernel answers.
pub(super) fn list() -> Result<Vec<Interface>, Failure> {
    let addresses = getifaddrs().map_err(|error| Failure::kernel("listing interfaces", &error))?;
    let mut interfaces: Vec<Interface> = addresses
        .filter_map(|it| {
            let storage = it.address?;
            let link = storage.as_link_addr()?;
            let raw = RAW.contains(&link.hatype());
            (raw || matches!(link.hatype(), ETHERNET | LOOPBACK)).then(|| Interface {
                index: u32::try_from(link.ifindex()).unwrap_or_default(),
                name: it.interface_name,
                up: it.flags.contains(InterfaceFlags::IFF_UP),
                raw,
            })
        })
        .collect();
    interfaces.sort_unstable_by_key(|it| it.index);
    Ok(interfaces)
}

/// Those that a session asks for: by name, by glob, or every one that is up.
///
/// # Errors
/// `INTERFACE_UNKNOWN` for every plain name that no interface bears, with the path of each.
pub(super) fn chosen(
    all: &[Interface],
    patterns: &[InterfacePattern],
) -> Result<Vec<Interface>, Failure> {
    let unknown: Vec<(usize, &str)> = patterns
        .iter()
        .enumerate()
        .filter_map(|(place, pattern)| Some((place, pattern.name()?)))
        .filter(|(_, name)| all.iter().all(|it| it.name != *name))
        .collect();
    if let Some((place, name)) = unknown.first() {
        let known: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        let describe = |name: &str| {
            format!(
                "{name:?} is not an interface here; there are {}",
                known.join(", ")
            )
        };
        let failure = Failure::new(
            Reason::InterfaceUnknown,
            format!("spec.interfaces[{place}]: {}", describe(name)),
        );
        return Err(unknown.into_iter().fold(failure, |failure, (place, name)| {
            failure.with_violation(format!("spec.interfaces[{place}]"), describe(name))
        }));
    }
    Ok(matching(all, patterns))
}

/// As [`chosen`], where a name that no interface bears is one to wait for.
pub(super) fn matching(all: &[Interface], patterns: &[InterfacePattern]) -> Vec<Interface> {
    all.iter()
        .filter(|it| {
            if patterns.is_empty() {
                it.up
            } else {
                patterns.iter().any(|pattern| pattern.matches(&it.name))
            }
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str, up: bool) -> Interface {
        Interface {
            index,
            name: name.into(),
            up,
            raw: false,
        }
    }

    fn patterns(texts: &[&str]) -> Vec<InterfacePattern> {
        texts
            .iter()
            .map(|it| InterfacePattern::parse(it).unwrap())
            .collect()
    }

    #[test]
    fn none_named_means_every_one_that_is_up() {
        let all = [
            interface(1, "lo", true),
            interface(2, "eth0", true),
            interface(3, "eth1", false),
        ];
        let names = |texts: &[&str]| -> Vec<String> {
            chosen(&all, &patterns(texts))
                .unwrap()
                .into_iter()
                .map(|it| it.name)
                .collect()
        };
        assert_eq!(names(&[]), ["lo", "eth0"]);
        assert_eq!(names(&["eth*"]), ["eth0", "eth1"]);
        assert_eq!(names(&["wg*"]), Vec::<String>::new());
    }

    #[test]
    fn every_unknown_name_is_told() {
        let failure = chosen(
            &[interface(1, "lo", true)],
            &patterns(&["lo", "no0", "x*", "no1"]),
        )
        .unwrap_err();
        let fields: Vec<_> = failure
            .violations()
            .iter()
            .map(|it| it.field.as_str())
            .collect();
        assert_eq!(fields, ["spec.interfaces[1]", "spec.interfaces[3]"]);
    }

    #[test]
    fn loopback_is_there() {
        let lo = list()
            .unwrap()
            .into_iter()
            .find(|it| it.name == "lo")
            .unwrap();
        assert!(!lo.raw && lo.index > 0);
    }
}
