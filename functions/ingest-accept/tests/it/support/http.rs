//! A client: HTTP/1.1 with keep-alive, or HTTP/2 without TLS; of a port, or of a function's URL.

use std::{collections::BTreeMap, net::SocketAddr};

use alioth_testkit::wait_until;
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, Method, Request, Version},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::DEADLINE;

/// Sends requests to one process. Clones share connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Body>,
    address: SocketAddr,
    door: Door,
}

/// Where requests go.
#[derive(Debug, Clone, Copy)]
enum Door {
    Port,
    /// The emulator's of Lambda, to the function of this name.
    Function(&'static str),
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
    /// An invocation's result as an answer.
    pub(crate) fn of_invocation(result: &Value) -> Self {
        let text = result["body"].as_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        let single = result["headers"].as_object();
        let multi = result["multiValueHeaders"].as_object();
        for (name, value) in single.or(multi).unwrap() {
            let value = value.as_str().unwrap_or_else(|| value[0].as_str().unwrap());
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Self {
            status: result["statusCode"].as_u64().unwrap().try_into().unwrap(),
            version: Version::HTTP_11,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

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
        let door = Door::Port;
        Self {
            client,
            address,
            door,
        }
    }

    /// Of a function that the emulator of Lambda at this address calls.
    pub(crate) fn function(address: SocketAddr, name: &'static str) -> Self {
        let door = Door::Function(name);
        Self {
            door,
            ..Self::new(address)
        }
    }

    pub(crate) fn http2(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let door = Door::Port;
        Self {
            client,
            address,
            door,
        }
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
        let body = body.into();
        let (prefix, body) = match self.door {
            Door::Port => (String::new(), body),
            Door::Function(name) => {
                let body = to_bytes(body, usize::MAX).await;
                let body = body.map_err(|error| format!("{error:?}"))?;
                // The emulator's URL takes no JSON that is not UTF-8; a gateway's event does, in base64.
                if std::str::from_utf8(&body).is_err() {
                    return self.invoke(name, &method, path, headers, &body).await;
                }
                (format!("/lambda-url/{name}"), Body::from(body))
            }
        };
        let uri = format!("http://{}{prefix}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(body).unwrap()).await
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, String> {
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

    /// The same as an event of a function's URL, handed to the emulator as a gateway hands it to Lambda.
    async fn invoke(
        &self,
        name: &str,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        let (raw_path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers: BTreeMap<_, _> = headers.iter().copied().collect();
        let event = json!({
            "version": "2.0", "rawPath": raw_path, "rawQueryString": query, "headers": headers,
            "requestContext": {"http": {"method": method.as_str()}, "stage": "$default"},
            "body": STANDARD.encode(body), "isBase64Encoded": true
        });
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let request = Request::post(format!("http://{}{path}", self.address));
        let request = request.body(Body::from(event.to_string())).unwrap();
        let invoked = self.exchange(request).await?;
        if invoked.status != 200 {
            return Err(format!("the invocation failed: {}", invoked.text));
        }
        Ok(Answer::of_invocation(&invoked.body))
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
