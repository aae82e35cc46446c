//! All collections of a node, by name. Each lives in a directory of its own under a random
//! name, so that no collection name is ever a path.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    collection::{Collection, CollectionConfig, maintenance::maintain},
    error::{NodeError, RequestError},
};

const DIRECTORY: &str = "collections";

/// The open collections. Calls that change the set block.
pub(crate) struct Collections {
    directory: PathBuf,
    open: RwLock<BTreeMap<String, Arc<Collection>>>,
    /// Held over a create or delete: a second one of the same name waits, readers do not.
    changing: Mutex<()>,
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Collections {
    /// Opens every collection under the data directory.
    ///
    /// # Errors
    /// When the directory, or a collection in it, cannot be read.
    pub(super) fn open(
        data_directory: &Path,
        token: CancellationToken,
        tracker: TaskTracker,
    ) -> Result<Self, NodeError> {
        let directory = data_directory.join(DIRECTORY);
        let collections = Self {
            open: RwLock::default(),
            changing: Mutex::default(),
            token,
            tracker,
            directory: directory.clone(),
        };
        let unreadable = |source| NodeError::OpenDirectory {
            path: directory.clone(),
            source,
        };
        std::fs::create_dir_all(&directory).map_err(unreadable)?;
        for entry in std::fs::read_dir(&directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let opened = Collection::open(path.clone());
            match opened.map_err(|source| NodeError::OpenCollection {
                path: path.clone(),
                source,
            })? {
                Some(collection) => collections.admit(collection),
                None => std::fs::remove_dir_all(&path).map_err(unreadable)?,
            }
        }
        Ok(collections)
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Collection>, RequestError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(name)
            .cloned()
            .ok_or_else(|| RequestError::CollectionMissing(name.to_owned()))
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.keys().cloned().collect()
    }

    pub(crate) fn create(
        &self,
        name: String,
        config: CollectionConfig,
    ) -> Result<(), RequestError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.get(&name).is_ok() {
            return Err(RequestError::CollectionExists(name));
        }
        let directory = self.directory.join(Uuid::new_v4().to_string());
        let created = Collection::create(directory, name, config);
        self.admit(created.map_err(RequestError::internal)?);
        Ok(())
    }

    /// Deletes a collection; whether there was one.
    pub(crate) fn delete(&self, name: &str) -> Result<bool, RequestError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(collection) = self.get(name) else {
            return Ok(false);
        };
        collection.forget().map_err(RequestError::internal)?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(name);
        self.tracker.spawn_blocking(move || {
            if let Err(error) = collection.remove() {
                tracing::warn!(%error, "could not delete all of a collection's files");
            }
        });
        Ok(true)
    }

    /// Closes every shard, so that another node can open them.
    pub(super) fn close(&self) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        for collection in std::mem::take(&mut *open).into_values() {
            collection.close();
        }
    }

    fn admit(&self, collection: Collection) {
        let collection = Arc::new(collection);
        self.tracker.spawn(maintain(
            Arc::clone(&collection),
            self.token.clone(),
            self.tracker.clone(),
        ));
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(collection.name().to_owned(), collection);
    }
}
