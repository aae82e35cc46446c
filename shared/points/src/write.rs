//! One client request, read, checked and encoded.
use bytes::Bytes;

use crate::dedup::last_of_each;
use crate::read::{Body, Draft, read_ingest, read_upsert};
use crate::wire::{put_bytes, put_number, put_varint, upsert, varint_len};
use crate::{CollectionSchema, WriteError};

/// Write ordering, as in the REST query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ordering {
    /// Operations may be reordered; the default.
    #[default]
    Weak,
    /// Through a leader chosen as need be.
    Medium,
    /// Through the permanent leader.
    Strong,
}

/// The query's part of an upsert.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpsertQuery {
    /// `ordering`.
    pub ordering: Option<Ordering>,
    /// `timeout`, seconds.
    pub timeout_s: Option<u64>,
}

/// One client request, encoded. It has at least one point.
#[derive(Debug)]
pub struct Write {
    collection_name: String,
    /// Every field of `UpsertPoints` but the points.
    options: Vec<u8>,
    /// See [`UpsertMessage::order_matters`](crate::UpsertMessage::order_matters).
    order_matters: bool,
    draft: Draft,
    vectors_field: &'static str,
}

impl Write {
    /// Reads the Python Alioth's body: `{"collection_name": …, "batch": {"ids", "vectors", "payloads"}}`.
    ///
    /// # Errors
    /// Permanent: what the body lacks or has wrong, and where.
    pub fn parse_ingest(body: &[u8]) -> Result<Write, WriteError> {
        let mut body = read_ingest(body)?;
        let collection_name = std::mem::take(&mut body.collection_name);
        Write::new(collection_name, UpsertQuery::default(), body)
    }

    /// Reads Qdrant's REST upsert body, in its list form or its batch form.
    ///
    /// # Errors
    /// Permanent: what the body lacks or has wrong, and where.
    pub fn parse_upsert(
        collection: &str,
        query: UpsertQuery,
        body: &[u8],
    ) -> Result<Write, WriteError> {
        Write::new(collection.to_owned(), query, read_upsert(body)?)
    }

    fn new(collection_name: String, query: UpsertQuery, body: Body) -> Result<Write, WriteError> {
        check_collection_name(&collection_name)?;
        let options = options(&collection_name, query, &body);
        // Every update mode but insert-only leaves it to the filter whether a point is written.
        let insert_only = body.update_mode.ends_with(&[1]);
        Ok(Write {
            collection_name,
            options,
            order_matters: insert_only || !body.update_filter.is_empty(),
            draft: body.draft,
            vectors_field: body.vectors_field,
        })
    }

    /// Collection written to.
    pub fn collection_name(&self) -> &str {
        &self.collection_name
    }

    /// Number of points, at least 1.
    pub fn points(&self) -> usize {
        self.draft.ids.len()
    }

    /// Bytes of memory its points take; the body it was read from is not among them.
    pub fn held_bytes(&self) -> usize {
        let Draft {
            arena,
            ids,
            vectors,
            payloads,
            ..
        } = &self.draft;
        arena.capacity()
            + size_of_val(ids.as_slice())
            + size_of_val(vectors.as_slice())
            + size_of_val(payloads.as_slice())
    }

    /// Bytes that every message of it begins with: all but its points.
    pub fn options_bytes(&self) -> usize {
        self.options.len()
    }

    /// Bytes of the largest message that one point alone makes: no chunking gets below it.
    pub fn least_message_limit(&self) -> usize {
        let largest = (0..self.points()).map(|point| self.point_len(point)).max();
        self.options.len() + largest.unwrap_or_default()
    }

    /// Checks every point's vectors against the collection's. A point may leave vectors out; what a vector
    /// is inferred from is not looked into. Costs as much as the write has different vectors, not points.
    ///
    /// # Errors
    /// Permanent for this schema: [`WriteError::Invalid`] with the first point at fault.
    pub fn check(&self, schema: &CollectionSchema) -> Result<(), WriteError> {
        self.draft
            .shapes
            .check(schema, &self.draft.ids, self.vectors_field)
    }

    /// Whole `qdrant.UpsertPoints` messages of at most `limit` bytes, unless one point alone is larger.
    ///
    /// Where an earlier write of an id would decide on a later one, only the last of the write is kept, as
    /// Qdrant keeps it in one upsert: two chunks may not tell another story than one.
    pub fn into_messages(mut self, limit: usize) -> Vec<Bytes> {
        if self.order_matters {
            self.keep_last_of_each_id();
        }
        let points = self.draft.ids.len();
        let mut messages = Vec::new();
        let mut start = 0;
        while start < points {
            let mut len = self.options.len() + self.point_len(start);
            let mut end = start + 1;
            while end < points && len + self.point_len(end) <= limit {
                len += self.point_len(end);
                end += 1;
            }
            let mut message = Vec::with_capacity(len);
            message.extend_from_slice(&self.options);
            (start..end).for_each(|point| self.put_point(point, &mut message));
            messages.push(Bytes::from(message));
            start = end;
        }
        messages
    }

    /// Bytes of a `PointStruct`.
    fn content_len(&self, point: usize) -> usize {
        let Draft {
            ids,
            vectors,
            payloads,
            ..
        } = &self.draft;
        ids[point].field_len() + payloads[point].len() + vectors[point].len()
    }

    /// Bytes of a point as a field of `UpsertPoints`.
    fn point_len(&self, point: usize) -> usize {
        let content = self.content_len(point);
        1 + varint_len(content as u64) + content
    }

    fn put_point(&self, point: usize, message: &mut Vec<u8>) {
        let Draft {
            arena,
            ids,
            vectors,
            payloads,
            ..
        } = &self.draft;
        message.push(upsert::POINT);
        put_varint(message, self.content_len(point) as u64);
        ids[point].put_field(message);
        message.extend_from_slice(&arena[payloads[point].range()]);
        message.extend_from_slice(&arena[vectors[point].range()]);
    }

    fn keep_last_of_each_id(&mut self) {
        let draft = &mut self.draft;
        let kept = last_of_each(draft.ids.len(), |point| Some(draft.ids[point]));
        if kept.len() == draft.ids.len() {
            return;
        }
        draft.ids = kept.iter().map(|&point| draft.ids[point]).collect();
        draft.vectors = kept.iter().map(|&point| draft.vectors[point]).collect();
        draft.payloads = kept.iter().map(|&point| draft.payloads[point]).collect();
    }
}

/// Every field of `UpsertPoints` but the points, by ascending number, defaults left out: equal options are equal bytes.
fn options(collection_name: &str, query: UpsertQuery, body: &Body) -> Vec<u8> {
    let mut options = Vec::new();
    put_bytes(
        &mut options,
        upsert::COLLECTION_NAME,
        collection_name.as_bytes(),
    );
    match query.ordering {
        None | Some(Ordering::Weak) => {}
        Some(Ordering::Medium) => put_bytes(&mut options, upsert::ORDERING, &[0x08, 1]),
        Some(Ordering::Strong) => put_bytes(&mut options, upsert::ORDERING, &[0x08, 2]),
    }
    options.extend_from_slice(&body.shard_key);
    options.extend_from_slice(&body.update_filter);
    if let Some(timeout_s) = query.timeout_s {
        put_number(&mut options, upsert::TIMEOUT, timeout_s);
    }
    options.extend_from_slice(&body.update_mode);
    options
}

/// Qdrant's own rule, which it would otherwise apply long after the write was accepted.
fn check_collection_name(name: &str) -> Result<(), WriteError> {
    const MOST: usize = 255;
    let message = match name {
        "" => "may not be empty".to_owned(),
        _ if name.chars().count() > MOST => format!("may have at most {MOST} characters"),
        _ if name.contains(['/', '\0']) => "may not contain `/` or a zero byte".to_owned(),
        _ => return Ok(()),
    };
    Err(WriteError::Invalid {
        point: None,
        field: "collection_name".to_owned(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(points: usize) -> Write {
        let points = vec![r#"{"id":1}"#; points].join(",");
        let body = format!(r#"{{"points":[{points}]}}"#);
        Write::parse_upsert("c", UpsertQuery::default(), body.as_bytes()).expect("a good body")
    }

    /// Lengths of the messages of so many equal points.
    fn lens(points: usize, limit: usize) -> Vec<usize> {
        let messages = write(points).into_messages(limit);
        messages.iter().map(Bytes::len).collect()
    }

    #[test]
    fn a_message_is_as_long_as_may_be_and_no_longer() {
        let (options, point) = (write(1).options.len(), write(1).point_len(0));
        let most = options + 3 * point;
        assert_eq!(lens(3, most), [most]);
        assert_eq!(lens(4, most), [most, options + point]);
        assert_eq!(lens(3, most - 1), [most - point, options + point]);
        assert_eq!(lens(2, 0), [options + point; 2]);
    }

    #[test]
    fn a_message_takes_the_room_that_was_reckoned() {
        let write = write(100);
        let len = write.options.len() + (0..100).map(|point| write.point_len(point)).sum::<usize>();
        assert_eq!(lens(100, usize::MAX), [len]);
    }
}
