//! The embedded node in a [`Qdrant`]'s place.

use std::{thread::JoinHandle, time::Duration};

use alioth_embedded::{EmbeddedNode, NodeConfig};
use tokio_util::sync::CancellationToken;

use super::Qdrant;

/// Every test that ends with a client still connected waits this long: its runtime is blocked in
/// the drop, so its connections cannot close.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

impl Qdrant {
    pub(super) fn start_node(&self) -> NodeThread {
        NodeThread::start(NodeConfig {
            data_dir: self.directory.path().join("node"),
            grpc: self.grpc.address(),
            rest: self.rest.address(),
            api_key: self.keys.full.clone(),
            read_only_api_key: self.keys.read_only.clone(),
            stop_deadline: STOP_DEADLINE,
        })
    }
}

/// The embedded node on threads of its own: a test may pause its own clock or block its own runtime.
pub(super) struct NodeThread {
    token: CancellationToken,
    thread: JoinHandle<()>,
}

impl NodeThread {
    fn start(config: NodeConfig) -> Self {
        let token = CancellationToken::new();
        let ended = token.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            let run = async {
                let node = EmbeddedNode::start(config, ended).await?;
                node.stopped().await
            };
            match runtime.map(|runtime| runtime.block_on(run)) {
                Ok(Ok(())) => (),
                Ok(Err(error)) => panic!("the embedded node failed: {error:?}"),
                Err(error) => panic!("no runtime for the embedded node: {error}"),
            }
        });
        Self { token, thread }
    }

    pub(super) fn stop(self) {
        self.token.cancel();
        // Its panic has been printed by its thread.
        let _ = self.thread.join();
    }
}
