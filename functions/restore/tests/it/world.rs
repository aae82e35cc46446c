//! A Qdrant, a bucket's prefix and queues of the test's own; snapshots in it, and the process over it.

use std::{process::Output, time::Duration};

use alioth_broker::{AmqpConfig, Broker, BrokerMetrics, OutgoingMessage, Queue, RabbitMqBroker};
use alioth_cluster::rest::{Alias, AliasAction, QdrantRest, QdrantRestConfig};
use alioth_jobs::{JobId, JobRecord, Request, RestoreFrom, RestoreRequest, RestoreWhat};
use alioth_snapshot_store::{
    Credentials, Manifest, S3Config, SnapshotId, SnapshotStore,
    manifest::{Collection, FORMAT_VERSION, Peer, Shard},
};
use alioth_testkit::{
    FaultProxy, Qdrant, QdrantCluster, RabbitMq, S3, unique_collection, wait_until,
};
use jiff::Timestamp;
use prometheus::Registry;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType, PointStruct,
    UpsertPointsBuilder, VectorParamsBuilder,
};
use serde_json::Value;
use tokio::process::Command;

/// Generous: CI may be many times slower than an idle machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
const DIMENSIONS: u64 = 8;

/// A Qdrant of one node or several.
pub(crate) enum Servers {
    One(Qdrant),
    Several(QdrantCluster),
}

impl Servers {
    pub(crate) fn client(&self) -> qdrant_client::Qdrant {
        match self {
            Self::One(qdrant) => qdrant.client(),
            Self::Several(cluster) => cluster.client(0),
        }
    }

    pub(crate) fn rest_urls(&self) -> Vec<String> {
        match self {
            Self::One(qdrant) => vec![qdrant.rest_url()],
            Self::Several(cluster) => cluster.rest_urls(),
        }
    }

    pub(crate) async fn discover(&self) -> QdrantRest {
        let config = QdrantRestConfig {
            url: self.rest_urls(),
            ..QdrantRestConfig::default()
        };
        QdrantRest::discover(&config).await.unwrap()
    }
}

/// All that a restore needs.
pub(crate) struct World {
    pub(crate) servers: Servers,
    pub(crate) rest: QdrantRest,
    pub(crate) store: SnapshotStore,
    pub(crate) s3: S3Config,
    pub(crate) broker: RabbitMqBroker,
    amqp_url: String,
    queue_prefix: String,
}

impl World {
    /// On one node.
    pub(crate) async fn start() -> Self {
        Self::over(Servers::One(Qdrant::start().await)).await
    }

    pub(crate) async fn over(servers: Servers) -> Self {
        let (s3, rabbit) = tokio::join!(S3::shared(), RabbitMq::shared());
        let config = S3Config {
            bucket: "restores".to_owned(),
            prefix: format!("{}/", unique_collection("restore")),
            endpoint: s3.endpoint(),
            create_bucket: true,
            ..S3Config::default()
        };
        let [(_, access_key_id), (_, secret_access_key)] = S3::environment();
        let credentials = Credentials::Static {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.into(),
        };
        let store = SnapshotStore::connect_as(&config, credentials)
            .await
            .unwrap();
        let (amqp_url, queue_prefix) = (rabbit.amqp_url(), unique_collection("restore"));
        let amqp = AmqpConfig {
            url: amqp_url.as_str().into(),
            queue_prefix: queue_prefix.clone(),
            ..AmqpConfig::default()
        };
        let metrics = BrokerMetrics::register(&Registry::new()).unwrap();
        let broker = RabbitMqBroker::new(&amqp, "test", metrics).unwrap();
        broker.declare().await.unwrap();
        Self {
            rest: servers.discover().await,
            servers,
            store,
            s3: config,
            broker,
            amqp_url,
            queue_prefix,
        }
    }

    /// Turns to another Qdrant, with the same bucket and queues.
    pub(crate) async fn turn_to(&mut self, servers: Servers) {
        self.rest = servers.discover().await;
        self.servers = servers;
    }

    /// The node's REST address, of the first node.
    pub(crate) fn rest_url(&self) -> String {
        self.servers.rest_urls().remove(0)
    }

    /// A collection with an index on `n`, and points from `first` on.
    pub(crate) async fn collection(&self, name: &str, points: u64) {
        let client = self.servers.client();
        let vectors = VectorParamsBuilder::new(DIMENSIONS, Distance::Dot);
        let create = CreateCollectionBuilder::new(name).vectors_config(vectors);
        client.create_collection(create).await.unwrap();
        let index =
            CreateFieldIndexCollectionBuilder::new(name, "n", FieldType::Integer).wait(true);
        client.create_field_index(index).await.unwrap();
        self.fill(name, points).await;
    }

    pub(crate) async fn fill(&self, name: &str, points: u64) {
        let point = |id: u64| {
            let vector = vec![id as f32; DIMENSIONS as usize];
            PointStruct::new(id, vector, [("n", (id as i64).into())])
        };
        let points: Vec<_> = (0..points).map(point).collect();
        let upsert = UpsertPointsBuilder::new(name, points).wait(true);
        self.servers.client().upsert_points(upsert).await.unwrap();
    }

    pub(crate) async fn alias(&self, alias: &str, collection: &str) {
        let alias = Alias {
            alias: alias.to_owned(),
            collection: collection.to_owned(),
        };
        self.rest
            .update_aliases(&[AliasAction::Create(alias)])
            .await
            .unwrap();
    }

    /// Alias and collection of each alias.
    pub(crate) async fn aliases(&self) -> Vec<(String, String)> {
        let aliases = self.rest.aliases().await.unwrap();
        aliases
            .into_iter()
            .map(|alias| (alias.alias, alias.collection))
            .collect()
    }

    pub(crate) async fn drop(&self, name: &str) {
        self.rest.delete_collection(name).await.unwrap();
    }

    /// Saves these collections, as the function `snapshot` does, and returns what it would say of them.
    pub(crate) async fn save(&self, names: &[&str]) -> Manifest {
        let mut manifest = self.saved(names).await;
        self.store.put_manifest(&manifest).await.unwrap();
        manifest = self.store.get_manifest(&manifest.id).await.unwrap();
        manifest
    }

    /// The same without a manifest in the bucket yet.
    pub(crate) async fn saved(&self, names: &[&str]) -> Manifest {
        let started = Timestamp::now();
        let id = self.store.id(started);
        let all = self.rest.collections().await.unwrap();
        let mut collections = Vec::new();
        for name in names {
            collections.push(self.saved_collection(&id, name).await);
        }
        let version = self.rest.version().to_string();
        let peers = self.rest.nodes().iter().map(|node| Peer {
            id: node.peer,
            host: node.host.clone(),
            version: version.clone(),
        });
        Manifest {
            format_version: FORMAT_VERSION,
            id,
            job_id: JobId::new().to_string(),
            cluster: self.store.cluster().to_owned(),
            started,
            finished: Timestamp::now(),
            alioth_version: "test".to_owned(),
            peers: peers.collect(),
            qdrant_version: version,
            whole: Some(all.iter().all(|name| names.contains(&name.as_str()))),
            collections,
        }
    }

    async fn saved_collection(&self, id: &SnapshotId, name: &str) -> Collection {
        let (info, aliases) = (
            self.rest.collection(name).await.unwrap(),
            self.aliases().await,
        );
        let points = self.rest.count(name).await.unwrap();
        let mut shards = Vec::new();
        for shard in self.rest.shards(name).await.unwrap() {
            let peer = shard.replicas[0].peer;
            let stream = self.rest.stream_shard(peer, name, shard.id).await.unwrap();
            let key = self.store.shard_key(id, name, shard.id);
            let stored = self.store.put_stream(&key, stream).await.unwrap();
            shards.push(Shard {
                shard: shard.id,
                shard_key: shard.key,
                key,
                bytes: stored.bytes,
                sha256: stored.sha256,
                source_peer: peer,
                source_host: "test".to_owned(),
            });
        }
        let mut keys: Vec<Value> = Vec::new();
        for key in shards.iter().filter_map(|shard| shard.shard_key.clone()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let own = aliases
            .into_iter()
            .filter(|(_, collection)| collection == name);
        Collection {
            name: name.to_owned(),
            config: info.config,
            payload_schema: info.payload_schema,
            shard_keys: keys,
            aliases: own.map(|(alias, _)| alias).collect(),
            points_before: points,
            points_after: points,
            shards,
        }
    }

    /// A name nobody else uses.
    pub(crate) fn unique(&self, of: &str) -> String {
        unique_collection(of)
    }

    /// A collection's snapshot as the node makes one, which is gone from it afterwards.
    pub(crate) async fn collection_snapshot(&self, name: &str) -> Vec<u8> {
        let base = format!("{}/collections/{name}/snapshots", self.rest_url());
        let client = reqwest::Client::new();
        let made: Value = client
            .post(&base)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let file = made["result"]["name"].as_str().expect("a name");
        let url = format!("{base}/{file}");
        let answer = client.get(&url).send().await.unwrap();
        let bytes = answer.error_for_status().unwrap().bytes().await.unwrap();
        let gone = client.delete(&url).send().await.unwrap();
        assert!(gone.status().is_success());
        bytes.to_vec()
    }

    /// Names of a collection's snapshots that are on the node.
    pub(crate) async fn snapshots_on_node(&self, name: &str) -> Vec<String> {
        let url = format!("{}/collections/{name}/snapshots", self.rest_url());
        let listed: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let files = listed["result"].as_array().expect("a list").iter();
        files
            .map(|file| file["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Puts a request on the queue.
    pub(crate) async fn ask(&self, request: &RestoreRequest) {
        self.publish(request.encode(), RestoreRequest::TYPE).await;
    }

    pub(crate) async fn publish(&self, body: Vec<u8>, kind: &str) {
        let message = || OutgoingMessage {
            body: body.clone().into(),
            content_type: "application/json".to_owned(),
            kind: kind.to_owned(),
            message_id: "test".to_owned(),
            headers: Vec::new(),
        };
        let publisher = self.broker.publisher();
        wait_until(DEADLINE, || async {
            publisher
                .publish(Queue::Restore, vec![message()])
                .await
                .is_ok()
        })
        .await;
    }

    pub(crate) async fn ready(&self, queue: Queue) -> u64 {
        self.broker.depth(queue).await.unwrap().ready
    }

    /// Waits until that many messages stand in the queue: an ack is heard of a moment after the process has ended.
    pub(crate) async fn until_ready(&self, queue: Queue, count: u64) {
        wait_until(DEADLINE, || async { self.ready(queue).await == count }).await;
    }

    /// The binary with what it needs to reach the world.
    pub(crate) async fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restore"));
        command
            .env_clear()
            .envs(S3::environment())
            .env("ALIOTH_S3_BUCKET", &self.s3.bucket)
            .env("ALIOTH_S3_PREFIX", &self.s3.prefix)
            .env("ALIOTH_S3_ENDPOINT", &self.s3.endpoint)
            .env("ALIOTH_QDRANT_REST_URL", self.servers.rest_urls().join(","))
            .env("ALIOTH_AMQP_URL", &self.amqp_url)
            .env("ALIOTH_AMQP_QUEUE_PREFIX", &self.queue_prefix)
            .env("ALIOTH_JOB_WAIT", "5s")
            .env("ALIOTH_JOB_LEASE", "2s")
            .env("ALIOTH_RESTORE_ATTEMPTS", "2")
            .kill_on_drop(true);
        command
    }

    /// A proxy before RabbitMQ, and its URL.
    pub(crate) async fn amqp_proxy(&self) -> (FaultProxy, String) {
        let rabbit = RabbitMq::shared().await;
        let proxy = FaultProxy::start(rabbit.amqp_address()).await;
        let url = rabbit.amqp_url_through(proxy.address());
        (proxy, url)
    }

    /// Runs the process to its end.
    pub(crate) async fn run(&self) -> Ran {
        let output = output(&mut self.command().await).await;
        Ran {
            code: output.status.code(),
            log: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    pub(crate) async fn record(&self, id: &JobId) -> JobRecord {
        let json = self.store.get_job(id.as_str()).await.unwrap();
        serde_json::from_slice(&json.expect("a record")).unwrap()
    }

    /// The one dead letter's reason.
    pub(crate) async fn death(&self) -> String {
        let mut dead = self.broker.consume(Queue::RestoreDead, 1).await.unwrap();
        let letter = tokio::time::timeout(DEADLINE, dead.next()).await;
        let letter = letter.expect("a dead letter").unwrap();
        match letter.header(alioth_broker::headers::DEAD_REASON) {
            Some(alioth_broker::HeaderValue::Text(reason)) => reason.clone(),
            _ => panic!("{letter:?} has no reason"),
        }
    }
}

/// A process that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}", self.log);
    }
}

async fn output(command: &mut Command) -> Output {
    let ended = tokio::time::timeout(DEADLINE, command.output()).await;
    ended.expect("its end in time").expect("the binary")
}

/// Asks for these collections of the newest snapshot, over nothing.
pub(crate) fn of(names: &[&str]) -> RestoreRequest {
    RestoreRequest {
        job_id: JobId::new(),
        what: RestoreWhat::Collections(names.iter().map(|name| (*name).to_owned()).collect()),
        from: RestoreFrom::Latest,
        rename_to: None,
        overwrite: false,
        host: None,
    }
}

/// Asks for everything.
pub(crate) fn everything() -> RestoreRequest {
    RestoreRequest {
        what: RestoreWhat::Cluster,
        ..of(&[])
    }
}
