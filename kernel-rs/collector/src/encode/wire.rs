//! The protobuf wire format, written onto a byte buffer.

/// Wire type of numbers of variable length.
const VARINT: u32 = 0;
/// Wire type of eight bytes.
const FIXED64: u32 = 1;
/// Wire type of what has a length: strings, messages, packed numbers.
const LENGTH: u32 = 2;

/// Bytes of a varint.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    // Seven bits a byte; 9 * bits + 64 over 64 is that division, rounded up, for 1 to 64 bits.
    ((64 - (value | 1).leading_zeros()) as usize * 9 + 64) / 64
}

/// Small magnitudes of either sign as small numbers.
#[inline]
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends fields to a message.
pub(crate) trait Wire {
    /// A bare varint.
    fn put_varint(&mut self, value: u64);
    /// Number and length of a field whose bytes follow.
    fn put_length(&mut self, field: u32, length: usize);
    /// A number, unless it is 0.
    fn put_uint(&mut self, field: u32, value: u64);
    /// A fixed64, unless it is 0.
    fn put_fixed64(&mut self, field: u32, value: u64);
    /// A string or bytes, unless empty.
    fn put_bytes(&mut self, field: u32, value: &[u8]);
}

impl Wire for Vec<u8> {
    #[inline]
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    #[inline]
    fn put_length(&mut self, field: u32, length: usize) {
        self.put_varint(u64::from(field << 3 | LENGTH));
        self.put_varint(length as u64);
    }

    #[inline]
    fn put_uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.put_varint(u64::from(field << 3 | VARINT));
            self.put_varint(value);
        }
    }

    fn put_fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.put_varint(u64::from(field << 3 | FIXED64));
            self.extend_from_slice(&value.to_le_bytes());
        }
    }

    #[inline]
    fn put_bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.put_length(field, value.len());
            self.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_are_those_written(value in any::<u64>(), shift in 0..64_u32) {
            let mut buffer = Vec::new();
            buffer.put_varint(value >> shift);
            prop_assert_eq!(buffer.len(), varint_len(value >> shift));
            prop_assert_eq!(prost::encoding::decode_varint(&mut &buffer[..]).unwrap(), value >> shift);
        }
    }

    #[test]
    fn zigzag_as_specified() {
        assert_eq!(
            [0, -1, 1, i64::MAX, i64::MIN].map(zigzag),
            [0, 1, 2, u64::MAX - 1, u64::MAX]
        );
    }
}
