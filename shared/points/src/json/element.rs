//! The hot path: a list of decimal numbers becomes little-endian f32, each the double nearest to the
//! text rounded once more, which is what Qdrant's own reader makes of it.
//!
//! What one number has to wait for from the one before is only where that ends, and this is found by a guess
//! that is right for all but a few numbers of a body: they are about equally long. Everything else, the
//! check of the guess included, overlaps with the next numbers. Numbers with an exponent, and those that need more
//! than the first 16 digits to be decided, go the long way.
mod fraction;
mod plain;
mod window;

use super::Cursor;
use crate::error::{Fault, Parsed, shortened};
use fraction::{read_fraction, read_short_fraction};
use plain::read_plain;
use window::Window;

/// Numbers room is made for when nothing is known of how many come.
const FIRST_GUESS: usize = 128;
/// Most numbers room is made for at once: the room is cleared first, and what is expected may not come.
const MOST_AT_ONCE: usize = 1024;
/// Numbers read the long way before the short one is tried again, where it was of no use.
const STREAK: usize = 32;
/// Where a number's end is looked for first: for `-0.` and 16 to 18 digits it is right.
const USUAL_END: usize = 16;
/// Twice the mean length of `0.` and eight digits, every second of them negative.
const TWICE_SHORT: usize = 21;

/// How the numbers of a body are written, as far as was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// A blank follows each comma.
    spaced: bool,
    /// A number ends within [`Window::GUESSED`] bytes from here.
    end: usize,
    shape: Shape,
}

impl Default for Rhythm {
    fn default() -> Rhythm {
        Rhythm {
            spaced: false,
            end: USUAL_END,
            shape: Shape::Fraction,
        }
    }
}

/// What numbers look like that are read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `-0.123`, with up to 24 digits after the point.
    Fraction,
    /// The same, with up to 8.
    ShortFraction,
    /// `-12.3` or `12`, with up to 16 digits in all.
    Plain,
}

impl Shape {
    /// Reads the number that ends at offset `end`, if it is of this shape and can be decided.
    fn read(self, window: Window<'_>, end: usize) -> Option<f32> {
        match self {
            Shape::Fraction => read_fraction(window, end),
            Shape::ShortFraction => read_short_fraction(window, end),
            Shape::Plain => read_plain(window, end),
        }
    }
}

/// Why the short way stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// No more room, or the numbers go on in another shape.
    Pause,
    /// Something that is not for it: a number, or whatever stands in its place.
    Other,
    /// The array's end, which is passed.
    End,
}

impl Cursor<'_> {
    /// Reads the numbers of an array, after its bracket and before the first of them; leaves it. Appends
    /// them to `out` and tells how many; best when `expected` is right.
    pub(crate) fn elements(&mut self, out: &mut Vec<u8>, expected: usize) -> Parsed<usize> {
        let start = out.len();
        let mut end = start;
        let mut room = if expected > 0 { expected } else { FIRST_GUESS };
        self.peek();
        loop {
            if out.len() == end {
                out.resize(end + 4 * room.min(MOST_AT_ONCE), 0);
                room = FIRST_GUESS;
            }
            let (filled, stop) = self.usual_elements(&mut out[end..]);
            end += 4 * filled;
            let streak = match stop {
                Stop::Pause => continue,
                Stop::Other if filled == 0 => STREAK,
                Stop::Other => 1,
                Stop::End => 0,
            };
            out.truncate(end);
            if stop == Stop::End || !self.other_elements(out, start, streak)? {
                return Ok((out.len() - start) / 4);
            }
            end = out.len();
        }
    }

    /// Appends `count` numbers of any shape to those of the array that stand in `out` from `start` on. Tells whether
    /// more follow; leaves the array if not.
    fn other_elements(&mut self, out: &mut Vec<u8>, start: usize, count: usize) -> Parsed<bool> {
        for _ in 0..count {
            let index = (out.len() - start) / 4;
            let value = self.element().map_err(|fault| fault.at_index(index))?;
            out.extend_from_slice(&value.to_le_bytes());
            if !self.next_item()? {
                return Ok(false);
            }
            self.rhythm.spaced = self.body.get(self.at) == Some(&b' ');
            self.peek();
        }
        Ok(true)
    }

    /// Reads numbers as long as they are written like those before, and there is room. Tells how many; stops
    /// before a number, if not at the end.
    fn usual_elements(&mut self, room: &mut [u8]) -> (usize, Stop) {
        let Rhythm { shape, spaced, .. } = self.rhythm;
        match (shape, spaced) {
            (Shape::Fraction, false) => self.run::<1>(room, read_fraction),
            (Shape::Fraction, true) => self.run::<2>(room, read_fraction),
            (Shape::ShortFraction, false) => self.run::<1>(room, read_short_fraction),
            (Shape::ShortFraction, true) => self.run::<2>(room, read_short_fraction),
            (Shape::Plain, false) => self.run::<1>(room, read_plain),
            (Shape::Plain, true) => self.run::<2>(room, read_plain),
        }
    }

    /// Reads numbers by `read`, `GAP` bytes from each one's end to the next.
    #[inline(always)]
    fn run<const GAP: usize>(
        &mut self,
        room: &mut [u8],
        read: impl Fn(Window<'_>, usize) -> Option<f32>,
    ) -> (usize, Stop) {
        let (slots, _) = room.as_chunks_mut::<4>();
        let start = self.at;
        let mut rest = self.body.get(start..).unwrap_or_default();
        let mut filled = 0;
        for slot in &mut *slots {
            let Some(window) = Window::of(rest) else {
                break;
            };
            let Some(end) = window.guess_end(self.rhythm.end) else {
                break;
            };
            let Some(value) = read(window, end) else {
                break;
            };
            if !window.has_gap::<GAP>(end) {
                break;
            }
            *slot = value.to_le_bytes();
            filled += 1;
            rest = &rest[end + GAP..];
        }
        self.at = self.body.len() - rest.len();
        let short = 2 * (self.at - start) <= filled * (TWICE_SHORT + 2 * GAP);
        if self.rhythm.shape == Shape::Fraction && filled > 0 && short {
            self.rhythm.shape = Shape::ShortFraction;
        }
        match slots.get_mut(filled) {
            None => (filled, Stop::Pause),
            Some(slot) => match self.search::<GAP>() {
                Some((value, stop)) => {
                    *slot = value.to_le_bytes();
                    (filled + 1, stop)
                }
                None => (filled, Stop::Other),
            },
        }
    }

    /// Reads the number that stands here: the last of the array, or one that does not end where that is looked
    /// for, or one of another shape. Learns from it.
    #[cold]
    fn search<const GAP: usize>(&mut self) -> Option<(f32, Stop)> {
        let window = Window::of(self.body.get(self.at..)?)?;
        let end = window.find_end()?;
        let stop = match window.byte(end) {
            b']' => Stop::End,
            _ if window.has_gap::<GAP>(end) => Stop::Pause,
            _ => return None,
        };
        let shapes = [self.rhythm.shape, Shape::Fraction, Shape::Plain];
        let (shape, value) = shapes
            .iter()
            .find_map(|shape| Some((*shape, shape.read(window, end)?)))?;
        self.rhythm.shape = shape;
        if end.wrapping_sub(self.rhythm.end) >= Window::GUESSED {
            self.rhythm.end = end.saturating_sub(Window::GUESSED / 2);
        }
        self.at += end + if stop == Stop::End { 1 } else { GAP };
        Some((value, stop))
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
        let text = shortened(&self.body[decimal.start..decimal.end]);
        Err(Fault::invalid(format!(
            "{text} is out of the range of a 32-bit float"
        )))
    }
}

#[cfg(test)]
mod tests;
