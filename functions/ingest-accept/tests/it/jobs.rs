//! Requests for jobs: what of each route stands in which queue, and what is refused.

use alioth_broker::{Broker, Delivery, HeaderValue, Queue};
use alioth_jobs::{BackupRequest, Host, JobId, Request, RestoreFrom, RestoreRequest, RestoreWhat};
use alioth_testkit::wait_until;
use axum::http::Method;
use serde_json::json;

use crate::support::{Answer, DEADLINE, World};

const ROUTES: [&str; 4] = [
    "/alioth/backup/collection",
    "/alioth/backup/storage",
    "/alioth/restore/collection",
    "/alioth/restore/cluster",
];

async fn post(world: &World, path: &str, body: impl Into<String>) -> Answer {
    let json = [("content-type", "application/json")];
    let sent = world.http.send(Method::POST, path, &json, body.into());
    sent.await.unwrap()
}

async fn depth(broker: &dyn Broker, queue: Queue) -> u64 {
    broker.depth(queue).await.unwrap().ready
}

/// Takes the one message that stands in the queue.
async fn take_one(world: &World, queue: Queue) -> Delivery {
    let broker = world.broker();
    assert_eq!(depth(&broker, queue).await, 1);
    let mut consumer = broker.consume(queue, 1).await.unwrap();
    let delivery = tokio::time::timeout(DEADLINE, consumer.next()).await;
    delivery.unwrap().unwrap()
}

fn job_id(answer: &Answer) -> JobId {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.body["job_id"].as_str().unwrap();
    assert_eq!(
        answer.text,
        format!("{{\"status_code\":202,\"job_id\":\"{id}\"}}")
    );
    id.parse().unwrap()
}

#[track_caller]
fn decoded<R: Request>(delivery: &Delivery, job_id: &JobId) -> R {
    assert_eq!(delivery.kind, R::TYPE);
    assert_eq!(delivery.content_type, "application/json");
    assert_eq!(delivery.message_id, job_id.as_str());
    let accepted_at = delivery.header("alioth-accepted-at-ms");
    assert!(matches!(accepted_at, Some(HeaderValue::Int(_))));
    R::decode(&delivery.body).unwrap()
}

#[tokio::test]
async fn a_backup_of_collections_stands_in_its_queue() {
    let world = World::start().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", traceparent),
    ];
    let body = json!({"collections": ["movies", "log-*"]}).to_string();
    let sent = world.http.send(Method::POST, ROUTES[0], &headers, body);
    let id = job_id(&sent.await.unwrap());
    let delivery = take_one(&world, Queue::Backup).await;
    let passed_on = HeaderValue::Text(traceparent.to_owned());
    assert_eq!(delivery.header("traceparent"), Some(&passed_on));
    let request: BackupRequest = decoded(&delivery, &id);
    let collections = vec!["movies".to_owned(), "log-*".to_owned()];
    assert_eq!(
        request,
        BackupRequest::Collections {
            job_id: id,
            collections
        }
    );
}

#[tokio::test]
async fn a_backup_of_nodes_takes_numbers_as_strings() {
    let world = World::start().await;
    let body = json!({"hosts": [
        {"host": "q1", "port": "6333", "grpc_port": 6334, "prefer_grpc": "true"}, {"host": "q2"}
    ]});
    let id = job_id(&post(&world, ROUTES[1], body.to_string()).await);
    let delivery = take_one(&world, Queue::Backup).await;
    let request: BackupRequest = decoded(&delivery, &id);
    let first = Host {
        host: "q1".to_owned(),
        port: Some(6333),
        grpc_port: Some(6334),
        prefer_grpc: Some(true),
    };
    let hosts = vec![first, Host::named("q2")];
    assert_eq!(request, BackupRequest::Storage { job_id: id, hosts });
}

#[tokio::test]
async fn a_restore_in_python_s_words_stands_in_its_queue() {
    let world = World::start().await;
    let body = json!({
        "collection_name": "movies", "host": {"host": "q1", "port": "6333"}, "snapshot_url": null
    });
    let id = job_id(&post(&world, ROUTES[2], body.to_string()).await);
    let delivery = take_one(&world, Queue::Restore).await;
    let request: RestoreRequest = decoded(&delivery, &id);
    let movies = RestoreWhat::Collections(vec!["movies".to_owned()]);
    assert_eq!(request.what, movies);
    let host = "q1".to_owned();
    assert_eq!(request.from, RestoreFrom::PythonLatest { host });
    assert!(request.overwrite);
}

#[tokio::test]
async fn a_restore_of_everything_stands_in_its_queue() {
    let world = World::start().await;
    let body = json!({"before": "2026-11-22T12:15:00Z", "overwrite": "true"});
    let id = job_id(&post(&world, ROUTES[3], body.to_string()).await);
    let delivery = take_one(&world, Queue::Restore).await;
    let request: RestoreRequest = decoded(&delivery, &id);
    assert_eq!(request.what, RestoreWhat::Cluster);
    let time = "2026-11-22T12:15:00Z".parse().unwrap();
    assert_eq!(request.from, RestoreFrom::Before(time));
    assert!(request.overwrite);
    let answered = "alioth_accept_requests_total{route=\"restore\",status=\"2xx\"}";
    assert!((world.metric(answered).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_names_the_field() {
    let world = World::start().await;
    let long = format!(r#"{{"collections": ["{}"]}}"#, "x".repeat(1 << 20));
    for (route, body, status, code, field) in [
        (0, "{", 400, "not_json", None),
        (0, "", 400, "not_json", None),
        (0, r#"{"collections": []} x"#, 400, "not_json", None),
        (
            0,
            r#"{"collections": [7]}"#,
            400,
            "wrong_form",
            Some("collections[0]"),
        ),
        (
            0,
            r#"{"collections": [""]}"#,
            422,
            "invalid_request",
            Some("collections[0]"),
        ),
        (0, long.as_str(), 413, "body_too_large", None),
        (
            1,
            r#"{"hosts": [{"port": 1}]}"#,
            400,
            "wrong_form",
            Some("hosts[0]"),
        ),
        (
            1,
            r#"{"hosts": [{"host": "a/b"}]}"#,
            422,
            "invalid_request",
            Some("hosts[0].host"),
        ),
        (
            2,
            r#"{"collection_name": "m", "snapshot_ulr": ""}"#,
            400,
            "wrong_form",
            Some("snapshot_ulr"),
        ),
        (
            2,
            r#"{"collection_name": "m", "snapshot_url": "file:///m"}"#,
            422,
            "invalid_request",
            Some("snapshot_url"),
        ),
        (
            3,
            r#"{"from": "x", "before": "2026-11-22T12:15:00Z"}"#,
            422,
            "invalid_request",
            Some("before"),
        ),
        (
            3,
            r#"{"before": "yesterday"}"#,
            400,
            "wrong_form",
            Some("before"),
        ),
    ] {
        let answer = post(&world, ROUTES[route], body).await;
        assert_eq!(answer.code(), (status, code), "{}", answer.text);
        assert_eq!(
            answer.body["error"]["field"].as_str(),
            field,
            "{}",
            answer.text
        );
    }
    let text = [("content-type", "text/plain")];
    let sent = world.http.send(Method::POST, ROUTES[0], &text, "{}");
    assert_eq!(sent.await.unwrap().status, 415);
    let broker = world.broker();
    assert_eq!(depth(&broker, Queue::Backup).await, 0);
    assert_eq!(depth(&broker, Queue::Restore).await, 0);
}

#[tokio::test]
async fn jobs_want_a_key_as_writes_do() {
    let world = World::start_with(&[("ALIOTH_API_KEYS", "secret")]).await;
    for route in ROUTES {
        let answer = post(&world, route, "{}").await;
        assert_eq!(answer.code(), (401, "key_missing"), "{route}");
        let headers = [("content-type", "application/json"), ("api-key", "other")];
        let sent = world.http.send(Method::POST, route, &headers, "{}");
        let answer = sent.await.unwrap();
        assert_eq!(answer.code(), (403, "key_wrong"), "{route}");
    }
    let headers = [("content-type", "application/json"), ("api-key", "secret")];
    let sent = world.http.send(Method::POST, ROUTES[3], &headers, "{}");
    assert_eq!(sent.await.unwrap().status, 202);
}

#[tokio::test]
async fn a_full_queue_of_jobs_refuses_more() {
    let world = World::start_with(&[("ALIOTH_AMQP_MAX_LENGTH", "2")]).await;
    // RabbitMQ takes a few beyond a queue's bound.
    wait_until(DEADLINE, || async {
        let answer = post(&world, ROUTES[3], "{}").await;
        let full = answer.code() == (429, "queue_full");
        assert!(full || answer.status == 202, "{}", answer.text);
        full && answer.retry_after_s().is_some()
    })
    .await;
    let answer = post(&world, ROUTES[0], r#"{"collections": []}"#).await;
    assert_eq!(
        answer.status, 202,
        "the other queue has room: {}",
        answer.text
    );
}
