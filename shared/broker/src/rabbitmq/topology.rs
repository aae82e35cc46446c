//! The queues as RabbitMQ is told of them.

use lapin::{
    ErrorKind,
    options::QueueDeclareOptions,
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    Settings,
    link::{Link, LinkError},
};
use crate::{
    error::DeclareError,
    queue::{Queue, QueueLimits, QueueNames},
};

/// RabbitMQ 4 drops a message after 20 returns unless told otherwise, and looking at dead letters returns them.
/// "Without limit" (-1) is not known before 4.0.
const DEAD_LETTER_DELIVERY_LIMIT: u32 = 1_000_000;

/// A connection with the topology declared on it.
pub(super) async fn connect(settings: &Settings, role: &str) -> Result<Link, String> {
    let mut opened = Link::open(settings, role).await;
    if let Err(error) = &opened
        && error.is_refusal()
        && settings.renew_url().await
    {
        opened = Link::open(settings, role).await;
    }
    let link = opened.map_err(|error| error.to_string())?;
    match declare(&link, settings).await {
        Ok(()) => Ok(link),
        Err(error) => {
            if !error.is_transient() {
                tracing::error!(%error, "rabbitmq's queues are not the configured ones");
            }
            Err(error.to_string())
        }
    }
}

/// Declares every queue.
pub(super) async fn declare(link: &Link, settings: &Settings) -> Result<(), DeclareError> {
    let away = |error: LinkError| DeclareError::Away {
        reason: error.to_string(),
    };
    let channel = link.channel().await.map_err(away)?;
    for queue in Queue::ALL {
        let name = settings.names.of(queue);
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let arguments = arguments(queue, &settings.names, &settings.limits);
        let declared = channel.queue_declare(ShortString::from(name), options, arguments);
        if let Err(error) = link.in_time(declared).await {
            return Err(refusal(name, error));
        }
    }
    link.in_time(channel.close(200, "OK".into()))
        .await
        .map_err(away)
}

/// A queue's arguments.
fn arguments(queue: Queue, names: &QueueNames, limits: &QueueLimits) -> FieldTable {
    let text = |value: &str| AMQPValue::LongString(value.into());
    let number = |value: u64| AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX));
    let mut arguments = FieldTable::default();
    let mut set = |name: &str, value| {
        arguments.insert(ShortString::from(name), value);
    };
    set("x-queue-type", text("quorum"));
    set("x-overflow", text("reject-publish"));
    set("x-max-length", number(limits.max_length));
    set("x-max-length-bytes", number(limits.max_length_bytes));
    match queue.dead() {
        Some(dead) => {
            set("x-delivery-limit", number(u64::from(limits.delivery_limit)));
            set("x-dead-letter-exchange", text(""));
            set("x-dead-letter-routing-key", text(names.of(dead)));
            // The default may lose the message between the two queues.
            set("x-dead-letter-strategy", text("at-least-once"));
        }
        None => set(
            "x-delivery-limit",
            number(u64::from(DEAD_LETTER_DELIVERY_LIMIT)),
        ),
    }
    arguments
}

fn refusal(queue: &str, error: LinkError) -> DeclareError {
    let soft = match &error {
        LinkError::Amqp(amqp) => match amqp.kind() {
            ErrorKind::ProtocolError(refused) => match refused.kind() {
                AMQPErrorKind::Soft(kind) => {
                    Some((kind.clone(), refused.get_message().to_string()))
                }
                AMQPErrorKind::Hard(_) => None,
            },
            _ => None,
        },
        LinkError::TimedOut(_) => None,
    };
    let queue = queue.to_owned();
    match soft {
        Some((AMQPSoftError::PRECONDITIONFAILED, detail)) => match different_argument(&detail) {
            Some(argument) => DeclareError::Conflict {
                queue,
                argument,
                detail,
            },
            None => DeclareError::Refused { queue, detail },
        },
        Some((_, detail)) => DeclareError::Refused { queue, detail },
        None => DeclareError::Away {
            reason: error.to_string(),
        },
    }
}

/// The argument named in `… inequivalent arg 'x-max-length' for queue …`.
fn different_argument(detail: &str) -> Option<String> {
    let (_, rest) = detail.split_once("inequivalent arg '")?;
    let (argument, _) = rest.split_once('\'')?;
    Some(argument.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(queue: Queue) -> Vec<String> {
        let table = arguments(queue, &QueueNames::new("p."), &QueueLimits::default());
        table
            .inner()
            .iter()
            .map(|(key, value)| format!("{key}={value:?}"))
            .collect()
    }

    #[test]
    fn arguments_are_as_every_other_declarer_has_them() {
        assert_eq!(
            keys(Queue::Ingest),
            [
                "x-dead-letter-exchange=LongString(LongString([]))",
                &format!(
                    "x-dead-letter-routing-key={:?}",
                    AMQPValue::LongString("p.ingest.dead".into())
                ),
                &format!(
                    "x-dead-letter-strategy={:?}",
                    AMQPValue::LongString("at-least-once".into())
                ),
                "x-delivery-limit=LongLongInt(100)",
                "x-max-length=LongLongInt(1000000)",
                "x-max-length-bytes=LongLongInt(4294967296)",
                &format!(
                    "x-overflow={:?}",
                    AMQPValue::LongString("reject-publish".into())
                ),
                &format!("x-queue-type={:?}", AMQPValue::LongString("quorum".into())),
            ]
        );
        assert!(
            keys(Queue::IngestDead)
                .iter()
                .all(|key| !key.contains("dead-letter"))
        );
    }

    #[test]
    fn the_differing_argument_is_found_in_what_rabbitmq_says() {
        let detail = "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'ingest' in vhost '/': \
                      received the value '5' of type 'signedint' but current is the value '6' of type 'signedint'";
        assert_eq!(different_argument(detail).as_deref(), Some("x-max-length"));
        assert_eq!(
            different_argument("PRECONDITION_FAILED - invalid arg"),
            None
        );
    }
}
