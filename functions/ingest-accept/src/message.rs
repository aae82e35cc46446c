//! A write's chunks, or a job's request, as messages: content type, type, ids and headers of the wire format. Pure.

use std::fmt::Write as _;

use alioth_broker::{HeaderValue, OutgoingMessage};
use alioth_jobs::Request;
use axum::http::HeaderMap;
use bytes::Bytes;
use uuid::Uuid;

const CONTENT_TYPE: &str = "application/x-protobuf";
/// The `type` of a message whose body is an upsert.
const UPSERT_POINTS: &str = "qdrant.UpsertPoints";
const ACCEPTED_AT: &str = "alioth-accepted-at-ms";
const CHUNK: &str = "alioth-chunk";
/// The writes in a message of several, as `id:points` in the order of their points, separated by commas.
const WRITES: &str = "alioth-writes";
const TRACEPARENT: &str = "traceparent";

/// What all messages of one write have in common.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) ingest_id: Uuid,
    pub(crate) accepted_at_ms: i64,
    pub(crate) traceparent: Option<String>,
}

impl Envelope {
    /// Makes a message of each chunk, in their order.
    pub(crate) fn wrap(&self, chunks: Vec<Bytes>) -> Vec<OutgoingMessage> {
        let count = chunks.len();
        let message_id = self.ingest_id.to_string();
        chunks
            .into_iter()
            .enumerate()
            .map(|(index, body)| {
                let mut headers = self.headers(index + 1, count);
                if let Some(traceparent) = &self.traceparent {
                    headers.push((
                        TRACEPARENT.to_owned(),
                        HeaderValue::Text(traceparent.clone()),
                    ));
                }
                upsert(body, message_id.clone(), headers)
            })
            .collect()
    }

    /// Whether somebody records the trace it is part of.
    pub(crate) fn is_sampled(&self) -> bool {
        let flags = self
            .traceparent
            .as_deref()
            .and_then(|all| all.split('-').nth(3));
        flags
            .and_then(|flags| u8::from_str_radix(flags, 16).ok())
            .is_some_and(|flags| flags & 1 == 1)
    }

    fn headers(&self, number: usize, count: usize) -> Vec<(String, HeaderValue)> {
        let mut headers = Vec::with_capacity(3);
        headers.push((
            ACCEPTED_AT.to_owned(),
            HeaderValue::Int(self.accepted_at_ms),
        ));
        headers.push((
            CHUNK.to_owned(),
            HeaderValue::Text(format!("{number}/{count}")),
        ));
        headers
    }
}

/// Makes one message of the points of several writes, oldest first, of which nobody records a trace. It has the id and
/// the age of the first.
pub(crate) fn of_writes(writes: &[(&Envelope, usize)], body: Bytes) -> OutgoingMessage {
    let Some((first, _)) = writes.first() else {
        return upsert(body, String::new(), Vec::new());
    };
    let mut list = String::with_capacity(writes.len() * 40);
    for (envelope, points) in writes {
        let comma = if list.is_empty() { "" } else { "," };
        // A string takes what is written.
        let _ = write!(list, "{comma}{}:{points}", envelope.ingest_id);
    }
    let mut headers = first.headers(1, 1);
    headers.push((WRITES.to_owned(), HeaderValue::Text(list)));
    upsert(body, first.ingest_id.to_string(), headers)
}

fn upsert(body: Bytes, message_id: String, headers: Vec<(String, HeaderValue)>) -> OutgoingMessage {
    OutgoingMessage {
        body,
        content_type: CONTENT_TYPE.to_owned(),
        kind: UPSERT_POINTS.to_owned(),
        message_id,
        headers,
    }
}

/// Makes the message of a job's request.
pub(crate) fn of_job<R: Request>(
    request: &R,
    accepted_at_ms: i64,
    traceparent: Option<String>,
) -> OutgoingMessage {
    let mut headers = vec![(ACCEPTED_AT.to_owned(), HeaderValue::Int(accepted_at_ms))];
    if let Some(traceparent) = traceparent {
        headers.push((TRACEPARENT.to_owned(), HeaderValue::Text(traceparent)));
    }
    OutgoingMessage {
        body: Bytes::from(request.encode()),
        content_type: R::CONTENT_TYPE.to_owned(),
        kind: R::TYPE.to_owned(),
        message_id: request.job_id().to_string(),
        headers,
    }
}

/// The request's `traceparent`, if it is one; anything else is dropped, as the standard says.
/// Source: <https://www.w3.org/TR/trace-context/>, 3.2.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && is_traceparent(value)).then(|| value.to_owned())
}

fn is_traceparent(value: &str) -> bool {
    let mut parts = value.split('-');
    let (version, trace, parent, flags) = (parts.next(), parts.next(), parts.next(), parts.next());
    let known_version = match version {
        // Version 00 has these four parts and no more; a later one may have more.
        Some("00") => parts.next().is_none(),
        Some("ff") | None => false,
        Some(later) => is_hex(later, 2),
    };
    known_version
        && trace.is_some_and(|id| is_hex(id, 32) && !is_zero(id))
        && parent.is_some_and(|id| is_hex(id, 16) && !is_zero(id))
        && flags.is_some_and(|flags| is_hex(flags, 2))
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn chunks_share_the_id_and_are_numbered() {
        let envelope = Envelope {
            ingest_id: Uuid::from_u128(1),
            accepted_at_ms: 1_700_000_000_000,
            traceparent: Some(TRACE.to_owned()),
        };
        let messages = envelope.wrap(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
        assert_eq!(messages.len(), 2);
        for (message, (body, chunk)) in messages.iter().zip([("a", "1/2"), ("b", "2/2")]) {
            assert_eq!(message.body, body);
            assert_eq!(message.content_type, "application/x-protobuf");
            assert_eq!(message.kind, "qdrant.UpsertPoints");
            assert_eq!(message.message_id, "00000000-0000-0000-0000-000000000001");
            assert_eq!(
                message.headers,
                [
                    (ACCEPTED_AT.to_owned(), HeaderValue::Int(1_700_000_000_000)),
                    (CHUNK.to_owned(), HeaderValue::Text(chunk.to_owned())),
                    (TRACEPARENT.to_owned(), HeaderValue::Text(TRACE.to_owned())),
                ]
            );
        }
    }

    #[test]
    fn a_message_of_several_writes_tells_whose_points_they_are() {
        let [first, second] = [1, 2].map(|id| Envelope {
            ingest_id: Uuid::from_u128(id),
            accepted_at_ms: 1_700_000_000_000 + id as i64,
            traceparent: None,
        });
        let message = of_writes(&[(&first, 3), (&second, 1)], Bytes::from_static(b"ab"));
        assert_eq!(message.message_id, "00000000-0000-0000-0000-000000000001");
        assert_eq!(
            message.headers,
            [
                (ACCEPTED_AT.to_owned(), HeaderValue::Int(1_700_000_000_001)),
                (CHUNK.to_owned(), HeaderValue::Text("1/1".to_owned())),
                (
                    WRITES.to_owned(),
                    HeaderValue::Text(
                        "00000000-0000-0000-0000-000000000001:3,00000000-0000-0000-0000-000000000002:1"
                            .to_owned()
                    )
                ),
            ]
        );
    }

    #[test]
    fn a_valid_traceparent_goes_along_and_no_other() {
        let found = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, value.parse().unwrap());
            }
            traceparent(&headers)
        };
        assert_eq!(found(&[TRACE]).as_deref(), Some(TRACE));
        let later = TRACE.replacen("00", "01", 1) + "-more";
        assert_eq!(found(&[&later]).as_deref(), Some(later.as_str()));
        for bad in [
            "",
            "00",
            &TRACE.to_uppercase(),
            &TRACE.replacen("00", "ff", 1),
            &format!("{TRACE}-more"),
            &TRACE.replace("b7ad6b7169203331", "0000000000000000"),
            &TRACE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &TRACE[..TRACE.len() - 1],
        ] {
            assert_eq!(found(&[bad]), None, "{bad}");
        }
        assert_eq!(found(&[TRACE, TRACE]), None);
    }
}
