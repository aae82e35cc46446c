//! The span of a write, from its head to its answer: route, status, points. Never what is in it.

use alioth_telemetry::{Span, Tracer};
use axum::http::{HeaderMap, StatusCode};

use crate::{
    answer::Refusal,
    message,
    reply::{Accepted, Family},
    router::{INGEST_PATH, UPSERT_PATH},
};

/// A write being handled. Ends when dropped, be it that the client went away.
pub(crate) struct WriteSpan {
    span: Span,
    /// The request's own.
    traceparent: Option<String>,
}

impl WriteSpan {
    /// Starts below the request's `traceparent`, if it has one.
    pub(crate) fn start(tracer: &Tracer, family: Family, headers: &HeaderMap) -> Self {
        let traceparent = message::traceparent(headers);
        let (name, method, route) = match family {
            Family::Alioth => ("POST /alioth/ingest", "POST", INGEST_PATH),
            Family::Qdrant => ("PUT /collections/{name}/points", "PUT", UPSERT_PATH),
        };
        let mut span = tracer.server(name, traceparent.as_deref());
        span.set("http.request.method", method);
        span.set("http.route", route);
        Self { span, traceparent }
    }

    /// What the write's messages carry: this span, or the request's `traceparent` as it came where no
    /// spans are made. To be asked once.
    pub(crate) fn take_traceparent(&mut self) -> Option<String> {
        self.span.traceparent().or_else(|| self.traceparent.take())
    }

    /// Tells how it was answered. As with any server, only its own failures count as such.
    pub(crate) fn answered(mut self, outcome: &Result<Accepted, Refusal>, status: StatusCode) {
        let code = i64::from(status.as_u16());
        self.span.set("http.response.status_code", code);
        match outcome {
            Ok(write) => self.span.set("alioth.points", write.points as i64),
            Err(refusal) => {
                let reason = refusal.verdict().code.as_str();
                self.span.set("alioth.reason", reason);
                if status.is_server_error() {
                    self.span.fail(reason);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_methods_and_routes() {
        assert_eq!(INGEST_PATH, "/alioth/ingest");
        assert_eq!(UPSERT_PATH, "/collections/{name}/points");
    }

    #[test]
    fn without_spans_the_traceparent_goes_along_as_it_came() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let mut headers = HeaderMap::new();
        let mut span = WriteSpan::start(&Tracer::default(), Family::Qdrant, &headers);
        assert_eq!(span.take_traceparent(), None);
        headers.insert("traceparent", traceparent.parse().unwrap());
        let mut span = WriteSpan::start(&Tracer::default(), Family::Alioth, &headers);
        assert_eq!(span.take_traceparent().as_deref(), Some(traceparent));
    }
}
