//! Finds a key that an object gives twice. JSON leaves open what that means and readers differ, so it is
//! refused rather than guessed.
use super::Cursor;
use super::text::RawText;
use crate::error::{Fault, Parsed};

/// Keys an object may have for them to be compared each with each; more are sorted.
const FEW: usize = 12;

/// Keys of the objects being read, the innermost last.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    open: Vec<RawText>,
}

impl Keys {
    /// Notes a key.
    #[inline]
    pub(crate) fn push(&mut self, key: RawText) {
        self.open.push(key);
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
        let plain = keys.iter().all(|key| !key.escaped);
        let twice = match (plain, keys.len()) {
            (true, ..=FEW) => twice_of_few(cursor.body, keys),
            (true, _) => twice_of_many(cursor.body, keys),
            (false, _) => twice_of_escaped(cursor, keys)?,
        };
        match twice {
            None => {
                self.open.truncate(start);
                Ok(())
            }
            Some(key) => Err(given_twice(cursor, key)),
        }
    }
}

fn bytes(body: &[u8], key: RawText) -> &[u8] {
    &body[key.start..key.end]
}

#[inline]
fn twice_of_few(body: &[u8], keys: &[RawText]) -> Option<RawText> {
    for (index, key) in keys.iter().enumerate() {
        if keys[..index]
            .iter()
            .any(|earlier| bytes(body, *earlier) == bytes(body, *key))
        {
            return Some(*key);
        }
    }
    None
}

fn twice_of_many(body: &[u8], keys: &mut [RawText]) -> Option<RawText> {
    keys.sort_unstable_by(|a, b| {
        bytes(body, *a)
            .cmp(bytes(body, *b))
            .then(a.start.cmp(&b.start))
    });
    keys.windows(2)
        .find(|pair| bytes(body, pair[0]) == bytes(body, pair[1]))
        .map(|pair| pair[1])
}

#[cold]
fn twice_of_escaped(cursor: &Cursor<'_>, keys: &[RawText]) -> Parsed<Option<RawText>> {
    let mut texts = Vec::with_capacity(keys.len());
    for key in keys {
        texts.push((cursor.resolve(*key)?, key));
    }
    texts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.start.cmp(&b.1.start)));
    Ok(texts
        .windows(2)
        .find(|pair| pair[0].0 == pair[1].0)
        .map(|pair| *pair[1].1))
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
