//! What each route does, and how it is documented. Thin: a write's road is `write`'s.

use std::time::Instant;

use alioth_points::{Ordering, UpsertQuery};
use axum::{
    extract::{
        Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{Method, StatusCode, Uri},
    response::Response,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Refusal,
    api::{IngestBody, UpsertBody},
    reply::{self, About, Family, IngestAccepted, UpsertAccepted},
    router::App,
    trace::WriteSpan,
    write::Target,
};

/// The Qdrant whose REST API this speaks. Qdrant's clients warn when it is more than one minor
/// version away from their own.
const QDRANT_VERSION: &str = "1.19.0";

/// Says who answers here.
#[utoipa::path(get, path = "/", tag = "about", responses((status = 200, description = "Who answers here.", body = About)))]
pub(crate) async fn about() -> Response {
    let about = About {
        title: "Alioth, a durable write path in front of Qdrant",
        version: QDRANT_VERSION,
        alioth_version: env!("CARGO_PKG_VERSION"),
    };
    reply::json(StatusCode::OK, &about)
}

/// Says who answers here, as `/` does.
#[utoipa::path(get, path = "/alioth/", tag = "about", responses((status = 200, description = "Who answers here.", body = About)))]
pub(crate) async fn about_alioth() -> Response {
    about().await
}

/// Takes points, column by column, in the form of the Python Alioth.
///
/// Answers once the queue holds the write safely. The points are in Qdrant shortly after; one that
/// Qdrant rejects nevertheless is set aside as a dead letter, under the write's `ingest_id`.
///
/// The body may be compressed: `Content-Encoding: gzip` or `zstd`.
#[utoipa::path(
    post,
    path = "/alioth/ingest",
    tag = "writes",
    request_body(content = IngestBody, content_type = "application/json", examples(
        ("dense" = (summary = "One vector a point", value = json!({
            "collection_name": "movies",
            "batch": {
                "ids": [1, "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"],
                "vectors": [[0.05, 0.61, 0.76, 0.74], [0.19, 0.81, 0.75, 0.11]],
                "payloads": [{"title": "Metropolis", "year": 1927}, null]
            }
        }))),
        ("named" = (summary = "Several vectors a point, by name", value = json!({
            "collection_name": "articles",
            "batch": {
                "ids": [1, 2],
                "vectors": {
                    "title": [[0.05, 0.61, 0.76, 0.74], [0.19, 0.81, 0.75, 0.11]],
                    "words": [{"indices": [7, 1200], "values": [0.5, 1.25]}, {"indices": [], "values": []}]
                },
                "payloads": [{"lang": "en"}, {"lang": "de"}]
            }
        })))
    )),
    responses((status = 202, description = "The write is in the queue.", body = IngestAccepted,
        headers(("alioth-ingest-id" = String, description = "The write's id")))),
    security((), ("api-key" = []), ("bearer" = []))
)]
pub(crate) async fn ingest(State(app): State<App>, request: Request) -> Response {
    answer(&app, Family::Alioth, Ok(Target::Ingest), request).await
}

/// The query of an upsert. Parameters it does not know are ignored, as Qdrant ignores them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UpsertParams {
    /// Either value is answered with `acknowledged` once the queue holds the write; Alioth does
    /// not wait until Qdrant has applied it.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read for its form alone: unknown values are refused"
    )]
    wait: Option<bool>,
    /// How concurrent updates of a point are ordered in Qdrant.
    #[param(inline)]
    ordering: Option<OrderingParam>,
    /// Seconds that Qdrant may take to apply the write.
    timeout: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum OrderingParam {
    Weak,
    Medium,
    Strong,
}

impl UpsertParams {
    fn into_query(self) -> UpsertQuery {
        let ordering = self.ordering.map(|ordering| match ordering {
            OrderingParam::Weak => Ordering::Weak,
            OrderingParam::Medium => Ordering::Medium,
            OrderingParam::Strong => Ordering::Strong,
        });
        UpsertQuery {
            ordering,
            timeout_s: self.timeout,
        }
    }
}

/// Takes points in the form of Qdrant's REST upsert, list or batch.
///
/// Qdrant's clients work with it unchanged. Answers `acknowledged` once the queue holds the write
/// safely, whatever `wait` says; the points are in Qdrant shortly after. A full queue answers 429
/// with a Retry-After in whole seconds, which Qdrant's clients wait for by themselves.
///
/// The body may be compressed: `Content-Encoding: gzip` or `zstd`.
#[utoipa::path(
    put,
    path = "/collections/{name}/points",
    tag = "writes",
    params(
        ("name" = String, Path, description = "The collection, percent-encoded", min_length = 1, max_length = 255, example = "movies"),
        UpsertParams
    ),
    request_body(content = UpsertBody, content_type = "application/json", examples(
        ("points" = (summary = "Points one by one", value = json!({
            "points": [
                {"id": 1, "vector": [0.05, 0.61, 0.76, 0.74], "payload": {"title": "Metropolis", "year": 1927}},
                {"id": "5c56c793-69f3-4fbf-87e6-c4bf54c28c26", "vector": [0.19, 0.81, 0.75, 0.11]}
            ]
        }))),
        ("batch" = (summary = "Points column by column", value = json!({
            "batch": {
                "ids": [1, 2],
                "vectors": [[0.05, 0.61, 0.76, 0.74], [0.19, 0.81, 0.75, 0.11]],
                "payloads": [{"title": "Metropolis"}, null]
            }
        }))),
        ("guarded" = (summary = "Only where an older version is", value = json!({
            "points": [{"id": 1, "vector": [0.05, 0.61, 0.76, 0.74], "payload": {"version": 3}}],
            "update_filter": {"must": [{"key": "version", "range": {"lt": 3}}]}
        })))
    )),
    responses((status = 200, description = "The write is in the queue.", body = UpsertAccepted,
        headers(("alioth-ingest-id" = String, description = "The write's id")))),
    security((), ("api-key" = []), ("bearer" = []))
)]
pub(crate) async fn upsert(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<UpsertParams>, QueryRejection>,
    request: Request,
) -> Response {
    let target = upsert_target(path, query);
    answer(&app, Family::Qdrant, target, request).await
}

fn upsert_target(
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<UpsertParams>, QueryRejection>,
) -> Result<Target, Refusal> {
    let Path(collection) = path.map_err(|rejection| Refusal::BadPath {
        reason: rejection.body_text(),
    })?;
    crate::schemas::check_name(&collection)?;
    let Query(params) = query.map_err(|rejection| Refusal::BadQuery {
        reason: rejection.body_text(),
    })?;
    Ok(Target::Upsert {
        collection,
        query: params.into_query(),
    })
}

async fn answer(
    app: &App,
    family: Family,
    target: Result<Target, Refusal>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let mut span = WriteSpan::start(&app.tracer, family, &head.headers);
    let traceparent = span.take_traceparent();
    let outcome = app.accept(&head.headers, target, body, traceparent).await;
    let response = match &outcome {
        Ok(write) => reply::accepted(*write, family, started.elapsed()),
        Err(refusal) => {
            app.metrics.refused(refusal.verdict().code);
            reply::refused(refusal, family, started.elapsed())
        }
    };
    span.answered(&outcome, response.status());
    response
}

/// Answers for paths that are no route.
pub(crate) async fn no_route(State(app): State<App>, uri: Uri) -> Response {
    let path = uri.path().to_owned();
    let family = Family::of(&path);
    refuse(&app, &Refusal::NoRoute { path }, family)
}

/// Answers for methods that a route does not take.
pub(crate) async fn wrong_method(State(app): State<App>, method: Method, uri: Uri) -> Response {
    let path = uri.path().to_owned();
    let family = Family::of(&path);
    let method = method.to_string();
    refuse(&app, &Refusal::WrongMethod { method, path }, family)
}

fn refuse(app: &App, refusal: &Refusal, family: Family) -> Response {
    app.metrics.refused(refusal.verdict().code);
    reply::refused(refusal, family, std::time::Duration::ZERO)
}
