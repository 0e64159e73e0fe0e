//! The bounds of base-2 exponential buckets, exact in integers.

/// The finest scale: 64 buckets from a power of two to the next, each 1.1 % wide.
pub const SCALE_MAX: i32 = 6;
/// The coarsest scale: one bucket for values above 1 that 64 bits hold.
pub const SCALE_MIN: i32 = -6;

/// Entry j is the floor of 2^63 * 2^(j/64).
#[rustfmt::skip]
const STEPS: [u64; 1 << SCALE_MAX] = [
    0x8000_0000_0000_0000, 0x8164_d1f3_bc03_0773, 0x82cd_8698_ac2b_a1d7, 0x843a_28c3_acde_4046,
    0x85aa_c367_cc48_7b14, 0x871f_6196_9e8d_1010, 0x8898_0e80_92da_8527, 0x8a14_d575_496e_fd9a,
    0x8b95_c1e3_ea8b_d6e6, 0x8d1a_df5b_7e5b_a9e5, 0x8ea4_398b_45cd_53c0, 0x9031_dc43_1466_b1dc,
    0x91c3_d373_ab11_c336, 0x935a_2b2f_13e6_e92b, 0x94f4_efa8_fef7_0961, 0x9694_2d37_2018_5a00,
    0x9837_f051_8db8_a96f, 0x99e0_4593_20b7_fa64, 0x9b8d_39b9_d54e_5538, 0x9d3e_d9a7_2cff_b750,
    0x9ef5_3260_91a1_11ad, 0xa0b0_510f_b971_4fc2, 0xa270_4303_0c49_6818, 0xa435_15ae_09e6_809e,
    0xa5fe_d6a9_b151_38ea, 0xa7cd_93b4_e965_3569, 0xa9a1_5ab4_ea7c_0ef8, 0xab7a_39b5_a93e_d337,
    0xad58_3eea_42a1_4ac6, 0xaf3b_78ad_690a_4374, 0xb123_f581_d2ac_258f, 0xb311_c412_a911_2489,
    0xb504_f333_f9de_6484, 0xb6fd_91e3_28d1_7791, 0xb8fb_af47_62fb_9ee9, 0xbaff_5ab2_133e_45fb,
    0xbd08_a39f_580c_36be, 0xbf17_99b6_7a73_1082, 0xc12c_4cca_6670_9456, 0xc346_ccda_2497_6407,
    0xc567_2a11_5506_dadd, 0xc78d_74c8_abb9_b15c, 0xc9b9_bd86_6e2f_27a2, 0xcbec_14fe_f272_7c5c,
    0xce24_8c15_1f84_80e3, 0xd063_33da_ef2b_2594, 0xd2a8_1d91_f12a_e45a, 0xd4f3_5aab_cfed_fa1f,
    0xd744_fcca_d69d_6af4, 0xd99d_15c2_78af_d7b5, 0xdbfb_b797_daf2_3755, 0xde60_f482_5e0e_9123,
    0xe0cc_deec_2a94_e111, 0xe33f_8972_be8a_5a51, 0xe5b9_06e7_7c83_48a8, 0xe839_6a50_3c4b_dc68,
    0xeac0_c6e7_dd24_392e, 0xed4f_301e_d994_2b84, 0xefe4_b99b_dcda_f5cb, 0xf281_773c_59ff_b139,
    0xf525_7d15_2486_cc2c, 0xf7d0_df73_0ad1_3bb8, 0xfa83_b2db_722a_033a, 0xfd3e_0c0c_f486_c174,
];

/// The bucket that counts a value above 0: index i counts (base^i, base^(i+1)], base = 2^(2^-scale).
///
/// # Panics
/// If the value is 0, or the scale is not between [`SCALE_MIN`] and [`SCALE_MAX`].
#[must_use]
pub fn index(scale: i32, value: u64) -> i32 {
    assert!((SCALE_MIN..=SCALE_MAX).contains(&scale), "scale {scale}");
    let exponent = value.ilog2();
    // At the finest scale: steps above the power of two that are below the value.
    let steps = STEPS.partition_point(|step| step >> (63 - exponent) < value);
    let finest = (exponent as i32) * STEPS.len() as i32 + steps as i32 - 1;
    finest >> (SCALE_MAX - scale)
}

/// The largest value that a bucket counts: the floor of its upper bound, at most `u64::MAX`; 0 if it counts none.
///
/// # Panics
/// If the scale is not between [`SCALE_MIN`] and [`SCALE_MAX`].
#[must_use]
pub fn largest(scale: i32, index: i32) -> u64 {
    assert!((SCALE_MIN..=SCALE_MAX).contains(&scale), "scale {scale}");
    let bound = (i64::from(index) + 1) << (SCALE_MAX - scale);
    let exponent = bound >> SCALE_MAX;
    if exponent < 0 {
        0
    } else if exponent >= 64 {
        u64::MAX
    } else {
        STEPS[(bound as usize) % STEPS.len()] >> (63 - exponent)
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;

    use super::*;

    #[test]
    fn steps_are_the_floors_of_the_powers() {
        for (j, step) in STEPS.into_iter().enumerate() {
            // step <= 2^(63 + j/64) < step + 1, each side to the 64th power.
            let power = BigUint::from(2_u8).pow(63 * 64 + j as u32);
            assert!(BigUint::from(step).pow(64) <= power, "{j}");
            assert!((BigUint::from(step) + 1_u8).pow(64) > power, "{j}");
        }
    }

    #[test]
    fn every_bucket_ends_at_its_bound() {
        for scale in SCALE_MIN..=SCALE_MAX {
            let last = index(scale, u64::MAX);
            for at in index(scale, 1)..=last {
                let bound = largest(scale, at);
                if bound == largest(scale, at - 1) {
                    continue; // Narrower than 1: no integer is in it.
                }
                assert_eq!(index(scale, bound), at, "scale {scale}, {bound}");
                if at < last {
                    assert!(index(scale, bound + 1) > at, "scale {scale}, {bound} + 1");
                }
            }
        }
    }

    #[test]
    fn powers_of_two_are_the_last_of_their_bucket() {
        assert_eq!(
            (
                index(0, 1),
                index(0, 2),
                index(0, 3),
                index(0, 4),
                index(0, 5)
            ),
            (-1, 0, 1, 1, 2)
        );
        assert_eq!((index(3, 1), index(3, 2), index(3, 1 << 20)), (-1, 7, 159));
        assert_eq!(
            (largest(0, 0), largest(3, 159), largest(0, 63)),
            (2, 1 << 20, u64::MAX)
        );
    }
}
