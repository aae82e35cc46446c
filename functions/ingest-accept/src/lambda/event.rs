//! The events that HTTP requests become on their way to Lambda, and the requests they were. Every field may be
//! missing, and nothing here fails on what a client can send.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::reply::Shape;
use crate::answer::Refusal;

/// What no path may hold as it is. A gateway that decoded the path gave such characters; `%` is looked at apart.
const NOT_IN_PATH: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// What no query may hold as it is.
const NOT_IN_QUERY: AsciiSet = CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// By name; a value may be null.
type Single = BTreeMap<String, Option<String>>;
type Multi = BTreeMap<String, Option<Vec<String>>>;

/// All four kinds in one: which it is shows in what is there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    version: Option<String>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    http_method: Option<String>,
    path: Option<String>,
    resource: Option<String>,
    path_parameters: Option<Single>,
    headers: Option<Single>,
    multi_value_headers: Option<Multi>,
    query_string_parameters: Option<Single>,
    multi_value_query_string_parameters: Option<Multi>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    stage: Option<String>,
    http: Option<HttpContext>,
    /// Of a load balancer.
    elb: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HttpContext {
    method: Option<String>,
}

impl Event {
    /// How the answer must look.
    pub(super) fn shape(&self) -> Shape {
        match (&self.request_context, &self.multi_value_headers) {
            // A target group gives, and takes, either the one or the other.
            (Context { elb: Some(_), .. }, Some(_)) => Shape::MultiValueTarget,
            (Context { elb: Some(_), .. }, None) => Shape::Target,
            (Context { http: Some(_), .. }, _) => Shape::Version2,
            (Context { http: None, .. }, _) => Shape::Version1,
        }
    }

    /// The path as the router knows it: without stage and base path, encoded.
    pub(super) fn path(&self, base_path: &str) -> String {
        let path = match &self.raw_path {
            Some(path) => without(path, self.stage()),
            None => self.path_of_version_1(),
        };
        let path = match base_path.strip_prefix('/') {
            Some(base) => without(path, Some(base)),
            None => path,
        };
        let path = encode_path(path);
        match path.starts_with('/') {
            true => path,
            false => format!("/{path}"),
        }
    }

    /// In a REST API's event the stage is not in the path; the base path of a custom domain is, and not in what the
    /// resource `{proxy+}` took of it. An HTTP API that speaks this version says so, and has the stage in it.
    fn path_of_version_1(&self) -> &str {
        let path = self.path.as_deref().unwrap_or_default();
        if self.version.is_some() {
            return without(path, self.stage());
        }
        let proxy = self
            .path_parameters
            .as_ref()
            .and_then(|parameters| parameters.get("proxy")?.as_deref());
        match (self.resource.as_deref(), proxy) {
            (Some("/"), _) => "/",
            // By its segments: it is decoded, and the path may not be.
            (Some("/{proxy+}"), Some(proxy)) => last_segments(path, proxy.trim_matches('/')),
            _ => path,
        }
    }

    fn stage(&self) -> Option<&str> {
        let stage = self.request_context.stage.as_deref();
        stage.filter(|stage| *stage != "$default")
    }

    /// The request to `path`, which is [`Event::path`]'s.
    ///
    /// # Errors
    /// `BadQuery` when it is no HTTP request at all, `WrongMethod` and `BadPath` for what none can have.
    pub(super) fn into_request(mut self, path: &str) -> Result<Request, Refusal> {
        let body = self.body.take().unwrap_or_default();
        let body = match self.is_base64_encoded {
            Some(true) => decoded(&body),
            Some(false) | None => Body::from(body),
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method(path)?;
        *request.uri_mut() = self.uri(path)?;
        *request.headers_mut() = self.into_headers();
        Ok(request)
    }

    fn method(&self, path: &str) -> Result<Method, Refusal> {
        let context = self.request_context.http.as_ref();
        let method = context
            .and_then(|http| http.method.as_deref())
            .or(self.http_method.as_deref())
            .ok_or_else(|| Refusal::BadQuery {
                reason: "the event is no HTTP request".to_owned(),
            })?;
        Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::WrongMethod {
            method: method.to_owned(),
            path: path.to_owned(),
        })
    }

    fn uri(&self, path: &str) -> Result<Uri, Refusal> {
        let query = self.query();
        let target = match query.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{query}"),
        };
        let uri = Uri::builder().path_and_query(target).build();
        uri.map_err(|_| Refusal::BadPath {
            reason: "more than a URI can hold".to_owned(),
        })
    }

    /// A gateway of version 1 has decoded names and values, the others have not.
    fn query(&self) -> String {
        if let Some(raw) = &self.raw_query_string {
            return encode(raw, &NOT_IN_QUERY);
        }
        let decoded = self.request_context.elb.is_none();
        let part = |text: &str| match decoded {
            true => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
            false => encode(text, &NOT_IN_QUERY),
        };
        let pairs = pairs(
            self.multi_value_query_string_parameters.as_ref(),
            self.query_string_parameters.as_ref(),
        );
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{}={}", part(name), part(value)))
            .collect();
        pairs.join("&")
    }

    /// What is no header to HTTP is left out: no route looks at such.
    fn into_headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs(self.multi_value_headers.as_ref(), self.headers.as_ref()) {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        headers
    }
}

/// Every name with each of its values; of all values where they are given, else of the last of each.
fn pairs<'a>(
    multi: Option<&'a Multi>,
    single: Option<&'a Single>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let multi = multi.filter(|multi| !multi.is_empty());
    let single = single.filter(|_| multi.is_none());
    let each = multi.into_iter().flatten().flat_map(|(name, values)| {
        let values = values.iter().flatten();
        values.map(|value| (name.as_str(), value.as_str()))
    });
    let last = single.into_iter().flatten();
    each.chain(last.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))))
}

/// The end of `path` that has as many segments as `like`.
fn last_segments<'a>(path: &'a str, like: &str) -> &'a str {
    let slashes = path.trim_end_matches('/').rmatch_indices('/');
    let first = slashes.map(|(at, _)| at).nth(like.matches('/').count());
    first.map_or(path, |at| &path[at..])
}

/// `path` without a first segment or segments `prefix`, if it has them.
fn without<'a>(path: &'a str, prefix: Option<&str>) -> &'a str {
    let rest = prefix.and_then(|prefix| path.strip_prefix('/')?.strip_prefix(prefix));
    match rest {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) | None => path,
    }
}

/// Encodes what a decoding gateway has left bare; what is encoded stays so.
fn encode_path(path: &str) -> String {
    encode(path, &NOT_IN_PATH)
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    let mut parts = text.split('%');
    let mut encoded = utf8_percent_encode(parts.next().unwrap_or_default(), set).to_string();
    for part in parts {
        let escape = part.as_bytes().get(..2);
        let is_escape = escape.is_some_and(|escape| escape.iter().all(u8::is_ascii_hexdigit));
        encoded.push_str(if is_escape { "%" } else { "%25" });
        encoded.extend(utf8_percent_encode(part, set));
    }
    encoded
}

/// A body that cannot be decoded is one that breaks off: its route says so, in its own words.
fn decoded(body: &str) -> Body {
    match STANDARD.decode(body) {
        Ok(bytes) => Body::from(bytes),
        Err(error) => {
            let broken = std::future::ready(Err::<Bytes, _>(error));
            Body::from_stream(futures_util::stream::once(broken))
        }
    }
}

#[cfg(test)]
mod tests;
