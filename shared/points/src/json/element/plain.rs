//! Numbers of the shapes `-?d+` and `-?d+.d+`.
use wide::u8x16;

use super::window::{Window, are_digits, digits, first_bytes, sixteen_digits, sure_float};

/// Most digits, before the point and after it.
const MOST: usize = 16;
/// What the last of sixteen digits is worth, by how many of them stand before the point.
const LAST_DIGIT: [f64; MOST + 1] = [
    1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
    1e-2, 1e-1, 1e0,
];

/// Reads the number that ends at offset `end`. None if it has another shape, or if two neighbouring floats are in
/// question: then it is decided elsewhere.
///
/// The double it goes through is three roundings, under four units of its last place, off the one that is
/// nearest to the text.
#[inline(always)]
pub(super) fn read_plain(window: Window<'_>, end: usize) -> Option<f32> {
    let negative = usize::from(window.byte(0) == b'-');
    let len = end.wrapping_sub(negative);
    if len.wrapping_sub(1) > MOST {
        return None;
    }
    let text = window.block(negative);
    let points = text.simd_eq(u8x16::splat(b'.')).to_bitmask();
    // Digits before the point; all of them without one. Of 17 bytes the last is none that a number ends with, were it
    // the point, and one too many else.
    let whole = ((points | 1 << MOST).trailing_zeros() as usize).min(len);
    let count = len - usize::from(whole < len);
    let leading_zero = whole > 1 && window.byte(negative) == b'0';
    if whole == 0 || leading_zero || count > MOST || whole + 1 == len {
        return None;
    }
    // Behind the point everything moves up by one.
    let before = first_bytes(whole, 0);
    let closed = (text & before) | (window.block(negative + 1) & !before);
    let kept = digits(closed) & first_bytes(count, 0);
    if !are_digits(kept) {
        return None;
    }
    let value = sure_float(sixteen_digits(kept) as i64 as f64 * LAST_DIGIT[whole])?;
    Some(f32::from_bits(value.to_bits() | (negative as u32) << 31))
}
