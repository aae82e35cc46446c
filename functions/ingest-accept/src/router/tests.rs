//! Routes and answers without a listener, over a fake broker and a fake Qdrant.

use super::*;
use crate::{
    Config, Function, Services,
    fakes::{FakePublisher, FakeQdrant},
};
use alioth_broker::{HeaderValue, PublishError};
use alioth_cluster::SchemaLookup;
use axum::{
    body::{Body, to_bytes},
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use tower::ServiceExt;

const INGEST_BODY: &str = r#"{"collection_name":"movies","batch":{"ids":[1,2],"vectors":[[1,2],[3,4]],"payloads":[{},null]}}"#;
const UPSERT_BODY: &str = r#"{"points":[{"id":1,"vector":[1,2]},{"id":2,"vector":[3,4]}]}"#;

struct Fixture {
    publisher: Arc<FakePublisher>,
    router: Router,
}

impl Fixture {
    fn new(published: Result<(), PublishError>) -> Self {
        Self::with(published, &Config::default())
    }

    fn with(published: Result<(), PublishError>, config: &Config) -> Self {
        let publisher = Arc::new(FakePublisher::answering(published));
        let services = Services {
            publisher: publisher.clone(),
            schemas: FakeQdrant::answering(&[SchemaLookup::Unavailable]).cache(),
            registry: Registry::new(),
            readiness: Readiness::new(),
            tracer: alioth_telemetry::Tracer::default(),
        };
        let router = Function::new(config, services).unwrap().router();
        Self { publisher, router }
    }

    async fn send(&self, method: Method, uri: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap();
        self.send_request(request).await
    }

    async fn send_request(&self, request: Request) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Value,
}

impl Answer {
    fn code(&self) -> (u16, &str) {
        let code = self.body["error"]["code"].as_str().unwrap_or_default();
        (self.status.as_u16(), code)
    }
}

/// Fails the test when anybody reads it.
fn unread_body() -> Body {
    let stream = futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<&'static str, std::io::Error>>> {
            panic!("the body was read")
        },
    );
    Body::from_stream(stream)
}

#[tokio::test]
async fn a_confirmed_ingest_is_answered_with_its_id() {
    let fixture = Fixture::new(Ok(()));
    let answer = fixture.send(Method::POST, INGEST_PATH, INGEST_BODY).await;
    assert_eq!(answer.status, 202);
    let ingest_id = answer.headers["alioth-ingest-id"].to_str().unwrap();
    assert_eq!(
        answer.body,
        json!({"status_code": 202, "ingest_id": ingest_id, "points": 2})
    );

    let messages = fixture.publisher.take();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].message_id, ingest_id);
    let chunk = (
        "alioth-chunk".to_owned(),
        HeaderValue::Text("1/1".to_owned()),
    );
    assert!(messages[0].headers.contains(&chunk));
}

#[tokio::test]
async fn a_confirmed_upsert_is_acknowledged_whatever_wait_says() {
    let fixture = Fixture::new(Ok(()));
    for query in [
        "",
        "?wait=true",
        "?wait=false",
        "?wait=true&ordering=strong&timeout=3&other=1",
    ] {
        let uri = format!("/collections/movies/points{query}");
        let answer = fixture.send(Method::PUT, &uri, UPSERT_BODY).await;
        assert_eq!(answer.status, 200, "{uri}");
        assert_eq!(
            answer.body["result"],
            json!({"operation_id": null, "status": "acknowledged"})
        );
        assert_eq!(answer.body["status"], "ok");
        assert!(answer.body["time"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!(fixture.publisher.take().len(), 4);
}

#[tokio::test]
async fn unknown_query_values_are_refused() {
    let fixture = Fixture::new(Ok(()));
    for query in [
        "wait=maybe",
        "ordering=fast",
        "timeout=soon",
        "timeout=-1",
        "wait=true&wait=true",
    ] {
        let uri = format!("/collections/movies/points?{query}");
        let answer = fixture.send(Method::PUT, &uri, UPSERT_BODY).await;
        assert_eq!(answer.status, 400, "{uri}");
        let error = answer.body["status"]["error"].as_str().unwrap();
        let name = query.split('=').next().unwrap();
        assert!(error.contains(name), "{error}");
    }
}

#[tokio::test]
async fn collection_names_are_percent_decoded() {
    let fixture = Fixture::new(Ok(()));
    let answer = fixture
        .send(
            Method::PUT,
            "/collections/a%20%C3%BC%25/points",
            UPSERT_BODY,
        )
        .await;
    assert_eq!(answer.status, 200);
    let body = fixture.publisher.take().remove(0).body;
    let name = "a ü%".as_bytes();
    assert!(body.windows(name.len()).any(|window| window == name));

    for (name, status) in [("%ff", 400), ("a%2Fb", 422), ("%00", 422)] {
        let answer = fixture
            .send(
                Method::PUT,
                &format!("/collections/{name}/points"),
                UPSERT_BODY,
            )
            .await;
        assert_eq!(answer.status, status, "{name}");
    }
}

#[tokio::test]
async fn every_publish_error_is_an_answer_of_its_own() {
    let queue = "ingest".to_owned();
    for (error, status, code) in [
        (
            PublishError::QueueFull {
                queue: queue.clone(),
            },
            429,
            "queue_full",
        ),
        (PublishError::Unroutable { queue }, 503, "queue_missing"),
        (
            PublishError::Away {
                reason: "reset".to_owned(),
            },
            503,
            "broker_away",
        ),
        (
            PublishError::TimedOut {
                after: std::time::Duration::from_secs(1),
            },
            503,
            "not_confirmed",
        ),
    ] {
        let fixture = Fixture::new(Err(error));
        let answer = fixture.send(Method::POST, INGEST_PATH, INGEST_BODY).await;
        assert_eq!(answer.code(), (status, code));
        let retry_after = answer.headers["retry-after"].to_str().unwrap();
        assert!(retry_after.parse::<u32>().unwrap() >= 1, "{retry_after}");
        let answer = fixture
            .send(Method::PUT, "/collections/movies/points", UPSERT_BODY)
            .await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["retry-after"], retry_after);
        assert!(answer.body["status"]["error"].is_string());
    }
}

#[tokio::test]
async fn keys_and_the_broker_are_looked_at_before_the_body() {
    let mut config = Config::default();
    config.api.keys = vec!["secret".into()];
    let fixture = Fixture::with(Ok(()), &config);
    let answer = fixture.send(Method::POST, INGEST_PATH, unread_body()).await;
    assert_eq!(answer.code(), (401, "key_missing"));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");

    let keyed = |key: &str, body: Body| {
        let request = Request::post(INGEST_PATH).header("api-key", key);
        request
            .header("content-type", "application/json")
            .body(body)
            .unwrap()
    };
    let answer = fixture.send_request(keyed("other", unread_body())).await;
    assert_eq!(answer.code(), (403, "key_wrong"));
    fixture.publisher.set_ready(false);
    let answer = fixture.send_request(keyed("secret", unread_body())).await;
    assert_eq!(answer.code(), (503, "broker_away"));
    fixture.publisher.set_ready(true);
    let answer = fixture
        .send_request(keyed("secret", Body::from(INGEST_BODY)))
        .await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn a_declared_size_over_the_limit_is_refused_before_the_body() {
    let mut config = Config::default();
    config.http.body_limit = alioth_config::ByteSize(INGEST_BODY.len() as u64);
    let fixture = Fixture::with(Ok(()), &config);
    let answer = fixture.send(Method::POST, INGEST_PATH, INGEST_BODY).await;
    assert_eq!(answer.status, 202);
    let answer = fixture
        .send(Method::POST, INGEST_PATH, format!("{INGEST_BODY} "))
        .await;
    assert_eq!(answer.code(), (413, "body_too_large"));
}

#[tokio::test]
async fn what_is_no_route_is_answered_in_the_shape_of_its_family() {
    let fixture = Fixture::new(Ok(()));
    let answer = fixture.send(Method::GET, "/alioth/nothing", "").await;
    assert_eq!(answer.code(), (404, "no_route"));
    let answer = fixture.send(Method::GET, "/collections/movies", "").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.body["status"]["error"]
            .as_str()
            .unwrap()
            .contains("/collections/movies")
    );
    assert!(answer.body["result"].is_null() && answer.body["time"].is_number());

    let answer = fixture.send(Method::GET, INGEST_PATH, "").await;
    assert_eq!(answer.code(), (405, "wrong_method"));
    assert_eq!(answer.headers["allow"], "POST");
    let answer = fixture
        .send(Method::POST, "/collections/movies/points", "")
        .await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.headers["allow"], "PUT");
    assert!(answer.body["status"]["error"].is_string());
    let answer = fixture.send(Method::POST, "/metrics", "").await;
    assert_eq!(answer.code(), (405, "wrong_method"));
}

#[tokio::test]
async fn a_write_over_the_message_limit_goes_in_chunks_of_one_id() {
    let mut config = Config::default();
    config.accept.message_limit = alioth_config::ByteSize::kib(1);
    let fixture = Fixture::with(Ok(()), &config);
    let points: Vec<Value> = (0..100)
        .map(|id| json!({"id": id, "vector": vec![0.5; 20]}))
        .collect();
    let body = json!({"points": points}).to_string();
    let answer = fixture
        .send(Method::PUT, "/collections/movies/points", body)
        .await;
    assert_eq!(answer.status, 200);
    let messages = fixture.publisher.take();
    assert!(messages.len() > 5);
    for (index, message) in messages.iter().enumerate() {
        assert!(message.body.len() <= 1024);
        assert_eq!(message.message_id, messages[0].message_id);
        let chunk = HeaderValue::Text(format!("{}/{}", index + 1, messages.len()));
        assert!(
            message
                .headers
                .contains(&("alioth-chunk".to_owned(), chunk))
        );
    }
}

#[tokio::test]
async fn everything_seen_from_outside_is_counted() {
    let fixture = Fixture::new(Ok(()));
    fixture.send(Method::POST, INGEST_PATH, INGEST_BODY).await;
    fixture.send(Method::POST, INGEST_PATH, "{").await;
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    for line in [
        "alioth_accept_requests_total{route=\"ingest\",status=\"2xx\"} 1",
        "alioth_accept_requests_total{route=\"ingest\",status=\"4xx\"} 1",
        "alioth_accept_rejected_total{reason=\"not_json\"} 1",
        "alioth_accept_points_total 2",
        "alioth_accept_messages_total 1",
        "alioth_accept_unchecked_writes_total 1",
        "alioth_accept_in_flight_requests 1",
        "alioth_accept_held_body_bytes 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing in {text}"
        );
    }
}
