//! Programs from outside: Qdrant's Python client unmodified, and schemathesis on the document.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use alioth_broker::{Broker, Queue};
use alioth_testkit::{Qdrant, RabbitMq, unique_collection, wait_until};
use qdrant_client::qdrant::{
    CreateCollectionBuilder, Distance, MultiVectorComparator, MultiVectorConfigBuilder,
    SparseVectorParamsBuilder, SparseVectorsConfigBuilder, VectorParamsBuilder,
    VectorsConfigBuilder,
};
use tokio::{process::Command, sync::OnceCell};

use crate::support::{DEADLINE, World, collection, shared_qdrant};

/// All but those about which bodies are wrong: a JSON schema cannot say that lengths must agree.
const SCHEMATHESIS_CHECKS: &str = "not_a_server_error,status_code_conformance,\
    content_type_conformance,response_headers_conformance,response_schema_conformance,\
    unsupported_method,allow_header_conformance";

/// A Python with the packages of `requirements.txt`, made in the target folder when it is not there.
async fn python() -> &'static Path {
    static PYTHON: OnceCell<PathBuf> = OnceCell::const_new();
    PYTHON.get_or_init(make_python).await
}

async fn make_python() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/requirements.txt");
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-clients");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let (python, marker) = (venv.join("bin/python"), venv.join("installed.txt"));
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let mut make = Command::new("python3");
    run(make.arg("-m").arg("venv").arg(&venv)).await;
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ]);
    run(install.arg(&requirements)).await;
    std::fs::write(&marker, wanted).unwrap();
    python
}

async fn run(command: &mut Command) -> Output {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{command:?} {}:\n{out}\n{err}",
        output.status
    );
    output
}

async fn clients(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/clients.py");
    let output = run(Command::new(python().await).arg(script).args(arguments)).await;
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn named_collection() -> String {
    let name = unique_collection("named");
    let mut vectors = VectorsConfigBuilder::default();
    vectors.add_named_vector_params("title", VectorParamsBuilder::new(4, Distance::Cosine));
    let multi = MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim);
    let tokens = VectorParamsBuilder::new(4, Distance::Dot).multivector_config(multi);
    vectors.add_named_vector_params("tokens", tokens);
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("words", SparseVectorParamsBuilder::default());
    let request = CreateCollectionBuilder::new(&name)
        .vectors_config(vectors)
        .sparse_vectors_config(sparse);
    shared_qdrant()
        .await
        .client()
        .create_collection(request)
        .await
        .unwrap();
    name
}

#[tokio::test]
async fn qdrant_s_python_client_writes_unmodified() {
    let world = World::start().await;
    let (plain, named) = (
        collection(shared_qdrant().await, 4).await,
        named_collection().await,
    );
    let url = format!("http://{}", world.http.address());
    let written = clients(&["every", &url, &plain, &named]).await;
    let messages = world.drain_queue().await;
    let queued: usize = messages.iter().map(|message| message.upsert.points()).sum();
    assert_eq!(queued.to_string(), written);
}

#[tokio::test]
async fn qdrant_s_python_client_waits_while_the_queue_is_full() {
    // Its installing may take minutes, which are not the client's.
    python().await;
    let world = World::start_with(&[("ALIOTH_AMQP_MAX_LENGTH", "2")]).await;
    let plain = collection(shared_qdrant().await, 4).await;
    let url = format!("http://{}", world.http.address());
    let upload = tokio::spawn(async move { clients(&["upload", &url, &plain, "200"]).await });
    let full = "alioth_accept_rejected_total{reason=\"queue_full\"}";
    wait_until(DEADLINE, || async { world.metric(full).await >= 1.0 }).await;
    let broker = world.broker();
    let mut consumer = broker.consume(Queue::Ingest, 1).await.unwrap();
    let mut points = 0;
    while points < 200 {
        let delivery = tokio::time::timeout(DEADLINE, consumer.next())
            .await
            .unwrap()
            .unwrap();
        points += alioth_points::UpsertMessage::scan(delivery.body.clone())
            .unwrap()
            .points();
        delivery.ack().await.unwrap();
    }
    upload.await.unwrap();
    assert_eq!(points, 200);
    consumer.close().await;
    broker.close().await;
}

/// Requests made up from the document. Qdrant is away, so that they are not all refused for their
/// collections' names.
#[tokio::test]
async fn every_answer_to_made_up_requests_is_as_documented() {
    let mut qdrant = Qdrant::start().await;
    qdrant.stop().await;
    let url = RabbitMq::shared().await.amqp_url();
    let mut world = World::over(&url, &url, &qdrant, &[]).await;
    world.until_ready().await;
    let schemathesis = python().await.with_file_name("schemathesis");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(schemathesis);
    command
        .current_dir(folder.path())
        .arg("run")
        .arg(format!("http://{}/openapi.json", world.http.address()))
        .args(["--checks", SCHEMATHESIS_CHECKS])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--seed", "1", "--max-examples", "40", "--max-time", "40"])
        .args(["--warnings", "off", "--no-color"]);
    run(&mut command).await;
    assert!(world.process.is_running());
    assert!(world.metric("alioth_accept_points_total").await > 0.0);
}
