//! An embedded node, a bucket of a real S3, and the command between them.

use std::process::{Command, Output};

use alioth_snapshot_store::{Credentials, Manifest, S3Config, SnapshotStore};
use alioth_testkit::{Qdrant, S3, s3};
use qdrant_client::qdrant::{PointStruct, UpsertPointsBuilder};
use serde_json::Value;

use crate::process::{alioth, create, output_of, text};

pub(crate) struct World {
    pub(crate) qdrant: Qdrant,
    pub(crate) store: SnapshotStore,
    bucket: String,
    endpoint: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (qdrant, s3) = tokio::join!(Qdrant::start(), S3::shared());
        let config = S3Config {
            bucket: s3.bucket().await,
            endpoint: s3.endpoint(),
            ..S3Config::default()
        };
        let credentials = Credentials::Static {
            access_key_id: s3::ACCESS_KEY_ID.to_owned(),
            secret_access_key: s3::SECRET_ACCESS_KEY.into(),
        };
        let store = SnapshotStore::connect_as(&config, credentials).await;
        Self {
            qdrant,
            store: store.unwrap(),
            bucket: config.bucket,
            endpoint: config.endpoint,
        }
    }

    /// A collection with points 0, 1, ….
    pub(crate) async fn fill(&self, collection: &str, points: u64) {
        let client = self.qdrant.client();
        create(&client, collection).await;
        let points =
            (0..points).map(|id| PointStruct::new(id, vec![id as f32, 0.5], [("n", 1.into())]));
        let upsert = UpsertPointsBuilder::new(collection, points.collect::<Vec<_>>()).wait(true);
        client.upsert_points(upsert).await.unwrap();
    }

    /// A command with what it needs to reach both.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = alioth(arguments);
        command
            .env_clear()
            .envs(S3::environment())
            .env("ALIOTH_S3_BUCKET", &self.bucket)
            .env("ALIOTH_S3_ENDPOINT", &self.endpoint)
            .env("ALIOTH_S3_ATTEMPTS", "1")
            .env("ALIOTH_QDRANT_REST_URL", self.qdrant.rest_url())
            .env("ALIOTH_SNAPSHOT_RETRY_PAUSE", "20ms");
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        output_of(self.command(arguments)).await
    }

    /// What a command that succeeds prints.
    pub(crate) async fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert_code(&output, 0);
        text(&output.stdout)
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.said(&arguments).await).unwrap()
    }

    /// Makes a snapshot of everything, and gives its id.
    pub(crate) async fn snapshot(&self) -> String {
        let created = self.json(&["snapshots", "create"]).await;
        created["result"]["snapshot"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn manifest(&self, id: &str) -> Manifest {
        self.store.get_manifest(&id.parse().unwrap()).await.unwrap()
    }
}

#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    let (said, complaint) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}\n{complaint}");
}

/// The code, and a part of what stands on standard error.
#[track_caller]
pub(crate) fn assert_fails(output: &Output, code: i32, part: &str) {
    assert_code(output, code);
    let complaint = text(&output.stderr);
    assert!(complaint.contains(part), "{part:?} is not in {complaint:?}");
}
