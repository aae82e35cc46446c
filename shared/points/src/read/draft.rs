//! What was read so far: points encoded but not put together. Holds the memory a write may take to a multiple of
//! its body, whatever that body is made of.
use std::ops::Range;

use super::Shapes;
use crate::error::{Fault, Parsed};
use crate::id::PointId;

/// Bytes any write may take, and how many times its body's. Vectors of eight numbers and more and payloads stay
/// under three times; beyond are millions of points that hold next to nothing, at tens of times.
const LEAST_LIMIT: usize = 4 << 20;
const LIMIT_TIMES_BODY: usize = 4;
/// Bytes of a point besides its fields: its id, its two places, and what frames it in a message.
const POINT_COST: usize = size_of::<PointId>() + 2 * size_of::<Span>() + 8;

/// Where something stands in the arena.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn len(self) -> usize {
        self.range().len()
    }
}

/// Points read so far: their fields stand in `arena`, where the spans say.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) arena: Vec<u8>,
    pub(crate) ids: Vec<PointId>,
    /// Per point its field `vectors`, tag and all.
    pub(crate) vectors: Vec<Span>,
    /// Per point its fields `payload`; empty without one.
    pub(crate) payloads: Vec<Span>,
    pub(crate) shapes: Shapes,
    /// Spans that are no point's.
    entries: usize,
    /// Bytes the write may take, its messages included.
    limit: usize,
}

impl Draft {
    /// An empty draft of a body of `body_len` bytes.
    pub(super) fn new(body_len: usize) -> Draft {
        Draft {
            arena: Vec::with_capacity(body_len / 4),
            limit: limit(body_len),
            ..Draft::default()
        }
    }

    /// Takes the next point's id.
    #[inline]
    pub(super) fn push_id(&mut self, id: PointId) -> Parsed<()> {
        self.ids.push(id);
        self.fits()
    }

    /// The place of what was written since the arena ended at `start`.
    #[inline]
    pub(super) fn span(&self, start: usize) -> Parsed<Span> {
        self.fits()?;
        Ok(Span {
            start: start as u32,
            end: self.arena.len() as u32,
        })
    }

    /// Like [`Draft::span`], for what is a part of a point's field.
    pub(super) fn entry(&mut self, start: usize) -> Parsed<Span> {
        self.entries += 1;
        self.span(start)
    }

    /// Whether the write, twice in memory while its messages are put together, is within its limit.
    #[inline]
    fn fits(&self) -> Parsed<()> {
        let cost =
            2 * self.arena.len() + POINT_COST * self.ids.len() + size_of::<Span>() * self.entries;
        if cost <= self.limit {
            return Ok(());
        }
        Err(too_large(self.limit))
    }
}

/// Bytes the write of a body may take. Every place in an arena under it fits a span.
fn limit(body_len: usize) -> usize {
    let limit = LEAST_LIMIT.saturating_add(body_len.saturating_mul(LIMIT_TIMES_BODY));
    limit.min(u32::MAX as usize)
}

#[cold]
fn too_large(limit: usize) -> Box<Fault> {
    Fault::invalid(format!(
        "with this the write takes more than {limit} bytes of memory, many times its own length; send fewer points at once"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_takes_a_multiple_of_its_body_and_no_more() {
        let mut draft = Draft::new(1 << 20);
        let most = (LEAST_LIMIT + (LIMIT_TIMES_BODY << 20)) / POINT_COST;
        for id in 0..most {
            draft.push_id(PointId::Num(id as u64)).expect("it fits");
        }
        draft.push_id(PointId::Num(0)).expect_err("one too many");

        let mut draft = Draft::new(0);
        draft.arena.resize(LEAST_LIMIT / 2, 0);
        assert_eq!(draft.span(5).expect("it fits").range(), 5..LEAST_LIMIT / 2);
        draft.entry(0).expect_err("a place more");
    }

    #[test]
    fn no_body_is_so_long_that_places_do_not_fit() {
        assert_eq!(limit(usize::MAX), u32::MAX as usize);
        assert_eq!(limit(0), LEAST_LIMIT);
    }
}
