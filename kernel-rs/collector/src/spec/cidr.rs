//! Address ranges.

use std::{fmt, net::IpAddr};

/// An address range. Bits beyond the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// IPv4: the address is in the first four bytes and the others are zero.
    pub ipv4: bool,
    /// In network order.
    pub address: [u8; 16],
    /// 0 to 32, or to 128.
    pub prefix_length: u8,
}

impl Cidr {
    /// Parses `10.0.0.0/8`, `fd00::/8`, or an address, which stands for itself alone. Host bits are dropped.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{text:?} is not a CIDR or an address"))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_length = match prefix {
            None => longest,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()) => {
                digits
                    .parse()
                    .ok()
                    .filter(|length| *length <= longest)
                    .ok_or_else(|| {
                        format!("{text:?} is not a CIDR (prefix length 0 to {longest})")
                    })?
            }
            Some(_) => {
                return Err(format!(
                    "{text:?} is not a CIDR (prefix length 0 to {longest})"
                ));
            }
        };
        // An IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2) is one on the wire.
        let (address, prefix_length) = match address {
            IpAddr::V6(it) if prefix_length >= 96 => {
                it.to_ipv4_mapped().map_or((address, prefix_length), |it| {
                    (it.into(), prefix_length - 96)
                })
            }
            _ => (address, prefix_length),
        };
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(it) => bytes[..4].copy_from_slice(&it.octets()),
            IpAddr::V6(it) => bytes = it.octets(),
        }
        Ok(Self::of(address.is_ipv4(), &bytes, prefix_length))
    }

    /// The range of so many leading bits of an address.
    #[must_use]
    pub fn of(ipv4: bool, address: &[u8; 16], prefix_length: u8) -> Self {
        let bits = u128::from_be_bytes(*address) & mask(prefix_length);
        Self {
            ipv4,
            address: bits.to_be_bytes(),
            prefix_length,
        }
    }

    /// Whether all of another range is in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix_length <= other.prefix_length && self.contains(other.ipv4, &other.address)
    }

    /// Whether an address is in the range.
    #[must_use]
    pub fn contains(&self, ipv4: bool, address: &[u8; 16]) -> bool {
        let Self {
            ipv4: own,
            address: base,
            prefix_length,
        } = self;
        *own == ipv4
            && (u128::from_be_bytes(*address) ^ u128::from_be_bytes(*base)) & mask(*prefix_length)
                == 0
    }
}

/// The leading `length` bits, of 128.
fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = crate::text::address(self.ipv4, &self.address);
        write!(formatter, "{address}/{}", self.prefix_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(address: [u8; 4]) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&address);
        bytes
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(Cidr::parse("::ffff:10.1.2.3"), Cidr::parse("10.1.2.3"));
        assert_eq!(
            Cidr::parse("::ffff:10.0.0.0/104"),
            Cidr::parse("10.0.0.0/8")
        );
        assert!(!Cidr::parse("::ffff:0:0/95").unwrap().ipv4);
    }

    #[test]
    fn host_bits_are_dropped_and_an_address_is_a_range_of_one() {
        assert_eq!(Cidr::parse("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(Cidr::parse("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(
            Cidr::parse("fd00::1:2/16").unwrap().to_string(),
            "fd00::/16"
        );
        assert_eq!(Cidr::parse("0.0.0.0/0").unwrap().to_string(), "0.0.0.0/0");
    }

    #[test]
    fn contains_by_prefix_and_family() {
        let range = Cidr::parse("10.0.0.0/9").unwrap();
        assert!(range.contains(true, &v4([10, 127, 255, 255])));
        assert!(!range.contains(true, &v4([10, 128, 0, 0])));
        let any4 = Cidr::parse("0.0.0.0/0").unwrap();
        assert!(any4.contains(true, &v4([255; 4])) && !any4.contains(false, &[255; 16]));
        assert!(Cidr::parse("::/0").unwrap().contains(false, &[255; 16]));
    }

    #[test]
    fn malformed_ranges_say_what_would_be_right() {
        assert_eq!(
            Cidr::parse("10.0.0.0/99").unwrap_err(),
            "\"10.0.0.0/99\" is not a CIDR (prefix length 0 to 32)"
        );
        for wrong in [
            "",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::/129",
            "host",
            "10.0.0.0/-1",
        ] {
            assert!(Cidr::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
