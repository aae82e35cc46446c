//! The bucket of snapshots, as everybody but this crate sees it.

use std::{error::Error, sync::Arc, time::Duration};

use alioth_config::Secret;
use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;

use crate::{
    bucket::{Bucket, Content},
    client::client,
    config::{Credentials, S3Config},
    download::{self, Expected, ObjectStream},
    error::{PutError, StoreError},
    fault::{Fault, FaultClass},
    id::SnapshotId,
    keys::ObjectKey,
    manifest::{LONGEST_MANIFEST_BYTES, Manifest, ManifestError, Shard},
    upload::{self, ABORT_DEADLINE},
};

/// The bucket. Clones share one client.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    pub(crate) bucket: Arc<Bucket>,
    /// Empty, or ending in `/`.
    pub(crate) prefix: String,
    pub(crate) cluster: String,
}

/// An object that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
}

impl SnapshotStore {
    /// Sets up the client with the SDK's chain of credentials and sees that the bucket can be listed; creates it
    /// when told to.
    ///
    /// # Errors
    /// `Bucket` and `CreateBucket`, whose class tells a missing bucket from wrong credentials from an S3 that is away.
    pub async fn connect(config: &S3Config) -> Result<Self, StoreError> {
        Self::connect_as(config, Credentials::Chain).await
    }

    /// As [`SnapshotStore::connect`], with credentials of the caller's.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_as(
        config: &S3Config,
        credentials: Credentials,
    ) -> Result<Self, StoreError> {
        let bucket = Bucket::new(client(config, credentials).await, config);
        match bucket.check(&config.key_prefix()).await {
            Err(error) if config.create_bucket && error.class() == FaultClass::MissingBucket => {
                bucket.create().await?;
            }
            checked => checked?,
        }
        Ok(Self {
            bucket: Arc::new(bucket),
            prefix: config.key_prefix(),
            cluster: config.cluster.clone(),
        })
    }

    /// The cluster's name in keys: what a manifest's `cluster` has to be.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Names a snapshot that begins at `at`.
    pub fn id(&self, at: Timestamp) -> SnapshotId {
        // Microseconds take 20 bits and come first, so that two of one second sort by time as well.
        let micros = u32::try_from(at.subsec_nanosecond() / 1_000).unwrap_or_default();
        SnapshotId::new(at, micros << 12 | fastrand::u32(..1 << 12))
    }

    /// Where a shard of a snapshot goes.
    pub fn shard_key(&self, id: &SnapshotId, collection: &str, shard: u32) -> ObjectKey {
        ObjectKey::shard(&self.cluster, id, collection, shard)
    }

    /// Stores a stream of any length up to 10,000 parts. It is read no faster than S3 takes it.
    ///
    /// # Errors
    /// `Source` when the stream fails, `Store` when S3 does; the upload is aborted then.
    ///
    /// # Cancel safety
    /// Dropped, the upload is aborted in the background: see [`SnapshotStore::close`].
    pub async fn put_stream<S, E>(&self, key: &ObjectKey, stream: S) -> Result<Stored, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Error + Send + Sync + 'static,
    {
        upload::put(&self.bucket, self.full(key), stream).await
    }

    /// Stores a node's full snapshot at `storage/<host>/<name>.snapshot`; `name` may end in `.snapshot` already.
    ///
    /// # Errors
    /// As [`SnapshotStore::put_stream`].
    pub async fn put_storage<S, E>(
        &self,
        host: &str,
        name: &str,
        stream: S,
    ) -> Result<Stored, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Error + Send + Sync + 'static,
    {
        self.put_stream(&ObjectKey::storage(host, name), stream)
            .await
    }

    /// Opens an object. The stream goes on where it was after a cut connection.
    ///
    /// # Errors
    /// `Get`, here and as the stream's last item.
    pub async fn get_stream(&self, key: &ObjectKey) -> Result<ObjectStream, StoreError> {
        download::open(Arc::clone(&self.bucket), self.full(key), None).await
    }

    /// Opens a shard of a manifest: a wrong length is an error now, a wrong SHA-256 the stream's last item.
    ///
    /// # Errors
    /// `Get`, and `Integrity` for what is not as the manifest says.
    pub async fn get_shard(&self, shard: &Shard) -> Result<ObjectStream, StoreError> {
        let expected = Expected {
            bytes: shard.bytes,
            sha256: shard.sha256.clone(),
        };
        download::open(
            Arc::clone(&self.bucket),
            self.full(&shard.key),
            Some(expected),
        )
        .await
    }

    /// Writes the manifest: the snapshot is complete.
    ///
    /// # Errors
    /// `Manifest` for one that could not be read again, and `Put`.
    pub async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let unfit = |source| StoreError::Manifest {
            snapshot: manifest.id.clone(),
            source,
        };
        self.check_cluster(manifest).map_err(unfit)?;
        let json = manifest.to_json().map_err(unfit)?;
        let key = self.full(&ObjectKey::manifest(&self.cluster, &manifest.id));
        self.bucket.put(&key, json.into(), Content::Json).await
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// `NoSnapshot` when it is not there, `Manifest` for one that must not be used, and `Get`.
    pub async fn get_manifest(&self, id: &SnapshotId) -> Result<Manifest, StoreError> {
        let snapshot = id.clone();
        let key = self.full(&ObjectKey::manifest(&self.cluster, id));
        let Some(json) = self.bucket.get_small(&key, LONGEST_MANIFEST_BYTES).await? else {
            return Err(StoreError::NoSnapshot { snapshot });
        };
        let manifest = Manifest::from_json(&json).and_then(|manifest| {
            self.check_cluster(&manifest)?;
            if manifest.id == *id {
                return Ok(manifest);
            }
            Err(ManifestError::Field {
                field: "id".to_owned(),
                reason: "is another snapshot's",
            })
        });
        manifest.map_err(|source| StoreError::Manifest { snapshot, source })
    }

    /// A URL by which whoever has it may read the object until `valid` is over, a week at most.
    ///
    /// # Errors
    /// `Presign`.
    pub async fn presigned_get(
        &self,
        key: &ObjectKey,
        valid: Duration,
    ) -> Result<Secret, StoreError> {
        let key = self.full(key);
        let fault = match PresigningConfig::expires_in(valid) {
            Ok(config) => {
                let client = &self.bucket.client;
                let get = client.get_object().bucket(&self.bucket.name).key(&key);
                match get.presigned(config).await {
                    Ok(request) => return Ok(request.uri().into()),
                    Err(error) => Fault::of(error),
                }
            }
            Err(error) => Fault::new(FaultClass::Other, error.to_string()),
        };
        Err(StoreError::Presign { key, fault })
    }

    /// Waits until the uploads that were dropped are aborted, ten seconds at most. To be called before the process
    /// ends.
    pub async fn close(&self) {
        self.bucket.aborts.close();
        // Each abort says itself when it fails; what is left is found by its age.
        let _ = tokio::time::timeout(ABORT_DEADLINE, self.bucket.aborts.wait()).await;
    }

    /// A key as S3 has it.
    pub(crate) fn full(&self, key: &ObjectKey) -> String {
        key.in_bucket(&self.prefix)
    }

    /// A manifest of another cluster lies elsewhere: one that claims to be is a copy gone astray.
    fn check_cluster(&self, manifest: &Manifest) -> Result<(), ManifestError> {
        if manifest.cluster == self.cluster {
            return Ok(());
        }
        Err(ManifestError::Field {
            field: "cluster".to_owned(),
            reason: "is not ALIOTH_S3_CLUSTER",
        })
    }
}
