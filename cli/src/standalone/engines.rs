//! The queue and the database of a standalone Alioth: the configured one, or one of its own.

use std::{path::Path, sync::Arc};

use alioth_broker::{Broker, BrokerMetrics, EmbeddedBroker, EmbeddedOptions, RabbitMqBroker};
use alioth_embedded::{EmbeddedNode, NodeConfig, NodeHandle};
use alioth_telemetry::prometheus::Registry;
use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use super::{Ports, Settings};

/// Starts the embedded node and points the settings at it, unless Qdrant's address is configured.
pub(super) async fn node(
    settings: &mut Settings,
    data_dir: &Path,
    ports: Ports,
) -> Result<Option<NodeHandle>> {
    if settings.qdrant_is_configured {
        return Ok(None);
    }
    let config = NodeConfig {
        grpc: ports.qdrant_grpc,
        rest: ports.qdrant_rest,
        ..NodeConfig::on_loopback(data_dir.join("qdrant"))
    };
    // A token of its own: the node outlives the functions, which settle what they hold first.
    let node = EmbeddedNode::start(config, CancellationToken::new())
        .await
        .context("start the embedded Qdrant node")?;
    settings.qdrant.url = vec![node.grpc_url()];
    Ok(Some(node))
}

/// Opens the embedded queue, unless RabbitMQ's address is configured. An absent RabbitMQ is waited for
/// by whoever uses it.
pub(super) async fn broker(
    settings: &Settings,
    data_dir: &Path,
    registry: &Registry,
) -> Result<Arc<dyn Broker>> {
    let metrics = BrokerMetrics::register(registry)?;
    let amqp = &settings.amqp;
    if !amqp.url.is_empty() {
        let broker = RabbitMqBroker::new(amqp, "alioth-standalone", metrics);
        return Ok(Arc::new(
            broker.context("prepare the connection to RabbitMQ")?,
        ));
    }
    let options = EmbeddedOptions {
        queue_prefix: amqp.queue_prefix.clone(),
        limits: amqp.limits(),
        ..EmbeddedOptions::default()
    };
    let folder = data_dir.join("queue");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let broker = EmbeddedBroker::open(&folder, options, metrics).await;
    Ok(Arc::new(broker.context("open the embedded queue")?))
}
