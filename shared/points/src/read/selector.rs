//! `shard_key` and `update_mode`.
use super::Reader;
use crate::error::{Fault, Parsed};
use crate::json::Number;
use crate::wire::{close, open, put_bytes, put_number, upsert};

/// `ShardKeySelector.shard_keys`, `.fallback`.
const SHARD_KEYS: &[u8] = &[0x0a];
const FALLBACK: &[u8] = &[0x12];
/// `ShardKey.keyword`, `.number`.
const KEYWORD: u8 = 0x0a;
const NUMBER: u8 = 0x10;

const EXPECTED: &str = "a shard key: a string or an unsigned integer";

impl Reader<'_> {
    /// Reads a shard key, a list of them, or `{"target": …, "fallback": …}`; writes the field
    /// `shard_key_selector`.
    pub(super) fn shard_key(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let selector = open(out, &[upsert::SHARD_KEY_SELECTOR], 0);
        match self.json.peek() {
            Some(b'[') => {
                let mut more = self.json.open_array(EXPECTED)?;
                let mut index = 0;
                while more {
                    self.one_shard_key(out, SHARD_KEYS)
                        .map_err(|fault| fault.at_index(index))?;
                    index += 1;
                    more = self.json.next_item()?;
                }
            }
            Some(b'{') => self.shard_key_with_fallback(out)?,
            _ => self.one_shard_key(out, SHARD_KEYS)?,
        }
        close(out, selector);
        Ok(())
    }

    fn shard_key_with_fallback(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members(EXPECTED)?;
        let end = self.json.offset();
        for (key, tag) in [("target", SHARD_KEYS), ("fallback", FALLBACK)] {
            let Some(member) = members.iter().find(|member| *member.key == *key.as_bytes()) else {
                return Err(Fault::wrong_type(start, "missing").within(key));
            };
            self.json.go(member.value);
            self.one_shard_key(out, tag)
                .map_err(|fault| fault.within(key))?;
        }
        self.json.go(end);
        Ok(())
    }

    fn one_shard_key(&mut self, out: &mut Vec<u8>, tag: &[u8]) -> Parsed<()> {
        let key = open(out, tag, 0);
        match self.json.peek() {
            Some(b'"') => put_bytes(out, KEYWORD, &self.json.text()?),
            Some(b'-' | b'0'..=b'9') => {
                let from = self.json.offset();
                let number = match self.json.number()? {
                    Number::Integer(value) if value >= 0 => value.unsigned_abs(),
                    Number::Unsigned(value) => value,
                    Number::Integer(_) | Number::Double(_) => {
                        self.json.go(from);
                        return Err(self.json.unexpected(EXPECTED));
                    }
                };
                put_number(out, NUMBER, number);
            }
            _ => return Err(self.json.unexpected(EXPECTED)),
        }
        close(out, key);
        Ok(())
    }

    /// Reads an update mode; writes the field `update_mode`, or nothing for the default.
    pub(super) fn update_mode(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        const EXPECTED: &str = "`upsert`, `insert_only` or `update_only`";
        if self.json.peek() != Some(b'"') {
            return Err(self.json.unexpected(EXPECTED));
        }
        let start = self.json.offset();
        match &*self.json.text()? {
            b"upsert" => {}
            b"insert_only" => put_number(out, upsert::UPDATE_MODE, 1),
            b"update_only" => put_number(out, upsert::UPDATE_MODE, 2),
            _ => return Err(Fault::wrong_type(start, format!("expected {EXPECTED}"))),
        }
        Ok(())
    }
}
