//! A broker that goes away: stopped, cut off, killed between publish and confirm.

use std::{collections::HashSet, time::Duration};

use alioth_broker::{Broker, Queue};
use alioth_testkit::{Direction, Fault, FaultProxy, RabbitMq, wait_until};
use tokio::task::JoinSet;

use crate::support::{
    DEADLINE, Message, World, collection, ingest_body, shared_qdrant, take, upsert_body,
    upsert_path,
};

/// Below the answer timeout: these answers wait for nothing.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn while_the_broker_is_stopped_writes_are_refused_at_once() {
    let rabbitmq = RabbitMq::start().await;
    let url = rabbitmq.amqp_url();
    let qdrant = shared_qdrant().await;
    let name = collection(qdrant, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    let world = World::over(&url, &url, qdrant, &[]).await;
    world.until_ready().await;
    assert_eq!(world.http.ingest(body.clone()).await.status, 202);

    rabbitmq.stop().await;
    world.http.until_status("/readyz", 503).await;
    let refused = tokio::time::timeout(AT_ONCE, world.http.ingest(body.clone()))
        .await
        .unwrap();
    assert_eq!(refused.code(), (503, "broker_away"));
    assert!(refused.retry_after_s().is_some_and(|seconds| seconds >= 1));
    let path = upsert_path(&name);
    let upsert = world.http.put(&path, upsert_body(1, 4).to_string());
    let refused = tokio::time::timeout(AT_ONCE, upsert).await.unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.retry_after_s().is_some() && refused.message().contains("broker"));

    rabbitmq.start_again().await;
    world.until_ready().await;
    wait_until(DEADLINE, || async {
        world.http.ingest(body.clone()).await.status == 202
    })
    .await;
    assert_eq!(world.drain_queue().await.len(), 2);
}

#[tokio::test]
async fn a_process_started_without_a_broker_waits_for_it() {
    let rabbitmq = RabbitMq::start().await;
    let proxy = FaultProxy::start(rabbitmq.amqp_address()).await;
    proxy.set(Fault::Cut).await;
    let url = rabbitmq.amqp_url_through(proxy.address());
    let qdrant = shared_qdrant().await;
    let name = collection(qdrant, 4).await;
    let world = World::over(&url, &rabbitmq.amqp_url(), qdrant, &[]).await;
    assert_eq!(world.http.get("/readyz").await.status, 503);
    let body = ingest_body(&name, 1, 4).to_string();
    assert_eq!(
        world.http.ingest(body.clone()).await.code(),
        (503, "broker_away")
    );
    proxy.set(Fault::Pass).await;
    world.until_ready().await;
    assert_eq!(world.http.ingest(body).await.status, 202);
}

#[tokio::test]
async fn a_broker_killed_between_publish_and_confirm_is_never_a_202() {
    let rabbitmq = RabbitMq::start().await;
    let name = collection(shared_qdrant().await, 4).await;
    let (world, proxy) = World::behind_proxy(&rabbitmq, &[]).await;
    let body = ingest_body(&name, 1, 4).to_string();
    assert_eq!(world.http.ingest(body.clone()).await.status, 202);

    // The broker hears the publish, and its confirm is swallowed.
    proxy.set(Fault::BlackHole(Direction::ToClient)).await;
    let http = world.http.clone();
    let write = tokio::spawn(async move { http.ingest(body).await });
    let broker = world.broker();
    wait_until(DEADLINE, || async {
        broker
            .depth(Queue::Ingest)
            .await
            .is_ok_and(|depth| depth.ready == 2)
    })
    .await;
    rabbitmq.kill().await;
    proxy.set(Fault::Cut).await;
    let answer = tokio::time::timeout(DEADLINE, write)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.retry_after_s().is_some());
    assert_eq!(world.metric("alioth_accept_points_total").await, 1.0);
    broker.close().await;
}

#[tokio::test]
async fn a_silent_broker_is_a_503_within_the_answer_timeout() {
    let rabbitmq = RabbitMq::shared().await;
    let name = collection(shared_qdrant().await, 4).await;
    let settings = [("ALIOTH_HTTP_ANSWER_TIMEOUT", "300ms")];
    let (world, proxy) = World::behind_proxy(rabbitmq, &settings).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let answer = world
        .http
        .ingest(ingest_body(&name, 1, 4).to_string())
        .await;
    assert_eq!(answer.code(), (503, "not_confirmed"));
    assert!(answer.retry_after_s().is_some());
}

#[tokio::test]
async fn every_accepted_write_survives_a_killed_broker() {
    let rabbitmq = RabbitMq::start().await;
    let url = rabbitmq.amqp_url();
    let qdrant = shared_qdrant().await;
    let name = collection(qdrant, 100).await;
    let world = World::over(&url, &url, qdrant, &[]).await;
    world.until_ready().await;
    let body = ingest_body(&name, 20, 100).to_string();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (http, body) = (world.http.clone(), body.clone());
        writers.spawn(async move {
            let mut accepted = Vec::new();
            // Until the broker is gone.
            loop {
                let answer = http.ingest(body.clone()).await;
                match answer.status {
                    202 => accepted.push(answer.body["ingest_id"].as_str().unwrap().to_owned()),
                    503 => return accepted,
                    other => panic!("{other}: {}", answer.text),
                }
            }
        });
    }
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_messages_total").await >= 100.0
    })
    .await;
    rabbitmq.kill().await;
    let mut accepted = writers.join_all().await.concat();
    assert!(accepted.len() >= 100);

    rabbitmq.start_again().await;
    world.until_ready().await;
    // While it reads its log again RabbitMQ tells a depth of less, or of nothing; a confirm says that it has done so.
    let answer = world.http.ingest(body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    accepted.push(answer.body["ingest_id"].as_str().unwrap().to_owned());
    let broker = world.broker();
    let queued = broker.depth(Queue::Ingest).await.unwrap().ready;
    let messages = take(&broker, usize::try_from(queued).unwrap()).await;
    let queued: HashSet<String> = messages.iter().flat_map(Message::writes).collect();
    let lost: Vec<_> = accepted.iter().filter(|id| !queued.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {} lost", lost.len(), accepted.len());
    broker.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let rabbitmq = RabbitMq::shared().await;
    let name = collection(shared_qdrant().await, 100).await;
    let settings = [("ALIOTH_ACCEPT_MESSAGE_LIMIT", "4KiB")];
    let (world, proxy) = World::behind_proxy(rabbitmq, &settings).await;
    proxy.set(Fault::BlackHole(Direction::ToClient)).await;
    let body = ingest_body(&name, 500, 100).to_string();
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (http, body) = (
            crate::support::Http::new(world.http.address()),
            body.clone(),
        );
        clients.spawn(async move { http.ingest(body).await });
    }
    // One more than the clients: the request for the metrics itself.
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_in_flight_requests").await >= 9.0
    })
    .await;
    clients.shutdown().await;
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_in_flight_requests").await == 1.0
            && world.metric("alioth_accept_held_body_bytes").await == 0.0
    })
    .await;
    proxy.set(Fault::Pass).await;
    wait_until(DEADLINE, || async {
        world
            .http
            .ingest(ingest_body(&name, 1, 100).to_string())
            .await
            .status
            == 202
    })
    .await;
}
