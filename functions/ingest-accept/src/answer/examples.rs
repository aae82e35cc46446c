//! One refusal of every kind, with typical values: what the documentation shows, what the golden
//! file of all error bodies is made from, and what the tests go through.

use std::time::Duration;

use alioth_broker::PublishError;
use alioth_jobs::RequestError;
use alioth_points::{PointRef, WriteError};

use super::Refusal;
use crate::content::Encoding;

impl Refusal {
    /// Every refusal there is.
    pub(crate) fn examples() -> Vec<Self> {
        let mut examples = Self::of_requests();
        examples.extend(Self::of_bodies());
        examples.extend(Self::of_writes());
        examples.extend(Self::of_jobs());
        examples.extend(Self::of_services());
        examples
    }

    fn of_requests() -> Vec<Self> {
        vec![
            Self::KeyMissing,
            Self::KeyWrong,
            Self::NoRoute {
                path: "/alioth/jobs".to_owned(),
            },
            Self::WrongMethod {
                method: "GET".to_owned(),
                path: "/alioth/ingest".to_owned(),
            },
            Self::BadPath {
                reason: "invalid UTF-8".to_owned(),
            },
            Self::BadQuery {
                reason: "ordering: unknown variant `fast`".to_owned(),
            },
            Self::ContentType {
                found: Some("text/plain".to_owned()),
            },
            Self::ContentType { found: None },
            Self::ContentEncoding {
                found: "gzip, zstd".to_owned(),
            },
        ]
    }

    fn of_bodies() -> Vec<Self> {
        vec![
            Self::BodyTooLarge {
                limit: 33_554_432,
                encoding: Encoding::Identity,
            },
            Self::BodyTooLarge {
                limit: 33_554_432,
                encoding: Encoding::Gzip,
            },
            Self::BodyTooSlow {
                after: Duration::from_secs(30),
            },
            Self::BodyIncomplete { received: 17 },
            Self::BadEncoding {
                encoding: Encoding::Zstd,
                reason: "unknown frame".to_owned(),
            },
        ]
    }

    fn of_writes() -> Vec<Self> {
        vec![
            Self::Write(WriteError::Syntax {
                line: 1,
                column: 12,
                offset: 11,
                message: "expected a value".to_owned(),
            }),
            Self::Write(WriteError::Type {
                line: 3,
                column: 7,
                path: "batch.ids[3]".to_owned(),
                message: "expected an unsigned integer or a UUID".to_owned(),
            }),
            Self::Write(WriteError::Invalid {
                point: Some(PointRef {
                    index: 3,
                    id: Some("7".to_owned()),
                }),
                field: "vector.title".to_owned(),
                message: "expected 384 dimensions, got 3".to_owned(),
            }),
            Self::Write(WriteError::Invalid {
                point: Some(PointRef { index: 3, id: None }),
                field: "id".to_owned(),
                message: "is no UUID".to_owned(),
            }),
            Self::Write(WriteError::Invalid {
                point: None,
                field: "batch.vectors".to_owned(),
                message: "has 2 entries for 3 ids".to_owned(),
            }),
            Self::CollectionName {
                reason: "is longer than 255 characters",
            },
            Self::CollectionMissing {
                name: "movies".to_owned(),
            },
            Self::PointTooLarge {
                size: 20_000_000,
                limit: 16_777_216,
            },
        ]
    }

    fn of_jobs() -> Vec<Self> {
        vec![
            Self::Request(RequestError::Syntax {
                line: 1,
                column: 18,
                message: "EOF while parsing a list".to_owned(),
            }),
            Self::Request(RequestError::Type {
                field: "hosts[1].port".to_owned(),
                line: 1,
                column: 52,
                message: "invalid value: integer `65536`, expected a port from 1 to 65535, as a number or a string"
                    .to_owned(),
            }),
            Self::Request(RequestError::Invalid {
                field: "snapshot_url".to_owned(),
                message: "must begin with https://, http:// or s3://".to_owned(),
            }),
        ]
    }

    fn of_services() -> Vec<Self> {
        vec![
            Self::Overloaded,
            Self::Publish(PublishError::QueueFull {
                queue: "ingest".to_owned(),
            }),
            Self::Publish(PublishError::Unroutable {
                queue: "ingest".to_owned(),
            }),
            Self::Publish(PublishError::Away {
                reason: "connection reset".to_owned(),
            }),
            Self::Publish(PublishError::TimedOut {
                after: Duration::from_secs(3),
            }),
            Self::BrokerAway,
            Self::NotConfirmed {
                after: Duration::from_secs(4),
            },
            Self::Internal,
        ]
    }
}
