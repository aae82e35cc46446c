//! Whether a message is what it says: asked when Qdrant answers `Internal`, which is also its
//! answer to bytes it cannot decode. Never on the hot path.

use alioth_points::UpsertMessage;
use prost::Message;
use qdrant_client::qdrant::UpsertPoints;

/// Bytes that are no `qdrant.UpsertPoints`. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("undecodable: {reason}")]
pub struct Undecodable {
    /// The decoder's words.
    pub reason: String,
}

/// Decodes the whole message as the server would. About 1 µs a point.
///
/// # Errors
/// What the decoder stumbled over.
pub fn decode_check(message: &UpsertMessage) -> Result<(), Undecodable> {
    match UpsertPoints::decode(message.to_bytes()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Undecodable {
            reason: error.to_string(),
        }),
    }
}
