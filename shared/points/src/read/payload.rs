//! Payloads: any JSON as `qdrant.Value`. Recursion is bounded by what Qdrant's decoder takes.
use std::borrow::Cow;

use super::{MAX_LEVEL, Reader, Span};
use crate::error::{Fault, Parsed};
use crate::json::Number;
use crate::wire::{close, open, put_bytes, put_number, varint_len};

/// `PointStruct.payload`: a map's entry.
const PAYLOAD: u8 = 0x1a;
/// A map entry's key and value.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;
/// `Value`, by kind.
const NULL: u8 = 0x08;
const DOUBLE: u8 = 0x11;
const INTEGER: u8 = 0x18;
const STRING: u8 = 0x22;
const BOOL: u8 = 0x28;
const STRUCT: u8 = 0x32;
const LIST: u8 = 0x3a;
/// `Struct.fields`, a map's entry; `ListValue.values`.
const FIELD: u8 = 0x0a;
const ITEM: u8 = 0x0a;
/// Message levels of a `PointStruct`.
const POINT_LEVEL: u32 = 1;

/// A value without parts, as the content of a `Value`: a tag and at most ten bytes.
#[derive(Debug, Clone, Copy)]
struct Scalar {
    bytes: [u8; 11],
    len: usize,
}

impl Scalar {
    fn varint(tag: u8, mut value: u64) -> Scalar {
        let mut bytes = [0; 11];
        bytes[0] = tag;
        let mut len = 1;
        while value >= 0x80 {
            bytes[len] = value as u8 | 0x80;
            value >>= 7;
            len += 1;
        }
        bytes[len] = value as u8;
        Scalar {
            bytes,
            len: len + 1,
        }
    }

    fn double(value: f64) -> Scalar {
        let mut bytes = [0; 11];
        bytes[0] = DOUBLE;
        bytes[1..9].copy_from_slice(&value.to_le_bytes());
        Scalar { bytes, len: 9 }
    }
}

/// What stands where a value is wanted: a whole scalar, or how a container begins.
enum Found<'a> {
    Text(Cow<'a, [u8]>),
    Scalar(Scalar),
    Object,
    List,
}

/// Strings up to here have all their lengths in one byte, their entry's included.
const SHORT: usize = 56;

impl<'a> Reader<'a> {
    /// Reads a payload, `null` being none, and writes it as a point's fields `payload`.
    pub(super) fn payload(&mut self) -> Parsed<Span> {
        let start = self.draft.arena.len();
        if !self.json.take_null()? {
            self.fields(PAYLOAD, POINT_LEVEL)?;
        }
        self.draft.span(start)
    }

    /// Writes an object as map entries of the field `tag` of a message that is `level` messages down.
    pub(super) fn fields(&mut self, tag: u8, level: u32) -> Parsed<()> {
        let keys = self.keys.enter();
        let mut more = self.json.open_object("an object")?;
        while more {
            let key = self.json.raw_key()?;
            self.keys.push(key);
            let key = self.json.resolve(key)?;
            self.entry(tag, &key, level + 2)
                .map_err(|fault| fault.within(&String::from_utf8_lossy(&key)))?;
            more = self.json.next_member()?;
        }
        self.keys.leave(&self.json, keys)
    }

    /// Writes one map entry whose `Value` is `level` messages down.
    #[inline]
    fn entry(&mut self, tag: u8, key: &[u8], level: u32) -> Parsed<()> {
        let found = self.found(level)?;
        let out = &mut self.draft.arena;
        let key_len = 1 + varint_len(key.len() as u64) + key.len();
        match found {
            Found::Text(text) if key.len() <= SHORT && text.len() <= SHORT => {
                let (key_len, text_len) = (key.len() as u8, text.len() as u8);
                out.extend_from_slice(&[tag, 6 + key_len + text_len, KEY, key_len]);
                out.extend_from_slice(key);
                out.extend_from_slice(&[VALUE, 2 + text_len, STRING, text_len]);
                out.extend_from_slice(&text);
            }
            Found::Text(text) => {
                let value_len = text_len(&text);
                put_number(
                    out,
                    tag,
                    (key_len + 1 + varint_len(value_len as u64) + value_len) as u64,
                );
                put_bytes(out, KEY, key);
                put_text(out, VALUE, &text);
            }
            Found::Scalar(Scalar { bytes, len }) => {
                put_number(out, tag, (key_len + 2 + len) as u64);
                put_bytes(out, KEY, key);
                put_bytes(out, VALUE, &bytes[..len]);
            }
            Found::Object | Found::List => {
                let entry = open(out, &[tag], 0);
                put_bytes(out, KEY, key);
                self.container(&found, VALUE, level)?;
                close(&mut self.draft.arena, entry);
            }
        }
        Ok(())
    }

    /// Writes any value as the field `tag`, a `Value` that is `level` messages down.
    pub(super) fn value(&mut self, tag: u8, level: u32) -> Parsed<()> {
        match self.found(level)? {
            Found::Text(text) => put_text(&mut self.draft.arena, tag, &text),
            Found::Scalar(Scalar { bytes, len }) => {
                put_bytes(&mut self.draft.arena, tag, &bytes[..len])
            }
            found @ (Found::Object | Found::List) => self.container(&found, tag, level)?,
        }
        Ok(())
    }

    /// Writes an object or a list as the field `tag`.
    fn container(&mut self, found: &Found<'_>, tag: u8, level: u32) -> Parsed<()> {
        let value = open(&mut self.draft.arena, &[tag], 0);
        if let Found::Object = found {
            let object = open(&mut self.draft.arena, &[STRUCT], 0);
            self.fields(FIELD, level + 1)?;
            close(&mut self.draft.arena, object);
        } else {
            let list = open(&mut self.draft.arena, &[LIST], 0);
            self.items(level + 1)?;
            close(&mut self.draft.arena, list);
        }
        close(&mut self.draft.arena, value);
        Ok(())
    }

    fn items(&mut self, level: u32) -> Parsed<()> {
        let mut more = self.json.open_array("a list")?;
        let mut index = 0;
        while more {
            self.value(ITEM, level + 1)
                .map_err(|fault| fault.at_index(index))?;
            index += 1;
            more = self.json.next_item()?;
        }
        Ok(())
    }

    /// Reads a scalar, or tells which container begins.
    #[inline]
    fn found(&mut self, level: u32) -> Parsed<Found<'a>> {
        let scalar = match self.json.peek() {
            Some(b'"') => return self.json.text().map(Found::Text),
            Some(b'-' | b'0'..=b'9') => self.payload_number()?,
            Some(b't') => {
                self.json.literal(b"true")?;
                Scalar::varint(BOOL, 1)
            }
            Some(b'f') => {
                self.json.literal(b"false")?;
                Scalar::varint(BOOL, 0)
            }
            Some(b'n') => {
                self.json.literal(b"null")?;
                Scalar::varint(NULL, 0)
            }
            Some(b'{') => return self.deeper(level + 3, Found::Object),
            Some(b'[') => return self.deeper(level + 2, Found::List),
            _ => return Err(self.json.malformed("expected a value")),
        };
        Ok(Found::Scalar(scalar))
    }

    /// Lets a container in whose values are `level` messages down.
    fn deeper(&self, level: u32, found: Found<'a>) -> Parsed<Found<'a>> {
        if level <= MAX_LEVEL {
            return Ok(found);
        }
        Err(Fault::invalid(
            "nested deeper than Qdrant's protobuf can carry",
        ))
    }

    /// A payload's number. Qdrant's `Value` has 64-bit signed integers and doubles: an unsigned one beyond
    /// them goes as a double if that is the same number, and is refused if not.
    fn payload_number(&mut self) -> Parsed<Scalar> {
        match self.json.number()? {
            Number::Integer(value) => Ok(Scalar::varint(INTEGER, value as u64)),
            Number::Double(value) => Ok(Scalar::double(value)),
            Number::Unsigned(value) if value as f64 as u128 == u128::from(value) => {
                Ok(Scalar::double(value as f64))
            }
            Number::Unsigned(value) => Err(Fault::invalid(format!(
                "{value} is over {} and no double is equal to it, so Qdrant's protobuf cannot carry it exactly; send it as a string",
                i64::MAX
            ))),
        }
    }
}

/// Bytes of a `Value` that is a string.
fn text_len(text: &[u8]) -> usize {
    1 + varint_len(text.len() as u64) + text.len()
}

/// Writes a string as the field `tag`, a `Value`.
fn put_text(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    put_number(out, tag, text_len(text) as u64);
    put_bytes(out, STRING, text);
}
