//! The OpenAPI document, made from the code: routes and bodies from their attributes, and every
//! refusal with an example from the answer table itself.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, HeaderBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
        example::ExampleBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::{
    answer::Refusal,
    docs, handlers, job_handlers,
    reply::{self, Family},
    router::{
        BACKUP_COLLECTION_PATH, BACKUP_STORAGE_PATH, INGEST_PATH, RESTORE_CLUSTER_PATH,
        RESTORE_COLLECTION_PATH, UPSERT_PATH,
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Alioth: ingest-accept",
        description = "Takes writes for Qdrant and answers once they are safe in a durable queue."
    ),
    paths(
        handlers::about,
        handlers::about_alioth,
        handlers::ingest,
        handlers::upsert,
        job_handlers::backup_collection,
        job_handlers::backup_storage,
        job_handlers::restore_collection,
        job_handlers::restore_cluster,
        docs::openapi_json,
        docs::to_index,
        docs::index,
        docs::file,
        admin::healthz,
        admin::livez,
        admin::readyz,
        admin::metrics
    ),
    components(schemas(reply::IngestRefused, reply::UpsertRefused)),
    tags(
        (name = "writes", description = "Points to be written to Qdrant."),
        (name = "jobs", description = "Snapshots into the bucket, and restores from it."),
        (name = "about", description = "Who answers, and this documentation."),
        (name = "health", description = "For Kubernetes and Prometheus.")
    ),
    modifiers(&Keys, &Refusals)
)]
struct Api;

/// Makes the document.
pub(crate) fn document() -> Document {
    Api::openapi()
}

/// The admin endpoint's routes, which are telemetry's to answer.
#[expect(dead_code, reason = "only their documentation is used")]
mod admin {
    /// Answers while the process lives.
    #[utoipa::path(get, path = "/healthz", tag = "health", responses(
        (status = 200, description = "It lives.", content_type = "text/plain", body = String)))]
    fn healthz() {}

    /// Answers while the process lives.
    #[utoipa::path(get, path = "/livez", tag = "health", responses(
        (status = 200, description = "It lives.", content_type = "text/plain", body = String)))]
    fn livez() {}

    /// Answers whether writes can be taken now.
    #[utoipa::path(get, path = "/readyz", tag = "health", responses(
        (status = 200, description = "Writes can be taken.", content_type = "text/plain", body = String),
        (status = 503, description = "They cannot; the body says why.", content_type = "text/plain", body = String)))]
    fn readyz() {}

    /// Gives the metrics.
    #[utoipa::path(get, path = "/metrics", tag = "health", responses(
        (status = 200, description = "In Prometheus' text format.", content_type = "text/plain", body = String)))]
    fn metrics() {}
}

/// Says how keys are sent.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let key =
            ApiKeyValue::with_description("api-key", "One of the configured keys, if any is.");
        components.add_security_scheme("api-key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
    }
}

/// Adds every refusal to the routes that can give it.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut Document) {
        let paths = &mut document.paths.paths;
        // All are listed above; a test sees their refusals in the document.
        for (path, takes) in [
            (INGEST_PATH, Takes::Ingest),
            (UPSERT_PATH, Takes::Upsert),
            (BACKUP_COLLECTION_PATH, Takes::Job),
            (BACKUP_STORAGE_PATH, Takes::Job),
            (RESTORE_COLLECTION_PATH, Takes::Job),
            (RESTORE_CLUSTER_PATH, Takes::Job),
        ] {
            let operation = paths.get_mut(path).and_then(|path| match takes {
                Takes::Ingest | Takes::Job => path.post.as_mut(),
                Takes::Upsert => path.put.as_mut(),
            });
            if let Some(operation) = operation {
                add_refusals(operation, takes);
            }
        }
    }
}

/// What a route takes, and so how it can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Ingest,
    Upsert,
    Job,
}

impl Takes {
    fn family(self) -> Family {
        match self {
            Self::Ingest | Self::Job => Family::Alioth,
            Self::Upsert => Family::Qdrant,
        }
    }

    fn can_refuse(self, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::NoRoute { .. } | Refusal::WrongMethod { .. } => false,
            Refusal::BadPath { .. } | Refusal::BadQuery { .. } => self == Self::Upsert,
            Refusal::Request(_) => self == Self::Job,
            Refusal::Write(_)
            | Refusal::CollectionName { .. }
            | Refusal::CollectionMissing { .. }
            | Refusal::PointTooLarge { .. } => self != Self::Job,
            Refusal::KeyMissing
            | Refusal::KeyWrong
            | Refusal::ContentType { .. }
            | Refusal::ContentEncoding { .. }
            | Refusal::BodyTooLarge { .. }
            | Refusal::BodyTooSlow { .. }
            | Refusal::BodyIncomplete { .. }
            | Refusal::BadEncoding { .. }
            | Refusal::Overloaded
            | Refusal::Publish(_)
            | Refusal::BrokerAway
            | Refusal::NotConfirmed { .. }
            | Refusal::Internal => true,
        }
    }
}

fn add_refusals(operation: &mut Operation, takes: Takes) {
    let mut by_status: BTreeMap<StatusCode, Vec<Refusal>> = BTreeMap::new();
    for refusal in Refusal::examples() {
        if takes.can_refuse(&refusal) {
            let status = refusal.verdict().status;
            by_status.entry(status).or_default().push(refusal);
        }
    }
    for (status, refusals) in by_status {
        let response = describe(&refusals, takes.family());
        let responses = &mut operation.responses.responses;
        responses.insert(status.as_str().to_owned(), RefOr::T(response));
    }
}

fn describe(refusals: &[Refusal], family: Family) -> Response {
    let schema = match family {
        Family::Alioth => "IngestRefused",
        Family::Qdrant => "UpsertRefused",
    };
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
    let mut codes: Vec<&str> = Vec::new();
    let mut waits = false;
    for refusal in refusals {
        let verdict = refusal.verdict();
        let code = verdict.code.as_str();
        waits |= verdict.retry_after_s.is_some();
        let seen = codes.iter().filter(|known| **known == code).count();
        codes.push(code);
        let name = if seen == 0 {
            code.to_owned()
        } else {
            format!("{code}_{}", seen + 1)
        };
        let example = ExampleBuilder::new()
            .summary(refusal.to_string())
            .value(Some(reply::refusal_value(refusal, family)))
            .build();
        content = content.examples_from_iter([(name, example)]);
    }
    codes.dedup();
    let mut response = ResponseBuilder::new()
        .description(codes.join(", "))
        .content("application/json", content.build());
    if waits {
        let header = HeaderBuilder::new()
            .description(Some(
                "Whole seconds after which to send the same request again.",
            ))
            .build();
        response = response.header("Retry-After", header);
    }
    response.build()
}

#[cfg(test)]
mod tests;
