//! Spans and who makes them. Without a collector both are empty: a span then is a null pointer, and what is
//! set on it goes nowhere. They carry what their makers set, and no more.

use std::borrow::Cow;

use opentelemetry::{
    Context, KeyValue, Value,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{Link, Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracer, Span as SdkSpan},
};

/// Links a span has at most; further ones are left out. The standard's default.
/// Source: <https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits>
pub const MAX_LINKS: usize = 128;

const TRACEPARENT: &str = "traceparent";

/// Makes spans, or none when nobody asked for them. Clones are cheap. The default makes none.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<SdkTracer>);

/// A piece of work, from its start until this is dropped.
#[derive(Debug, Default)]
#[must_use = "a span ends when it is dropped"]
pub struct Span(Option<Box<SdkSpan>>);

impl Tracer {
    pub(super) fn new(tracer: Option<SdkTracer>) -> Self {
        Self(tracer)
    }

    /// Whether spans are made: what only they need may be left undone otherwise.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Starts to serve a request. `parent` is its `traceparent`; one that is malformed counts as none.
    pub fn server(&self, name: impl Into<Cow<'static, str>>, parent: Option<&str>) -> Span {
        let Some(tracer) = &self.0 else {
            return Span(None);
        };
        let parent = parent.map(remote).unwrap_or_default();
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server);
        Span(Some(Box::new(tracer.build_with_context(builder, &parent))))
    }

    /// Starts a call to another service in a trace of its own, linked to those it is made for: the first
    /// [`MAX_LINKS`] `traceparent`s. Those that are malformed are left out.
    pub fn client<'a>(
        &self,
        name: impl Into<Cow<'static, str>>,
        links: impl IntoIterator<Item = &'a str>,
    ) -> Span {
        let Some(tracer) = &self.0 else {
            return Span(None);
        };
        let links = links.into_iter().filter_map(|traceparent| {
            let context = remote(traceparent).span().span_context().clone();
            context
                .is_valid()
                .then(|| Link::new(context, Vec::new(), 0))
        });
        let builder = tracer
            .span_builder(name)
            .with_kind(SpanKind::Client)
            .with_links(links.take(MAX_LINKS).collect());
        Span(Some(Box::new(
            tracer.build_with_context(builder, &Context::new()),
        )))
    }
}

impl Span {
    /// The `traceparent` of whatever this leads to. An unsampled span has one, too, which says so.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.0.as_ref()?.span_context();
        if !context.is_valid() {
            return None;
        }
        Some(format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags().to_u8()
        ))
    }

    /// Tells of an attribute. Never payloads, vectors or credentials.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Marks the work as failed; `kind` is one of few words.
    pub fn fail(&mut self, kind: &'static str) {
        self.set("error.type", kind);
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(kind));
        }
    }
}

/// The context a `traceparent` names; without a span in it when it is malformed.
fn remote(traceparent: &str) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Only(traceparent))
}

/// Headers of which only the `traceparent` is known.
struct Only<'a>(&'a str);

impl Extractor for Only<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_without_a_collector_makes_nothing() {
        let tracer = Tracer::default();
        assert!(!tracer.is_on());
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut span = tracer.server("PUT", Some(parent));
        span.set("alioth.points", 3);
        span.fail("broker_away");
        assert!(span.0.is_none() && span.traceparent().is_none());
        let links = std::iter::from_fn(|| -> Option<&str> { panic!("a link was looked at") });
        assert!(tracer.client("upsert", links).0.is_none());
    }
}
