//! Passing over values nobody asked for, checked all the same, and finding members in them.
use std::borrow::Cow;

use super::Cursor;
use super::keys::Keys;
use crate::error::{Fault, Parsed};

/// Levels of lists and objects a value may have where it is passed over; Qdrant's own reader stops there.
const MAX_DEPTH: u32 = 128;
/// Fields an object may have that is read by its members: a dozen have a meaning there.
const MAX_MEMBERS: usize = 1024;

/// A member of an object, seen but not read.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) key: Cow<'a, [u8]>,
    /// Offset of its value.
    pub(crate) value: usize,
}

impl<'a> Cursor<'a> {
    /// Passes over a value of any kind; without recursion, so that no depth can hurt.
    pub(crate) fn skip(&mut self) -> Parsed<()> {
        // One bit a level, the innermost lowest: set in an object.
        let mut levels = 0_u128;
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(Fault::syntax(
                            self.at,
                            format!("nested deeper than {MAX_DEPTH} levels"),
                        ));
                    }
                    let object = open == b'{';
                    self.at += 1;
                    if !self.take(if object { b'}' } else { b']' }) {
                        if object {
                            self.key()?;
                        }
                        levels = levels << 1 | u128::from(object);
                        depth += 1;
                        continue;
                    }
                }
                _ => self.skip_scalar()?,
            }
            while depth > 0 {
                let object = levels & 1 == 1;
                if object && self.next_member()? {
                    self.key()?;
                    break;
                }
                if !object && self.next_item()? {
                    break;
                }
                levels >>= 1;
                depth -= 1;
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_scalar(&mut self) -> Parsed<()> {
        match self.peek() {
            Some(b'"') => {
                let raw = self.raw_text()?;
                self.resolve(raw).map(drop)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.malformed("expected a value")),
        }
    }

    /// Passes over an object and tells its members, none of them twice.
    pub(crate) fn members(&mut self, expected: &str) -> Parsed<Vec<Member<'a>>> {
        let mut members = Vec::new();
        let mut keys = Keys::default();
        let mut more = self.open_object(expected)?;
        while more {
            let key = self.raw_key()?;
            if members.len() == MAX_MEMBERS {
                return Err(Fault::wrong_type(
                    key.start,
                    format!("an object of more than {MAX_MEMBERS} fields"),
                ));
            }
            keys.push(key);
            self.peek();
            members.push(Member {
                key: self.resolve(key)?,
                value: self.at,
            });
            self.skip()?;
            more = self.next_member()?;
        }
        keys.leave(self, 0)?;
        Ok(members)
    }

    /// Offset of the value of member `key` of the object at `object`, as far as the text up to it can be
    /// read. For naming things in errors.
    #[cold]
    pub(crate) fn find_member(&self, object: usize, key: &[u8]) -> Option<usize> {
        let mut probe = self.probe(object);
        let mut more = probe.open_object("").ok()?;
        while more {
            let found = probe.key().ok()?;
            probe.peek();
            if *found == *key {
                return Some(probe.at);
            }
            probe.skip().ok()?;
            more = probe.next_member().ok()?;
        }
        None
    }

    /// Offset of item `index` of the array at `array`, as far as the text up to it can be read.
    #[cold]
    pub(crate) fn find_item(&self, array: usize, index: usize) -> Option<usize> {
        let mut probe = self.probe(array);
        let mut more = probe.open_array("").ok()?;
        for _ in 0..index {
            if !more {
                return None;
            }
            probe.skip().ok()?;
            more = probe.next_item().ok()?;
        }
        probe.peek();
        more.then_some(probe.at)
    }
}
