//! The broker goes away under load.

use alioth_broker::Queue;
use alioth_testkit::{Qdrant, RabbitMq, wait_until};

use crate::{
    DEADLINE,
    world::{Queues, Running, collection, count, writes},
};

const WRITES: u64 = 2_000;

/// Publishes beside an outage of the broker, and counts what arrives.
async fn survives(outage: impl AsyncFn(&RabbitMq)) {
    let rabbitmq = RabbitMq::start().await;
    let queues = Queues::on(&rabbitmq.amqp_url()).await;
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    let publishing = async {
        for first in (0..WRITES).step_by(50) {
            queues.publish(writes(&films, first..first + 50)).await;
        }
    };
    let meanwhile = async {
        running.wait_applied(WRITES / 10).await;
        outage(&rabbitmq).await;
    };
    tokio::join!(publishing, meanwhile);
    wait_until(DEADLINE, || async {
        count(&qdrant, &films).await == WRITES
    })
    .await;
    wait_until(DEADLINE, || async { running.readiness.is_ready() }).await;
    running.wait_settled().await;
    running.stop().await;
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_broker_under_load_loses_nothing() {
    survives(async |rabbitmq| {
        rabbitmq.stop().await;
        rabbitmq.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_under_load_loses_nothing() {
    survives(async |rabbitmq| {
        rabbitmq.kill().await;
        rabbitmq.start_again().await;
    })
    .await;
}
