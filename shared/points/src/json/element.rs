//! The hot path: a list of decimal numbers becomes little-endian f32, each the double nearest to the
//! text, rounded once more, which is what Qdrant's own reader makes of it.
//!
//! One number costs one step of "where is the next comma", and everything else hangs off that step
//! without the next number waiting for it. No digit is looked at alone: eight are turned at once
//! in a 64-bit word. A number in any other shape than `-0.123…` takes the long way, number by number.
use super::Cursor;
use crate::error::{Fault, Parsed};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// Bytes the fast way looks at from a number's first byte on.
const WINDOW: usize = 40;
/// Numbers room is made for when nothing is known of how many come.
const FIRST_GUESS: usize = 128;

impl Cursor<'_> {
    /// Reads the numbers of an array, after its bracket and before the first of them; leaves it. Appends
    /// them to `out` and tells how many; best when `expected` is right.
    pub(crate) fn elements(&mut self, out: &mut Vec<u8>, expected: usize) -> Parsed<usize> {
        let mut count = 0;
        self.peek();
        loop {
            let start = out.len();
            let room = if count == 0 && expected > 0 { expected } else { FIRST_GUESS };
            out.resize(start + 4 * room, 0);
            let (filled, more) = self.fast_run(&mut out[start..]);
            out.truncate(start + 4 * filled);
            count += filled;
            if !more {
                return Ok(count);
            }
            if filled < room {
                out.extend_from_slice(&self.element().map_err(|fault| fault.at_index(count))?.to_le_bytes());
                count += 1;
                if !self.next_item()? {
                    return Ok(count);
                }
                self.peek();
            }
        }
    }

    /// Reads numbers as long as they have the usual shape and there is room. Tells how many, and whether
    /// the array goes on; if it does, the cursor is at a number, or at what stands in its place.
    #[inline]
    fn fast_run(&mut self, room: &mut [u8]) -> (usize, bool) {
        let mut filled = 0;
        let mut at = self.at;
        let mut more = true;
        for slot in room.chunks_exact_mut(4) {
            let Some(window) = self.body.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) else { break };
            let (value, length) = fraction(window);
            let Some(value) = value else { break };
            let after = window[length];
            slot.copy_from_slice(&value.to_le_bytes());
            match after {
                b',' => {
                    at += length + 1;
                    at += usize::from(window[length + 1] == b' ');
                    filled += 1;
                }
                b']' => {
                    at += length + 1;
                    filled += 1;
                    more = false;
                    break;
                }
                _ => break,
            }
        }
        self.at = at;
        (filled, more)
    }

    /// Reads one number of any shape.
    fn element(&mut self) -> Parsed<f32> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {}
            _ => return Err(self.unexpected("a number")),
        }
        let decimal = self.decimal()?;
        let value = self.double(&decimal)? as f32;
        if value.is_finite() {
            return Ok(value);
        }
        let text = String::from_utf8_lossy(&self.body[decimal.start..decimal.end]);
        Err(Fault::invalid(format!("{text} is out of the range of a 32-bit float")))
    }
}

#[inline(always)]
fn word(window: &[u8; WINDOW], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&window[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// Digits after the point that go into the mantissa; those after them only say "a little more".
const KEPT: u32 = 16;
/// 10^-16 a little low and a little high: further off than three roundings of a double are.
const LOW: f64 = 1e-16 * (1.0 - 1.0 / (1_u64 << 49) as f64);
const HIGH: f64 = 1e-16 * (1.0 + 1.0 / (1_u64 << 49) as f64);

/// Reads a number of the shape `-?d.d+` at the start of `window`: its value and its length. No value if
/// the shape is another, or if two neighbouring floats are in question.
///
/// The text's value lies between `low` and `high`, hence so does the double nearest to it, and rounding is
/// monotonic: if both round to one float, so does that double.
#[inline(always)]
fn fraction(window: &[u8; WINDOW]) -> (Option<f32>, usize) {
    let negative = window[0] == b'-';
    let first = usize::from(negative);
    let whole = u64::from(window[first].wrapping_sub(b'0'));
    let point = window[first + 1] == b'.';

    let (high, high_digits) = digits(word(window, first + 2));
    let (middle, middle_digits) = digits(word(window, first + 10));
    let (_, low_digits) = digits(word(window, first + 18));
    let (middle, middle_digits, low_digits) = match (high_digits, middle_digits) {
        (8, 8) => (middle, 8, low_digits),
        (8, _) => (middle, middle_digits, 0),
        _ => (0, 0, 0),
    };
    let count = high_digits + middle_digits + low_digits;

    let mantissa = (whole * 100_000_000 + eight_digits(high)) * 100_000_000 + eight_digits(middle);
    let low = mantissa as i64 as f64 * LOW;
    let high = (mantissa + u64::from(count > KEPT)) as i64 as f64 * HIGH;
    let value = low as f32;
    let sure = point && whole <= 9 && (1..24).contains(&count) && value == high as f32;
    let signed = f32::from_bits(value.to_bits() | u32::from(negative) << 31);
    (sure.then_some(signed), first + 2 + count as usize)
}

/// Takes the digits at the start of `word`: their values, a byte each, zeros after the last, and how many.
#[inline(always)]
fn digits(word: u64) -> (u64, u32) {
    let values = word ^ (ONES * b'0' as u64);
    // A byte over 9 carries into its high bit, or has it set; a carry beyond it reaches later bytes only.
    let others = (values.wrapping_add(ONES * 0x76) | values) & HIGHS;
    let keep = ((others & others.wrapping_neg()) >> 7).wrapping_sub(1);
    (values & keep, others.trailing_zeros() / 8)
}

/// The number that eight digits' values make, the first in the lowest byte.
#[inline(always)]
fn eight_digits(values: u64) -> u64 {
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let even = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let odd = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    even.wrapping_add(odd) >> 32
}
