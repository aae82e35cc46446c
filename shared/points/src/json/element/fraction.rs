//! Numbers of the shape `-?d.d+`.
use super::window::{
    MOST_DIGITS, Window, are_digits, digits, first_bytes, sixteen_digits, sure_float, two_of_eight,
};

/// Digits after the point that go into the mantissa; those after them only say "a little more".
const KEPT: usize = 16;
/// Most digits after the point of a short number.
const SHORT: usize = 8;
/// Bits of a mantissa whose last place is too fine for its double to be within the slack: digits left out are
/// less than 1e-16, which is under 2^17 - 8 such units from `1 << TINY` on; three roundings are under 4.
const TINY: u32 = 36;
/// What eight digits after the point are worth less; of a negative number, too.
const SIGNED_SCALE: [f64; 2] = [1e8, -1e8];
/// `d.` as a number, less the digit.
const ZERO_POINT: u16 = u16::from_le_bytes(*b"0.");

/// Reads the number that ends at offset `end`. None if it has another shape, or if two neighbouring floats are in
/// question: then it is decided elsewhere.
#[inline(always)]
pub(super) fn read_fraction(window: Window<'_>, end: usize) -> Option<f32> {
    let Start {
        negative,
        whole,
        count,
    } = start::<MOST_DIGITS>(window, end)?;
    let first = negative + 2;
    let kept = digits(window.block(first)) & first_bytes(count, 0);
    let others = digits(window.block(first + KEPT)) & first_bytes(count, KEPT);
    if !are_digits(kept.max(others)) {
        return None;
    }
    let mantissa = u64::from(whole) * 10_000_000_000_000_000 + sixteen_digits(kept);
    let value = sure_float(mantissa as i64 as f64 * 1e-16)?;
    if mantissa >> TINY == 0 {
        std::hint::cold_path();
        if count > KEPT {
            return None;
        }
    }
    Some(f32::from_bits(value.to_bits() | (negative as u32) << 31))
}

/// Like [`read_fraction`], for at most [`SHORT`] digits after the point. Nothing is left to be decided elsewhere:
/// all of it is exact but the division, which rounds to the double nearest to the text.
#[inline(always)]
pub(super) fn read_short_fraction(window: Window<'_>, end: usize) -> Option<f32> {
    let Start {
        negative,
        whole,
        count,
    } = start::<SHORT>(window, end)?;
    let kept = digits(window.block(negative + 2)) & first_bytes(count, 0);
    if !are_digits(kept) {
        return None;
    }
    let mantissa = i32::from(whole) * 100_000_000 + two_of_eight(kept)[0];
    Some((f64::from(mantissa) / SIGNED_SCALE[negative]) as f32)
}

/// How a number begins, and how many bytes follow the point: one to as many as are wanted at most.
struct Start {
    /// One if there is a sign.
    negative: usize,
    whole: u16,
    count: usize,
}

#[inline(always)]
fn start<const MOST: usize>(window: Window<'_>, end: usize) -> Option<Start> {
    let negative = usize::from(window.byte(0) == b'-');
    let whole = window.pair(negative).wrapping_sub(ZERO_POINT);
    let count = end.wrapping_sub(negative + 2);
    (whole <= 9 && count.wrapping_sub(1) < MOST).then_some(Start {
        negative,
        whole,
        count,
    })
}
