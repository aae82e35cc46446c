//! Qdrant as the judge: makes the collection, counts points, looks for one.

use std::time::Duration;

use alioth_loadtest::writes::{FRAME_DIMENSIONS, Shape, id};
use anyhow::{Context as _, bail};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::scenario::Plan;

/// Of the scenario.
const SHARDS: u32 = 6;

/// Without a further point for so long nobody is writing.
const REST: Duration = Duration::from_secs(2);

/// One collection at one Qdrant.
#[derive(Debug, Clone)]
pub(crate) struct Qdrant {
    http: reqwest::Client,
    url: String,
    api_key: Option<String>,
    /// Points that were there before.
    before: u64,
}

impl Qdrant {
    /// Makes the collection unless there is one.
    pub(crate) async fn open(
        url: &str,
        api_key: Option<&str>,
        plan: &Plan,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .context("set an HTTP client up")?;
        let base = url.trim_end_matches('/');
        let mut qdrant = Self {
            http,
            url: format!("{base}/collections/{}", plan.collection),
            api_key: api_key.map(str::to_owned),
            before: 0,
        };
        let found = qdrant.send(reqwest::Method::GET, "", None).await?;
        if found.0 == StatusCode::NOT_FOUND {
            let made = qdrant
                .send(reqwest::Method::PUT, "", Some(collection(plan.shape)))
                .await?;
            if !made.0.is_success() {
                bail!("cannot make the collection: {}", made.1);
            }
        }
        qdrant.before = qdrant.at_rest().await?;
        Ok(qdrant)
    }

    /// The points there, once no more come of an earlier load: they would pass for this one's.
    async fn at_rest(&self) -> anyhow::Result<u64> {
        let mut before = self.count().await.context("count the points")?;
        loop {
            tokio::time::sleep(REST).await;
            let now = self.count().await.context("count the points")?;
            if now == before {
                return Ok(now);
            }
            crate::progress::say(&format!(
                "{now} points and more coming, waiting for an earlier load's end"
            ));
            before = now;
        }
    }

    /// Points applied since.
    pub(crate) async fn applied(&self) -> anyhow::Result<u64> {
        Ok(self.count().await?.saturating_sub(self.before))
    }

    /// Whether a point is there to be read.
    pub(crate) async fn has(&self, point: u64) -> bool {
        let found = self
            .send(
                reqwest::Method::GET,
                &format!("/points/{}", id(point)),
                None,
            )
            .await;
        found.is_ok_and(|(status, _)| status.is_success())
    }

    async fn count(&self) -> anyhow::Result<u64> {
        let exact = Some(json!({"exact": true}));
        let (status, answer) = self
            .send(reqwest::Method::POST, "/points/count", exact)
            .await?;
        match answer["result"]["count"].as_u64() {
            Some(count) => Ok(count),
            None => bail!("{status}: {answer}"),
        }
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(key) = &self.api_key {
            request = request.header("api-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.context("reach Qdrant")?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or_default()))
    }
}

fn collection(shape: Shape) -> Value {
    match shape {
        Shape::Dense(size) => json!({
            "vectors": {"size": size, "distance": "Cosine"},
            "shard_number": SHARDS,
        }),
        Shape::SparseAndMulti => json!({
            "vectors": {"frames": {
                "size": FRAME_DIMENSIONS,
                "distance": "Cosine",
                "multivector_config": {"comparator": "max_sim"},
            }},
            "sparse_vectors": {"text": {}},
            "shard_number": SHARDS,
        }),
    }
}
