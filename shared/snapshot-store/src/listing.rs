//! What is in the bucket, and how it goes out of it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aws_sdk_s3::types::MultipartUpload;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::{
    bucket::Entry,
    error::StoreError,
    fault::Fault,
    id::SnapshotId,
    keys::{
        MANIFEST_NAME, ObjectKey, STORAGE_PREFIX, cluster_prefix, collection_of, snapshot_prefix,
        storage_parts,
    },
    store::SnapshotStore,
};

/// Objects deleted, or looked at, at once.
pub(crate) const CALLS_AT_ONCE: usize = 8;

/// A snapshot, complete or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: SnapshotId,
    /// Whether it has a manifest.
    pub complete: bool,
    /// The collections it has shards of, by its keys.
    pub collections: BTreeSet<String>,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// Objects below its prefix.
    pub objects: u64,
    /// When the newest of them was written.
    pub last_modified: Timestamp,
}

/// A node's full snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageFile {
    /// Where it lies.
    pub key: ObjectKey,
    /// The node.
    pub host: String,
    /// Qdrant's name of it, ending in `.snapshot`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written.
    pub last_modified: Timestamp,
}

impl SnapshotStore {
    /// Every snapshot of the cluster, newest first. What is no snapshot of Alioth's is passed over.
    ///
    /// # Errors
    /// `List`.
    pub async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let prefix = format!("{}{}", self.prefix, cluster_prefix(&self.cluster));
        let mut found = BTreeMap::new();
        let list = self
            .bucket
            .list(&prefix, |entry| add(&mut found, &prefix, &entry));
        list.await?;
        Ok(found.into_values().rev().collect())
    }

    /// The newest complete snapshot; with `before`, of those that began before it.
    ///
    /// # Errors
    /// `List`.
    pub async fn latest(
        &self,
        before: Option<Timestamp>,
    ) -> Result<Option<SnapshotId>, StoreError> {
        let early = |id: &SnapshotId| before.is_none_or(|before| id.time() < before);
        let listed = self.list().await?.into_iter();
        let mut complete = listed.filter(|listed| listed.complete && early(&listed.id));
        Ok(complete.next().map(|listed| listed.id))
    }

    /// Deletes a snapshot, its manifest first: what is left of a removal that failed is incomplete, and goes with
    /// the next. Returns how many objects there were.
    ///
    /// # Errors
    /// `List` and `Delete`.
    pub async fn remove(&self, id: &SnapshotId) -> Result<u64, StoreError> {
        let prefix = format!("{}{}", self.prefix, snapshot_prefix(&self.cluster, id));
        let mut keys = Vec::new();
        self.bucket
            .list(&prefix, |entry| keys.push(entry.key))
            .await?;
        let manifest = prefix + MANIFEST_NAME;
        if keys.contains(&manifest) {
            self.bucket.delete(&manifest).await?;
        }
        let objects = keys.len() as u64;
        let deletions = stream::iter(keys).map(|key| {
            let bucket = Arc::clone(&self.bucket);
            async move { bucket.delete(&key).await }
        });
        deletions
            .buffer_unordered(CALLS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(objects)
    }

    /// Every full snapshot of a node, newest first.
    ///
    /// # Errors
    /// `List`.
    pub async fn list_storage(&self) -> Result<Vec<StorageFile>, StoreError> {
        let prefix = format!("{}{STORAGE_PREFIX}", self.prefix);
        let mut files = Vec::new();
        let list = self.bucket.list(&prefix, |entry| {
            let below = entry.key.strip_prefix(&prefix);
            if let Some((host, name)) = below.and_then(storage_parts) {
                files.push(StorageFile {
                    key: ObjectKey::storage(&host, &name),
                    host,
                    name,
                    bytes: entry.bytes,
                    last_modified: entry.last_modified,
                });
            }
        });
        list.await?;
        files.sort_by_key(|file| Reverse(file.last_modified));
        Ok(files)
    }

    /// Aborts the uploads of this cluster's snapshots, and of nodes' full snapshots, that began longer ago than
    /// this. Returns how many.
    ///
    /// # Errors
    /// `List` and `Abort`.
    pub async fn abort_leftovers(&self, older_than: Duration) -> Result<u64, StoreError> {
        let below = [cluster_prefix(&self.cluster).as_str(), STORAGE_PREFIX]
            .map(|prefix| format!("{}{prefix}", self.prefix));
        let mut aborted = 0;
        for upload in self.uploads().await? {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
                continue;
            };
            let ours = below.iter().any(|prefix| key.starts_with(prefix));
            if ours && is_older(&upload, older_than) {
                self.bucket.abort(key, id).await?;
                aborted += 1;
            }
        }
        Ok(aborted)
    }

    /// Every multipart upload of the bucket that has not ended. Asked for without a prefix: MinIO knows none but
    /// whole keys here. Source: <https://github.com/minio/minio/issues/20989>
    async fn uploads(&self) -> Result<Vec<MultipartUpload>, StoreError> {
        let mut uploads = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let list = self.bucket.client.list_multipart_uploads();
            let page = list
                .bucket(&self.bucket.name)
                .set_key_marker(key.take())
                .set_upload_id_marker(id.take())
                .send()
                .await
                .map_err(|error| StoreError::List {
                    prefix: String::new(),
                    fault: Fault::of(error),
                })?;
            let more = page.is_truncated() == Some(true);
            key = page.next_key_marker;
            id = page.next_upload_id_marker;
            uploads.extend(page.uploads.unwrap_or_default());
            if !more || key.is_none() {
                return Ok(uploads);
            }
        }
    }
}

/// Whether an upload began so long ago. One that does not say when is spared.
fn is_older(upload: &MultipartUpload, than: Duration) -> bool {
    let Some(initiated) = upload.initiated() else {
        return false;
    };
    let age = Timestamp::now().as_second() - initiated.secs();
    u64::try_from(age).is_ok_and(|age| age >= than.as_secs())
}

/// Counts an object to the snapshot it is of.
fn add(found: &mut BTreeMap<SnapshotId, Listed>, prefix: &str, entry: &Entry) {
    let Some((id, rest)) = entry
        .key
        .strip_prefix(prefix)
        .and_then(|below| below.split_once('/'))
    else {
        return;
    };
    let Ok(id) = id.parse::<SnapshotId>() else {
        return;
    };
    let listed = found.entry(id.clone()).or_insert_with(|| Listed {
        id,
        complete: false,
        collections: BTreeSet::new(),
        bytes: 0,
        objects: 0,
        last_modified: entry.last_modified,
    });
    listed.complete |= rest == MANIFEST_NAME;
    listed.collections.extend(collection_of(rest));
    listed.bytes += entry.bytes;
    listed.objects += 1;
    listed.last_modified = listed.last_modified.max(entry.last_modified);
}
