//! The queue, the database and the bucket of a standalone Alioth: the configured one, or one of its own.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use alioth_broker::{Broker, BrokerMetrics, EmbeddedBroker, EmbeddedOptions, RabbitMqBroker};
use alioth_embedded::{EmbeddedNode, EmbeddedS3, NodeConfig, NodeHandle, S3Config, S3Handle};
use alioth_snapshot_store::{Credentials, Sse};
use alioth_telemetry::prometheus::Registry;
use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use super::{Ports, Settings};

/// Of the embedded S3.
const BUCKET: &str = "alioth";

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
    settings.rest.url = vec![node.rest_url()];
    Ok(Some(node))
}

/// Starts the embedded S3 and points the settings at it, unless a bucket or an endpoint is configured.
pub(super) async fn s3(
    settings: &mut Settings,
    data_dir: &Path,
    ports: Ports,
) -> Result<(Option<S3Handle>, Credentials)> {
    if settings.s3_is_configured {
        return Ok((None, Credentials::Chain));
    }
    let folder = data_dir.join("s3");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let file = folder.join("environment");
    let mut config = S3Config {
        // Never more than this machine's: what is in it is everything.
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, ports.s3)),
        ..S3Config::on_loopback(&folder)
    };
    // The keys stay those of the first start, for whoever has them in a shell.
    if let Some((id, secret)) = keys(&file)? {
        (config.access_key_id, config.secret_access_key) = (id, secret);
    }
    let credentials = Credentials::Static {
        access_key_id: config.access_key_id.clone(),
        secret_access_key: config.secret_access_key.as_str().into(),
    };
    let pair = (
        config.access_key_id.clone(),
        config.secret_access_key.clone(),
    );
    let s3 = EmbeddedS3::start(config, CancellationToken::new())
        .await
        .context("start the embedded S3")?;
    settings.s3.endpoint = s3.url();
    settings.s3.bucket = BUCKET.to_owned();
    settings.s3.create_bucket = true;
    // Nothing but bytes on this machine's disk: it knows neither of them.
    settings.s3.sse = Sse::None;
    settings.s3.storage_class = String::new();
    let lines = [
        ("AWS_ACCESS_KEY_ID", pair.0.as_str()),
        ("AWS_SECRET_ACCESS_KEY", pair.1.as_str()),
        ("ALIOTH_S3_ENDPOINT", settings.s3.endpoint.as_str()),
        ("ALIOTH_S3_BUCKET", BUCKET),
        ("ALIOTH_QDRANT_REST_URL", &settings.rest.url.join(",")),
    ];
    write_private(&file, &lines).with_context(|| format!("write {}", file.display()))?;
    Ok((Some(s3), credentials))
}

/// The key pair that an earlier start wrote down.
fn keys(file: &Path) -> Result<Option<(String, String)>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let (_, value) = lines.find(|(found, _)| *found == name)?;
        Some(value.to_owned())
    };
    Ok(value("AWS_ACCESS_KEY_ID").zip(value("AWS_SECRET_ACCESS_KEY")))
}

/// Whole or not at all, and readable by nobody else, as temporary files are.
fn write_private(file: &Path, lines: &[(&str, &str)]) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut written = tempfile::NamedTempFile::new_in(folder)?;
    for (name, value) in lines {
        writeln!(written, "{name}={value}")?;
    }
    written.persist(file)?;
    Ok(())
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
