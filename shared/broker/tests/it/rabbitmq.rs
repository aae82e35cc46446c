//! RabbitMQ: the contract, on a real node.

mod failures;
mod tls;

use std::sync::Arc;

use alioth_broker::{AmqpConfig, Broker, QueueLimits, RabbitMqBroker};
use alioth_config::{ByteSize, Secret};
use alioth_testkit::RabbitMq;

use crate::{contract::Backend, support::*};

/// The node the tests of this process share.
struct Shared;

/// A configuration for a node, or for a proxy before it.
pub(crate) fn config(url: String, prefix: &str, limits: QueueLimits) -> AmqpConfig {
    AmqpConfig {
        url: Secret::from(url),
        queue_prefix: prefix.to_owned(),
        max_length: limits.max_length,
        max_length_bytes: ByteSize(limits.max_length_bytes),
        delivery_limit: limits.delivery_limit,
        ..AmqpConfig::default()
    }
}

pub(crate) fn open(config: &AmqpConfig) -> Arc<dyn Broker> {
    let broker = RabbitMqBroker::new(config, "alioth-broker tests", metrics());
    Arc::new(broker.expect("a good URL"))
}

impl Backend for Shared {
    async fn broker(&self, prefix: &str, limits: QueueLimits) -> Arc<dyn Broker> {
        let broker = open(&config(RabbitMq::shared().await.amqp_url(), prefix, limits));
        broker.declare().await.expect("the node is there");
        broker
    }
}

mod contract {
    use super::Shared;

    crate::contract! { Shared }
}
