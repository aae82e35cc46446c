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
    /// The body up to the message's end.
    body: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Fields of the message that `message` is; it lies within `body`.
    pub(super) fn new(body: &'a [u8], message: Range<usize>) -> Fields<'a> {
        Fields {
            body: &body[..message.end],
            at: message.start,
        }
    }

    /// The next field; `None` at the end.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<Field>, ScanError> {
        if self.at == self.body.len() {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        if !(8..1 << 32).contains(&tag) {
            return Err(error(start, "not a field's tag"));
        }
        let payload = if tag & 7 == 2 {
            let length = self.varint()?;
            let content = self.at;
            self.pass(length)?;
            Payload::Bytes(content..self.at)
        } else {
            self.other(start, tag)?
        };
        Ok(Some(Field {
            tag,
            bytes: start..self.at,
            payload,
        }))
    }

    /// What a field holds that is not length-delimited.
    fn other(&mut self, start: usize, tag: u64) -> Result<Payload, ScanError> {
        match tag & 7 {
            0 => return self.varint().map(Payload::Number),
            1 => self.pass(8)?,
            5 => self.pass(4)?,
            3 | 4 => return Err(error(start, "groups are not read")),
            _ => return Err(error(start, "no such wire type")),
        }
        Ok(Payload::Other)
    }

    #[inline(always)]
    fn pass(&mut self, length: u64) -> Result<(), ScanError> {
        if length > (self.body.len() - self.at) as u64 {
            return Err(error(self.at, "ends within a field"));
        }
        self.at += length as usize;
        Ok(())
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, ScanError> {
        match self.body.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, ScanError> {
        let start = self.at;
        let mut value = 0;
        for (index, &byte) in self.body[start..].iter().take(10).enumerate() {
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
    ScanError {
        offset,
        message: message.to_owned(),
    }
}

/// The error of a known field that holds something else than it is declared to.
#[cold]
pub(super) fn wrong_wire_type(offset: usize) -> ScanError {
    error(offset, "a field of the wrong wire type")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{put_bytes, put_number, put_varint};

    /// Tags and payloads of a message's fields.
    fn fields(body: &[u8]) -> Result<Vec<(u64, Payload)>, ScanError> {
        let mut fields = Fields::new(body, 0..body.len());
        let mut found = Vec::new();
        while let Some(field) = fields.next()? {
            found.push((field.tag, field.payload));
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn fields_are_found_as_they_were_put(
            number in any::<u64>(),
            content in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut body = Vec::new();
            put_number(&mut body, 0x08, number);
            put_bytes(&mut body, 0x12, &content);
            body.extend_from_slice(&[0x19; 9]);
            body.extend_from_slice(&[0x25; 5]);
            let found = fields(&body).expect("good fields");
            let tags: Vec<u64> = found.iter().map(|(tag, _)| *tag).collect();
            prop_assert_eq!(tags, [0x08, 0x12, 0x19, 0x25]);
            prop_assert!(matches!(found[0].1, Payload::Number(found) if found == number));
            match &found[1].1 {
                Payload::Bytes(range) => prop_assert_eq!(&body[range.clone()], &*content),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn half_a_field_is_refused(content in prop::collection::vec(any::<u8>(), 1..300), cut in any::<prop::sample::Index>()) {
            let mut body = Vec::new();
            put_bytes(&mut body, 0x12, &content);
            let cut = 1 + cut.index(body.len() - 1);
            prop_assert!(fields(&body[..cut]).is_err());
        }
    }

    #[test]
    fn numbers_of_more_than_64_bits_are_refused() {
        let mut most = vec![0x08];
        put_varint(&mut most, u64::MAX);
        fields(&most).expect("64 bits");
        for (index, byte) in [(10, 0x02), (10, 0x81)] {
            let mut more = most.clone();
            more[index] = byte;
            more.push(0);
            assert_eq!(fields(&more).expect_err("65 bits").offset, 1);
        }
    }

    #[test]
    fn lengths_that_lead_out_of_the_message_are_refused_without_overflow() {
        for len in [1, u64::from(u32::MAX), u64::MAX] {
            let mut body = vec![0x12];
            put_varint(&mut body, len);
            let error = fields(&body).expect_err("nothing follows");
            assert_eq!(error.message, "ends within a field");
        }
    }
}
