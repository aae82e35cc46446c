//! RabbitMQ through lapin. Publishing and each consumer have a connection of their own: RabbitMQ blocks whole
//! connections when it runs short of memory or disk, and a consumer's acks must still get through then.

mod consumer;
mod link;
mod proof;
mod properties;
mod publisher;
mod pump;
mod settle;
mod subscriber;
mod topology;
mod trust;
mod unsettled;
mod window;

use std::{
    path::Path,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use alioth_config::Secret;
use lapin::{
    options::QueueDeclareOptions,
    tcp::RustlsConnector,
    types::{FieldTable, ShortString},
    uri::AMQPUri,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::trust::authorities;
use self::{
    consumer::RabbitConsumer,
    link::{Link, LinkError},
    publisher::RabbitPublisher,
};
use crate::{
    broker::{Broker, Consumer, Publisher, UrlSource},
    config::{AmqpConfig, parse_url},
    error::{ConsumeError, DeclareError, OpenError},
    metrics::BrokerMetrics,
    queue::{Queue, QueueDepth, QueueLimits, QueueNames},
};

/// Everything a connection of ours needs to know.
#[derive(Debug)]
struct Settings {
    /// Replaced when its credentials are refused and others can be had.
    uri: RwLock<AMQPUri>,
    urls: Option<Arc<dyn UrlSource>>,
    /// For amqps; `None` trusts the system's authorities.
    trust: Option<RustlsConnector>,
    heartbeat_s: u16,
    connection_name: String,
    names: QueueNames,
    limits: QueueLimits,
    connect_timeout: Duration,
    confirm_timeout: Duration,
    in_flight: usize,
    in_flight_bytes: usize,
}

impl Settings {
    fn new(
        config: &AmqpConfig,
        connection_name: &str,
        urls: Option<Arc<dyn UrlSource>>,
    ) -> Result<Self, OpenError> {
        let heartbeat_s = u16::try_from(config.heartbeat.0.as_secs()).unwrap_or(u16::MAX);
        let uri = uri(&config.url, heartbeat_s).map_err(|reason| OpenError::Url { reason })?;
        let trust = config.ca_file.as_deref().map(trust_in).transpose()?;
        Ok(Self {
            uri: RwLock::new(uri),
            urls,
            heartbeat_s,
            trust,
            connection_name: connection_name.to_owned(),
            names: QueueNames::new(&config.queue_prefix),
            limits: config.limits(),
            connect_timeout: config.connect_timeout.0,
            confirm_timeout: config.confirm_timeout.0,
            in_flight: config.in_flight as usize,
            in_flight_bytes: config.in_flight_bytes.as_usize(),
        })
    }

    /// Where to connect to now.
    fn uri(&self) -> AMQPUri {
        // Held for a clone or an assignment, neither of which leaves it half done.
        self.uri
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks for another URL after this one's credentials were refused; whether there is one to try.
    async fn renew_url(&self) -> bool {
        let Some(urls) = &self.urls else {
            return false;
        };
        let asked = tokio::time::timeout(self.connect_timeout, urls.renewed());
        let Some(url) = asked.await.ok().flatten() else {
            return false;
        };
        match uri(&url, self.heartbeat_s) {
            Ok(uri) if uri != self.uri() => {
                tracing::info!("trying the renewed AMQP URL");
                *self.uri.write().unwrap_or_else(PoisonError::into_inner) = uri;
                true
            }
            Ok(_) => false,
            Err(reason) => {
                tracing::error!(reason, "the renewed AMQP URL");
                false
            }
        }
    }
}

/// Reads a URL, and puts into it what a connection of ours asks for.
fn uri(url: &Secret, heartbeat_s: u16) -> Result<AMQPUri, String> {
    let mut uri = parse_url(url)?;
    uri.query.heartbeat.get_or_insert(heartbeat_s);
    uri.query.frame_max.get_or_insert(link::FRAME_MAX);
    Ok(uri)
}

/// One RabbitMQ. Connects when a publisher or consumer is asked for, and again by itself whenever it must.
#[derive(Debug)]
pub struct RabbitMqBroker {
    settings: Arc<Settings>,
    metrics: BrokerMetrics,
    publisher: OnceLock<Arc<RabbitPublisher>>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl RabbitMqBroker {
    /// Prepares a broker; nothing is connected yet. `connection_name` is what RabbitMQ's management shows.
    ///
    /// # Errors
    /// When the URL is none, or the file of authorities cannot be used (not transient).
    pub fn new(
        config: &AmqpConfig,
        connection_name: &str,
        metrics: BrokerMetrics,
    ) -> Result<Self, OpenError> {
        Self::renewing(config, connection_name, metrics, None)
    }

    /// The same with a source of other URLs, which is asked when RabbitMQ refuses the credentials.
    ///
    /// # Errors
    /// As [`RabbitMqBroker::new`].
    pub fn renewing(
        config: &AmqpConfig,
        connection_name: &str,
        metrics: BrokerMetrics,
        urls: Option<Arc<dyn UrlSource>>,
    ) -> Result<Self, OpenError> {
        // amqps takes the process's default provider. Whoever installed one first has decided.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = Settings::new(config, connection_name, urls)?;
        Ok(Self {
            settings: Arc::new(settings),
            metrics,
            publisher: OnceLock::new(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// A connection for one errand.
    async fn errand(&self) -> Result<Link, LinkError> {
        Link::open(&self.settings, "errand").await
    }
}

fn trust_in(file: &Path) -> Result<RustlsConnector, OpenError> {
    let failed = |reason| OpenError::CaFile {
        path: file.to_owned(),
        reason,
    };
    let authorities = authorities(file).map_err(failed)?;
    trust::connector(authorities).map_err(|error| failed(error.to_string()))
}

#[async_trait::async_trait]
impl Broker for RabbitMqBroker {
    async fn declare(&self) -> Result<(), DeclareError> {
        let link = self.errand().await.map_err(|error| DeclareError::Away {
            reason: error.to_string(),
        })?;
        let declared = topology::declare(&link, &self.settings).await;
        link.close().await;
        declared
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        let publisher = self.publisher.get_or_init(|| {
            Arc::new(RabbitPublisher::start(
                Arc::clone(&self.settings),
                self.metrics.clone(),
                self.shutdown.child_token(),
                &self.tasks,
            ))
        });
        Arc::clone(publisher) as Arc<dyn Publisher>
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, ConsumeError> {
        if self.shutdown.is_cancelled() {
            return Err(ConsumeError::Away {
                reason: "it was closed".to_owned(),
            });
        }
        let consumer = RabbitConsumer::start(
            Arc::clone(&self.settings),
            self.metrics.clone(),
            (queue, prefetch),
            self.shutdown.child_token(),
            &self.tasks,
        );
        Ok(Box::new(consumer))
    }

    async fn depth(&self, queue: Queue) -> Result<QueueDepth, ConsumeError> {
        let away = |error: LinkError| ConsumeError::Away {
            reason: error.to_string(),
        };
        let link = self.errand().await.map_err(away)?;
        let name = ShortString::from(self.settings.names.of(queue));
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asked = async {
            let channel = link.channel().await?;
            let declared = channel.queue_declare(name, options, FieldTable::default());
            link.in_time(declared).await
        };
        let state = asked.await.map_err(away);
        link.close().await;
        state.map(|state| QueueDepth {
            ready: u64::from(state.message_count()),
            unsettled: None,
        })
    }

    async fn close(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
