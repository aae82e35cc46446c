//! An answer as Lambda's callers take it. Decides nothing of what it says.

use std::collections::BTreeMap;

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

/// Who called, and so what a result looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// HTTP APIs and function URLs.
    Version2,
    /// REST APIs, and HTTP APIs that are told so.
    Version1,
    /// Target groups of load balancers.
    Target,
    /// The same, with multi-value headers.
    MultiValueTarget,
}

/// An invocation's result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    /// Load balancers show it to the client; others know of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(flatten)]
    headers: Headers,
    /// Of version 2, which keeps them apart; there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[String; 0]>,
    body: String,
    is_base64_encoded: bool,
}

#[derive(Debug, Serialize)]
enum Headers {
    #[serde(rename = "headers")]
    Single(BTreeMap<String, String>),
    #[serde(rename = "multiValueHeaders")]
    Multi(BTreeMap<String, Vec<String>>),
}

impl Reply {
    pub(super) async fn new(shape: Shape, response: Response) -> Self {
        let (mut head, body) = response.into_parts();
        // The router's answers are in memory, and end.
        let bytes = match to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "collect an answer");
                head.status = StatusCode::INTERNAL_SERVER_ERROR;
                bytes::Bytes::new()
            }
        };
        let (body, is_base64_encoded) = match String::from_utf8(Vec::from(bytes)) {
            Ok(text) => (text, false),
            Err(binary) => (STANDARD.encode(binary.as_bytes()), true),
        };
        let status_description = match shape {
            Shape::Target | Shape::MultiValueTarget => Some(head.status.to_string()),
            Shape::Version1 | Shape::Version2 => None,
        };
        Self {
            status_code: head.status.as_u16(),
            status_description,
            cookies: (shape == Shape::Version2).then_some([]),
            headers: Headers::of(shape, &head.headers),
            body,
            is_base64_encoded,
        }
    }
}

impl Headers {
    fn of(shape: Shape, headers: &HeaderMap) -> Self {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            all.entry(name.as_str().to_owned()).or_default().push(value);
        }
        match shape {
            Shape::Version1 | Shape::MultiValueTarget => Self::Multi(all),
            // None of ours is one that may not be joined.
            Shape::Version2 | Shape::Target => Self::Single(
                all.into_iter()
                    .map(|(name, values)| (name, values.join(", ")))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use serde_json::{Value, json};

    async fn reply(shape: Shape, body: impl Into<Body>) -> Value {
        let response = Response::builder()
            .status(429)
            .header("retry-after", "2")
            .header("vary", "accept")
            .header("vary", "origin")
            .body(body.into())
            .unwrap();
        serde_json::to_value(Reply::new(shape, response).await).unwrap()
    }

    #[tokio::test]
    async fn a_result_is_what_its_caller_knows() {
        let single = json!({"retry-after": "2", "vary": "accept, origin"});
        let multi = json!({"retry-after": ["2"], "vary": ["accept", "origin"]});
        let described = "429 Too Many Requests";
        for (shape, expected) in [
            (Shape::Version2, json!({"headers": single, "cookies": []})),
            (Shape::Version1, json!({"multiValueHeaders": multi})),
            (
                Shape::Target,
                json!({"headers": single, "statusDescription": described}),
            ),
            (
                Shape::MultiValueTarget,
                json!({"multiValueHeaders": multi, "statusDescription": described}),
            ),
        ] {
            let mut expected = expected;
            expected["statusCode"] = json!(429);
            expected["body"] = json!("{}");
            expected["isBase64Encoded"] = json!(false);
            assert_eq!(reply(shape, "{}").await, expected);
        }
    }

    #[tokio::test]
    async fn what_is_no_text_goes_in_base64() {
        let reply = reply(Shape::Version1, vec![0xff, 0x00]).await;
        assert_eq!(reply["body"], "/wA=");
        assert_eq!(reply["isBase64Encoded"], true);
    }
}
