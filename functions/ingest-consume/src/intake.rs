//! A delivery as it comes → a message to merge, or the reason why it is none. Pure.

use alioth_broker::Delivery;
use alioth_points::UpsertMessage;

use crate::dead_letter::{Cause, Death};

const CONTENT_TYPE: &str = "application/x-protobuf";
const UPSERT_POINTS: &str = "qdrant.UpsertPoints";

/// Reads a delivery's type and finds its points.
///
/// # Errors
/// Why it has to be set aside.
pub(crate) fn read(delivery: &Delivery) -> Result<UpsertMessage, Death> {
    let unknown = |what: &str, value: &str| Death {
        cause: Cause::UnknownType,
        code: "unimplemented",
        reason: format!(
            "unknown {what} {:?}",
            value.chars().take(100).collect::<String>()
        ),
    };
    if delivery.content_type != CONTENT_TYPE {
        return Err(unknown("content type", &delivery.content_type));
    }
    if delivery.kind != UPSERT_POINTS {
        return Err(unknown("type", &delivery.kind));
    }
    let undecodable = |reason| Death {
        cause: Cause::Undecodable,
        code: "invalid_argument",
        reason,
    };
    match UpsertMessage::scan(delivery.body.clone()) {
        Ok(message) if message.points() == 0 => Err(undecodable("holds no points".to_owned())),
        Ok(message) => Ok(message),
        Err(error) => Err(undecodable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_messages::{NoBroker, message};
    use alioth_broker::OutgoingMessage;
    use bytes::Bytes;

    fn read_as(content_type: &str, kind: &str, body: Bytes) -> Result<usize, (Cause, String)> {
        let outgoing = OutgoingMessage {
            body,
            content_type: content_type.to_owned(),
            kind: kind.to_owned(),
            message_id: String::new(),
            headers: Vec::new(),
        };
        match read(&Delivery::new(outgoing, Box::new(NoBroker))) {
            Ok(message) => Ok(message.points()),
            Err(death) => Err((death.cause, death.reason)),
        }
    }

    #[tokio::test]
    async fn an_upsert_is_read_and_everything_else_told_what_it_is() {
        let body = message("films", &[1, 2]).to_bytes();
        assert_eq!(read_as(CONTENT_TYPE, UPSERT_POINTS, body.clone()), Ok(2));
        let (cause, reason) = read_as("application/json", UPSERT_POINTS, body.clone()).unwrap_err();
        assert_eq!(
            (cause, reason.as_str()),
            (
                Cause::UnknownType,
                "unknown content type \"application/json\""
            )
        );
        let (cause, reason) = read_as(CONTENT_TYPE, "qdrant.DropPoints", body).unwrap_err();
        assert_eq!(
            (cause, reason.as_str()),
            (Cause::UnknownType, "unknown type \"qdrant.DropPoints\"")
        );
    }

    #[tokio::test]
    async fn bytes_that_are_no_upsert_are_undecodable() {
        for body in [&b"\xff\xff\xff"[..], b"not protobuf", &[0x1a, 0x7f, 1]] {
            let (cause, _) =
                read_as(CONTENT_TYPE, UPSERT_POINTS, Bytes::from_static(body)).unwrap_err();
            assert_eq!(cause, Cause::Undecodable);
        }
        let (_, reason) = read_as(
            CONTENT_TYPE,
            UPSERT_POINTS,
            message("films", &[]).to_bytes(),
        )
        .unwrap_err();
        assert_eq!(reason, "holds no points");
    }
}
