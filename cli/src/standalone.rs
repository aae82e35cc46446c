//! Every function in one process. Engines whose address is not configured are embedded, reached over
//! the same client code; nothing here does what a function does.

mod engines;
mod settings;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use alioth_broker::{Broker, Queue};
use alioth_cluster::{Cluster, ClusterMetrics, SchemaCache};
use alioth_embedded::NodeHandle;
use alioth_lifecycle::Shutdown;
use alioth_telemetry::{Readiness, Tracer, Traces};
use anyhow::{Context, Result};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::settings::Settings;
use crate::exit::Exit;

/// Runs every function in one process.
#[derive(Debug, clap::Args)]
pub(crate) struct StandaloneArgs {
    /// Where the queue and the collections are kept; created if absent
    #[arg(long, default_value = "alioth-data")]
    data_dir: PathBuf,
    /// Address that everything listens on; there are no keys by default, so it is only this machine's
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of writes, probes, metrics and docs
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// REST port of the embedded Qdrant node
    #[arg(long, default_value_t = 6333)]
    qdrant_port: u16,
    /// gRPC port of the embedded Qdrant node
    #[arg(long, default_value_t = 6334)]
    qdrant_grpc_port: u16,
    /// Take free ports instead; a line on standard output tells which
    #[arg(long, conflicts_with_all = ["port", "qdrant_port", "qdrant_grpc_port"])]
    free_ports: bool,
}

/// Where everything listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    http: SocketAddr,
    qdrant_rest: SocketAddr,
    qdrant_grpc: SocketAddr,
}

impl Ports {
    const FREE: Self = {
        let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            http: free,
            qdrant_rest: free,
            qdrant_grpc: free,
        }
    };

    fn of(args: &StandaloneArgs) -> Self {
        let at = |port| SocketAddr::new(args.host, if args.free_ports { 0 } else { port });
        Self {
            http: at(args.port),
            qdrant_rest: at(args.qdrant_port),
            qdrant_grpc: at(args.qdrant_grpc_port),
        }
    }
}

/// What a client needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// Base address of the writes.
    pub(crate) http: String,
    /// Qdrant over gRPC, embedded or configured.
    pub(crate) qdrant_grpc: String,
    /// REST of the embedded node; a configured Qdrant's is not known here.
    pub(crate) qdrant_rest: Option<String>,
}

/// Runs the command until SIGTERM or SIGINT.
pub(crate) async fn command(args: StandaloneArgs) -> Result<Exit> {
    let settings = Settings::from_process()?;
    alioth_telemetry::init(&settings.log)?;
    let traces = Traces::start(
        &settings.traces,
        "alioth-standalone",
        env!("CARGO_PKG_VERSION"),
    )?;
    let shutdown = Shutdown::on_signals()?;
    let (ports, drain) = (Ports::of(&args), settings.consume.drain);
    let standalone =
        Standalone::start(settings, &args.data_dir, ports, &shutdown, &traces.tracer()).await?;
    let addresses = standalone.addresses();
    let mut line = format!(
        "alioth takes writes at {} (docs at {}/docs), Qdrant's gRPC at {}",
        addresses.http, addresses.http, addresses.qdrant_grpc
    );
    if let Some(rest) = &addresses.qdrant_rest {
        line.push_str(&format!(" and REST at {rest}"));
    }
    crate::say(&line);
    let ended = standalone.ended().await;
    traces.flush(shutdown.time_left(drain)).await;
    ended?;
    Ok(Exit::Success)
}

/// A running system.
pub(crate) struct Standalone {
    addresses: Addresses,
    broker: Arc<dyn Broker>,
    node: Option<NodeHandle>,
    functions: JoinSet<Result<()>>,
    token: CancellationToken,
}

impl Standalone {
    /// Starts one for this process alone: free ports, defaults, nothing read from the environment.
    pub(crate) async fn start_private(data_dir: &Path) -> Result<Self> {
        Self::start(
            Settings::defaults(),
            data_dir,
            Ports::FREE,
            &Shutdown::manual(),
            &Tracer::default(),
        )
        .await
    }

    async fn start(
        mut settings: Settings,
        data_dir: &Path,
        ports: Ports,
        shutdown: &Shutdown,
        tracer: &Tracer,
    ) -> Result<Self> {
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("create {}", data_dir.display()))?;
        let registry = alioth_telemetry::registry("standalone", env!("CARGO_PKG_VERSION"))?;
        let readiness = Readiness::new();
        let node = engines::node(&mut settings, data_dir, ports).await?;
        let broker = engines::broker(&settings, data_dir, &registry).await?;
        broker.declare().await.context("declare the topology")?;
        let cluster = Cluster::new(&settings.qdrant, ClusterMetrics::register(&registry)?)?;
        let listener = TcpListener::bind(ports.http)
            .await
            .with_context(|| format!("listen on {}", ports.http))?;
        let addresses = Addresses {
            http: format!("http://{}", listener.local_addr()?),
            qdrant_grpc: settings.qdrant.url[0].clone(),
            qdrant_rest: node.as_ref().map(NodeHandle::rest_url),
        };

        let token = shutdown.token();
        let mut functions = JoinSet::new();
        let accept = ingest_accept::Deps {
            listener,
            services: ingest_accept::Services {
                publisher: broker.publisher(),
                schemas: SchemaCache::new(&cluster, &settings.qdrant),
                registry: registry.clone(),
                readiness: readiness.clone(),
                tracer: tracer.clone(),
            },
        };
        let config = settings.accept.clone();
        let until = token.clone();
        functions.spawn(async move {
            let ended = ingest_accept::run(config, accept, until).await;
            ended.context("ingest-accept")
        });
        let consume = ingest_consume::Deps {
            broker: Arc::clone(&broker),
            cluster,
            registry,
            readiness,
            tracer: tracer.clone(),
        };
        let config = settings.consume;
        let until = token.clone();
        functions.spawn(async move {
            let ended = ingest_consume::run(config, consume, until).await;
            ended.context("ingest-consume")
        });
        Ok(Self {
            addresses,
            broker,
            node,
            functions,
            token,
        })
    }

    /// Where clients find it.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Messages in a queue, ready or being worked on.
    pub(crate) async fn depth(&self, queue: Queue) -> Result<u64> {
        let depth = self.broker.depth(queue).await?;
        Ok(depth.ready + depth.unsettled.unwrap_or(0))
    }

    /// Drains and stops.
    pub(crate) async fn stop(self) -> Result<()> {
        self.token.cancel();
        self.ended().await
    }

    /// Waits for the end: by the token, or because a function failed, which ends the others too.
    pub(crate) async fn ended(mut self) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(joined) = self.functions.join_next().await {
            let ended = joined.context("a function panicked").flatten();
            // Whoever ends first takes the others along: none is of use alone.
            self.token.cancel();
            outcome = outcome.and(ended);
        }
        self.broker.close().await;
        if let Some(node) = self.node {
            outcome = outcome.and(node.stop().await.context("stop the embedded node"));
        }
        outcome
    }
}
