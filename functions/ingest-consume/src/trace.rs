//! The span of an upsert, from its sending to Qdrant's answer, linked to the writes in it: collection,
//! points, bytes, outcome. Never what is in it.

use alioth_broker::{Delivery, HeaderValue};
use alioth_cluster::{Applied, UpsertError};
use alioth_telemetry::{MAX_LINKS, Span, Tracer};

use crate::{applier::Upsert, metrics};

const TRACEPARENT: &str = "traceparent";

/// The traces that messages belong to, each once however many chunks of it there are, and at most as many
/// as a span has links. None where no spans are made.
pub(crate) fn traceparents<'a>(
    tracer: &Tracer,
    deliveries: impl Iterator<Item = &'a Delivery>,
) -> Vec<String> {
    if !tracer.is_on() {
        return Vec::new();
    }
    distinct(deliveries)
}

fn distinct<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for delivery in deliveries {
        let Some(HeaderValue::Text(traceparent)) = delivery.header(TRACEPARENT) else {
            continue;
        };
        if distinct.len() == MAX_LINKS {
            break;
        }
        // Chunks of two large writes may come in turns.
        if !distinct.contains(traceparent) {
            distinct.push(traceparent.clone());
        }
    }
    distinct
}

/// An upsert in flight. Ends when dropped, be it cut off by the drain deadline.
pub(crate) struct UpsertSpan(Span);

impl UpsertSpan {
    pub(crate) fn start(tracer: &Tracer, upsert: &Upsert) -> Self {
        let links = upsert.traceparents.iter().map(String::as_str);
        let mut span = tracer.client("upsert", links);
        if tracer.is_on() {
            span.set("db.system.name", "qdrant");
            span.set("db.operation.name", "upsert");
            span.set("db.collection.name", upsert.collection.to_string());
            span.set("db.operation.batch.size", upsert.body.points as i64);
            span.set("alioth.upsert.bytes", upsert.bytes() as i64);
        }
        Self(span)
    }

    /// Tells what Qdrant answered, in the words of the metrics.
    pub(crate) fn answered(mut self, answer: &Result<Applied, UpsertError>) {
        let outcome = metrics::outcome(answer);
        self.0.set("alioth.outcome", outcome);
        if answer.is_err() {
            self.0.fail(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_messages::NoBroker;
    use alioth_broker::OutgoingMessage;
    use bytes::Bytes;

    fn delivery(traceparent: Option<HeaderValue>) -> Delivery {
        let headers = traceparent.map(|value| (TRACEPARENT.to_owned(), value));
        let message = OutgoingMessage {
            body: Bytes::new(),
            content_type: String::new(),
            kind: String::new(),
            message_id: String::new(),
            headers: headers.into_iter().collect(),
        };
        Delivery::new(message, Box::new(NoBroker))
    }

    fn text(trace: usize) -> Option<HeaderValue> {
        Some(HeaderValue::Text(format!("trace {trace}")))
    }

    #[tokio::test]
    async fn chunks_of_one_write_are_one_trace_and_messages_without_one_none() {
        let headers = [
            text(1),
            text(1),
            None,
            text(1),
            Some(HeaderValue::Int(1)),
            text(2),
        ];
        let deliveries = headers.map(delivery);
        assert_eq!(distinct(deliveries.iter()), ["trace 1", "trace 2"]);
    }

    #[tokio::test]
    async fn there_are_no_more_than_a_span_takes_and_none_where_none_are_made() {
        let deliveries: Vec<_> = (0..2 * MAX_LINKS)
            .map(|trace| delivery(text(trace)))
            .collect();
        assert_eq!(distinct(deliveries.iter()).len(), MAX_LINKS);
        assert!(traceparents(&Tracer::default(), deliveries.iter()).is_empty());
    }
}
