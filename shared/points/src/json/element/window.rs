//! The bytes a number is read from: where it ends, and which of them are digits.
use wide::{i16x8, i32x4, i32x8, u8x16, u16x8};

/// The bytes a number is read from, and some after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a>(&'a [u8; Window::LEN]);

// Numbers are taken from bytes as if the first were the lowest.
const _: () = assert!(cfg!(target_endian = "little"));

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

impl<'a> Window<'a> {
    /// The longest number that is read has `-0.` and 24 digits; two blocks of 16 are looked at from its third byte on.
    const LEN: usize = 48;
    /// Bytes a number's end is looked for in by a guess.
    pub(super) const GUESSED: usize = 8;

    /// The first bytes of `text`; none if it is too short.
    #[inline(always)]
    pub(super) fn of(text: &'a [u8]) -> Option<Window<'a>> {
        text.first_chunk().map(Window)
    }

    /// The byte at `offset`, which is under [`Window::LEN`].
    #[inline(always)]
    pub(super) fn byte(self, offset: usize) -> u8 {
        self.0[offset]
    }

    /// Two bytes from `offset` on, the first one lowest.
    #[inline(always)]
    pub(super) fn pair(self, offset: usize) -> u16 {
        u16::from_le_bytes([self.0[offset], self.0[offset + 1]])
    }

    /// 16 bytes from `offset` on.
    #[inline(always)]
    pub(super) fn block(self, offset: usize) -> u8x16 {
        block(self.0, offset)
    }

    /// Offset of the first comma from `from` on, if it is one of [`Window::GUESSED`] bytes. Bytes that are not ASCII
    /// may be taken for commas: [`Window::has_gap`] tells.
    #[inline(always)]
    pub(super) fn guess_end(self, from: usize) -> Option<usize> {
        // The mask tells the compiler what is so anyway: that no bounds have to be checked.
        let from = from & 31;
        let mut word = [0; Window::GUESSED];
        word.copy_from_slice(&self.0[from..from + Window::GUESSED]);
        // A comma becomes zero, which alone of ASCII is less than one.
        let found = (u64::from_le_bytes(word) ^ (ONES * b',' as u64)).wrapping_sub(ONES) & HIGHS;
        (found != 0).then_some(from + (found.trailing_zeros() / 8) as usize)
    }

    /// Whether a comma stands at `offset`, and a blank after it if `GAP` is two.
    #[inline(always)]
    pub(super) fn has_gap<const GAP: usize>(self, offset: usize) -> bool {
        match GAP {
            1 => self.byte(offset) == b',',
            _ => self.pair(offset) == u16::from_le_bytes(*b", "),
        }
    }

    /// Offset of the first comma or closing bracket in the first 31 bytes.
    pub(super) fn find_end(self) -> Option<usize> {
        let ends = |block: u8x16| {
            let ends = block.simd_eq(u8x16::splat(b',')) | block.simd_eq(u8x16::splat(b']'));
            ends.to_bitmask()
        };
        let found = ends(self.block(0)) | ends(self.block(16)) << 16;
        (found & (u32::MAX >> 1) != 0).then_some(found.trailing_zeros() as usize)
    }
}

/// Most bytes that [`first_bytes`] keeps.
pub(super) const MOST_DIGITS: usize = 24;
/// Slid along, the first 0 to 24 bytes of two blocks.
const KEEP: [u8; MOST_DIGITS + 32] = {
    let mut keep = [0; MOST_DIGITS + 32];
    let mut at = 0;
    while at < MOST_DIGITS {
        keep[at] = 0xff;
        at += 1;
    }
    keep
};

/// All bits of the bytes of a block at places under `count`, which is at most [`MOST_DIGITS`]; of a block that
/// begins `skipped` further on, up to 16.
#[inline(always)]
pub(super) fn first_bytes(count: usize, skipped: usize) -> u8x16 {
    block(&KEEP, MOST_DIGITS - count + skipped)
}

/// What digits stand for.
#[inline(always)]
pub(super) fn digits(bytes: u8x16) -> u8x16 {
    bytes - u8x16::splat(b'0')
}

/// Whether each byte is at most 9.
#[inline(always)]
pub(super) fn are_digits(bytes: u8x16) -> bool {
    // The sum stops at 255, so its highest bit is set from 10 on.
    bytes.saturating_add(u8x16::splat(0x80 - 10)).to_bitmask() == 0
}

/// The numbers that the first eight and the last eight digits make.
#[inline(always)]
pub(super) fn two_of_eight(digits: u8x16) -> [i32; 2] {
    let digits: u16x8 = wide::bytemuck::cast(digits);
    // The ten lies in the low byte: times 2561 puts ten times it beside the unit, in the high one.
    let pairs: u16x8 = (digits * u16x8::splat(10 * 256 + 1)) >> 8;
    let pairs: i16x8 = wide::bytemuck::cast(pairs);
    let fours: i32x4 = pairs.dot(i16x8::new([100, 1, 100, 1, 100, 1, 100, 1]));
    let fours: i32x8 = wide::bytemuck::cast([fours, fours]);
    let fours = i16x8::from_i32x8_saturate(fours);
    let eights = fours.dot(i16x8::new([10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1]));
    let [first, last, _, _] = eights.to_array();
    [first, last]
}

/// The number that sixteen digits make.
#[inline(always)]
pub(super) fn sixteen_digits(digits: u8x16) -> u64 {
    let [first, last] = two_of_eight(digits);
    first as u64 * 100_000_000 + last as u64
}

#[inline(always)]
fn block(bytes: &[u8], offset: usize) -> u8x16 {
    let mut block = [0; 16];
    block.copy_from_slice(&bytes[offset..offset + 16]);
    u8x16::new(block)
}

/// A double has 29 bits more of a fraction than a float: half of what these can say is where rounding
/// turns.
const SPARE: u64 = (1 << 29) - 1;
const HALF: u64 = 1 << 28;
/// How far a double may be off, in units of its last place.
pub(super) const SLACK: u64 = 1 << 17;

/// The float nearest to the double that is at most [`SLACK`] units of its last place off `value`. None if `value`
/// is not further than that from the middle of two floats: both doubles lie on one side of it else.
#[inline(always)]
pub(super) fn sure_float(value: f64) -> Option<f32> {
    if value.to_bits().wrapping_sub(HALF - SLACK) & SPARE < 2 * SLACK {
        return None;
    }
    Some(value as f32)
}
