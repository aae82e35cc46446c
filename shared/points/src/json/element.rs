//! The hot path: a list of decimal numbers becomes little-endian f32, each the double nearest to the
//! text rounded once more, which is what Qdrant's own reader makes of it.
//!
//! What one number has to wait for from the one before is only where that ends, and this is found by a guess
//! that is right for all but a few numbers of a body: they are about equally long. Everything else, the
//! check of the guess included, overlaps with the next numbers. Numbers of another shape than `-0.123`, and
//! those that need more than the first 16 digits to be decided, go the long way.
mod fraction;

use super::Cursor;
use crate::error::{Fault, Parsed};
use fraction::{Window, find_end, guess_end, read_fraction};

/// Numbers room is made for when nothing is known of how many come.
const FIRST_GUESS: usize = 128;
/// Numbers read the long way before the short one is tried again, where it was of no use.
const STREAK: usize = 32;
/// Where a number's end is looked for first: for `-0.` and 16 to 18 digits it is right.
const USUAL_END: usize = 16;

/// How the numbers of a body are written, as far as was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// A blank follows each comma.
    spaced: bool,
    /// A number ends within eight bytes from here.
    end: usize,
}

impl Default for Rhythm {
    fn default() -> Rhythm {
        Rhythm {
            spaced: false,
            end: USUAL_END,
        }
    }
}

/// Why the short way stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// No more room.
    Full,
    /// Something that is not for it: a number, or whatever stands in its place.
    Other,
    /// The array's end, which is passed.
    End,
}

impl Cursor<'_> {
    /// Reads the numbers of an array, after its bracket and before the first of them; leaves it. Appends
    /// them to `out` and tells how many; best when `expected` is right.
    pub(crate) fn elements(&mut self, out: &mut Vec<u8>, expected: usize) -> Parsed<usize> {
        let mut count = 0;
        let mut room = if expected > 0 { expected } else { FIRST_GUESS };
        self.peek();
        loop {
            let start = out.len();
            out.resize(start + 4 * room, 0);
            let (filled, stop) = match self.rhythm.spaced {
                true => self.run::<2>(&mut out[start..]),
                false => self.run::<1>(&mut out[start..]),
            };
            out.truncate(start + 4 * filled);
            count += filled;
            room = FIRST_GUESS;
            let streak = match stop {
                Stop::End => return Ok(count),
                Stop::Full => continue,
                Stop::Other if filled == 0 => STREAK,
                Stop::Other => 1,
            };
            for _ in 0..streak {
                out.extend_from_slice(
                    &self
                        .element()
                        .map_err(|fault| fault.at_index(count))?
                        .to_le_bytes(),
                );
                count += 1;
                if !self.next_item()? {
                    return Ok(count);
                }
                self.rhythm.spaced = self.body.get(self.at) == Some(&b' ');
                self.peek();
            }
        }
    }

    /// Reads numbers as long as they have the usual shape, `GAP` bytes from each one's end to the next,
    /// and there is room. Tells how many; stops before a number, if not at the end.
    #[inline]
    fn run<const GAP: usize>(&mut self, room: &mut [u8]) -> (usize, Stop) {
        let (slots, _) = room.as_chunks_mut::<4>();
        let mut filled = 0;
        let mut rest = self.body.get(self.at..).unwrap_or_default();
        let mut stop = Stop::Full;
        for slot in slots {
            stop = Stop::Other;
            let Some(window) = rest.first_chunk::<{ Window::LEN }>() else {
                break;
            };
            let window = Window(window);
            let guessed = guess_end(window, self.rhythm.end);
            let Some((value, end)) = guessed
                .and_then(|end| read_fraction(window, end))
                .or_else(|| self.search(window))
            else {
                break;
            };
            if window.0[end] == b']' {
                *slot = value.to_le_bytes();
                filled += 1;
                rest = &rest[end + 1..];
                stop = Stop::End;
                break;
            }
            if GAP == 2 && window.0[end + 1] != b' ' {
                break;
            }
            *slot = value.to_le_bytes();
            filled += 1;
            rest = &rest[end + GAP..];
            stop = Stop::Full;
        }
        self.at = self.body.len() - rest.len();
        (filled, stop)
    }

    /// Reads a number whose end is not where it was looked for, and learns from it.
    #[cold]
    fn search(&mut self, window: Window<'_>) -> Option<(f32, usize)> {
        let end = find_end(window)?;
        self.rhythm.end = end.saturating_sub(4);
        read_fraction(window, end)
    }

    /// Reads one number of any shape.
    fn element(&mut self) -> Parsed<f32> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {}
            _ => return Err(self.unexpected("a number")),
        }
        let decimal = self.decimal()?;
        let value = match decimal.near_float() {
            Some(value) => value,
            None => self.double(&decimal)? as f32,
        };
        if value.is_finite() {
            return Ok(value);
        }
        let text = String::from_utf8_lossy(&self.body[decimal.start..decimal.end]);
        Err(Fault::invalid(format!(
            "{text} is out of the range of a 32-bit float"
        )))
    }
}
