//! The crate against Qdrant's own types: what is decoded, what is refused, what merging leaves.
mod consume;
mod errors;
mod filters;
mod floats;
mod generate;
mod golden;
mod hostile;
mod limits;
mod reference;
mod schema;
mod writes;

use alioth_points::{UpsertQuery, Write, WriteError};
use bytes::Bytes;
use prost::Message;
use qdrant_client::qdrant::UpsertPoints;

/// Far more than any message here.
const NO_LIMIT: usize = usize::MAX;

fn upsert(body: &str) -> Result<Write, WriteError> {
    Write::parse_upsert("c", UpsertQuery::default(), body.as_bytes())
}

fn decode(message: &Bytes) -> UpsertPoints {
    UpsertPoints::decode(message.clone()).expect("a message decodes")
}

/// The one message of a write.
fn only_message(write: Write) -> UpsertPoints {
    let messages = write.into_messages(NO_LIMIT);
    assert_eq!(messages.len(), 1);
    decode(&messages[0])
}

/// What a body becomes.
fn upserted(body: &str) -> UpsertPoints {
    match upsert(body) {
        Ok(write) => only_message(write),
        Err(error) => panic!("{error}\n{body:.2000}"),
    }
}

/// Why a body is refused.
fn refused(body: &str) -> WriteError {
    match upsert(body) {
        Ok(_) => panic!("accepted: {body:.2000}"),
        Err(error) => error,
    }
}
