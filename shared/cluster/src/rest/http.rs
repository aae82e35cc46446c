//! One node, and one call to it: address, key, deadline, status, `result`.

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use reqwest::{
    Client, Method, Response, Url,
    header::{HeaderMap, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    config::QdrantRestConfig,
    error::{Operation, RestError},
    redact::redact,
};

/// A node that vanished without a word is noticed within 25 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_RETRIES: u32 = 3;

/// Longest reason kept of an error answer, in bytes.
const MAX_REASON: usize = 1000;

/// One address of the REST API.
#[derive(Debug, Clone)]
pub(super) struct Address {
    base: Url,
    /// As errors name it, until the node's own name is known.
    pub(super) host: String,
    client: Client,
    timeout: Duration,
}

/// A call to be made.
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) method: Method,
    /// Segments, not yet percent-encoded.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Value>,
}

impl<'a> Call<'a> {
    pub(super) fn get(operation: Operation, path: &'a [&'a str]) -> Self {
        Self {
            operation,
            method: Method::GET,
            path,
            query: &[],
            body: None,
        }
    }

    pub(super) fn send(
        operation: Operation,
        method: Method,
        path: &'a [&'a str],
        body: &'a Value,
    ) -> Self {
        Self {
            operation,
            method,
            path,
            query: &[],
            body: Some(body),
        }
    }
}

impl Address {
    /// Sets up a client for one address of `base`'s host; dials nothing.
    pub(super) fn new(
        base: &Url,
        address: SocketAddr,
        config: &QdrantRestConfig,
    ) -> Result<Self, RestError> {
        // reqwest takes the process's provider; whichever was installed first stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        let key = config.api_key.expose();
        // `QdrantRestConfig`'s problems report a key that is no header earlier.
        if let (false, Ok(mut value)) = (key.is_empty(), HeaderValue::from_str(key)) {
            value.set_sensitive(true);
            headers.insert("api-key", value);
        }
        let mut client = Client::builder()
            .default_headers(headers)
            // One address is asked, not whichever the name has at the moment.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout.0)
            .tcp_keepalive(KEEP_ALIVE)
            .tcp_keepalive_interval(KEEP_ALIVE_INTERVAL)
            .tcp_keepalive_retries(KEEP_ALIVE_RETRIES);
        if let Some(name) = base.domain() {
            client = client.resolve(name, address);
        }
        Ok(Self {
            base: base.clone(),
            host: address.to_string(),
            client: client.build().map_err(RestError::Client)?,
            timeout: config.timeout.0,
        })
    }

    /// Makes a call and reads its `result`.
    pub(super) async fn result<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, RestError> {
        self.result_within(self.timeout, call).await
    }

    /// The same with a deadline of its own.
    pub(super) async fn result_within<T: DeserializeOwned>(
        &self,
        limit: Duration,
        call: Call<'_>,
    ) -> Result<T, RestError> {
        #[derive(serde::Deserialize)]
        struct Answer<T> {
            result: T,
        }
        let answer: Answer<T> = self.json(limit, call).await?;
        Ok(answer.result)
    }

    /// Makes a call and reads its whole answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        limit: Duration,
        call: Call<'_>,
    ) -> Result<T, RestError> {
        let mut request = self
            .client
            .request(call.method, self.url(call.path, call.query))
            .timeout(limit);
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let sent = request.send().await;
        let response = self.accepted(&call.operation, sent).await?;
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(source) => return Err(self.no_answer(&call.operation, source)),
        };
        serde_json::from_slice(&bytes).map_err(|error| RestError::Malformed {
            operation: call.operation,
            host: self.host.clone(),
            reason: format!("read the answer: {error}"),
        })
    }

    /// A request without a deadline, for bodies that take their time.
    pub(super) fn open(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path, query))
    }

    /// Passes on an answer that is no error.
    pub(super) async fn accepted(
        &self,
        operation: &Operation,
        sent: reqwest::Result<Response>,
    ) -> Result<Response, RestError> {
        let response = match sent {
            Ok(response) => response,
            Err(source) => return Err(self.no_answer(operation, source)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // Without its body the status says enough.
        let body = response.bytes().await.unwrap_or_default();
        Err(RestError::Refused {
            operation: operation.clone(),
            host: self.host.clone(),
            status: status.as_u16(),
            reason: reason(&body),
        })
    }

    fn no_answer(&self, operation: &Operation, source: reqwest::Error) -> RestError {
        RestError::NoAnswer {
            operation: operation.clone(),
            host: self.host.clone(),
            // The URL holds nothing that the operation and host do not say.
            source: source.without_url(),
        }
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        // Fails on `mailto:` and the like only.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Qdrant's `{"status":{"error":…}}`, else the text itself; its URLs without what opens them.
fn reason(body: &[u8]) -> String {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let error = answer
        .as_ref()
        .and_then(|answer| answer.pointer("/status/error")?.as_str());
    let text = error.map_or_else(|| String::from_utf8_lossy(body), Cow::Borrowed);
    // Before it is cut: half a URL is none to find.
    let mut reason = redact(text.trim());
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    reason
}
