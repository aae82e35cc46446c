//! The embedded queue: the contract, and what a crash leaves.

mod crash;

use std::sync::Arc;

use alioth_broker::{Broker, EmbeddedBroker, EmbeddedOptions, QueueLimits};
use tempfile::TempDir;

use crate::{contract::Backend, support::*};

/// Queues in a directory of the test's own.
struct Embedded(TempDir);

impl Embedded {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }
}

impl Backend for Embedded {
    async fn broker(&self, prefix: &str, limits: QueueLimits) -> Arc<dyn Broker> {
        let options = EmbeddedOptions {
            queue_prefix: prefix.to_owned(),
            limits,
            ..EmbeddedOptions::default()
        };
        let broker = EmbeddedBroker::open(self.0.path(), options, metrics()).await;
        Arc::new(broker.expect("a new file"))
    }
}

mod contract {
    use super::Embedded;

    crate::contract! { Embedded::new() }
}
