//! Where the reader stands, and the steps between values: white space, brackets, commas, keys, literals.
use std::borrow::Cow;

use super::element::Rhythm;
use super::text::RawText;
use crate::error::{Fault, Parsed};

/// A place in a body.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    pub(super) body: &'a [u8],
    pub(super) at: usize,
    pub(super) rhythm: Rhythm,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Cursor<'a> {
        Cursor {
            body,
            at: 0,
            rhythm: Rhythm::default(),
        }
    }

    /// Another cursor on the same body, at `offset`.
    pub(crate) fn probe(&self, offset: usize) -> Cursor<'a> {
        Cursor {
            body: self.body,
            at: offset,
            rhythm: self.rhythm,
        }
    }

    /// The text between `offset` and the cursor.
    pub(crate) fn since(&self, offset: usize) -> &'a [u8] {
        &self.body[offset..self.at]
    }

    /// Offset of the next byte.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Goes to `offset`: back to a value seen before, or past one.
    pub(crate) fn go(&mut self, offset: usize) {
        self.at = offset;
    }

    /// Next byte that is no white space; `None` at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.body.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Enters an object; false if it is empty, and then it is left already.
    #[inline]
    pub(crate) fn open_object(&mut self, expected: &str) -> Parsed<bool> {
        if !self.take(b'{') {
            return Err(self.unexpected(expected));
        }
        Ok(!self.take(b'}'))
    }

    /// Enters an array; false if it is empty, and then it is left already.
    #[inline]
    pub(crate) fn open_array(&mut self, expected: &str) -> Parsed<bool> {
        if !self.take(b'[') {
            return Err(self.unexpected(expected));
        }
        Ok(!self.take(b']'))
    }

    /// After a member: whether another follows. Leaves the object if not.
    #[inline]
    pub(crate) fn next_member(&mut self) -> Parsed<bool> {
        self.next_of(b'}', "expected `,` or `}`")
    }

    /// After an item: whether another follows. Leaves the array if not.
    #[inline]
    pub(crate) fn next_item(&mut self) -> Parsed<bool> {
        self.next_of(b']', "expected `,` or `]`")
    }

    #[inline]
    fn next_of(&mut self, end: u8, expected: &str) -> Parsed<bool> {
        let more = match self.peek() {
            Some(b',') => true,
            Some(byte) if byte == end => false,
            _ => return Err(self.malformed(expected)),
        };
        self.at += 1;
        Ok(more)
    }

    /// Reads a member's name and the colon after it.
    #[inline]
    pub(crate) fn key(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let key = self.raw_key()?;
        self.resolve(key)
    }

    /// Like [`Cursor::key`], and leaves the name where it is.
    #[inline]
    pub(crate) fn raw_key(&mut self) -> Parsed<RawText> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("expected a field name in quotes"));
        }
        let key = self.raw_text()?;
        if !self.take(b':') {
            return Err(self.malformed("expected `:`"));
        }
        Ok(key)
    }

    /// Takes `null` if it comes next.
    #[inline]
    pub(crate) fn take_null(&mut self) -> Parsed<bool> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.literal(b"null")?;
        Ok(true)
    }

    /// Takes `word`, whose first letter was seen.
    pub(crate) fn literal(&mut self, word: &[u8]) -> Parsed<()> {
        if !self.body[self.at..].starts_with(word) {
            return Err(self.malformed("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Parsed<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Fault::syntax(
                self.at,
                "unexpected text after the end of the document",
            )),
        }
    }

    /// The fault of finding something else than `expected` where a value starts: a wrong type if it is
    /// JSON at all.
    #[cold]
    pub(crate) fn unexpected(&mut self, expected: &str) -> Box<Fault> {
        let found = match self.peek() {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => return self.malformed("expected a value"),
        };
        let mut probe = self.probe(self.at);
        match found {
            // A bracket or a quote is enough to know; the literals and numbers are checked to be such.
            "a number" | "a boolean" | "null" => match probe.skip() {
                Ok(()) => Fault::wrong_type(self.at, format!("expected {expected}, found {found}")),
                Err(fault) => fault,
            },
            _ => Fault::wrong_type(self.at, format!("expected {expected}, found {found}")),
        }
    }

    /// The fault of text that is not JSON here.
    #[cold]
    pub(crate) fn malformed(&self, expected: &str) -> Box<Fault> {
        let Some(&byte) = self.body.get(self.at) else {
            return Fault::syntax(self.at, format!("{expected}, found the end of the body"));
        };
        let rest = &self.body[self.at..];
        for word in ["NaN", "Infinity", "-Infinity", "-NaN"] {
            if rest.starts_with(word.as_bytes()) {
                return Fault::syntax(self.at, format!("{word} is not JSON"));
            }
        }
        let found = if byte.is_ascii_graphic() {
            format!("`{}`", byte as char)
        } else {
            format!("byte 0x{byte:02x}")
        };
        Fault::syntax(self.at, format!("{expected}, found {found}"))
    }
}
