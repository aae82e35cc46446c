//! Secrets by ARN, of moto's Secrets Manager and Parameter Store.

use std::{path::PathBuf, process::Stdio};

use alioth_testkit::{RabbitMq, ReservedPort, wait_until};
use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{DEADLINE, Process, World, collection, ingest_body, shared_qdrant};

/// Where `make test-deps` puts it, below the target folder.
const MOTO: &str = "tools/moto/bin/moto_server";
const REGION: &str = "eu-central-1";

/// AWS, as far as secrets go; killed when dropped.
struct Aws {
    _child: Child,
    port: ReservedPort,
}

impl Aws {
    async fn start() -> Self {
        let port = ReservedPort::new();
        let child = Command::new(program())
            .args(["-H", "127.0.0.1", "-p", &port.number().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let aws = Self {
            _child: child,
            port,
        };
        wait_until(DEADLINE, || async {
            tokio::net::TcpStream::connect(aws.port.address())
                .await
                .is_ok()
        })
        .await;
        aws
    }

    /// What tells the SDK of it.
    fn settings(&self) -> [(&'static str, String); 4] {
        [
            (
                "AWS_ENDPOINT_URL",
                format!("http://{}", self.port.address()),
            ),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            // Not the secrets': theirs is in their ARN.
            ("AWS_REGION", "us-west-2".to_owned()),
        ]
    }

    async fn call(&self, service: &str, target: &str, body: Value) -> Value {
        let scope = format!("test/20261128/{REGION}/{service}/aws4_request");
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}/", self.port.address()))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .header("authorization", authorization)
            .body(Body::from(body.to_string()))
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(Body::new(response.into_body()), usize::MAX).await;
        let text = String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Makes a secret; its ARN.
    async fn secret(&self, name: &str, text: &str) -> String {
        let body = json!({"Name": name, "SecretString": text});
        let made = self.call("secretsmanager", "secretsmanager.CreateSecret", body);
        made.await["ARN"].as_str().unwrap().to_owned()
    }

    async fn change_secret(&self, arn: &str, text: &str) {
        let body = json!({"SecretId": arn, "SecretString": text});
        let target = "secretsmanager.PutSecretValue";
        self.call("secretsmanager", target, body).await;
    }

    /// Makes an encrypted parameter; its ARN.
    async fn parameter(&self, name: &str, text: &str) -> String {
        let body = json!({"Name": name, "Value": text, "Type": "SecureString"});
        self.call("ssm", "AmazonSSM.PutParameter", body).await;
        format!("arn:aws:ssm:{REGION}:123456789012:parameter{name}")
    }
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let found = test
        .ancestors()
        .map(|folder| folder.join(MOTO))
        .find(|program| program.exists());
    found.expect("moto does not exist: `make test-deps` brings it")
}

/// A world whose broker's URL is the secret's.
async fn world(aws: &Aws, further: &[(&str, &str)]) -> World {
    let aws = aws.settings();
    let mut settings = vec![("ALIOTH_AMQP_URL", "")];
    settings.extend(aws.iter().map(|(name, value)| (*name, value.as_str())));
    settings.extend_from_slice(further);
    let url = RabbitMq::shared().await.amqp_url();
    World::over(&url, &url, shared_qdrant().await, &settings).await
}

#[tokio::test]
async fn a_broker_and_keys_that_only_secrets_name_take_writes() {
    let aws = Aws::start().await;
    let url = RabbitMq::shared().await.amqp_url();
    let object = json!({"url": url, "other": 1}).to_string();
    let amqp = aws.secret("alioth/amqp", &object).await;
    let keys = aws.parameter("/alioth/keys", "first,second").await;
    let amqp = format!("{amqp}:url::");
    let settings = [
        ("ALIOTH_AMQP_URL_ARN", amqp.as_str()),
        ("ALIOTH_API_KEYS_ARN", keys.as_str()),
    ];
    let world = world(&aws, &settings).await;
    world.until_ready().await;
    let name = collection(shared_qdrant().await, 4).await;
    for (key, status) in [("first", 202), ("second", 202), ("third", 403)] {
        let headers = [("content-type", "application/json"), ("api-key", key)];
        let body = ingest_body(&name, 1, 4).to_string();
        let sent = world
            .http
            .send(Method::POST, "/alioth/ingest", &headers, body)
            .await;
        assert_eq!(sent.unwrap().status, status, "{key}");
    }
}

#[tokio::test]
async fn a_password_that_changed_is_read_again_when_it_is_refused() {
    let aws = Aws::start().await;
    let right = RabbitMq::shared().await.amqp_url();
    let wrong = right.replace("guest:guest", "guest:of-yesterday");
    let arn = aws.secret("alioth/amqp", &wrong).await;
    let mut world = world(&aws, &[("ALIOTH_AMQP_URL_ARN", arn.as_str())]).await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    let refused = world.http.ingest(body.clone()).await;
    assert_eq!(refused.code(), (503, "broker_away"), "{}", refused.text);
    aws.change_secret(&arn, &right).await;
    let answer = world.http.ingest(body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let output = world.process.environment().output();
    for secret in ["of-yesterday", "guest:guest"] {
        assert!(!output.contains(secret), "{output}");
    }
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_problems_by_name() {
    let aws = Aws::start().await;
    let [endpoint, id, key, region] = aws.settings();
    let missing = format!("arn:aws:secretsmanager:{REGION}:123456789012:secret:none-a1B2c3");
    let settings = [
        (endpoint.0, endpoint.1.as_str()),
        (id.0, id.1.as_str()),
        (key.0, key.1.as_str()),
        (region.0, region.1.as_str()),
        ("ALIOTH_AMQP_URL_ARN", missing.as_str()),
        ("ALIOTH_QDRANT_API_KEY_ARN", "arn:aws:s3:::bucket"),
    ];
    let mut process = Process::start(&settings);
    let (code, output) = process.environment().ended().await;
    assert_eq!(code, Some(64), "{output}");
    assert!(output.contains("ALIOTH_AMQP_URL_ARN: "), "{output}");
    assert!(output.contains("ResourceNotFound"), "{output}");
    assert!(
        output.contains("ALIOTH_QDRANT_API_KEY_ARN: is no ARN"),
        "{output}"
    );
}
