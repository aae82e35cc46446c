//! A client: HTTP/1.1 with keep-alive, or HTTP/2 without TLS.

use std::net::SocketAddr;

use alioth_testkit::wait_until;
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, Version},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use super::DEADLINE;

/// Sends requests to one process. Clones share connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Body>,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null when it is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The message of a refusal, in either shape.
    pub(crate) fn message(&self) -> &str {
        let found = self.body["error"]["message"].as_str();
        found
            .or_else(|| self.body["status"]["error"].as_str())
            .unwrap_or_default()
    }

    /// Status and code of a refusal in Alioth's shape.
    pub(crate) fn code(&self) -> (u16, &str) {
        (
            self.status,
            self.body["error"]["code"].as_str().unwrap_or_default(),
        )
    }

    /// Retry-After in whole seconds.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        self.headers.get("retry-after")?.to_str().ok()?.parse().ok()
    }
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address }
    }

    pub(crate) fn http2(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        Self { client, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty())
            .await
            .unwrap()
    }

    /// A JSON body to the Alioth route.
    pub(crate) async fn ingest(&self, body: impl Into<Body>) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, "/alioth/ingest", &json, body)
            .await
            .unwrap()
    }

    /// A JSON body to a Qdrant route.
    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::PUT, path, &json, body).await.unwrap()
    }

    /// Any request; an error when the connection failed.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Result<Answer, String> {
        let uri = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| format!("{error:?}"))?;
        let (head, body) = response.into_parts();
        let bytes = to_bytes(Body::new(body), usize::MAX).await;
        let bytes = bytes.map_err(|error| format!("{error:?}"))?;
        Ok(Answer {
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// Waits until the port answers.
    pub(crate) async fn until_alive(&self) {
        self.until_status("/livez", 200).await;
    }

    /// Waits until a GET of the path has this status.
    pub(crate) async fn until_status(&self, path: &str, status: u16) {
        wait_until(DEADLINE, || async {
            let answer = self.send(Method::GET, path, &[], Body::empty()).await;
            answer.is_ok_and(|answer| answer.status == status)
        })
        .await;
    }
}
