//! One message of the queue: its options and points located, not decoded. Whoever wrote it, it may have its
//! fields in any order and more than once, as protobuf allows.
mod fields;
mod options;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::PointId;
use crate::wire::upsert;
use fields::{Field, Fields, Payload};
use options::{Options, OptionsBuilder};

/// Bytes that are no `qdrant.UpsertPoints`. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("undecodable at byte {offset}: {message}")]
pub struct ScanError {
    /// 0-based, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

impl ScanError {
    /// Whether the same bytes may be readable later: never.
    pub fn is_transient(&self) -> bool {
        false
    }
}

/// Messages of equal keys merge: collection and every option but `wait`, also options unknown to this crate.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MergeKey(Bytes);

impl fmt::Debug for MergeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MergeKey({} bytes)", self.0.len())
    }
}

impl MergeKey {
    /// The options as they stand in a message.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Where a point stands in the body, tag and length with it, and its id.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) bytes: Range<usize>,
    pub(crate) id: Option<PointId>,
}

/// One message of the queue, its points located but not decoded. Clones and slices share its bytes.
#[derive(Debug, Clone)]
pub struct UpsertMessage {
    body: Bytes,
    key: MergeKey,
    collection_name: Arc<str>,
    order_matters: bool,
    located: Arc<[Located]>,
    range: Range<usize>,
}

impl UpsertMessage {
    /// Locates options and points; O(points), nothing of a point but its id is looked at.
    ///
    /// Fields may come in any order. As in any protobuf reader, of a number or a string the last one
    /// counts, and messages given twice are merged. Fields unknown here are kept and are part of the key:
    /// they may mean something to the server.
    ///
    /// # Errors
    /// Permanent: bytes that are no `qdrant.UpsertPoints`. What lies deeper than a point's own fields is not
    /// looked at.
    pub fn scan(body: Bytes) -> Result<UpsertMessage, ScanError> {
        let mut options = OptionsBuilder::default();
        let mut located = Vec::new();
        let mut fields = Fields::new(&body, 0..body.len());
        while let Some(field) = fields.next()? {
            match (field.tag, &field.payload) {
                (tag, Payload::Bytes(content)) if tag == u64::from(upsert::POINT) => {
                    let id = point_id(&body, content.clone())?;
                    located.push(Located {
                        bytes: field.bytes,
                        id,
                    });
                }
                _ => options.take(field)?,
            }
        }
        let Options {
            key,
            collection_name,
            order_matters,
        } = options.finish(&body)?;
        let range = 0..located.len();
        Ok(UpsertMessage {
            body,
            key: MergeKey(key),
            collection_name,
            order_matters,
            located: located.into(),
            range,
        })
    }

    /// Collection.
    pub fn collection_name(&self) -> &str {
        &self.collection_name
    }

    /// What it merges with.
    pub fn merge_key(&self) -> &MergeKey {
        &self.key
    }

    /// Number of points.
    pub fn points(&self) -> usize {
        self.range.len()
    }

    /// Bytes of its points as they go into an upsert.
    pub fn point_bytes(&self) -> usize {
        self.located().iter().map(|point| point.bytes.len()).sum()
    }

    /// Ids in order; `None` where a foreign producer wrote none Qdrant would take.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = Option<PointId>> + DoubleEndedIterator + '_ {
        self.located().iter().map(|point| point.id)
    }

    /// Whether which of two writes of one id comes first decides more than the survivor
    /// (`insert_only`, `update_filter`): such messages may share an upsert only when no id repeats.
    pub fn order_matters(&self) -> bool {
        self.order_matters
    }

    /// The points of `range` as a message of their own (bisection, dead letters); what of `range` lies beyond
    /// the last point is left out.
    pub fn slice(&self, range: Range<usize>) -> UpsertMessage {
        let end = range.end.min(self.points());
        let start = range.start.min(end);
        UpsertMessage {
            range: self.range.start + start..self.range.start + end,
            ..self.clone()
        }
    }

    /// A whole message body again: options and points (what a dead letter carries).
    pub fn to_bytes(&self) -> Bytes {
        Self::concat(&[self])
    }

    /// One message body of messages of one merge key: the options, then every point of each in order, also those of
    /// ids that repeat. Of no messages no bytes.
    pub fn concat(messages: &[&UpsertMessage]) -> Bytes {
        let Some(first) = messages.first() else {
            return Bytes::new();
        };
        debug_assert!(
            messages.iter().all(|message| message.key == first.key),
            "keys differ"
        );
        let options = first.key.bytes();
        let points: usize = messages.iter().map(|message| message.point_bytes()).sum();
        let mut body = Vec::with_capacity(options.len() + points);
        body.extend_from_slice(options);
        for message in messages {
            for point in message.located() {
                body.extend_from_slice(&message.body[point.bytes.clone()]);
            }
        }
        body.into()
    }

    pub(crate) fn located(&self) -> &[Located] {
        &self.located[self.range.clone()]
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }
}

/// `PointStruct.id`.
const ID: u64 = 0x0a;
/// `PointStruct.payload` and `.vectors`: present or not, they are messages.
const PAYLOAD_FIELD: u64 = 3;
const VECTORS_FIELD: u64 = 4;
/// `PointId.num`, `.uuid`.
const NUM: u64 = 0x08;
const UUID: u64 = 0x12;

/// Id of the `PointStruct` at `point`; walks its fields and looks into that one.
fn point_id(body: &[u8], point: Range<usize>) -> Result<Option<PointId>, ScanError> {
    let mut id = None;
    let mut fields = Fields::new(body, point);
    while let Some(Field {
        tag,
        bytes,
        payload,
    }) = fields.next()?
    {
        match (tag, payload) {
            (ID, Payload::Bytes(content)) => id = point_id_of(body, content, id)?,
            (_, Payload::Number(_) | Payload::Other)
                if matches!(tag >> 3, 1 | PAYLOAD_FIELD | VECTORS_FIELD) =>
            {
                return Err(fields::wrong_wire_type(bytes.start));
            }
            (_, Payload::Bytes(_) | Payload::Number(_) | Payload::Other) => {}
        }
    }
    Ok(id)
}

/// Id in the `PointId` at `content`, `earlier` if that says nothing.
fn point_id_of(
    body: &[u8],
    content: Range<usize>,
    earlier: Option<PointId>,
) -> Result<Option<PointId>, ScanError> {
    let mut id = earlier;
    let mut fields = Fields::new(body, content);
    while let Some(Field {
        tag,
        bytes,
        payload,
    }) = fields.next()?
    {
        match (tag, payload) {
            (NUM, Payload::Number(num)) => id = Some(PointId::Num(num)),
            (UUID, Payload::Bytes(text)) => id = PointId::from_uuid_text(&body[text]),
            (_, Payload::Bytes(_) | Payload::Number(_) | Payload::Other)
                if matches!(tag >> 3, 1 | 2) =>
            {
                return Err(fields::wrong_wire_type(bytes.start));
            }
            (_, Payload::Bytes(_) | Payload::Number(_) | Payload::Other) => {}
        }
    }
    Ok(id)
}
