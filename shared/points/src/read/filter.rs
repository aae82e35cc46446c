//! `update_filter`: a REST filter as `qdrant.Filter`. Rare and small, so it is read the short way: an
//! object's members are found first, then each is read by name.
mod condition;
mod geo;
mod range;

use super::{MAX_LEVEL, Reader};
use crate::error::{Fault, Parsed, shortened};
use crate::json::{Member, Number};
use crate::wire::{close, open, put_bytes, put_number, upsert};

/// `Filter.should`, `.must`, `.must_not`, `.min_should`.
const SHOULD: &[u8] = &[0x0a];
const MUST: &[u8] = &[0x12];
const MUST_NOT: &[u8] = &[0x1a];
const MIN_SHOULD: &[u8] = &[0x22];
/// `MinShould.conditions`, `.min_count`.
const CONDITIONS: &[u8] = &[0x0a];
const MIN_COUNT: u8 = 0x10;
/// Messages that may lie in a condition, but for further filters.
const CONDITION_DEPTH: u32 = 4;

impl<'a> Reader<'a> {
    /// Reads a filter; writes the field `update_filter`.
    pub(super) fn update_filter(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        self.filter(out, &[upsert::UPDATE_FILTER], 1)
    }

    /// Writes a filter as the field `tag`, `level` messages down.
    fn filter(&mut self, out: &mut Vec<u8>, tag: &[u8], level: u32) -> Parsed<()> {
        self.json.peek();
        let start = self.json.offset();
        let members = self.json.members("a filter: an object")?;
        let end = self.json.offset();
        let filter = open(out, tag, 0);
        for member in &members {
            let name = String::from_utf8_lossy(&member.key);
            self.json.go(member.value);
            let read = match &*member.key {
                b"should" => self.conditions(out, SHOULD, level + 1),
                b"must" => self.conditions(out, MUST, level + 1),
                b"must_not" => self.conditions(out, MUST_NOT, level + 1),
                b"min_should" => self.min_should(out, level + 1),
                _ => Err(Fault::wrong_type(start, "no such field in a filter")),
            };
            read.map_err(|fault| fault.within(&name))?;
        }
        close(out, filter);
        self.json.go(end);
        Ok(())
    }

    /// Writes one condition or a list of them; `null` is none.
    fn conditions(&mut self, out: &mut Vec<u8>, tag: &[u8], level: u32) -> Parsed<()> {
        match self.json.peek() {
            Some(b'n') => self.json.literal(b"null"),
            Some(b'{') => self.condition(out, tag, level),
            _ => self.condition_list(out, tag, level),
        }
    }

    fn condition_list(&mut self, out: &mut Vec<u8>, tag: &[u8], level: u32) -> Parsed<()> {
        let mut more = self.json.open_array("a list of conditions")?;
        let mut index = 0;
        while more {
            self.condition(out, tag, level)
                .map_err(|fault| fault.at_index(index))?;
            index += 1;
            more = self.json.next_item()?;
        }
        Ok(())
    }

    fn min_should(&mut self, out: &mut Vec<u8>, level: u32) -> Parsed<()> {
        if self.json.take_null()? {
            return Ok(());
        }
        let start = self.json.offset();
        let members = self.json.members("an object")?;
        let end = self.json.offset();
        let min_should = open(out, MIN_SHOULD, 0);
        self.required(&members, "conditions", start)?;
        self.condition_list(out, CONDITIONS, level + 1)
            .map_err(|fault| fault.within("conditions"))?;
        self.required(&members, "min_count", start)?;
        let min_count = self.unsigned().map_err(|fault| fault.within("min_count"))?;
        if min_count != 0 {
            put_number(out, MIN_COUNT, min_count);
        }
        close(out, min_should);
        self.json.go(end);
        Ok(())
    }

    /// Goes to the value of `key`.
    fn required(&mut self, members: &[Member<'a>], key: &str, start: usize) -> Parsed<()> {
        match self.optional(members, key)? {
            true => Ok(()),
            false => Err(Fault::wrong_type(start, "missing").within(key)),
        }
    }

    /// Goes to the value of `key`, if there is one other than `null`.
    fn optional(&mut self, members: &[Member<'a>], key: &str) -> Parsed<bool> {
        let Some(member) = members.iter().find(|member| *member.key == *key.as_bytes()) else {
            return Ok(false);
        };
        self.json.go(member.value);
        Ok(!self.json.take_null()?)
    }

    /// Writes a string as the field `tag`; nothing if it is empty.
    fn string(&mut self, out: &mut Vec<u8>, tag: u8) -> Parsed<()> {
        if self.json.peek() != Some(b'"') {
            return Err(self.json.unexpected("a string"));
        }
        put_bytes(out, tag, &self.json.text()?);
        Ok(())
    }

    /// Writes a payload's path as the field `tag`.
    fn path(&mut self, out: &mut Vec<u8>, tag: u8) -> Parsed<()> {
        if self.json.peek() != Some(b'"') {
            return Err(self.json.unexpected("a string"));
        }
        let text = self.json.text()?;
        if !super::path::is_path(&String::from_utf8_lossy(&text)) {
            return Err(Fault::invalid(format!(
                "\"{}\" is no path of a payload",
                shortened(&text)
            )));
        }
        put_bytes(out, tag, &text);
        Ok(())
    }

    fn unsigned(&mut self) -> Parsed<u64> {
        let from = self.json.offset();
        match self.number("an unsigned integer")? {
            Number::Integer(value) if value >= 0 => Ok(value.unsigned_abs()),
            Number::Unsigned(value) => Ok(value),
            Number::Integer(_) | Number::Double(_) => {
                self.json.go(from);
                Err(self.json.unexpected("an unsigned integer"))
            }
        }
    }

    fn signed(&mut self) -> Parsed<i64> {
        let from = self.json.offset();
        match self.number("a 64-bit integer")? {
            Number::Integer(value) => Ok(value),
            Number::Unsigned(_) | Number::Double(_) => {
                self.json.go(from);
                Err(self.json.unexpected("a 64-bit integer"))
            }
        }
    }

    fn double(&mut self) -> Parsed<f64> {
        match self.json.peek() {
            Some(b'-' | b'0'..=b'9') => self.json.any_double(),
            _ => Err(self.json.unexpected("a number")),
        }
    }

    fn boolean(&mut self) -> Parsed<bool> {
        match self.json.peek() {
            Some(b't') => self.json.literal(b"true").map(|()| true),
            Some(b'f') => self.json.literal(b"false").map(|()| false),
            _ => Err(self.json.unexpected("a boolean")),
        }
    }

    fn number(&mut self, expected: &str) -> Parsed<Number> {
        match self.json.peek() {
            Some(b'-' | b'0'..=b'9') => self.json.number(),
            _ => Err(self.json.unexpected(expected)),
        }
    }
}
