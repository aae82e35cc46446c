//! The OpenAPI document and the page that shows it, both out of this binary: the page loads
//! nothing from anywhere else, and its Content-Security-Policy would not let it.

use std::{io::Read as _, sync::LazyLock};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use flate2::read::GzDecoder;

use crate::{handlers, openapi, router::App};

/// One part of the page.
struct Part {
    name: &'static str,
    content_type: &'static str,
    gzipped: &'static [u8],
}

// `PARTS`: swagger-ui's files and our initializer, by the build script.
include!(concat!(env!("OUT_DIR"), "/parts.rs"));

/// Styles are set by scripts on elements; images are icons in `data:` URLs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = openapi::document();
    // A tree of maps and text, which always serialises.
    Bytes::from(serde_json::to_vec(&document).unwrap_or_default())
});

/// Serves this document.
#[utoipa::path(get, path = "/openapi.json", tag = "about", responses(
    (status = 200, description = "This document.", content_type = "application/json", body = serde_json::Value)
))]
pub(crate) async fn openapi_json() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, DOCUMENT.clone()).into_response()
}

/// Leads to `/docs/`.
#[utoipa::path(get, path = "/docs", tag = "about", responses((status = 303, description = "To `/docs/`.")))]
pub(crate) async fn to_index() -> Redirect {
    Redirect::to("/docs/")
}

/// Shows this document to people.
#[utoipa::path(get, path = "/docs/", tag = "about", responses(
    (status = 200, description = "A page.", content_type = "text/html", body = String)
))]
pub(crate) async fn index(app: State<App>, headers: HeaderMap, uri: Uri) -> Response {
    file(app, headers, uri, Path("index.html".to_owned())).await
}

/// Serves the parts of that page.
#[utoipa::path(get, path = "/docs/{file}", tag = "about",
    params(("file" = String, Path, description = "Name of a part", example = "swagger-ui.css")),
    responses(
        (status = 200, description = "A script, style or icon.", content_type = "*/*", body = String),
        (status = 404, description = "No such part.", body = crate::reply::IngestRefused)
    )
)]
pub(crate) async fn file(
    app: State<App>,
    headers: HeaderMap,
    uri: Uri,
    Path(name): Path<String>,
) -> Response {
    let Some(part) = PARTS.iter().find(|part| part.name == name) else {
        return handlers::no_route(app, uri).await;
    };
    let mut response = match takes_gzip(&headers) {
        true => {
            let encoded = [(header::CONTENT_ENCODING, "gzip")];
            (encoded, Body::from(Bytes::from_static(part.gzipped))).into_response()
        }
        false => Body::from(part.unzipped()).into_response(),
    };
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(part.content_type);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

impl Part {
    fn unzipped(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What the build script wrote can be read, and memory is not a fault that is told here.
        let _ = GzDecoder::new(self.gzipped).read_to_end(&mut bytes);
        bytes
    }
}

/// Whether gzip is named and not ruled out with `q=0`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let names = values.filter_map(|value| value.to_str().ok());
    names.flat_map(|names| names.split(',')).any(|name| {
        let mut parts = name.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        named && weight != Some(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_name_it() {
        let rows = [
            (&[][..], false),
            (&["gzip"], true),
            (&["deflate, GZIP;q=0.5"], true),
            (&["br", "gzip"], true),
            (&["gzip;q=0"], false),
            (&["gzip; q=0.000, br"], false),
            (&["identity"], false),
            (&["x-gzip-like"], false),
        ];
        for (values, takes) in rows {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(takes_gzip(&headers), takes, "{values:?}");
        }
    }

    #[test]
    fn every_part_can_be_unzipped() {
        for part in PARTS {
            let bytes = part.unzipped();
            assert!(bytes.len() > 50, "{} has {}", part.name, bytes.len());
        }
    }
}
