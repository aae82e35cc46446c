//! Every function in one process. Engines whose address is not configured are embedded, reached over
//! the same client code; nothing here does what a function does.

mod engines;
mod jobs;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use alioth_broker::{Broker, Queue};
use alioth_cluster::{Cluster, ClusterMetrics, SchemaCache};
use alioth_embedded::{NodeHandle, S3Handle};
use alioth_job_runner::JobMetrics;
use alioth_lifecycle::Shutdown;
use alioth_snapshot_store::{Credentials, S3Config};
use alioth_telemetry::{Readiness, Tracer, Traces};
use anyhow::{Context, Result};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::jobs::Jobs;
use crate::{exit::Exit, settings::Settings};

/// Runs every function in one process.
#[derive(Debug, clap::Args)]
pub(crate) struct StandaloneArgs {
    /// Where the queue, the collections and their snapshots are kept; created if absent
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
    /// Port of the embedded S3, on this machine only
    #[arg(long, default_value_t = 8333)]
    s3_port: u16,
    /// Take free ports instead; a line on standard output tells which
    #[arg(long, conflicts_with_all = ["port", "qdrant_port", "qdrant_grpc_port", "s3_port"])]
    free_ports: bool,
}

/// Where everything listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    http: SocketAddr,
    qdrant_rest: SocketAddr,
    qdrant_grpc: SocketAddr,
    s3: u16,
}

impl Ports {
    const FREE: Self = {
        let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            http: free,
            qdrant_rest: free,
            qdrant_grpc: free,
            s3: 0,
        }
    };

    fn of(args: &StandaloneArgs) -> Self {
        let number = |port| if args.free_ports { 0 } else { port };
        let at = |port| SocketAddr::new(args.host, number(port));
        Self {
            http: at(args.port),
            qdrant_rest: at(args.qdrant_port),
            qdrant_grpc: at(args.qdrant_grpc_port),
            s3: number(args.s3_port),
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
    /// The file with what commands need to reach the embedded S3; a configured one's is not known here.
    pub(crate) s3_environment: Option<PathBuf>,
}

/// Runs the command until SIGTERM or SIGINT.
pub(crate) async fn command(args: StandaloneArgs) -> Result<Exit> {
    let settings = Settings::for_standalone()?;
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
    if let Some(file) = &addresses.s3_environment {
        line.push_str(&format!(", snapshots' environment in {}", file.display()));
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
    s3: Option<S3Handle>,
    bucket: (S3Config, Credentials),
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
        let (s3, credentials) = engines::s3(&mut settings, data_dir, ports).await?;
        let broker = engines::broker(&settings, data_dir, &registry).await?;
        broker.declare().await.context("declare the topology")?;
        let cluster = Cluster::new(&settings.qdrant, ClusterMetrics::register(&registry)?)?;
        let job_metrics = JobMetrics::register(&registry)?;
        let snapshot_metrics = snapshot::Metrics::register(&registry)?;
        let listener = TcpListener::bind(ports.http)
            .await
            .with_context(|| format!("listen on {}", ports.http))?;
        let addresses = Addresses {
            http: format!("http://{}", listener.local_addr()?),
            qdrant_grpc: settings.qdrant.url[0].clone(),
            qdrant_rest: node.as_ref().map(NodeHandle::rest_url),
            s3_environment: s3.is_some().then(|| data_dir.join("s3/environment")),
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
        let bucket = (settings.s3.clone(), credentials.clone());
        let jobs = Jobs {
            settings,
            credentials,
            broker: Arc::clone(&broker),
            job_metrics,
            snapshot_metrics,
            token: token.clone(),
        };
        // On a thread of its own: the compiler cannot tell that futures of async closures are Send.
        let runtime = tokio::runtime::Handle::current();
        functions.spawn_blocking(move || {
            runtime.block_on(jobs.run());
            Ok(())
        });
        Ok(Self {
            addresses,
            broker,
            node,
            s3,
            bucket,
            functions,
            token,
        })
    }

    /// Where clients find it.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// How a client reaches the bucket.
    pub(crate) fn bucket(&self) -> (S3Config, Credentials) {
        self.bucket.clone()
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
        if let Some(s3) = self.s3 {
            outcome = outcome.and(s3.stop().await.context("stop the embedded S3"));
        }
        outcome
    }
}
