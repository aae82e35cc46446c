//! One number of the shape `-?d.d+`, read from a window of bytes that begins with it.
use wide::{i16x8, i32x4, i32x8, u8x16};

/// The bytes a number is read from, and some after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a>(pub(super) &'a [u8; Window::LEN]);

impl Window<'_> {
    /// The longest number read here is `-0.` and 24 digits; two blocks of 16 are looked at from its third byte on.
    pub(super) const LEN: usize = 48;

    #[inline(always)]
    fn block(self, at: usize) -> u8x16 {
        block(self.0, at)
    }

    #[inline(always)]
    fn word(self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        u64::from_le_bytes(bytes)
    }
}

#[inline(always)]
fn block(bytes: &[u8], at: usize) -> u8x16 {
    let mut block = [0; 16];
    block.copy_from_slice(&bytes[at..at + 16]);
    u8x16::new(block)
}

// Numbers are taken from bytes as if the first were the lowest.
const _: () = assert!(cfg!(target_endian = "little"));

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Offset of the first comma from `from` on, if it is one of eight bytes. Whether a number ends there is for
/// [`read_fraction`] to see, which finds a comma among digits.
#[inline(always)]
pub(super) fn guess_end(window: Window<'_>, from: usize) -> Option<usize> {
    // The mask tells the compiler what is so anyway: that no bounds have to be checked.
    let from = from & 31;
    let commas = window.word(from) ^ (ONES * b',' as u64);
    let found = commas.wrapping_sub(ONES) & !commas & HIGHS;
    (found != 0).then_some(from + (found.trailing_zeros() / 8) as usize)
}

/// Offset of the first comma or closing bracket in the first 32 bytes.
#[cold]
pub(super) fn find_end(window: Window<'_>) -> Option<usize> {
    window.0[..32]
        .iter()
        .position(|byte| matches!(byte, b',' | b']'))
}

/// Digits after the point that go into the mantissa; those after them only say "a little more".
const KEPT: usize = 16;
/// Most digits after the point that are checked.
const MOST: usize = 24;
/// Slid along, the first 1 to 24 bytes of two blocks.
const KEEP: [u8; MOST + 32] = {
    let mut keep = [0; MOST + 32];
    let mut at = 0;
    while at < MOST {
        keep[at] = 0xff;
        at += 1;
    }
    keep
};
/// `d.` as a number, less the digit.
const ZERO_POINT: u16 = u16::from_le_bytes(*b"0.");

/// A double has 29 bits more of a fraction than a float: half of what these can say is where rounding
/// turns.
const SPARE: u64 = (1 << 29) - 1;
const HALF: u64 = 1 << 28;
/// How far a double may be off, in units of its last place. Digits left out are less than 1e-16, which is
/// under 2^17 - 8 such units from `1 << TINY` on; three roundings are under 4.
const SLACK: u64 = 1 << 17;
/// Bits of a mantissa whose last place is too fine for that.
const TINY: u32 = 36;

/// Reads the number before offset `end`, and tells that again. None if it has another shape, or if two neighbouring floats are in
/// question: then it is decided elsewhere.
///
/// The double computed is at most [`SLACK`] units of its last place off the one nearest to the text. If it is
/// further than that from the middle of two floats, both lie on one side of that middle and round to one float.
#[inline(always)]
pub(super) fn read_fraction(window: Window<'_>, end: usize) -> Option<(f32, usize)> {
    let negative = window.0[0] == b'-';
    let first = usize::from(negative);
    let whole = u16::from_le_bytes([window.0[first], window.0[first + 1]]).wrapping_sub(ZERO_POINT);
    let count = end.wrapping_sub(first + 2);
    if whole > 9 || count.wrapping_sub(1) >= MOST {
        return None;
    }
    let zero = u8x16::splat(b'0');
    let kept = (window.block(first + 2) - zero) & block(&KEEP, MOST - count);
    let others = (window.block(first + 2 + KEPT) - zero) & block(&KEEP, MOST + KEPT - count);
    let largest = kept.max(others);
    if largest.min(u8x16::splat(9)).simd_eq(largest).to_bitmask() != 0xffff {
        return None;
    }
    let mantissa = u64::from(whole) * 10_000_000_000_000_000 + sixteen_digits(kept);
    let value = mantissa as i64 as f64 * 1e-16;
    if value.to_bits().wrapping_sub(HALF - SLACK) & SPARE < 2 * SLACK {
        return None;
    }
    if mantissa >> TINY == 0 {
        std::hint::cold_path();
        if count > KEPT {
            return None;
        }
    }
    Some((
        f32::from_bits((value as f32).to_bits() | u32::from(negative) << 31),
        end,
    ))
}

/// The number that sixteen digits make.
#[inline(always)]
fn sixteen_digits(digits: u8x16) -> u64 {
    let digits: i16x8 = wide::bytemuck::cast(digits);
    let tens = digits & i16x8::splat(0xff);
    let units: i16x8 = digits >> 8;
    let pairs = tens * i16x8::splat(10) + units;
    let fours: i32x4 = pairs.dot(i16x8::new([100, 1, 100, 1, 100, 1, 100, 1]));
    let fours =
        i16x8::from_i32x8_saturate(wide::bytemuck::cast::<[i32x4; 2], i32x8>([fours, fours]));
    let eights: i32x4 = fours.dot(i16x8::new([10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1]));
    let [both, _]: [u64; 2] = wide::bytemuck::cast(eights);
    (both & 0xffff_ffff) * 100_000_000 + (both >> 32)
}
