//! One condition of a filter, and what a field's value may be matched with.
use super::{CONDITION_DEPTH, MAX_LEVEL, Reader};
use crate::error::{Fault, Parsed};
use crate::json::Member;
use crate::read::read_id;
use crate::wire::{close, open, put_bytes, put_number, put_varint};

/// `Condition`, by kind.
const FIELD: &[u8] = &[0x0a];
const IS_EMPTY: &[u8] = &[0x12];
const HAS_ID: &[u8] = &[0x1a];
const FILTER: &[u8] = &[0x22];
const IS_NULL: &[u8] = &[0x2a];
const NESTED: &[u8] = &[0x32];
const HAS_VECTOR: &[u8] = &[0x3a];
/// `FieldCondition.key` and every other message's `key`; `HasVectorCondition.has_vector`.
const KEY: u8 = 0x0a;
/// `NestedCondition.filter`.
const NESTED_FILTER: &[u8] = &[0x12];
/// `HasIdCondition.has_id`.
const ID: u8 = 0x0a;
/// `FieldCondition.match`, `.is_empty`, `.is_null`.
const MATCH: &[u8] = &[0x12];
const FIELD_IS_EMPTY: u8 = 0x48;
const FIELD_IS_NULL: u8 = 0x50;
/// `Match`, by kind.
const KEYWORD: u8 = 0x0a;
const INTEGER: u8 = 0x10;
const BOOLEAN: u8 = 0x18;
const TEXT: u8 = 0x22;
const PHRASE: u8 = 0x4a;
const TEXT_ANY: u8 = 0x52;
/// `Match.keywords` and `.integers`, `.except_keywords` and `.except_integers`.
const ANY: (u8, u8) = (0x2a, 0x32);
const EXCEPT: (u8, u8) = (0x42, 0x3a);
/// `RepeatedStrings.strings`; `RepeatedIntegers.integers`, packed.
const LISTED: u8 = 0x0a;

impl<'a> Reader<'a> {
    /// Writes a condition as the field `tag`, `level` messages down.
    pub(super) fn condition(&mut self, out: &mut Vec<u8>, tag: &[u8], level: u32) -> Parsed<()> {
        if level + CONDITION_DEPTH > MAX_LEVEL {
            return Err(Fault::invalid(
                "nested deeper than Qdrant's protobuf can carry",
            ));
        }
        self.json.peek();
        let start = self.json.offset();
        let members = self.json.members("a condition: an object")?;
        let end = self.json.offset();
        let condition = open(out, tag, 0);
        self.kind(out, &members, start, level)?;
        close(out, condition);
        self.json.go(end);
        Ok(())
    }

    /// Tells the kinds apart as Qdrant does: by the fields there are, in this order.
    fn kind(
        &mut self,
        out: &mut Vec<u8>,
        members: &[Member<'a>],
        start: usize,
        level: u32,
    ) -> Parsed<()> {
        let has = |key: &str| members.iter().any(|member| *member.key == *key.as_bytes());
        if has("key") {
            let field = open(out, FIELD, 0);
            self.field_condition(out, members, start)?;
            close(out, field);
            return Ok(());
        }
        for (key, tag) in [("is_empty", IS_EMPTY), ("is_null", IS_NULL)] {
            if has(key) {
                self.required(members, key, start)?;
                return self.keyed(out, tag).map_err(|fault| fault.within(key));
            }
        }
        if has("has_id") {
            self.required(members, "has_id", start)?;
            return self.has_id(out).map_err(|fault| fault.within("has_id"));
        }
        if has("has_vector") {
            self.required(members, "has_vector", start)?;
            let message = open(out, HAS_VECTOR, 0);
            self.string(out, KEY)
                .map_err(|fault| fault.within("has_vector"))?;
            close(out, message);
            return Ok(());
        }
        if has("nested") {
            self.required(members, "nested", start)?;
            return self
                .nested(out, level)
                .map_err(|fault| fault.within("nested"));
        }
        self.json.go(start);
        self.filter(out, FILTER, level + 1)
    }

    /// `{"key": …}`.
    fn keyed(&mut self, out: &mut Vec<u8>, tag: &[u8]) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an object with a `key`")?;
        let message = open(out, tag, 0);
        self.required(&members, "key", start)?;
        self.path(out, KEY).map_err(|fault| fault.within("key"))?;
        close(out, message);
        Ok(())
    }

    fn has_id(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let message = open(out, HAS_ID, 0);
        let mut more = self.json.open_array("a list of ids")?;
        let mut index = 0;
        while more {
            let id = read_id(&mut self.json).map_err(|fault| fault.at_index(index))?;
            out.push(ID);
            id.put_message(out);
            index += 1;
            more = self.json.next_item()?;
        }
        close(out, message);
        Ok(())
    }

    fn nested(&mut self, out: &mut Vec<u8>, level: u32) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an object with a `key` and a `filter`")?;
        let nested = open(out, NESTED, 0);
        self.required(&members, "key", start)?;
        self.path(out, KEY).map_err(|fault| fault.within("key"))?;
        self.required(&members, "filter", start)?;
        self.filter(out, NESTED_FILTER, level + 2)
            .map_err(|fault| fault.within("filter"))?;
        close(out, nested);
        Ok(())
    }

    /// What a field is to be: at least one of the tests there are.
    fn field_condition(
        &mut self,
        out: &mut Vec<u8>,
        members: &[Member<'a>],
        start: usize,
    ) -> Parsed<()> {
        self.required(members, "key", start)?;
        self.path(out, KEY).map_err(|fault| fault.within("key"))?;
        let key_end = out.len();
        if self.optional(members, "match")? {
            self.matching(out).map_err(|fault| fault.within("match"))?;
        }
        if self.optional(members, "range")? {
            self.range(out).map_err(|fault| fault.within("range"))?;
        }
        if self.optional(members, "geo_bounding_box")? {
            self.bounding_box(out)
                .map_err(|fault| fault.within("geo_bounding_box"))?;
        }
        if self.optional(members, "geo_radius")? {
            self.radius(out)
                .map_err(|fault| fault.within("geo_radius"))?;
        }
        if self.optional(members, "geo_polygon")? {
            self.polygon(out)
                .map_err(|fault| fault.within("geo_polygon"))?;
        }
        if self.optional(members, "values_count")? {
            self.values_count(out)
                .map_err(|fault| fault.within("values_count"))?;
        }
        for (key, tag) in [("is_empty", FIELD_IS_EMPTY), ("is_null", FIELD_IS_NULL)] {
            if self.optional(members, key)? {
                let value = self.boolean().map_err(|fault| fault.within(key))?;
                put_number(out, tag, value.into());
            }
        }
        if out.len() == key_end {
            return Err(Fault::invalid("at least one test of the field is wanted"));
        }
        Ok(())
    }

    fn matching(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an object")?;
        let matching = open(out, MATCH, 0);
        if self.optional(&members, "value")? {
            self.match_value(out)
                .map_err(|fault| fault.within("value"))?;
            close(out, matching);
            return Ok(());
        }
        for (key, tag) in [("text", TEXT), ("text_any", TEXT_ANY), ("phrase", PHRASE)] {
            if self.optional(&members, key)? {
                self.string(out, tag).map_err(|fault| fault.within(key))?;
                close(out, matching);
                return Ok(());
            }
        }
        for (key, tags) in [("any", ANY), ("except", EXCEPT)] {
            if self.optional(&members, key)? {
                self.match_listed(out, tags)
                    .map_err(|fault| fault.within(key))?;
                close(out, matching);
                return Ok(());
            }
        }
        Err(Fault::wrong_type(
            start,
            "expected one of `value`, `text`, `text_any`, `phrase`, `any`, `except`",
        ))
    }

    fn match_value(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        match self.json.peek() {
            Some(b'"') => self.string(out, KEYWORD)?,
            Some(b't' | b'f') => put_number(out, BOOLEAN, self.boolean()?.into()),
            Some(b'-' | b'0'..=b'9') => put_number(out, INTEGER, self.signed()? as u64),
            _ => return Err(self.json.unexpected("a string, an integer or a boolean")),
        }
        Ok(())
    }

    /// A list of strings or of integers; `tags` are those for either.
    fn match_listed(&mut self, out: &mut Vec<u8>, tags: (u8, u8)) -> Parsed<()> {
        let (strings, integers) = tags;
        let mut more = self.json.open_array("a list of strings or of integers")?;
        let of_integers = more && self.json.peek() != Some(b'"');
        let mut listed = Vec::new();
        let mut index = 0;
        while more {
            if of_integers {
                put_varint(
                    &mut listed,
                    self.signed().map_err(|fault| fault.at_index(index))? as u64,
                );
            } else {
                self.string(&mut listed, LISTED)
                    .map_err(|fault| fault.at_index(index))?;
            }
            index += 1;
            more = self.json.next_item()?;
        }
        if of_integers {
            let message = open(out, &[integers], 0);
            put_bytes(out, LISTED, &listed);
            close(out, message);
        } else {
            put_bytes(out, strings, &listed);
        }
        Ok(())
    }
}
