//! Plain HTTP for the REST tests.

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
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

    /// Any answer that is text.
    pub(crate) async fn text(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, String)> {
        let answer = self.send(method, path, "application/json", body).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec())?))
    }

    /// The bytes of an answer that must be a success.
    pub(crate) async fn bytes(&self, path: &str) -> anyhow::Result<Bytes> {
        let answer = self.open(path).await?;
        Ok(answer.into_body().collect().await?.to_bytes())
    }

    /// An answer that must be a success, its body unread.
    pub(crate) async fn open(&self, path: &str) -> anyhow::Result<Response<Incoming>> {
        let answer = self
            .send(Method::GET, path, "application/json", Bytes::new())
            .await?;
        anyhow::ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(answer)
    }

    /// Uploads a file as the field `snapshot` of a form.
    pub(crate) async fn upload(
        &self,
        path: &str,
        file: &[u8],
    ) -> anyhow::Result<(StatusCode, Value)> {
        let (kind, body) = form("snapshot", file);
        let answer = self.send(Method::POST, path, &kind, body).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body)?))
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", kind);
        if let Some(key) = &self.key {
            request = request.header("api-key", key);
        }
        Ok(client.request(request.body(Full::new(body))?).await?)
    }
}

/// A form of one file, and its content type.
pub(crate) fn form(field: &str, file: &[u8]) -> (String, Bytes) {
    const BOUNDARY: &str = "the-boundary-of-a-test";
    let mut body = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"; \
         filename=\"shard.snapshot\"\r\ncontent-type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    (kind, body.into())
}

/// The message of an error answer.
#[track_caller]
pub(crate) fn error_of(answer: &Value) -> &str {
    match answer["status"]["error"].as_str() {
        Some(error) => error,
        None => panic!("not an error: {answer}"),
    }
}
