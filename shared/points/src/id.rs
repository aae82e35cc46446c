//! A point's id: an unsigned 64-bit number, or a UUID in any of the forms Qdrant reads.
//! Knows its text and its bytes on the wire, nothing of JSON.
use std::fmt;

use crate::wire::{put_number, put_varint, varint_len};

/// A point's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PointId {
    /// An unsigned number.
    Num(u64),
    /// A UUID, most significant byte first.
    Uuid(u128),
}

/// `PointStruct.id`.
const ID: u8 = 0x0a;
/// `PointId.num`.
const NUM: u8 = 0x08;
/// `PointId.uuid`.
const UUID: u8 = 0x12;
/// Characters of a hyphenated UUID.
const HYPHENATED: usize = 36;

impl PointId {
    /// Reads a UUID: hyphenated, 32 hex digits, `urn:uuid:` or in braces, as Qdrant does; either case.
    pub(crate) fn from_uuid_text(text: &[u8]) -> Option<PointId> {
        let value = match text.len() {
            32 => hex(text),
            HYPHENATED => hyphenated(text),
            38 => hyphenated(text.strip_prefix(b"{")?.strip_suffix(b"}")?),
            45 => {
                let (prefix, uuid) = text.split_at(9);
                if !prefix.eq_ignore_ascii_case(b"urn:uuid:") {
                    return None;
                }
                hyphenated(uuid)
            }
            _ => None,
        };
        value.map(PointId::Uuid)
    }

    /// Bytes of the field `PointStruct.id`.
    #[inline]
    pub(crate) fn field_len(&self) -> usize {
        match self {
            PointId::Num(num) => 3 + varint_len(*num),
            PointId::Uuid(_) => 4 + HYPHENATED,
        }
    }

    /// Appends the field `PointStruct.id`.
    #[inline]
    pub(crate) fn put_field(&self, out: &mut Vec<u8>) {
        out.push(ID);
        self.put_message(out);
    }

    /// Appends a `PointId` message after its length.
    #[inline]
    pub(crate) fn put_message(&self, out: &mut Vec<u8>) {
        match self {
            PointId::Num(num) => {
                put_varint(out, 1 + varint_len(*num) as u64);
                put_number(out, NUM, *num);
            }
            PointId::Uuid(value) => {
                out.extend_from_slice(&[2 + HYPHENATED as u8, UUID, HYPHENATED as u8]);
                out.extend_from_slice(&uuid_text(*value));
            }
        }
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PointId::Num(num) => write!(f, "{num}"),
            PointId::Uuid(value) => uuid_text(*value)
                .iter()
                .try_for_each(|&byte| write!(f, "{}", byte as char)),
        }
    }
}

/// Lower case, hyphenated.
fn uuid_text(value: u128) -> [u8; HYPHENATED] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; HYPHENATED];
    let mut at = 0;
    for (index, byte) in value.to_be_bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

fn hyphenated(text: &[u8]) -> Option<u128> {
    let text: &[u8; HYPHENATED] = text.try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
        return None;
    }
    let mut digits = [0; 32];
    let groups = [
        &text[..8],
        &text[9..13],
        &text[14..18],
        &text[19..23],
        &text[24..],
    ];
    let mut at = 0;
    for group in groups {
        digits[at..at + group.len()].copy_from_slice(group);
        at += group.len();
    }
    hex(&digits)
}

fn hex(digits: &[u8]) -> Option<u128> {
    let mut value = 0;
    for &digit in digits {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        value = value << 4 | u128::from(nibble);
    }
    Some(value)
}
