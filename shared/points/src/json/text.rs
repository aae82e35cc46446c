//! Strings: found eight bytes at a time, checked to be UTF-8 without control characters, unescaped only
//! when they hold an escape.
use std::borrow::Cow;

use super::Cursor;
use crate::error::{Fault, Parsed};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A string's place: what lies between the quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawText {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

impl<'a> Cursor<'a> {
    /// Reads a string, at its opening quote; the bytes are UTF-8.
    #[inline]
    pub(crate) fn text(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let raw = self.raw_text()?;
        self.resolve(raw)
    }

    /// Text of a string found by [`Cursor::raw_text`].
    #[inline]
    pub(crate) fn resolve(&self, raw: RawText) -> Parsed<Cow<'a, [u8]>> {
        let bytes = &self.body[raw.start..raw.end];
        if raw.escaped {
            unescape(bytes, raw.start).map(Cow::Owned)
        } else {
            Ok(Cow::Borrowed(bytes))
        }
    }

    /// Finds a string's end, at its opening quote, and checks all but its escapes.
    #[inline]
    pub(crate) fn raw_text(&mut self) -> Parsed<RawText> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        let mut high = 0;
        let end = loop {
            let special = match self.body.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                Some(chunk) => {
                    let word = u64::from_le_bytes(*chunk);
                    let special = specials(word);
                    let before = (special & special.wrapping_neg()).wrapping_sub(1);
                    high |= word & HIGHS & before;
                    at += (special.trailing_zeros() / 8) as usize;
                    if special == 0 {
                        continue;
                    }
                    self.body[at]
                }
                None => match self.body.get(at) {
                    None => return Err(Fault::syntax(self.body.len(), "unterminated string")),
                    Some(&byte) if byte >= 0x20 && byte != b'"' && byte != b'\\' => {
                        high |= u64::from(byte) & HIGHS;
                        at += 1;
                        continue;
                    }
                    Some(&byte) => byte,
                },
            };
            match special {
                b'"' => break at,
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                byte => {
                    return Err(Fault::syntax(
                        at,
                        format!("control character 0x{byte:02x} in a string"),
                    ));
                }
            }
        };
        if high != 0 {
            self.check_utf8(start, end)?;
        }
        self.at = end + 1;
        Ok(RawText {
            start,
            end,
            escaped,
        })
    }

    fn check_utf8(&self, start: usize, end: usize) -> Parsed<()> {
        match std::str::from_utf8(&self.body[start..end]) {
            Ok(_) => Ok(()),
            Err(error) => Err(Fault::syntax(start + error.valid_up_to(), "invalid UTF-8")),
        }
    }
}

/// High bit of each byte that is a quote, a backslash or a control character. Only the lowest one set is
/// exact: the subtraction's borrow may reach bytes after it.
#[inline]
fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}

/// Replaces the escapes in `raw`, which starts at `offset` of the body.
#[cold]
pub(super) fn unescape(raw: &[u8], offset: usize) -> Parsed<Vec<u8>> {
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        if byte != b'\\' {
            text.push(byte);
            at += 1;
            continue;
        }
        let plain = match raw.get(at + 1) {
            Some(b'"') => b'"',
            Some(b'\\') => b'\\',
            Some(b'/') => b'/',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let (character, width) =
                    unicode(&raw[at..]).map_err(|message| Fault::syntax(offset + at, message))?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += width;
                continue;
            }
            _ => return Err(Fault::syntax(offset + at, "invalid escape")),
        };
        text.push(plain);
        at += 2;
    }
    Ok(text)
}

/// Reads the `\uXXXX`, or the pair of them, at the start of `raw`: the character and the escape's length.
fn unicode(raw: &[u8]) -> Result<(char, usize), &'static str> {
    let first = unit(raw).ok_or("invalid \\u escape")?;
    match first {
        0xd800..0xdc00 => {
            let second = raw
                .get(6..)
                .and_then(unit)
                .ok_or("high surrogate without a low one")?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err("high surrogate without a low one");
            }
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            Ok((char::from_u32(code).ok_or("invalid surrogate pair")?, 12))
        }
        _ => Ok((
            char::from_u32(first).ok_or("low surrogate without a high one")?,
            6,
        )),
    }
}

/// The number of a `\uXXXX`.
fn unit(raw: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = raw.get(..6)? else {
        return None;
    };
    digits.iter().try_fold(0, |value, &digit| {
        Some(value << 4 | char::from(digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Parsed<Vec<u8>> {
        let mut cursor = Cursor::new(body.as_bytes());
        let text = cursor.text()?.into_owned();
        assert_eq!(cursor.at, body.len());
        Ok(text)
    }

    proptest! {
        #[test]
        fn strings_are_what_they_were_before_they_were_written(text in any::<String>()) {
            let written = serde_json::to_string(&text).expect("a string is JSON");
            prop_assert_eq!(read(&written).expect("a string"), text.into_bytes());
        }

        #[test]
        fn characters_are_the_same_when_escaped(text in any::<String>()) {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
            let written = format!("\"{}\"", units.collect::<String>());
            prop_assert_eq!(read(&written).expect("a string"), text.into_bytes());
        }

        #[test]
        fn the_first_special_byte_of_a_word_is_found(word in any::<[u8; 8]>()) {
            let special = |&byte: &u8| byte < 0x20 || matches!(byte, b'"' | b'\\');
            let found = specials(u64::from_le_bytes(word));
            let first = (found != 0).then(|| (found.trailing_zeros() / 8) as usize);
            prop_assert_eq!(first, word.iter().position(special));
        }
    }
}
