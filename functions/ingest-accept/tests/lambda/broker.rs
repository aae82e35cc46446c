//! A broker that restarts between invocations or dies within one; several environments at once.

use std::{collections::HashSet, time::Duration};

use alioth_broker::{Broker, Queue};
use alioth_testkit::{Direction, Fault, FaultProxy, RabbitMq, wait_until};
use tokio::task::JoinSet;

use crate::support::{DEADLINE, World, collection, ingest_body, shared_qdrant};

#[tokio::test]
async fn a_broker_restarted_between_invocations_costs_none_of_them() {
    let rabbitmq = RabbitMq::start().await;
    let url = rabbitmq.amqp_url();
    let qdrant = shared_qdrant().await;
    let name = collection(qdrant, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    let world = World::over(&url, &url, qdrant, &[]).await;
    world.until_ready().await;
    assert_eq!(world.http.ingest(body.clone()).await.status, 202);
    rabbitmq.stop().await;
    rabbitmq.start_again().await;
    let answer = world.http.ingest(body.clone()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);

    rabbitmq.stop().await;
    let refused = world.http.ingest(body.clone()).await;
    assert_eq!(refused.code(), (503, "broker_away"), "{}", refused.text);
    assert!(refused.retry_after_s().is_some_and(|seconds| seconds >= 1));
    rabbitmq.start_again().await;
    let answer = world.http.ingest(body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(world.drain_queue().await.len(), 3);
}

#[tokio::test]
async fn a_broker_killed_between_publish_and_confirm_is_never_a_202() {
    let rabbitmq = RabbitMq::start().await;
    let amqp = FaultProxy::start(rabbitmq.amqp_address()).await;
    let url = rabbitmq.amqp_url_through(amqp.address());
    let qdrant = shared_qdrant().await;
    let name = collection(qdrant, 4).await;
    let address = qdrant.grpc_url().replace("http://", "").parse().unwrap();
    let schemas = FaultProxy::start(address).await;
    let qdrant_url = format!("http://{}", schemas.address());
    let settings = [
        ("ALIOTH_QDRANT_URL", qdrant_url.as_str()),
        ("ALIOTH_QDRANT_SCHEMA_TIMEOUT", "60s"),
        ("ALIOTH_QDRANT_CONNECT_TIMEOUT", "60s"),
        ("ALIOTH_HTTP_ANSWER_TIMEOUT", "60s"),
        ("ALIOTH_AMQP_CONFIRM_TIMEOUT", "60s"),
    ];
    let world = World::over(&url, &rabbitmq.amqp_url(), qdrant, &settings).await;
    world.until_ready().await;
    // The write's connection is proven, and then it asks for the schema, and waits.
    schemas.set(Fault::BlackHole(Direction::Both)).await;
    let before = schemas.connections();
    let http = world.http.clone();
    let body = ingest_body(&name, 1, 4).to_string();
    let write = tokio::spawn(async move { http.ingest(body).await });
    wait_until(DEADLINE, || async { schemas.connections() > before }).await;
    // From here on the broker hears, and its confirm is swallowed.
    amqp.set(Fault::BlackHole(Direction::ToClient)).await;
    schemas.set(Fault::Cut).await;
    let broker = world.broker();
    wait_until(DEADLINE, || async {
        let depth = broker.depth(Queue::Ingest).await;
        depth.is_ok_and(|depth| depth.ready == 1)
    })
    .await;
    rabbitmq.kill().await;
    amqp.set(Fault::Cut).await;
    let answer = tokio::time::timeout(DEADLINE, write).await;
    let answer = answer.unwrap().unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.retry_after_s().is_some());
    broker.close().await;
}

#[tokio::test]
async fn environments_beside_each_other_accept_and_lose_nothing() {
    let world = World::start().await;
    let others = [world.process.another(), world.process.another()];
    let name = collection(shared_qdrant().await, 4).await;
    let idle: Vec<Duration> = others.iter().map(|o| o.usage().cpu_time()).collect();
    let body = ingest_body(&name, 1, 4).to_string();
    let mut writers = JoinSet::new();
    for _ in 0..6 {
        let (http, body) = (world.http.clone(), body.clone());
        writers.spawn(async move {
            let mut accepted = Vec::new();
            for _ in 0..50 {
                let answer = http.ingest(body.clone()).await;
                assert_eq!(answer.status, 202, "{}", answer.text);
                accepted.push(answer.body["ingest_id"].as_str().unwrap().to_owned());
            }
            accepted
        });
    }
    let accepted = writers.join_all().await.concat();
    let messages = world.drain_queue().await;
    let queued: HashSet<String> = messages
        .iter()
        .map(|message| message.delivery.message_id.clone())
        .collect();
    assert_eq!(messages.len(), accepted.len());
    assert!(accepted.iter().all(|id| queued.contains(id)));
    for (other, idle) in others.iter().zip(idle) {
        assert!(other.usage().cpu_time() > idle, "it was never called");
    }
}
