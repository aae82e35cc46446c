//! Compares what is in the bucket with the manifest. Changes nothing.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    error::StoreError, fault::FaultClass, id::SnapshotId, listing::CALLS_AT_ONCE, manifest::Shard,
    store::SnapshotStore,
};

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Each object is there and as long as it should be.
    Lengths,
    /// Each object is read and its SHA-256 compared.
    Contents,
}

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectFault {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is longer or shorter, or its bytes are others.
    #[error("has the {what} {found}, the manifest says {expected}")]
    Differs {
        /// `length` or `SHA-256`.
        what: &'static str,
        /// By the manifest.
        expected: String,
        /// In the bucket.
        found: String,
    },
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The snapshot.
    pub id: SnapshotId,
    /// Objects compared.
    pub objects: u64,
    /// Bytes they have by the manifest.
    pub bytes: u64,
    /// Key and fault of each that is not as it should be, in the order of keys.
    pub faults: Vec<(String, ObjectFault)>,
}

impl SnapshotStore {
    /// Compares every object of a snapshot with the manifest.
    ///
    /// # Errors
    /// Those of [`SnapshotStore::get_manifest`], and `Get` when an object could not be looked at.
    pub async fn verify(&self, id: &SnapshotId, depth: Depth) -> Result<Verification, StoreError> {
        let manifest = self.get_manifest(id).await?;
        let shards: Vec<_> = manifest.shards().cloned().collect();
        let looks = stream::iter(shards).map(|shard| {
            let store = self.clone();
            async move {
                let fault = store.verify_shard(&shard, depth).await?;
                Ok(fault.map(|fault| (shard.key.to_string(), fault)))
            }
        });
        let found: Vec<Option<_>> = looks.buffer_unordered(CALLS_AT_ONCE).try_collect().await?;
        let mut faults: Vec<_> = found.into_iter().flatten().collect();
        faults.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Verification {
            id: id.clone(),
            objects: manifest.shards().count() as u64,
            bytes: manifest.bytes(),
            faults,
        })
    }

    /// Compares one object with the manifest: what [`SnapshotStore::verify`] does for each, for callers that show
    /// how far they are.
    ///
    /// # Errors
    /// `Get` when it could not be looked at.
    pub async fn verify_shard(
        &self,
        shard: &Shard,
        depth: Depth,
    ) -> Result<Option<ObjectFault>, StoreError> {
        match depth {
            Depth::Lengths => fault_in(self.compare_length(shard).await),
            Depth::Contents => self.verify_contents(shard, |_| {}).await,
        }
    }

    /// Reads one object and compares its SHA-256 with the manifest; tells how many bytes have come, as they come.
    ///
    /// # Errors
    /// `Get` when it could not be looked at.
    pub async fn verify_contents(
        &self,
        shard: &Shard,
        read: impl Fn(u64),
    ) -> Result<Option<ObjectFault>, StoreError> {
        fault_in(self.compare_contents(shard, read).await)
    }

    async fn compare_length(&self, shard: &Shard) -> Result<(), StoreError> {
        let key = self.full(&shard.key);
        match self.bucket.length(&key).await? {
            Some(length) if length == shard.bytes => Ok(()),
            Some(length) => Err(StoreError::Integrity {
                key,
                what: "length",
                expected: shard.bytes.to_string(),
                found: length.to_string(),
            }),
            None => Err(StoreError::missing(key)),
        }
    }

    async fn compare_contents(&self, shard: &Shard, read: impl Fn(u64)) -> Result<(), StoreError> {
        let mut chunks = self.get_shard(shard).await?;
        while let Some(chunk) = chunks.next().await {
            read(chunk?.len() as u64);
        }
        Ok(())
    }
}

/// Tells what is wrong with an object from what kept it from being looked at.
fn fault_in(looked: Result<(), StoreError>) -> Result<Option<ObjectFault>, StoreError> {
    match looked {
        Ok(()) => Ok(None),
        Err(StoreError::Integrity {
            what,
            expected,
            found,
            ..
        }) => Ok(Some(ObjectFault::Differs {
            what,
            expected,
            found,
        })),
        Err(error) if error.class() == FaultClass::MissingKey => Ok(Some(ObjectFault::Missing)),
        Err(error) => Err(error),
    }
}
