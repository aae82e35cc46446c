//! Walks the fields of a protobuf message without knowing it.
use std::ops::Range;

use super::ScanError;

/// One field.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Number and wire type, as on the wire.
    pub(super) tag: u64,
    /// All of it, tag and length with it.
    pub(super) bytes: Range<usize>,
    pub(super) payload: Payload,
}

/// What a field holds, by wire type.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// A varint.
    Number(u64),
    /// Length-delimited: where its content stands.
    Bytes(Range<usize>),
    /// Four or eight bytes.
    Other,
}

/// The fields of the message at a place of a body.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    body: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Fields<'a> {
    /// Fields of the message that `message` is; it lies within `body`.
    pub(super) fn new(body: &'a [u8], message: Range<usize>) -> Fields<'a> {
        Fields { body, at: message.start, end: message.end }
    }

    /// The next field; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Field>, ScanError> {
        if self.at == self.end {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        if !(8..1 << 32).contains(&tag) {
            return Err(error(start, "not a field's tag"));
        }
        let payload = match tag & 7 {
            0 => Payload::Number(self.varint()?),
            1 => self.fixed(8)?,
            2 => {
                let length = self.varint()?;
                let content = self.at;
                self.pass(length)?;
                Payload::Bytes(content..self.at)
            }
            5 => self.fixed(4)?,
            3 | 4 => return Err(error(start, "groups are not read")),
            _ => return Err(error(start, "no such wire type")),
        };
        Ok(Some(Field { tag, bytes: start..self.at, payload }))
    }

    fn fixed(&mut self, length: u64) -> Result<Payload, ScanError> {
        self.pass(length)?;
        Ok(Payload::Other)
    }

    #[inline]
    fn pass(&mut self, length: u64) -> Result<(), ScanError> {
        if length > (self.end - self.at) as u64 {
            return Err(error(self.at, "ends within a field"));
        }
        self.at += length as usize;
        Ok(())
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, ScanError> {
        let start = self.at;
        let mut value = 0;
        for (index, &byte) in self.body[start..self.end].iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if index == 9 && byte > 1 {
                    break;
                }
                self.at = start + index + 1;
                return Ok(value);
            }
        }
        Err(error(start, "not a number"))
    }
}

#[cold]
pub(super) fn error(offset: usize, message: &str) -> ScanError {
    ScanError { offset, message: message.to_owned() }
}

/// The error of a known field that holds something else than it is declared to.
#[cold]
pub(super) fn wrong_wire_type(offset: usize) -> ScanError {
    error(offset, "a field of the wrong wire type")
}
