//! Points that say which write they are from, and messages of them.

use alioth_broker::{HeaderValue, OutgoingMessage};
use alioth_points::UpsertMessage;
use prost::Message;
use qdrant_client::qdrant::{PointStruct, UpsertPoints, point_id::PointIdOptions, value::Kind};

/// A point that says which write it is from.
pub(crate) fn point(id: u64, version: i64) -> PointStruct {
    PointStruct::new(id, vec![0.5; 4], [("version", version.into())])
}

pub(crate) fn version(point: &PointStruct) -> i64 {
    match point
        .payload
        .get("version")
        .and_then(|value| value.kind.as_ref())
    {
        Some(Kind::IntegerValue(version)) => *version,
        other => panic!("no version: {other:?}"),
    }
}

pub(crate) fn number(point: &PointStruct) -> u64 {
    match point
        .id
        .as_ref()
        .and_then(|id| id.point_id_options.as_ref())
    {
        Some(PointIdOptions::Num(number)) => *number,
        other => panic!("no number: {other:?}"),
    }
}

/// A message of points as accept would publish it.
pub(crate) fn outgoing(collection: &str, points: Vec<PointStruct>) -> OutgoingMessage {
    let upsert = UpsertPoints {
        collection_name: collection.to_owned(),
        points,
        ..Default::default()
    };
    OutgoingMessage {
        body: upsert.encode_to_vec().into(),
        content_type: "application/x-protobuf".to_owned(),
        kind: "qdrant.UpsertPoints".to_owned(),
        message_id: "write".to_owned(),
        headers: vec![("alioth-accepted-at-ms".to_owned(), HeaderValue::Int(1))],
    }
}

/// A message whose surface is sound and whose point with this number is not.
pub(crate) fn broken(collection: &str, ids: &[u64], at: usize) -> OutgoingMessage {
    let message: UpsertMessage = crate::test_messages::with_broken_point(collection, ids, at);
    OutgoingMessage {
        body: message.to_bytes(),
        ..outgoing(collection, Vec::new())
    }
}
