//! Plain HTTP for the REST tests.

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

/// A REST address and what is sent with every request to it.
pub(crate) struct Rest {
    base: String,
    key: Option<String>,
}

impl Rest {
    pub(crate) fn at(base: String) -> Self {
        Self { base, key: None }
    }

    pub(crate) fn with_key(base: String, key: &str) -> Self {
        let key = Some(key.to_owned());
        Self { base, key }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        self.json(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        self.json(Method::DELETE, path, Bytes::new()).await
    }

    pub(crate) async fn put(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        self.json(Method::PUT, path, body.to_string().into()).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        self.json(Method::POST, path, body.to_string().into()).await
    }

    /// An answer that must be JSON.
    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let (status, text) = self.text(method, path, body).await?;
        Ok((status, serde_json::from_str(&text)?))
    }

    /// Any answer.
    pub(crate) async fn text(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, String)> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("api-key", key);
        }
        let answer = client.request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec())?))
    }
}

/// The message of an error answer.
#[track_caller]
pub(crate) fn error_of(answer: &Value) -> &str {
    match answer["status"]["error"].as_str() {
        Some(error) => error,
        None => panic!("not an error: {answer}"),
    }
}
