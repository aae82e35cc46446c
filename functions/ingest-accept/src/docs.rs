//! The OpenAPI document and the page that shows it, both out of this binary: the page loads
//! nothing from anywhere else, and its Content-Security-Policy would not let it.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::{handlers, openapi, router::App};

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

static PAGE: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::new(["/openapi.json"])
        // Else the page asks validator.swagger.io about the document.
        .validator_url("none")
        .display_request_duration(true)
        .try_it_out_enabled(true);
    Arc::new(config)
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
pub(crate) async fn index(app: State<App>, uri: Uri) -> Response {
    file(app, uri, Path("index.html".to_owned())).await
}

/// Serves the parts of that page.
#[utoipa::path(get, path = "/docs/{file}", tag = "about",
    params(("file" = String, Path, description = "Name of a part", example = "swagger-ui.css")),
    responses(
        (status = 200, description = "A script, style or icon.", content_type = "*/*", body = String),
        (status = 404, description = "No such part.", body = crate::reply::IngestRefused)
    )
)]
pub(crate) async fn file(app: State<App>, uri: Uri, Path(name): Path<String>) -> Response {
    let Some(part) = part(&name) else {
        return handlers::no_route(app, uri).await;
    };
    let bytes = match part.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&part.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

fn part(name: &str) -> Option<SwaggerFile<'static>> {
    utoipa_swagger_ui::serve(name, Arc::clone(&PAGE)).unwrap_or_else(|error| {
        tracing::error!(%error, file = name, "serve a part of the documentation page");
        None
    })
}
