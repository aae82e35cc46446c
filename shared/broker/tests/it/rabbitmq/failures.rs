//! RabbitMQ and the network failing in every way that was thought of.

mod connecting;
mod consuming;
mod publishing;
mod suspended;
mod threads;

use std::{sync::Arc, time::Duration};

use alioth_broker::{AmqpConfig, Broker, PublishError, Queue, QueueLimits};
use alioth_config::Span;
use alioth_testkit::{FaultProxy, RabbitMq};

use super::{config, open};
use crate::support::*;

/// Short, so that tests need not wait; longer than any confirm here.
pub(super) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);

/// A configuration that notices failures soon.
pub(super) fn impatient(url: String, prefix: &str) -> AmqpConfig {
    AmqpConfig {
        confirm_timeout: Span(CONFIRM_TIMEOUT),
        connect_timeout: Span(Duration::from_secs(2)),
        heartbeat: Span(Duration::from_secs(1)),
        ..config(url, prefix, QueueLimits::default())
    }
}

/// A broker behind a proxy before the shared node, and one that goes straight to it.
pub(super) async fn proxied() -> (FaultProxy, Arc<dyn Broker>, Arc<dyn Broker>) {
    let node = RabbitMq::shared().await;
    let proxy = FaultProxy::start(node.amqp_address()).await;
    let prefix = prefix();
    let through = open(&impatient(node.amqp_url_through(proxy.address()), &prefix));
    let straight = open(&impatient(node.amqp_url(), &prefix));
    straight.declare().await.expect("the node is there");
    (proxy, through, straight)
}

pub(super) fn is_away(result: &Result<(), PublishError>) -> bool {
    matches!(result, Err(PublishError::Away { .. }))
}

pub(super) async fn ready(broker: &Arc<dyn Broker>, queue: Queue) -> u64 {
    broker.depth(queue).await.expect("the node is there").ready
}
