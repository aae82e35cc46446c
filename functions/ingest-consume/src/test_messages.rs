//! Messages for this crate's unit tests.

use alioth_broker::{ConsumeError, Settle};
use alioth_points::UpsertMessage;
use prost::Message;
use qdrant_client::qdrant::{PointId, PointStruct, UpdateMode, UpsertPoints};

/// Points of these numbers, with a vector each.
pub(crate) fn message(collection: &str, ids: &[u64]) -> UpsertMessage {
    let ids: Vec<PointId> = ids.iter().copied().map(PointId::from).collect();
    message_with(collection, &ids)
}

/// Points of these ids, with a vector each.
pub(crate) fn message_with(collection: &str, ids: &[PointId]) -> UpsertMessage {
    scan(&upsert(collection, ids))
}

/// A message whose order against others of its ids decides more than the survivor.
pub(crate) fn insert_only(collection: &str, ids: &[u64]) -> UpsertMessage {
    let ids: Vec<PointId> = ids.iter().copied().map(PointId::from).collect();
    let mut upsert = upsert(collection, &ids);
    upsert.update_mode = Some(UpdateMode::InsertOnly.into());
    scan(&upsert)
}

/// Sound but for one point, whose payload has a key that is no UTF-8: only a full decoder notices.
pub(crate) fn with_broken_point(collection: &str, ids: &[u64], broken: usize) -> UpsertMessage {
    let mark = "key-to-break";
    let ids: Vec<PointId> = ids.iter().copied().map(PointId::from).collect();
    let mut upsert = upsert(collection, &ids);
    upsert.points[broken]
        .payload
        .insert(mark.to_owned(), "value".into());
    let mut bytes = upsert.encode_to_vec();
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark.as_bytes());
    bytes[at.expect("the key as it was written")] = 0xff;
    UpsertMessage::scan(bytes.into()).expect("sound at the surface")
}

fn upsert(collection: &str, ids: &[PointId]) -> UpsertPoints {
    let points = ids
        .iter()
        .map(|id| PointStruct {
            id: Some(id.clone()),
            vectors: Some(vec![0.5; 4].into()),
            payload: [("version".to_owned(), 1.into())].into(),
        })
        .collect();
    UpsertPoints {
        collection_name: collection.to_owned(),
        points,
        ..Default::default()
    }
}

fn scan(upsert: &UpsertPoints) -> UpsertMessage {
    UpsertMessage::scan(upsert.encode_to_vec().into()).expect("what was just encoded")
}

/// Settles nothing.
pub(crate) struct NoBroker;

#[async_trait::async_trait]
impl Settle for NoBroker {
    async fn ack(&self) -> Result<(), ConsumeError> {
        Ok(())
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        Ok(())
    }
}
