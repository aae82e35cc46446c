//! The services, and the functions on them.

use std::net::SocketAddr;

use alioth_broker::{AmqpConfig, Broker as _, BrokerMetrics, Queue, RabbitMqBroker};
use alioth_testkit::{ProcessUsage, Qdrant, RabbitMq, ReservedPort};
use prometheus::Registry;

use crate::{
    function::{Binaries, Service},
    rabbit::Bare,
};

/// What all rows are measured on.
pub(crate) struct World {
    pub(crate) binaries: Binaries,
    pub(crate) rabbitmq: RabbitMq,
    pub(crate) qdrant: Qdrant,
    /// The typed client.
    pub(crate) client: qdrant_client::Qdrant,
}

/// ingest-accept and where it listens.
pub(crate) struct Accept {
    pub(crate) service: Service,
    http: ReservedPort,
}

/// Queues of one measurement's own.
pub(crate) struct Queues {
    pub(crate) prefix: String,
}

impl Queues {
    pub(crate) fn name(&self, queue: Queue) -> String {
        format!("{}{}", self.prefix, queue.name())
    }

    pub(crate) fn ingest(&self) -> String {
        self.name(Queue::Ingest)
    }
}

impl Accept {
    pub(crate) fn http(&self) -> SocketAddr {
        self.http.address()
    }
}

impl World {
    pub(crate) async fn start(binaries: Binaries) -> Self {
        let (rabbitmq, qdrant) = tokio::join!(RabbitMq::start(), Qdrant::start());
        let client = qdrant.client();
        Self {
            binaries,
            rabbitmq,
            qdrant,
            client,
        }
    }

    /// Declares a set of queues, with the limits that the functions have by default.
    pub(crate) async fn queues(&self, prefix: &str) -> Queues {
        let prefix = format!("{prefix}.");
        let config = AmqpConfig {
            url: self.rabbitmq.amqp_url().as_str().into(),
            queue_prefix: prefix.clone(),
            ..AmqpConfig::default()
        };
        let metrics = BrokerMetrics::register(&Registry::new()).expect("an empty registry");
        let broker = RabbitMqBroker::new(&config, "bench", metrics).expect("a good URL");
        broker.declare().await.expect("the queues");
        broker.close().await;
        Queues { prefix }
    }

    /// Deletes them with all that is in them.
    pub(crate) async fn delete(&self, queues: Queues) {
        let bare = self.bare().await;
        for queue in Queue::ALL {
            bare.delete(&queues.name(queue)).await;
        }
        bare.close().await;
    }

    pub(crate) async fn bare(&self) -> Bare {
        Bare::connect(&self.rabbitmq.amqp_url()).await
    }

    /// Starts ingest-accept; not waited for.
    pub(crate) fn start_accept(&self, queues: &Queues) -> Accept {
        let http = ReservedPort::new();
        let mut variables = self.variables(queues);
        variables.push(("ALIOTH_HTTP_LISTEN".to_owned(), http.address().to_string()));
        Accept {
            service: self.binaries.start_service("ingest-accept", variables),
            http,
        }
    }

    /// Starts ingest-consume; not waited for.
    pub(crate) fn start_consume(&self, queues: &Queues) -> Service {
        self.binaries
            .start_service("ingest-consume", self.variables(queues))
    }

    /// CPU seconds so far of RabbitMQ and of Qdrant; none of the embedded node, which is part of this process.
    pub(crate) fn services_cpu(&self) -> (f64, f64) {
        let seconds =
            |usage: Option<ProcessUsage>| usage.map_or(0.0, |usage| usage.cpu_time().as_secs_f64());
        (seconds(self.rabbitmq.usage()), seconds(self.qdrant.usage()))
    }

    fn variables(&self, queues: &Queues) -> Vec<(String, String)> {
        [
            ("ALIOTH_AMQP_URL", self.rabbitmq.amqp_url()),
            ("ALIOTH_AMQP_QUEUE_PREFIX", queues.prefix.clone()),
            ("ALIOTH_QDRANT_URL", self.qdrant.grpc_url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}
