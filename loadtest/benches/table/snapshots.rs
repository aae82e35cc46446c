//! The functions `snapshot` and `restore` on one large shard, beside copies of the same bytes by others.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use alioth_broker::Queue;
use alioth_jobs::{JobId, Request as _, RestoreFrom, RestoreRequest, RestoreWhat};
use alioth_loadtest::writes::{Films, Payloads, Shape, id};
use alioth_testkit::{S3, usage::mib};
use futures_util::StreamExt as _;
use qdrant_client::qdrant::{CollectionStatus, UpsertPointsBuilder};
use sha2::{Digest as _, Sha256};
use tokio::{process::Command, task::JoinSet, time::Instant};

use crate::{
    direct,
    function::DEADLINE,
    table::{Budget, Row, Table, number},
    world::{Queues, World},
};

const DIMENSIONS: usize = 4096;
const COLLECTION: &str = "shard";
const RESTORED: &str = "restored";
/// `ALIOTH_S3_PART_SIZE` by default.
const PART: &str = "8MB";

/// What is copied, from where to where.
struct Place<'a> {
    world: &'a World,
    s3: S3,
    bucket: String,
    http: reqwest::Client,
    queues: Queues,
}

/// MB/s of both functions beside a raw copy of the stream, and beside `curl | aws s3 cp -` where `aws` is there.
pub(crate) async fn rows(
    world: &World,
    shard_mib: usize,
    aws: Option<&Path>,
    rounds: usize,
    table: &mut Table,
) {
    fill(world, shard_mib).await;
    let s3 = S3::start().await;
    let bucket = s3.bucket().await;
    let place = Place {
        world,
        s3,
        bucket,
        http: reqwest::Client::new(),
        queues: world.queues("snapshots").await,
    };
    // The first stream of a shard writes what is in memory only, whoever asks for it.
    place.raw_out().await;
    let mut bytes = 0;
    let (mut up, mut down, mut by_aws) = (Vec::new(), Vec::new(), Vec::new());
    let (mut beside_verified, mut peaks) = (Vec::new(), (0, 0));
    for _ in 0..rounds {
        let (length, copied) = place.raw_out().await;
        bytes = length;
        let rate = |took: Duration| length as f64 / 1e6 / took.as_secs_f64();
        let (took, peak) = place.snapshot().await;
        peaks.0 = peaks.0.max(peak);
        up.push((rate(took), Some(rate(copied))));
        if let Some(aws) = aws {
            by_aws.push(rate(place.by_aws(aws, length).await));
        }
        let copied = place.raw_in(None).await;
        let digest = place.digest().await;
        let verified = place.raw_in(Some(&digest)).await;
        let (took, peak) = place.restore().await;
        peaks.1 = peaks.1.max(peak);
        down.push((rate(took), Some(rate(copied))));
        beside_verified.push((rate(took), Some(rate(verified))));
        place.clear().await;
    }
    let size = format!("a shard of {} MB, one stream", number(bytes as f64 / 1e6));
    for (function, rounds, peak) in [("snapshot", up, peaks.0), ("restore", down, peaks.1)] {
        let beside_aws = rounds
            .iter()
            .zip(&by_aws)
            .map(|((rate, _), aws)| (*rate, Some(*aws)));
        let beside_aws: Vec<_> = beside_aws.collect();
        table.add(Row {
            figure: function.to_owned(),
            unit: "MB/s",
            rounds,
            beside: "raw stream copy of the same bytes, neither hashed nor signed".to_owned(),
            budget: Budget::Times(0.9),
            note: size.clone(),
        });
        table.add(Row {
            figure: format!("{function}, the same run"),
            unit: "MB/s",
            rounds: match beside_aws.is_empty() {
                // A budget that was not looked at is missed.
                true => vec![(f64::NAN, None)],
                false => beside_aws,
            },
            beside: format!("`curl` from the node into `aws s3 cp -`, parts of {PART}"),
            budget: Budget::Times(0.8),
            note: match aws {
                Some(_) => String::new(),
                None => "not measured: no `aws` (make bench installs it)".to_owned(),
            },
        });
        table.add(Row {
            figure: format!("{function}'s peak memory"),
            unit: "MiB",
            rounds: vec![(mib(peak), None)],
            beside: "—".to_owned(),
            budget: Budget::AtMost(96.0),
            note: size.clone(),
        });
    }
    table.add(Row {
        figure: "restore, the same run".to_owned(),
        unit: "MB/s",
        rounds: beside_verified,
        beside: "raw stream copy with the checksum that restore gives, which the node verifies before it recovers".to_owned(),
        budget: Budget::None,
        note: size,
    });
    world.delete(place.queues).await;
    direct::drop(&world.client, COLLECTION).await;
}

/// A collection of one shard, of at least so many MiB.
async fn fill(world: &World, mib: usize) {
    direct::make(&world.client, COLLECTION, DIMENSIONS, 1).await;
    let films = Films::new(64, Shape::Dense(DIMENSIONS), Payloads::Short, 11);
    let writes = (mib << 20).div_ceil(DIMENSIONS * 4 * films.len());
    let mut writers = JoinSet::new();
    for writer in 0..2 {
        let (client, films) = (world.client.clone(), films.clone());
        writers.spawn(async move {
            for write in (writer..writes).step_by(2) {
                let points = films.points(id((write * films.len()) as u64));
                let upsert = UpsertPointsBuilder::new(COLLECTION, points).wait(true);
                client.upsert_points(upsert).await.expect("applied");
            }
        });
    }
    writers.join_all().await;
    // Its optimizer may be merging segments, which would compete with what is measured.
    let began = Instant::now();
    loop {
        let info = world
            .client
            .collection_info(COLLECTION)
            .await
            .expect("it is there");
        let status = info.result.expect("a result").status;
        if status == i32::from(CollectionStatus::Green) {
            return;
        }
        assert!(
            began.elapsed() < DEADLINE,
            "the collection does not come to rest"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

impl Place<'_> {
    fn shard_url(&self) -> String {
        let qdrant = self.world.qdrant.rest_url();
        format!("{qdrant}/collections/{COLLECTION}/shards/0/snapshot")
    }

    fn file_url(&self) -> String {
        format!("{}/raw/shard.snapshot", self.s3.filer_url())
    }

    /// From the node to the S3 server's storage, past S3: as many bytes, the same two ends, nothing between.
    async fn raw_out(&self) -> (u64, Duration) {
        let began = Instant::now();
        let shard = self.http.get(self.shard_url()).send().await;
        let shard = shard
            .expect("the node answers")
            .error_for_status()
            .expect("a shard");
        let length = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&length);
        let pieces = shard.bytes_stream().inspect(move |piece| {
            let bytes = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            counted.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        });
        let put = self
            .http
            .put(self.file_url())
            .body(reqwest::Body::wrap_stream(pieces));
        let put = put.send().await.expect("the filer answers");
        put.error_for_status().expect("it is stored");
        let length = length.load(std::sync::atomic::Ordering::Relaxed);
        (length, began.elapsed())
    }

    /// SHA-256 of the file, in hexadecimal.
    async fn digest(&self) -> String {
        let file = self.http.get(self.file_url()).send().await;
        let mut pieces = file.expect("the filer answers").bytes_stream();
        let mut hash = Sha256::new();
        while let Some(piece) = pieces.next().await {
            hash.update(piece.expect("a piece"));
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The same bytes back, into an empty collection; verified by the node where a checksum is given.
    async fn raw_in(&self, checksum: Option<&str>) -> Duration {
        let client = &self.world.client;
        direct::make(client, RESTORED, DIMENSIONS, 1).await;
        let began = Instant::now();
        let file = self.http.get(self.file_url()).send().await;
        let file = file
            .expect("the filer answers")
            .error_for_status()
            .expect("a file");
        let length = file.content_length().expect("a length");
        let body = reqwest::Body::wrap_stream(file.bytes_stream());
        let part = reqwest::multipart::Part::stream_with_length(body, length).file_name("snapshot");
        let mut upload = format!(
            "{}/collections/{RESTORED}/shards/0/snapshots/upload?priority=snapshot&wait=true",
            self.world.qdrant.rest_url()
        );
        if let Some(checksum) = checksum {
            upload.push_str("&checksum=");
            upload.push_str(checksum);
        }
        let form = reqwest::multipart::Form::new().part("snapshot", part);
        let posted = self.http.post(upload).multipart(form).send().await;
        posted
            .expect("the node answers")
            .error_for_status()
            .expect("it is recovered");
        let took = began.elapsed();
        self.assert_restored().await;
        took
    }

    async fn snapshot(&self) -> (Duration, u64) {
        let mut variables = self.variables();
        variables.push(("ALIOTH_JOB_SOURCE", "once".to_owned()));
        variables.push(("ALIOTH_SNAPSHOT_COLLECTIONS", COLLECTION.to_owned()));
        self.world
            .binaries
            .start("snapshot", variables)
            .ended()
            .await
    }

    async fn restore(&self) -> (Duration, u64) {
        let request = RestoreRequest {
            job_id: JobId::new(),
            what: RestoreWhat::Collections(vec![COLLECTION.to_owned()]),
            from: RestoreFrom::Latest,
            rename_to: Some(RESTORED.to_owned()),
            overwrite: false,
            host: None,
        };
        let bare = self.world.bare().await;
        let queue = self.queues.name(Queue::Restore);
        bare.request(&queue, RestoreRequest::TYPE, request.encode())
            .await;
        bare.close().await;
        let mut variables = self.variables();
        variables.push(("ALIOTH_AMQP_URL", self.world.rabbitmq.amqp_url()));
        variables.push(("ALIOTH_AMQP_QUEUE_PREFIX", self.queues.prefix.clone()));
        let ended = self
            .world
            .binaries
            .start("restore", variables)
            .ended()
            .await;
        self.assert_restored().await;
        ended
    }

    async fn by_aws(&self, aws: &Path, bytes: u64) -> Duration {
        let config = self.aws_config();
        let target = format!("s3://{}/by-aws.snapshot", self.bucket);
        let began = Instant::now();
        let status = Command::new("bash")
            .args([
                "-c",
                r#"set -euo pipefail; curl -sSf "$1" | "$2" --endpoint-url "$3" s3 cp --only-show-errors --expected-size "$4" - "$5""#,
                "bash",
                &self.shard_url(),
                &aws.display().to_string(),
                &self.s3.endpoint(),
                &bytes.to_string(),
                &target,
            ])
            .envs(S3::environment())
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .stdin(Stdio::null())
            .status()
            .await;
        let took = began.elapsed();
        assert!(status.expect("bash").success(), "curl or aws failed");
        took
    }

    fn aws_config(&self) -> PathBuf {
        let path = std::env::temp_dir().join(format!("{}-aws-config", self.bucket));
        let text = format!(
            "[default]\ns3 =\n  addressing_style = path\n  multipart_chunksize = {PART}\n  multipart_threshold = {PART}\n"
        );
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("ALIOTH_S3_BUCKET", self.bucket.clone()),
            ("ALIOTH_S3_ENDPOINT", self.s3.endpoint()),
            ("ALIOTH_QDRANT_REST_URL", self.world.qdrant.rest_url()),
        ];
        variables.extend(S3::environment().map(|(name, value)| (name, value.to_owned())));
        variables
    }

    async fn assert_restored(&self) {
        let client = &self.world.client;
        let (before, after) = (
            direct::count(client, COLLECTION).await,
            direct::count(client, RESTORED).await,
        );
        assert_eq!(before, after);
        direct::drop(client, RESTORED).await;
    }

    /// What this round stored goes, so that the disk does not fill.
    async fn clear(&self) {
        let filer = self.s3.filer_url();
        for path in [
            "/raw".to_owned(),
            format!("/buckets/{}/snapshots", self.bucket),
            format!("/buckets/{}/by-aws.snapshot", self.bucket),
        ] {
            let url = format!("{filer}{path}?recursive=true&ignoreRecursiveError=true");
            let deleted = self.http.delete(url).send().await;
            deleted.expect("the filer answers");
        }
    }
}
