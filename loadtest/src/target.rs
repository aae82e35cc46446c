//! Where writes go, and what an answer means.

use std::{fmt, sync::Arc, time::Duration};

use alioth_loadtest::writes::{Films, Route, Template, id};
use anyhow::Context as _;
use clap::ValueEnum;
use qdrant_client::{QdrantError, qdrant::UpsertPointsBuilder};

use crate::{
    Arguments,
    scenario::{Plan, Turn},
};

/// gRPC's code for a bad point.
const INVALID_ARGUMENT: i32 = 3;

/// A kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetKind {
    /// Alioth's own route
    Ingest,
    /// Qdrant's REST upsert, at Alioth
    Upsert,
    /// Qdrant itself over REST, wait=true
    QdrantRest,
    /// Qdrant itself over gRPC, wait=true
    QdrantGrpc,
}

/// A target that can be written to.
#[derive(Clone)]
pub(crate) struct Target {
    /// What goose takes for the host.
    pub(crate) base_url: String,
    pub(crate) path: String,
    pub(crate) api_key: Option<String>,
    pub(crate) kind: TargetKind,
    bodies: Arc<[Template]>,
    films: Arc<[Films]>,
    grpc: Option<qdrant_client::Qdrant>,
    collection: String,
}

/// What an answer means for the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    /// Bad points, by the server's word.
    Refused,
    /// The same write again, after so long.
    Later(Duration),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for TargetKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_possible_value() {
            Some(value) => formatter.write_str(value.get_name()),
            None => Ok(()),
        }
    }
}

impl TargetKind {
    /// Makes what is written, and the client that goose has not.
    pub(crate) fn open(self, arguments: &Arguments, plan: &Plan) -> anyhow::Result<Target> {
        let films = plan.films();
        let upsert_path = format!("/collections/{}/points?wait=true", plan.collection);
        let qdrant = || {
            let url = arguments.qdrant_url.clone();
            url.context("this target wants --qdrant-url")
        };
        let (base_url, path, route) = match self {
            Self::Ingest => (
                arguments.url.clone(),
                "/alioth/ingest".to_owned(),
                Route::Ingest,
            ),
            Self::Upsert => (arguments.url.clone(), upsert_path, Route::Upsert),
            Self::QdrantRest | Self::QdrantGrpc => (qdrant()?, upsert_path, Route::Upsert),
        };
        let grpc = match self {
            Self::QdrantGrpc => Some(grpc(arguments, &base_url)?),
            Self::Ingest | Self::Upsert | Self::QdrantRest => None,
        };
        let bodies = films
            .iter()
            .map(|films| films.template(route, &plan.collection));
        Ok(Target {
            base_url,
            path,
            api_key: arguments.api_key.clone(),
            kind: self,
            bodies: bodies.collect(),
            films: films.into(),
            grpc,
            collection: plan.collection.clone(),
        })
    }
}

fn grpc(arguments: &Arguments, rest: &str) -> anyhow::Result<qdrant_client::Qdrant> {
    let url = match &arguments.qdrant_grpc_url {
        Some(url) => url.clone(),
        None => {
            let mut url = reqwest::Url::parse(rest).context("read --qdrant-url")?;
            url.set_port(Some(6334)).ok();
            url.to_string()
        }
    };
    let mut config = qdrant_client::Qdrant::from_url(&url).skip_compatibility_check();
    config.set_timeout(Duration::from_secs(60));
    if let Some(key) = &arguments.api_key {
        config.set_api_key(key);
    }
    config.build().context("set the gRPC client up")
}

impl Target {
    /// Whether goose makes the requests itself.
    pub(crate) fn is_http(&self) -> bool {
        self.grpc.is_none()
    }

    /// The body of a write.
    pub(crate) fn body(&self, turn: Turn) -> Vec<u8> {
        let mut body = Vec::new();
        let template = &self.bodies[turn.number as usize % self.bodies.len()];
        template.write(turn.first_point, &mut body);
        if turn.is_poison {
            poison(&mut body);
        }
        body
    }

    /// One point as a body of its own, for the probes.
    pub(crate) fn probe_body(&self, films: &Films, point: u64) -> Vec<u8> {
        let route = match self.kind {
            TargetKind::Ingest => Route::Ingest,
            TargetKind::Upsert | TargetKind::QdrantRest | TargetKind::QdrantGrpc => Route::Upsert,
        };
        let mut body = Vec::new();
        films
            .template(route, &self.collection)
            .write(point, &mut body);
        body
    }

    /// A write over gRPC.
    pub(crate) async fn upsert(&self, turn: Turn) -> Answer {
        let mut points =
            self.films[turn.number as usize % self.films.len()].points(id(turn.first_point));
        if turn.is_poison
            && let Some(point) = points.first_mut()
        {
            *point = qdrant_client::qdrant::PointStruct::new(
                id(turn.first_point),
                vec![0.5, 0.5, 0.5],
                qdrant_client::Payload::default(),
            );
        }
        let Some(client) = &self.grpc else {
            return Answer::Failed("no gRPC client".to_owned());
        };
        let request = UpsertPointsBuilder::new(&self.collection, points).wait(true);
        match client.upsert_points(request).await {
            Ok(_) => Answer::Accepted,
            Err(QdrantError::ResourceExhaustedError {
                retry_after_seconds,
                ..
            }) => Answer::Later(Duration::from_secs(retry_after_seconds)),
            Err(QdrantError::ResponseError { status })
                if i32::from(status.code()) == INVALID_ARGUMENT =>
            {
                Answer::Refused
            }
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}

/// What an HTTP answer means.
pub(crate) fn answer(status: u16, retry_after: Option<&str>) -> Answer {
    let wait = || {
        let seconds = retry_after.and_then(|seconds| seconds.parse().ok());
        Duration::from_secs(seconds.unwrap_or(1))
    };
    match status {
        200 | 202 => Answer::Accepted,
        400 | 422 => Answer::Refused,
        429 | 503 => Answer::Later(wait()),
        other => Answer::Failed(format!("HTTP {other}")),
    }
}

/// Takes the first number out of the first vector: one dimension is missing then.
fn poison(body: &mut Vec<u8>) {
    let find = |needle: &[u8], from: usize| {
        body[from..]
            .windows(needle.len())
            .position(|window| window == needle)
            .map(|place| from + place + needle.len())
    };
    let vectors = find(br#""vectors": [["#, 0).or_else(|| find(br#""vector":["#, 0));
    if let Some(start) = vectors
        && let Some(end) = find(b",", start)
    {
        body.drain(start..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_loadtest::writes::{Payloads, Shape};

    #[test]
    fn poison_takes_one_dimension_of_one_point() {
        let films = Films::new(3, Shape::Dense(4), Payloads::Film, 1);
        for (route, first) in [
            (Route::Ingest, "/batch/vectors/"),
            (Route::Upsert, "/points/"),
        ] {
            let mut body = Vec::new();
            films.template(route, "movies").write(1, &mut body);
            poison(&mut body);
            let body: serde_json::Value = serde_json::from_slice(&body).expect("still JSON");
            let lengths = [0, 1, 2].map(|point| {
                let vector = body.pointer(&format!("{first}{point}")).expect("a point");
                let vector = vector.get("vector").unwrap_or(vector);
                vector.as_array().expect("a vector").len()
            });
            assert_eq!(lengths, [3, 4, 4], "{route:?}");
        }
    }

    #[test]
    fn answers_say_what_to_do() {
        assert_eq!(answer(202, None), Answer::Accepted);
        assert_eq!(answer(422, None), Answer::Refused);
        assert_eq!(
            answer(429, Some("3")),
            Answer::Later(Duration::from_secs(3))
        );
        assert_eq!(answer(503, None), Answer::Later(Duration::from_secs(1)));
        assert_eq!(answer(404, None), Answer::Failed("HTTP 404".to_owned()));
    }
}
