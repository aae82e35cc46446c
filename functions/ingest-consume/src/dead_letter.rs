//! What is set aside, and how it looks in `ingest.dead`: a message like any other, fit to be published
//! again, with the reason in its headers. Pure but for the time of death, which is passed in.

use std::ops::Range;

use alioth_broker::{Delivery, HeaderValue, OutgoingMessage, headers};
use alioth_points::UpsertMessage;
use bytes::Bytes;

use crate::writes;

/// Prefix of every header a dead letter adds. Those of an earlier death are replaced.
const PREFIX: &str = "alioth-dead-";
const CAUSE: &str = "alioth-dead-cause";
const CODE: &str = "alioth-dead-code";
const POINTS: &str = "alioth-dead-points";
const POINT_IDS: &str = "alioth-dead-point-ids";
const AT: &str = "alioth-dead-at-ms";

/// Ids named in the header; 100 UUIDs are 3.7 KB of the 64 KiB that we have RabbitMQ take in a frame.
const MAX_IDS: usize = 100;

/// The class of a death: label of a metric, and a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Qdrant will not have these points.
    Rejected,
    /// There is no such collection.
    MissingCollection,
    /// Qdrant fails on this message, and not on others.
    ServerFault,
    /// The bytes are no `qdrant.UpsertPoints`.
    Undecodable,
    /// The message says it is something this consumer does not know.
    UnknownType,
}

impl Cause {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::MissingCollection => "missing_collection",
            Self::ServerFault => "server_fault",
            Self::Undecodable => "undecodable",
            Self::UnknownType => "unknown_type",
        }
    }
}

/// Why something is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) cause: Cause,
    /// gRPC code by name, as Qdrant gave it or would have.
    pub(crate) code: &'static str,
    pub(crate) reason: String,
}

/// Neighbouring points of one message that died of the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadPoints {
    pub(crate) points: Range<usize>,
    pub(crate) death: Death,
}

/// Adds points to a message's dead, which come in ascending order, joining neighbours.
pub(crate) fn add(dead: &mut Vec<DeadPoints>, points: Range<usize>, death: Death) {
    match dead.last_mut() {
        Some(last) if last.points.end == points.start && last.death == death => {
            last.points.end = points.end;
        }
        Some(_) | None => dead.push(DeadPoints { points, death }),
    }
}

/// The dead letters of a message some or all of whose points died.
pub(crate) fn of_points(
    delivery: &Delivery,
    message: &UpsertMessage,
    dead: &[DeadPoints],
    at_ms: i64,
) -> Vec<OutgoingMessage> {
    let letter = |part: &DeadPoints| {
        let points = message.slice(part.points.clone());
        let whole = points.points() == message.points();
        let body = match whole {
            true => delivery.body.clone(),
            false => points.to_bytes(),
        };
        let mut letter = letter(delivery, body, &part.death, Some(&points), at_ms);
        if !whole {
            writes::narrow(&mut letter, part.points.clone());
        }
        letter
    };
    dead.iter().map(letter).collect()
}

/// The dead letter of a message that could not be read.
pub(crate) fn of_message(delivery: &Delivery, death: &Death, at_ms: i64) -> OutgoingMessage {
    letter(delivery, delivery.body.clone(), death, None, at_ms)
}

fn letter(
    delivery: &Delivery,
    body: Bytes,
    death: &Death,
    points: Option<&UpsertMessage>,
    at_ms: i64,
) -> OutgoingMessage {
    let text = |name: &str, value: &str| (name.to_owned(), HeaderValue::Text(value.to_owned()));
    let mut all: Vec<_> = delivery
        .headers
        .iter()
        .filter(|(name, _)| is_kept(name))
        .cloned()
        .collect();
    all.push(text(headers::DEAD_REASON, &death.reason));
    all.push(text(CAUSE, death.cause.as_str()));
    all.push(text(CODE, death.code));
    all.push((AT.to_owned(), HeaderValue::Int(at_ms)));
    if let Some(points) = points {
        let count = i64::try_from(points.points()).unwrap_or(i64::MAX);
        all.push((POINTS.to_owned(), HeaderValue::Int(count)));
        all.push(text(POINT_IDS, &ids(points)));
    }
    OutgoingMessage {
        body,
        content_type: delivery.content_type.clone(),
        kind: delivery.kind.clone(),
        message_id: delivery.message_id.clone(),
        headers: all,
    }
}

/// The client's and accept's headers, not those of the broker or of an earlier death.
fn is_kept(name: &str) -> bool {
    !name.starts_with(PREFIX) && !name.starts_with("x-")
}

/// The first ids, separated by commas; a point without one is a `-`.
fn ids(points: &UpsertMessage) -> String {
    let text = |id: Option<_>| match id {
        Some(id) => format!("{id}"),
        None => "-".to_owned(),
    };
    let ids: Vec<String> = points.ids().take(MAX_IDS).map(text).collect();
    ids.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_messages::{NoBroker, message};
    use alioth_broker::ConsumeError;

    fn death(reason: &str) -> Death {
        Death {
            cause: Cause::Rejected,
            code: "invalid_argument",
            reason: reason.to_owned(),
        }
    }

    fn delivery(message: &UpsertMessage) -> Delivery {
        let int = |name: &str, value| (name.to_owned(), HeaderValue::Int(value));
        let outgoing = OutgoingMessage {
            body: message.to_bytes(),
            content_type: "application/x-protobuf".to_owned(),
            kind: "qdrant.UpsertPoints".to_owned(),
            message_id: "write-1".to_owned(),
            headers: vec![
                int("alioth-accepted-at-ms", 17),
                int("x-delivery-count", 3),
                int("alioth-dead-at-ms", 1),
            ],
        };
        Delivery::new(outgoing, Box::new(NoBroker))
    }

    fn header<'a>(letter: &'a OutgoingMessage, name: &str) -> Vec<&'a HeaderValue> {
        letter
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value)
            .collect()
    }

    #[tokio::test]
    async fn a_dead_point_is_a_message_of_its_own_with_its_reason() -> Result<(), ConsumeError> {
        let message = message("films", &[10, 11, 12]);
        let delivery = delivery(&message);
        let mut dead = Vec::new();
        add(&mut dead, 1..2, death("wrong dimension"));
        let letters = of_points(&delivery, &message, &dead, 99);
        let [letter] = &letters[..] else {
            panic!("{letters:?}")
        };
        let body = UpsertMessage::scan(letter.body.clone()).expect("a whole message");
        assert_eq!(body.collection_name(), "films");
        assert_eq!(
            body.ids().collect::<Vec<_>>(),
            message.slice(1..2).ids().collect::<Vec<_>>()
        );
        assert_eq!(letter.message_id, "write-1");
        assert_eq!(letter.kind, "qdrant.UpsertPoints");
        let text = |value: &str| HeaderValue::Text(value.to_owned());
        assert_eq!(
            header(letter, "alioth-dead-reason"),
            [&text("wrong dimension")]
        );
        assert_eq!(header(letter, "alioth-dead-cause"), [&text("rejected")]);
        assert_eq!(
            header(letter, "alioth-dead-code"),
            [&text("invalid_argument")]
        );
        assert_eq!(header(letter, "alioth-dead-point-ids"), [&text("11")]);
        assert_eq!(header(letter, "alioth-dead-points"), [&HeaderValue::Int(1)]);
        assert_eq!(header(letter, "alioth-dead-at-ms"), [&HeaderValue::Int(99)]);
        assert_eq!(
            header(letter, "alioth-accepted-at-ms"),
            [&HeaderValue::Int(17)]
        );
        assert!(header(letter, "x-delivery-count").is_empty());
        delivery.ack().await
    }

    #[tokio::test]
    async fn a_dead_point_of_a_message_of_several_writes_has_its_own_writes_id() {
        let message = message("films", &[10, 11, 12]);
        let mut delivery = delivery(&message);
        let list = HeaderValue::Text("write-1:1,write-2:2".to_owned());
        delivery.headers.push(("alioth-writes".to_owned(), list));
        let mut dead = Vec::new();
        add(&mut dead, 2..3, death("wrong dimension"));
        let letters = of_points(&delivery, &message, &dead, 99);
        assert_eq!(letters[0].message_id, "write-2");
        assert!(header(&letters[0], "alioth-writes").is_empty());
    }

    #[test]
    fn neighbours_that_died_of_the_same_share_a_letter() {
        let mut dead = Vec::new();
        for (points, reason) in [(0..1, "a"), (1..3, "a"), (3..4, "b"), (6..7, "b")] {
            add(&mut dead, points, death(reason));
        }
        let ranges: Vec<_> = dead.iter().map(|part| part.points.clone()).collect();
        assert_eq!(ranges, [0..3, 3..4, 6..7]);
    }

    #[tokio::test]
    async fn a_wholly_dead_message_is_kept_byte_for_byte() {
        let message = message("films", &[1, 2]);
        let delivery = delivery(&message);
        let mut dead = Vec::new();
        add(&mut dead, 0..2, death("no such collection"));
        let letters = of_points(&delivery, &message, &dead, 0);
        assert_eq!(letters[0].body, delivery.body);
    }

    #[tokio::test]
    async fn the_ids_in_the_header_are_bounded() {
        let message = message("films", &(0..5_000).collect::<Vec<_>>());
        let mut dead = Vec::new();
        add(&mut dead, 0..5_000, death("x"));
        let letters = of_points(&delivery(&message), &message, &dead, 0);
        let [HeaderValue::Text(ids)] = header(&letters[0], "alioth-dead-point-ids")[..] else {
            panic!("{:?}", letters[0].headers)
        };
        assert_eq!(ids.split(',').count(), 100);
        assert_eq!(
            header(&letters[0], "alioth-dead-points"),
            [&HeaderValue::Int(5_000)]
        );
    }
}
