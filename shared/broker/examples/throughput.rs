//! How fast messages go through both backends, and what that costs this process beside bare lapin.
//!
//! `cargo run --profile bench -p alioth-broker --example throughput`: a private RabbitMQ node, a temporary
//! directory, some minutes. CPU is user and system time of this process, lapin's threads included.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alioth_broker::{
    AmqpConfig, Broker, BrokerMetrics, Consumer, EmbeddedBroker, EmbeddedOptions, OutgoingMessage,
    Queue, RabbitMqBroker,
};
use alioth_config::Secret;
use alioth_testkit::{ProcessUsage, RabbitMq, wait_until};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueuePurgeOptions,
    },
    types::FieldTable,
};
use prometheus::Registry;

/// 100 points of 100 dimensions.
const BODY_BYTES: usize = 44_000;
const MESSAGES: usize = 10_000;
const IN_FLIGHT: usize = 64;
const ROUNDS: usize = 3;
const PREFETCH: u16 = 64;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let copied = measure(MESSAGES, async {
        for _ in 0..MESSAGES {
            std::hint::black_box(std::hint::black_box(&body).to_vec());
        }
        Ok(())
    });
    report("one copy of the body", &copied.await?);

    let node = RabbitMq::start().await;
    let url = node.amqp_url();
    let config = AmqpConfig {
        url: Secret::from(url.as_str()),
        ..AmqpConfig::default()
    };
    let metrics = BrokerMetrics::register(&Registry::new())?;
    let broker: Arc<dyn Broker> = Arc::new(RabbitMqBroker::new(&config, "throughput", metrics)?);
    broker.declare().await?;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    for round in 1..=ROUNDS {
        println!("round {round}, rabbitmq, {BODY_BYTES} bytes, {IN_FLIGHT} in flight");
        report(
            "publish, bare lapin",
            &publish_bare(&connection, &body).await?,
        );
        report("consume, this crate", &consume(&broker, MESSAGES).await?);
        let published = publish(&broker, &body, MESSAGES, IN_FLIGHT).await?;
        report("publish, this crate", &published);
        report("consume, bare lapin", &consume_bare(&connection).await?);
        purge(&connection).await?;
    }
    broker.close().await;

    for (bytes, count) in [(1_000, 4_000), (BODY_BYTES, 4_000)] {
        for writers in [1, 16, 64] {
            let dir = tempfile::tempdir()?;
            let metrics = BrokerMetrics::register(&Registry::new())?;
            let options = EmbeddedOptions::default();
            let opened = EmbeddedBroker::open(dir.path(), options, metrics).await?;
            let broker: Arc<dyn Broker> = Arc::new(opened);
            println!("embedded, {bytes} bytes, {writers} writers");
            let body = Bytes::from(vec![b'x'; bytes]);
            report("publish", &publish(&broker, &body, count, writers).await?);
            report(
                "consume",
                &consume(&broker, count / writers * writers).await?,
            );
            broker.close().await;
        }
    }
    Ok(())
}

/// What some messages took.
struct Cost {
    messages: usize,
    wall: Duration,
    cpu: Duration,
}

async fn measure(
    messages: usize,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Cost, Failure> {
    let (begun, before) = (Instant::now(), cpu());
    work.await?;
    Ok(Cost {
        messages,
        wall: begun.elapsed(),
        cpu: cpu().saturating_sub(before),
    })
}

fn report(what: &str, cost: &Cost) {
    let rate = cost.messages as f64 / cost.wall.as_secs_f64();
    let each = cost.cpu.as_secs_f64() * 1e6 / cost.messages as f64;
    println!("  {what:<22} {rate:>9.0} messages/s {each:>7.1} µs of CPU each");
}

fn cpu() -> Duration {
    ProcessUsage(std::process::id()).cpu_time()
}

fn message(body: &Bytes) -> OutgoingMessage {
    OutgoingMessage {
        body: body.clone(),
        content_type: "application/x-protobuf".to_owned(),
        kind: "qdrant.UpsertPoints".to_owned(),
        message_id: "019ab3f0-0000-7000-8000-000000000001".to_owned(),
        headers: Vec::new(),
    }
}

async fn publish(
    broker: &Arc<dyn Broker>,
    body: &Bytes,
    messages: usize,
    writers: usize,
) -> Result<Cost, Failure> {
    let publisher = broker.publisher();
    wait_until(Duration::from_secs(60), || async { publisher.is_ready() }).await;
    let work = async {
        let writing = (0..writers).map(|_| {
            let (publisher, body) = (Arc::clone(&publisher), body.clone());
            tokio::spawn(async move {
                for _ in 0..messages / writers {
                    publisher
                        .publish(Queue::Ingest, vec![message(&body)])
                        .await?;
                }
                Ok::<_, Failure>(())
            })
        });
        let mut writing: FuturesUnordered<_> = writing.collect();
        while let Some(written) = writing.next().await {
            written??;
        }
        Ok(())
    };
    measure(messages / writers * writers, work).await
}

async fn publish_bare(connection: &Connection, body: &Bytes) -> Result<Cost, Failure> {
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let options = BasicPublishOptions {
        mandatory: true,
        immediate: false,
    };
    let work = async {
        let mut confirms = FuturesUnordered::new();
        for _ in 0..MESSAGES {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let (exchange, queue) = ("".into(), "ingest".into());
            let confirm = channel.basic_publish(exchange, queue, options, body, properties);
            confirms.push(confirm.await?);
            if confirms.len() == IN_FLIGHT {
                assert_eq!(
                    confirms.next().await.ok_or("none")??,
                    Confirmation::Ack(None)
                );
            }
        }
        while let Some(confirmed) = confirms.next().await {
            assert_eq!(confirmed?, Confirmation::Ack(None));
        }
        Ok(())
    };
    measure(MESSAGES, work).await
}

async fn consume(broker: &Arc<dyn Broker>, messages: usize) -> Result<Cost, Failure> {
    let mut consumer: Box<dyn Consumer> = broker.consume(Queue::Ingest, PREFETCH).await?;
    wait_until(Duration::from_secs(60), || async { consumer.is_ready() }).await;
    let work = async {
        for _ in 0..messages {
            consumer
                .next()
                .await
                .ok_or("the consumer ended")?
                .ack()
                .await?;
        }
        Ok(())
    };
    let cost = measure(messages, work).await;
    consumer.close().await;
    cost
}

async fn consume_bare(connection: &Connection) -> Result<Cost, Failure> {
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let options = BasicConsumeOptions::default();
    let queue = "ingest".into();
    let mut deliveries = channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await?;
    let work = async {
        for _ in 0..MESSAGES / IN_FLIGHT * IN_FLIGHT {
            let delivery = deliveries.next().await.ok_or("the consumer ended")??;
            delivery.ack(BasicAckOptions::default()).await?;
        }
        Ok(())
    };
    let cost = measure(MESSAGES / IN_FLIGHT * IN_FLIGHT, work).await;
    channel.close(200, "OK".into()).await?;
    cost
}

async fn purge(connection: &Connection) -> Result<(), Failure> {
    let channel = connection.create_channel().await?;
    channel
        .queue_purge("ingest".into(), QueuePurgeOptions::default())
        .await?;
    Ok(())
}
