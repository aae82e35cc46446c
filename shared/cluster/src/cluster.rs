//! Calls to Qdrant: upserts, collection schemas, health.

use std::{fmt, sync::Arc, time::Duration};

use alioth_points::UpsertBody;
use qdrant_client::qdrant::{
    GetCollectionInfoRequest, HealthCheckRequest, PointsOperationResponse, UpdateStatus,
    collections_client::CollectionsClient, qdrant_client::QdrantClient,
};
use tokio::time::Instant;
use tonic::{Request, Status, metadata::AsciiMetadataValue};

use crate::{
    answer::{Applied, Rejection, UpsertError, classify},
    config::QdrantConfig,
    metrics::{ClusterMetrics, Operation},
    nodes::{NodeError, Nodes},
    raw,
    schema::schema,
    schema_cache::{SchemaLookup, SchemaSource},
};

/// Qdrant answers health checks without looking at anything.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// A Qdrant cluster; clones share connections. Nothing is dialled until the first call.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    nodes: Nodes,
    api_key: Option<AsciiMetadataValue>,
    timeout: Duration,
    schema_timeout: Duration,
    metrics: ClusterMetrics,
}

/// A cluster that cannot be set up. Never transient.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// One of the configured addresses is unusable.
    #[error("use Qdrant address {number}")]
    Address {
        /// 1-based position in the list.
        number: usize,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API key holds characters no header can carry.
    #[error("use the Qdrant API key")]
    ApiKey,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Sets up the nodes; wants a Tokio runtime.
    ///
    /// # Errors
    /// What `QdrantConfig::problems` reports earlier, and root certificates that cannot be read.
    pub fn new(config: &QdrantConfig, metrics: ClusterMetrics) -> Result<Self, ClusterError> {
        let nodes = Nodes::new(config, metrics.nodes_away.clone()).map_err(
            |(index, source): (usize, NodeError)| ClusterError::Address {
                number: index + 1,
                source: Box::new(source),
            },
        )?;
        let api_key = match config.api_key.expose() {
            "" => None,
            key => {
                let mut value =
                    AsciiMetadataValue::try_from(key).map_err(|_| ClusterError::ApiKey)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                nodes,
                api_key,
                timeout: config.timeout.0,
                schema_timeout: config.schema_timeout.0,
                metrics,
            }),
        })
    }

    /// Applies the points, wait=true. Repeating it is harmless: an upsert is idempotent by id.
    /// Whoever may have to repeat passes an `Arc`.
    ///
    /// # Errors
    /// One variant a row of the disposition table. After `Unavailable` and `Internal` the points may
    /// have been applied in part or whole, and may yet be, should the server still be at it.
    pub async fn upsert(&self, body: impl Into<Arc<UpsertBody>>) -> Result<Applied, UpsertError> {
        let body = body.into();
        let key = self.inner.api_key.as_ref();
        let call = |channel| raw::upsert(channel, key, Arc::clone(&body));
        let answer = self
            .observed(Operation::Upsert, self.inner.timeout, call)
            .await?;
        applied(&answer)
    }

    /// Whether the cluster answers a health check now.
    pub async fn healthy(&self) -> bool {
        let call = |channel| async move {
            let request = self.keyed(HealthCheckRequest {});
            QdrantClient::new(channel).health_check(request).await
        };
        self.observed(Operation::Health, HEALTH_TIMEOUT, call)
            .await
            .is_ok()
    }

    async fn observed<T, F, Fut>(
        &self,
        operation: Operation,
        limit: Duration,
        call: F,
    ) -> Result<T, UpsertError>
    where
        F: Fn(tonic::transport::Channel) -> Fut,
        Fut: Future<Output = Result<T, Status>>,
    {
        let started = Instant::now();
        let answer = self.inner.nodes.call(limit, call).await;
        let answer = answer.map_err(|status| classify(&status));
        self.inner
            .metrics
            .call(operation, started.elapsed(), &answer);
        answer
    }

    fn keyed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(key) = &self.inner.api_key {
            request.metadata_mut().insert("api-key", key.clone());
        }
        request
    }

    pub(crate) fn metrics(&self) -> &ClusterMetrics {
        &self.inner.metrics
    }
}

#[async_trait::async_trait]
impl SchemaSource for Cluster {
    async fn ask(&self, collection: &str) -> SchemaLookup {
        let call = |channel| async move {
            let request = self.keyed(GetCollectionInfoRequest {
                collection_name: collection.to_owned(),
            });
            CollectionsClient::new(channel)
                .max_decoding_message_size(usize::MAX)
                .get(request)
                .await
        };
        match self
            .observed(Operation::Schema, self.inner.schema_timeout, call)
            .await
        {
            Ok(response) => match response.into_inner().result.and_then(schema) {
                Some(schema) => SchemaLookup::Found(Arc::new(schema)),
                None => SchemaLookup::Unavailable,
            },
            // Invalid: a name no collection can have.
            Err(UpsertError::Rejected {
                rejection: Rejection::NotFound | Rejection::Invalid,
                ..
            }) => SchemaLookup::Missing,
            Err(
                UpsertError::Rejected {
                    rejection: Rejection::TooLarge,
                    ..
                }
                | UpsertError::Unavailable { .. }
                | UpsertError::Exhausted { .. }
                | UpsertError::Denied { .. }
                | UpsertError::Internal { .. },
            ) => SchemaLookup::Unavailable,
        }
    }
}

fn applied(answer: &PointsOperationResponse) -> Result<Applied, UpsertError> {
    let status = answer.result.map(|result| result.status());
    match status {
        Some(UpdateStatus::Completed) => Ok(Applied::Completed),
        Some(UpdateStatus::Acknowledged) => Ok(Applied::Acknowledged),
        Some(UpdateStatus::WaitTimeout) => Ok(Applied::WaitTimeout),
        // Between a cluster's own nodes only; should it come through, the write was not applied.
        Some(UpdateStatus::ClockRejected) => Err(UpsertError::Unavailable {
            reason: "the write was overtaken by the cluster's clock".to_owned(),
        }),
        Some(UpdateStatus::UnknownUpdateStatus) | None => Err(UpsertError::Internal {
            reason: "the answer tells no status".to_owned(),
        }),
    }
}
