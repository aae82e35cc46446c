//! A message's options in one form, whatever form they came in, so that equal options are equal bytes.
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::ScanError;
use super::fields::{Field, Payload, error, wrong_wire_type};
use crate::wire::{put_number, put_varint, upsert};

/// Field numbers of `UpsertPoints`.
const COLLECTION_NAME: u64 = 1;
const WAIT: u64 = 2;
const POINTS: u64 = 3;
const ORDERING: u64 = 4;
const SHARD_KEY_SELECTOR: u64 = 5;
const UPDATE_FILTER: u64 = 6;
const TIMEOUT: u64 = 7;
const UPDATE_MODE: u64 = 8;
/// `UpdateMode.Upsert`, the default, and `.InsertOnly`.
const UPSERT: u64 = 0;
const INSERT_ONLY: u64 = 1;

/// What a message's options come to.
#[derive(Debug)]
pub(super) struct Options {
    /// Every option but `wait`, by ascending field, defaults left out, as they stand in a message.
    pub(super) key: Bytes,
    pub(super) collection_name: Arc<str>,
    pub(super) order_matters: bool,
}

/// Options as they come by.
#[derive(Debug, Default)]
pub(super) struct OptionsBuilder {
    collection_name: Range<usize>,
    /// Of a message that is given more than once, the parts: one after another they are the message.
    ordering: Vec<Range<usize>>,
    shard_key_selector: Vec<Range<usize>>,
    update_filter: Vec<Range<usize>>,
    timeout: Option<u64>,
    update_mode: u64,
    unknown: Vec<Range<usize>>,
}

impl OptionsBuilder {
    /// Takes a field that is no point.
    pub(super) fn take(&mut self, field: Field) -> Result<(), ScanError> {
        let Field {
            tag,
            bytes,
            payload,
        } = field;
        match (tag >> 3, payload) {
            (COLLECTION_NAME, Payload::Bytes(content)) => self.collection_name = content,
            // Not an option of the write but of whoever waits for it: every merged upsert waits.
            (WAIT, Payload::Number(_)) => {}
            (ORDERING, Payload::Bytes(content)) => self.ordering.push(content),
            (SHARD_KEY_SELECTOR, Payload::Bytes(content)) => self.shard_key_selector.push(content),
            (UPDATE_FILTER, Payload::Bytes(content)) => self.update_filter.push(content),
            (TIMEOUT, Payload::Number(value)) => self.timeout = Some(value),
            (UPDATE_MODE, Payload::Number(value)) => self.update_mode = value,
            (COLLECTION_NAME | WAIT | POINTS | ORDERING | SHARD_KEY_SELECTOR, _)
            | (UPDATE_FILTER | TIMEOUT | UPDATE_MODE, _) => {
                return Err(wrong_wire_type(bytes.start));
            }
            (_, Payload::Bytes(_) | Payload::Number(_) | Payload::Other) => {
                self.unknown.push(bytes)
            }
        }
        Ok(())
    }

    /// Puts the options of `body` together.
    pub(super) fn finish(self, body: &[u8]) -> Result<Options, ScanError> {
        let name_at = self.collection_name.start;
        let name = &body[self.collection_name.clone()];
        let collection_name = std::str::from_utf8(name)
            .map_err(|_| error(name_at, "a collection name that is not UTF-8"))?;

        let mut key = Vec::new();
        put_message(
            &mut key,
            upsert::COLLECTION_NAME,
            body,
            &[self.collection_name],
        );
        if !is_weak(body, &self.ordering) {
            put_message(&mut key, upsert::ORDERING, body, &self.ordering);
        }
        put_message(
            &mut key,
            upsert::SHARD_KEY_SELECTOR,
            body,
            &self.shard_key_selector,
        );
        put_message(&mut key, upsert::UPDATE_FILTER, body, &self.update_filter);
        if let Some(timeout_s) = self.timeout {
            put_number(&mut key, upsert::TIMEOUT, timeout_s);
        }
        if self.update_mode != UPSERT {
            put_number(&mut key, upsert::UPDATE_MODE, self.update_mode);
        }
        for field in self.unknown {
            key.extend_from_slice(&body[field]);
        }
        Ok(Options {
            key: key.into(),
            collection_name: collection_name.into(),
            order_matters: self.update_mode == INSERT_ONLY || !self.update_filter.is_empty(),
        })
    }
}

/// Whether an ordering is the one that is meant without any.
fn is_weak(body: &[u8], parts: &[Range<usize>]) -> bool {
    parts
        .iter()
        .all(|part| matches!(body[part.clone()], [] | [0x08, 0]))
}

/// Writes a message's parts as one field; nothing if there are none.
fn put_message(out: &mut Vec<u8>, tag: u8, body: &[u8], parts: &[Range<usize>]) {
    if parts.is_empty() {
        return;
    }
    out.push(tag);
    put_varint(out, parts.iter().map(|part| part.len() as u64).sum());
    for part in parts {
        out.extend_from_slice(&body[part.clone()]);
    }
}
