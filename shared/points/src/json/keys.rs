//! Finds a key that an object gives twice. JSON leaves open what that means and readers differ, so it is
//! refused rather than guessed.
use super::Cursor;
use super::text::RawText;
use crate::error::{Fault, Parsed};

/// Keys an object may have for them to be compared each with each; more are sorted.
const FEW: usize = 12;

/// Where a key stands: a third of a [`RawText`], since hostile objects have millions of them.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    end: u32,
}

impl Place {
    fn bytes(self, body: &[u8]) -> &[u8] {
        &body[self.start as usize..self.end as usize]
    }

    fn raw_text(self, body: &[u8]) -> RawText {
        RawText {
            start: self.start as usize,
            end: self.end as usize,
            escaped: self.bytes(body).contains(&b'\\'),
        }
    }
}

/// Keys of the objects being read, the innermost last.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    open: Vec<Place>,
    /// One of those there were had an escape.
    escaped: bool,
}

impl Keys {
    /// Notes a key.
    #[inline]
    pub(crate) fn push(&mut self, key: RawText) {
        // Bodies are shorter than 4 GiB: the readers of whole bodies see to that.
        self.open.push(Place {
            start: key.start as u32,
            end: key.end as u32,
        });
        self.escaped |= key.escaped;
    }

    /// Where the keys of an object that is entered now will start.
    #[inline]
    pub(crate) fn enter(&self) -> usize {
        self.open.len()
    }

    /// Forgets the keys noted since [`Keys::enter`] answered `start`.
    pub(crate) fn forget(&mut self, start: usize) {
        self.open.truncate(start);
    }

    /// Checks and forgets the keys noted since [`Keys::enter`] answered `start`.
    #[inline]
    pub(crate) fn leave(&mut self, cursor: &Cursor<'_>, start: usize) -> Parsed<()> {
        let keys = &mut self.open[start..];
        let twice = match (self.escaped, keys.len()) {
            (false, ..=FEW) => twice_of_few(cursor.body, keys),
            (false, _) => twice_of_many(cursor.body, keys),
            (true, _) => twice_of_escaped(cursor, keys)?,
        };
        match twice {
            None => {
                self.open.truncate(start);
                Ok(())
            }
            Some(key) => Err(given_twice(cursor, key.raw_text(cursor.body))),
        }
    }
}

#[inline]
fn twice_of_few(body: &[u8], keys: &[Place]) -> Option<Place> {
    for (index, key) in keys.iter().enumerate() {
        if keys[..index]
            .iter()
            .any(|earlier| earlier.bytes(body) == key.bytes(body))
        {
            return Some(*key);
        }
    }
    None
}

fn twice_of_many(body: &[u8], keys: &mut [Place]) -> Option<Place> {
    keys.sort_unstable_by(|a, b| a.bytes(body).cmp(b.bytes(body)).then(a.start.cmp(&b.start)));
    keys.windows(2)
        .find(|pair| pair[0].bytes(body) == pair[1].bytes(body))
        .map(|pair| pair[1])
}

/// Like [`twice_of_many`]; compares what the keys say, all of that written out once.
#[cold]
fn twice_of_escaped(cursor: &Cursor<'_>, keys: &[Place]) -> Parsed<Option<Place>> {
    let mut texts = Vec::new();
    let mut ends = Vec::with_capacity(keys.len());
    for key in keys {
        texts.extend_from_slice(&cursor.resolve(key.raw_text(cursor.body))?);
        ends.push(texts.len() as u32);
    }
    let text = |key: u32| {
        let start = key.checked_sub(1).map_or(0, |before| ends[before as usize]);
        &texts[start as usize..ends[key as usize] as usize]
    };
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| text(a).cmp(text(b)).then(a.cmp(&b)));
    Ok(order
        .windows(2)
        .find(|pair| text(pair[0]) == text(pair[1]))
        .map(|pair| keys[pair[1] as usize]))
}

/// The fault of `key` given twice.
#[cold]
pub(crate) fn given_twice(cursor: &Cursor<'_>, key: RawText) -> Box<Fault> {
    match cursor.resolve(key) {
        Ok(text) => Fault::wrong_type(key.start - 1, "the field is given twice")
            .within(&String::from_utf8_lossy(&text)),
        Err(fault) => fault,
    }
}

#[cfg(test)]
mod tests;
