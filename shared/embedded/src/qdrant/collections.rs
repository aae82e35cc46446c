//! All collections of a node, by name or alias. Each lives in a directory of its own under a
//! random name, so that no collection name is ever a path.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    aliases::{AliasAction, Aliases},
    collection::{
        Collection, CollectionConfig,
        config::check_collection_name,
        maintenance::maintain,
        snapshot::{Limits, config_of},
    },
    error::{NodeError, RequestError},
};

const DIRECTORY: &str = "collections";

/// The open collections. Calls that change the set block.
pub(crate) struct Collections {
    directory: PathBuf,
    open: RwLock<BTreeMap<String, Arc<Collection>>>,
    aliases: RwLock<Aliases>,
    /// Held over a create, delete or change of aliases: a second one waits, readers do not.
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
        let aliases = Aliases::load(data_directory).map_err(|source| NodeError::OpenDirectory {
            path: data_directory.to_owned(),
            source,
        })?;
        let collections = Self {
            open: RwLock::default(),
            aliases: RwLock::new(aliases),
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

    /// The collection of this name, or the one an alias of this name stands for.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Collection>, RequestError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        open.get(name)
            .or_else(|| open.get(aliases.get(name)?))
            .cloned()
            .ok_or_else(|| RequestError::CollectionMissing(name.to_owned()))
    }

    /// Every alias with the collection it stands for, in the order of the aliases.
    pub(crate) fn aliases(&self) -> Vec<(String, String)> {
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        aliases.iter().collect()
    }

    /// Changes aliases, all or none, now and after a restart. Whoever asks meanwhile finds them
    /// as they were.
    ///
    /// # Errors
    /// The first action that cannot be; nothing is changed then.
    pub(crate) fn change_aliases(&self, actions: Vec<AliasAction>) -> Result<bool, RequestError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        for action in &actions {
            let (Some(alias), target) = action.creates() else {
                continue;
            };
            check_collection_name(alias)?;
            if self.is_collection(alias) {
                return Err(RequestError::CollectionExists(alias.to_owned()));
            }
            if let Some(target) = target.filter(|target| !self.is_collection(target)) {
                return Err(RequestError::CollectionMissing(target.to_owned()));
            }
        }
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        let changed = aliases.changed(actions)?;
        drop(aliases);
        self.set_aliases(changed)?;
        Ok(true)
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
        self.check_free(&name)?;
        let created = Collection::create(self.new_directory(), name, config);
        self.admit(created.map_err(RequestError::internal)?);
        Ok(())
    }

    /// Puts the points of a snapshot into a collection, which is created like the one the
    /// snapshot is of if there is none.
    ///
    /// # Errors
    /// When the snapshot is not one to restore; everything is as it was then.
    pub(crate) fn restore(
        &self,
        name: String,
        snapshot: &Path,
        limits: &Limits,
    ) -> Result<bool, RequestError> {
        check_collection_name(&name)?;
        let config = config_of(snapshot)?;
        if let Ok(collection) = self.get(&name) {
            collection.restore(snapshot, limits)?;
            return Ok(true);
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_free(&name)?;
        let directory = self.new_directory();
        let created = Collection::create_from(directory.clone(), name, config, snapshot, limits);
        if created.is_err()
            && let Err(error) = std::fs::remove_dir_all(&directory)
        {
            tracing::warn!(%error, "a failed restore is left on disk until the next start");
        }
        self.admit(created?);
        Ok(true)
    }

    /// Deletes a collection; whether there was one.
    pub(crate) fn delete(&self, name: &str) -> Result<bool, RequestError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let Some(collection) = open.get(name).cloned() else {
            return Ok(false);
        };
        drop(open);
        collection.forget().map_err(RequestError::internal)?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(name);
        drop(open);
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        let left = aliases.without(name);
        drop(aliases);
        // Should this fail, they are aliases of no collection until one is created again.
        if let Some(left) = left {
            self.set_aliases(left)?;
        }
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

    fn set_aliases(&self, changed: Aliases) -> Result<(), RequestError> {
        changed.save().map_err(RequestError::internal)?;
        *self.aliases.write().unwrap_or_else(PoisonError::into_inner) = changed;
        Ok(())
    }

    fn is_collection(&self, name: &str) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.contains_key(name)
    }

    fn check_free(&self, name: &str) -> Result<(), RequestError> {
        if self.is_collection(name) {
            return Err(RequestError::CollectionExists(name.to_owned()));
        }
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        match aliases.get(name) {
            None => Ok(()),
            Some(_) => Err(RequestError::WrongInput(format!(
                "Can't create collection with name {name}. Alias with the same name already exists"
            ))),
        }
    }

    fn new_directory(&self) -> PathBuf {
        self.directory.join(Uuid::new_v4().to_string())
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
