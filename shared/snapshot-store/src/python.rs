//! What the Python Alioth left in a bucket: `collection/<host>/<collection>/<name>.snapshot`, at the bucket's root.
//! Only read.

use crate::{
    bucket::Entry,
    error::StoreError,
    keys::{ObjectKey, is_python_snapshot, python_prefix},
    store::SnapshotStore,
};

impl SnapshotStore {
    /// The newest snapshot of exactly that collection on that host. (The Python Alioth itself looked for the prefix
    /// without the slash, and took `movies2` for `movies`.)
    ///
    /// # Errors
    /// `List`.
    pub async fn python_latest(
        &self,
        host: &str,
        collection: &str,
    ) -> Result<Option<ObjectKey>, StoreError> {
        let Some(prefix) = python_prefix(host, collection) else {
            return Ok(None);
        };
        let mut newest: Option<Entry> = None;
        let list = self.bucket.list(&prefix, |entry| {
            let newer = newest
                .as_ref()
                .is_none_or(|newest| newest.last_modified <= entry.last_modified);
            if newer
                && entry
                    .key
                    .strip_prefix(&prefix)
                    .is_some_and(is_python_snapshot)
            {
                newest = Some(entry);
            }
        });
        list.await?;
        // A key that is none of ours to name cannot be asked for either.
        Ok(newest.and_then(|entry| ObjectKey::at_root(&entry.key).ok()))
    }
}
