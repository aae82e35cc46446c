//! Messages to AMQP properties and back.

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::message::{HeaderValue, OutgoingMessage, headers};

/// AMQP's `persistent`.
const PERSISTENT: u8 = 2;
/// What an AMQP short string holds, in octets.
const SHORT_STRING: usize = 255;
/// Times a message went back to a quorum queue; absent at first.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// Why RabbitMQ itself dead-lettered a message.
const FIRST_DEATH_REASON: &str = "x-first-death-reason";
/// [`FIRST_DEATH_REASON`] of a message that went back to its queue too often.
const DELIVERY_LIMIT: &str = "delivery_limit";

/// The properties a message is published with.
pub(super) fn outgoing(message: &OutgoingMessage) -> BasicProperties {
    let mut table = FieldTable::default();
    for (name, value) in &message.headers {
        let value = match value {
            HeaderValue::Text(text) => AMQPValue::LongString(text.as_str().into()),
            HeaderValue::Int(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert(short(name), value);
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(short(&message.content_type))
        .with_type(short(&message.kind))
        .with_message_id(short(&message.message_id))
        .with_headers(table)
}

/// A message as received, and its delivery count.
pub(super) fn incoming(body: Vec<u8>, properties: &BasicProperties) -> (OutgoingMessage, u64) {
    let text = |value: &Option<ShortString>| {
        value
            .as_ref()
            .map(|value| value.as_str().to_owned())
            .unwrap_or_default()
    };
    let mut delivery_count = 0;
    let mut known = Vec::new();
    let mut by_limit = false;
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        let Some(value) = header_value(value) else {
            continue;
        };
        match (name.as_str(), &value) {
            (DELIVERY_COUNT, HeaderValue::Int(count)) => {
                delivery_count = u64::try_from(*count).unwrap_or_default();
                continue;
            }
            (FIRST_DEATH_REASON, HeaderValue::Text(reason)) => by_limit = reason == DELIVERY_LIMIT,
            _ => {}
        }
        known.push((name.as_str().to_owned(), value));
    }
    if by_limit && known.iter().all(|(name, _)| name != headers::DEAD_REASON) {
        let reason = HeaderValue::Text(headers::DEAD_REASON_DELIVERY_LIMIT.to_owned());
        known.push((headers::DEAD_REASON.to_owned(), reason));
        known.sort_by(|(left, _), (right, _)| left.cmp(right));
    }
    let message = OutgoingMessage {
        body: Bytes::from(body),
        content_type: text(properties.content_type()),
        kind: text(properties.kind()),
        message_id: text(properties.message_id()),
        headers: known,
    };
    (message, delivery_count)
}

/// lapin panics on a longer one: it is cut, at a character.
fn short(text: &str) -> ShortString {
    ShortString::from(&text[..text.floor_char_boundary(SHORT_STRING)])
}

fn header_value(value: &AMQPValue) -> Option<HeaderValue> {
    let number = match value {
        AMQPValue::LongString(text) => {
            return Some(HeaderValue::Text(
                String::from_utf8_lossy(text.as_bytes()).into_owned(),
            ));
        }
        AMQPValue::ShortString(text) => return Some(HeaderValue::Text(text.as_str().to_owned())),
        AMQPValue::ShortShortInt(number) => i64::from(*number),
        AMQPValue::ShortShortUInt(number) => i64::from(*number),
        AMQPValue::ShortInt(number) => i64::from(*number),
        AMQPValue::ShortUInt(number) => i64::from(*number),
        AMQPValue::LongInt(number) => i64::from(*number),
        AMQPValue::LongUInt(number) => i64::from(*number),
        AMQPValue::LongLongInt(number) => *number,
        AMQPValue::Boolean(_)
        | AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::Timestamp(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => return None,
    };
    Some(HeaderValue::Int(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> OutgoingMessage {
        OutgoingMessage {
            body: Bytes::from_static(b"body"),
            content_type: "application/x-protobuf".to_owned(),
            kind: "qdrant.UpsertPoints".to_owned(),
            message_id: "0190".to_owned(),
            headers: vec![
                (
                    "alioth-accepted-at-ms".to_owned(),
                    HeaderValue::Int(1_700_000_000_000),
                ),
                (
                    "alioth-chunk".to_owned(),
                    HeaderValue::Text("1/2".to_owned()),
                ),
            ],
        }
    }

    #[test]
    fn what_goes_out_comes_in() {
        let properties = outgoing(&message());
        assert_eq!(*properties.delivery_mode(), Some(PERSISTENT));
        assert_eq!(incoming(b"body".to_vec(), &properties), (message(), 0));
    }

    #[test]
    fn the_brokers_own_headers_become_a_count_and_a_reason() {
        let mut table = FieldTable::default();
        table.insert("x-delivery-count".into(), AMQPValue::LongUInt(7));
        table.insert(
            "x-first-death-reason".into(),
            AMQPValue::LongString("delivery_limit".into()),
        );
        table.insert(
            "x-death".into(),
            AMQPValue::FieldArray(Vec::<AMQPValue>::new().into()),
        );
        let properties = BasicProperties::default().with_headers(table);
        let (message, count) = incoming(Vec::new(), &properties);
        assert_eq!(count, 7);
        let text = |text: &str| HeaderValue::Text(text.to_owned());
        assert_eq!(
            message.headers,
            [
                ("alioth-dead-reason".to_owned(), text("delivery-limit")),
                ("x-first-death-reason".to_owned(), text("delivery_limit")),
            ]
        );
    }

    #[test]
    fn a_property_longer_than_amqp_takes_is_cut_at_a_character() {
        let mut long = message();
        long.message_id = "ü".repeat(200);
        let properties = outgoing(&long);
        let id = properties.message_id().as_ref().expect("it is set");
        assert_eq!(id.as_str(), "ü".repeat(127));
    }
}
