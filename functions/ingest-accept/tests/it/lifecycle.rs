//! The process's beginning and end.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alioth_testkit::{Direction, Fault, FaultProxy, RabbitMq, wait_until};
use axum::http::Method;
use tokio::task::JoinSet;

use crate::support::{
    DEADLINE, Http, Message, Process, World, collection, ingest_body, shared_qdrant,
};

#[tokio::test]
async fn a_bad_configuration_ends_with_64_and_every_problem() {
    let settings = [
        ("ALIOTH_HTTP_BODY_LIMIT", "much"),
        ("ALIOTH_HTTP_ANSWER_TIMEOUT", "0s"),
        ("ALIOTH_ACCEPT_MESSAGE_LIMIT", "1GiB"),
        ("ALIOTH_AMQP_IN_FLIGHT", "few"),
        ("ALIOTH_QDRANT_URL", "nowhere"),
        ("ALIOTH_HTTP_LISTENN", "0.0.0.0:1"),
    ];
    let ended = Process::start(&settings).ended().await;
    assert_eq!(ended.code, Some(64));
    for (name, _) in settings {
        assert!(
            ended.output.contains(name),
            "{name} is missing in {}",
            ended.output
        );
    }
    assert!(ended.output.contains("ALIOTH_AMQP_URL"), "{}", ended.output);
}

#[tokio::test]
async fn keys_that_cannot_be_read_end_with_64() {
    let settings = [
        ("ALIOTH_AMQP_URL", "amqp://127.0.0.1:1/%2f"),
        ("ALIOTH_API_KEYS_FILE", "/nowhere/keys"),
    ];
    let ended = Process::start(&settings).ended().await;
    assert_eq!(ended.code, Some(64), "{}", ended.output);
    assert!(ended.output.contains("/nowhere/keys"), "{}", ended.output);
}

#[tokio::test]
async fn the_admin_port_answers_as_the_main_one_does() {
    let world = World::start().await;
    let admin = Http::new(world.process.admin());
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(
            admin.get(path).await.text,
            world.http.get(path).await.text,
            "{path}"
        );
    }
    assert!(
        admin
            .get("/metrics")
            .await
            .text
            .contains("alioth_accept_points_total")
    );
}

#[tokio::test]
async fn a_drain_under_load_answers_what_is_under_way_and_loses_nothing() {
    let mut world = World::start().await;
    let name = collection(shared_qdrant().await, 100).await;
    let body = ingest_body(&name, 50, 100).to_string();
    let ended = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (http, body, ended) = (world.http.clone(), body.clone(), Arc::clone(&ended));
        writers.spawn(async move {
            let mut accepted = Vec::new();
            let json = [("content-type", "application/json")];
            while !ended.load(Ordering::Relaxed) {
                // Refused connections are how an ended process looks from outside.
                let sent = http
                    .send(Method::POST, "/alioth/ingest", &json, body.clone())
                    .await;
                let Ok(answer) = sent else { continue };
                assert_eq!(answer.status, 202, "{}", answer.text);
                accepted.push(answer.body["ingest_id"].as_str().unwrap().to_owned());
            }
            accepted
        });
    }
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_messages_total").await >= 200.0
    })
    .await;
    world.process.terminate();
    let process = world.process.ended().await;
    ended.store(true, Ordering::Relaxed);
    assert_eq!(process.code, Some(0), "{}", process.output);
    let accepted = writers.join_all().await.concat();
    assert!(accepted.len() >= 200);

    let messages = world.drain_queue().await;
    let queued: HashSet<String> = messages.iter().flat_map(Message::writes).collect();
    let lost = accepted.iter().filter(|id| !queued.contains(*id)).count();
    assert_eq!(lost, 0, "of {}", accepted.len());
}

/// A write held up by a silent broker is still being handled when the signal comes.
async fn with_a_write_under_way(
    settings: &[(&str, &str)],
) -> (
    World,
    FaultProxy,
    tokio::task::JoinHandle<Result<u16, String>>,
) {
    let rabbitmq = RabbitMq::shared().await;
    let name = collection(shared_qdrant().await, 4).await;
    let (world, proxy) = World::behind_proxy(rabbitmq, settings).await;
    proxy.set(Fault::BlackHole(Direction::ToClient)).await;
    let (http, body) = (
        Http::new(world.http.address()),
        ingest_body(&name, 1, 4).to_string(),
    );
    let write = tokio::spawn(async move {
        let json = [("content-type", "application/json")];
        let answer = http
            .send(Method::POST, "/alioth/ingest", &json, body)
            .await?;
        Ok(answer.status)
    });
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_in_flight_requests").await >= 2.0
    })
    .await;
    (world, proxy, write)
}

#[tokio::test]
async fn while_it_drains_it_is_not_ready_and_takes_no_connections() {
    let settings = [("ALIOTH_HTTP_ANSWER_TIMEOUT", "5s")];
    let (mut world, _proxy, write) = with_a_write_under_way(&settings).await;
    let admin = Http::new(world.process.admin());
    world.process.terminate();
    admin.until_status("/readyz", 503).await;
    wait_until(DEADLINE, || async {
        tokio::net::TcpStream::connect(world.http.address())
            .await
            .is_err()
    })
    .await;
    assert!(world.process.is_running());
    assert_eq!(admin.get("/livez").await.status, 200);
    assert_eq!(write.await.unwrap(), Ok(503));
    let ended = world.process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
}

#[tokio::test]
async fn a_missed_drain_deadline_is_a_failure_that_says_so() {
    let settings = [
        ("ALIOTH_HTTP_ANSWER_TIMEOUT", "60s"),
        ("ALIOTH_DRAIN_TIMEOUT", "300ms"),
    ];
    let (mut world, _proxy, write) = with_a_write_under_way(&settings).await;
    world.process.terminate();
    let ended = world.process.ended().await;
    assert!(ended.code.is_some_and(|code| code != 0), "{:?}", ended.code);
    assert!(ended.output.contains("deadline"), "{}", ended.output);
    assert_ne!(write.await.unwrap(), Ok(202));
}
