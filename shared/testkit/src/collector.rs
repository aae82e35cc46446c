//! A collector of spans: a real OTLP/gRPC server that keeps what it is sent. It judges nothing.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tokio::net::TcpListener;
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, transport::Server};

/// A span as it arrived. Ids are in hexadecimal, values as text.
#[derive(Debug, Clone)]
pub struct ExportedSpan {
    /// Of the process that made it.
    pub resource: BTreeMap<String, String>,
    /// The header `authorization` it came with.
    pub authorization: Option<String>,
    /// Its name.
    pub name: String,
    /// Server, client and so on.
    pub kind: SpanKind,
    /// 16 octets.
    pub trace_id: String,
    /// 8 octets.
    pub span_id: String,
    /// 8 octets; empty for a span without a parent.
    pub parent_id: String,
    /// What was set on it.
    pub attributes: BTreeMap<String, String>,
    /// Trace and span ids of what it is linked to.
    pub links: Vec<(String, String)>,
    /// Whether it is marked as failed.
    pub is_error: bool,
}

impl ExportedSpan {
    /// The `traceparent` that leads to it.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }

    /// The value of an attribute; empty when there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// A collector on 127.0.0.1, on a port the system gave; ends when dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Received>,
    _serving: DropGuard,
}

#[derive(Debug, Default)]
struct Received {
    spans: Mutex<Vec<ExportedSpan>>,
    connections: AtomicUsize,
}

impl Collector {
    /// Starts one; it serves once this returns.
    ///
    /// # Panics
    /// When the machine has no port left.
    pub async fn start() -> Self {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(error) => panic!("cannot listen for spans: {error}"),
        };
        let Ok(address) = listener.local_addr() else {
            panic!("a listener without an address");
        };
        let received = Arc::new(Received::default());
        let counted = Arc::clone(&received);
        let connections = TcpListenerStream::new(listener).map(move |connection| {
            counted.connections.fetch_add(1, Ordering::SeqCst);
            connection
        });
        let token = CancellationToken::new();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(Service(Arc::clone(&received))))
            .serve_with_incoming_shutdown(connections, token.clone().cancelled_owned());
        tokio::spawn(server);
        Self {
            address,
            received,
            _serving: token.drop_guard(),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span so far, in order of arrival.
    pub fn spans(&self) -> Vec<ExportedSpan> {
        self.received.spans().clone()
    }

    /// Connections made so far.
    pub fn connections(&self) -> usize {
        self.received.connections.load(Ordering::SeqCst)
    }
}

impl Received {
    fn spans(&self) -> MutexGuard<'_, Vec<ExportedSpan>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Service(Arc<Received>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let authorization = request.metadata().get("authorization");
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let authorization = authorization.map(str::to_owned);
        let mut spans = self.0.spans();
        for of_resource in request.into_inner().resource_spans {
            let resource = texts(of_resource.resource.unwrap_or_default().attributes);
            for span in of_resource.scope_spans.into_iter().flat_map(|s| s.spans) {
                spans.push(exported(span, &resource, authorization.clone()));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn exported(
    span: Span,
    resource: &BTreeMap<String, String>,
    authorization: Option<String>,
) -> ExportedSpan {
    let links = span.links.iter();
    let is_error = span.status.as_ref().map(|status| status.code()) == Some(StatusCode::Error);
    ExportedSpan {
        resource: resource.clone(),
        authorization,
        kind: span.kind(),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        links: links
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        name: span.name,
        attributes: texts(span.attributes),
        is_error,
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter().map(|attribute| {
        let value = attribute.value.and_then(|any| any.value);
        (attribute.key, text(value))
    });
    pairs.collect()
}

fn hex(id: &[u8]) -> String {
    let mut text = String::with_capacity(2 * id.len());
    for byte in id {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
