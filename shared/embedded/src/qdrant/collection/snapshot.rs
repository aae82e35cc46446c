//! Snapshots of a collection, and what becomes of one that is restored.
//!
//! qdrant-edge rewrites its memory-mapped files in place, so neither a link to a file nor a slow
//! read of it would be of one moment. The files are copied, holes left out, while writers wait;
//! whoever reads the snapshot reads the copy, however slowly.
//!
//! A restore unpacks beside the collection's files, loads the new shard there, and then names it
//! in the collection's description: one rename. Until then the collection is the old one, from
//! then on the new one, whenever the process dies.

use std::{
    io,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use qdrant_edge::EdgeShard;
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    Collection, CollectionConfig, archive,
    layout::{DataPaths, Descriptor},
    lock,
    log::UpdateLog,
    maintenance::unread_shard_logs,
};
use crate::qdrant::{
    error::RequestError,
    files::{copy_sparse, files_below, remove},
};

pub(crate) use super::archive::Limits;

/// A copy of a collection as of one moment. Deleted when it is dropped.
pub(crate) struct Staged {
    files: TempDir,
    descriptor: Vec<u8>,
}

impl Staged {
    /// Writes the snapshot.
    ///
    /// # Errors
    /// When the copy cannot be read, or `out` takes no more.
    pub(crate) fn write(&self, out: impl io::Write) -> io::Result<()> {
        archive::write(self.files.path(), &self.descriptor, out)
    }
}

impl Collection {
    /// Copies the collection as it is now. Waits for an optimisation under way; writers wait
    /// while the files are copied, readers do not.
    ///
    /// # Errors
    /// When there is no room for the copy, or the collection has been deleted.
    pub(crate) fn stage(&self, directory: &Path) -> Result<Staged, RequestError> {
        let files = tempfile::tempdir_in(directory).map_err(RequestError::internal)?;
        let descriptor = Descriptor {
            name: self.name.clone(),
            config: self.config.clone(),
            generation: None,
        };
        let descriptor = serde_json::to_vec_pretty(&descriptor).map_err(RequestError::internal)?;
        let _maintenance = lock(&self.maintenance);
        let mut log = lock(&self.log);
        let shard = self.shard.read().unwrap_or_else(PoisonError::into_inner);
        let shard = self.loaded(shard.as_ref())?;
        shard.flush();
        log.clear().map_err(RequestError::internal)?;
        copy_shard(shard.path(), files.path()).map_err(RequestError::internal)?;
        Ok(Staged { files, descriptor })
    }

    /// Puts the points of a snapshot in the place of the collection's. Writers wait for the last
    /// step of it only, and then write to the new points.
    ///
    /// # Errors
    /// When the snapshot is damaged, hostile, or of another kind of collection. The collection is
    /// as it was then.
    pub(crate) fn restore(&self, snapshot: &Path, limits: &Limits) -> Result<(), RequestError> {
        let _restoring = lock(&self.restoring);
        let incoming = Incoming::unpack(&self.directory, &self.config, snapshot, limits)?;
        let descriptor = Descriptor {
            name: self.name.clone(),
            config: self.config.clone(),
            generation: Some(incoming.generation),
        };
        let _maintenance = lock(&self.maintenance);
        let mut log = lock(&self.log);
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        self.loaded(shard.as_ref())?;
        // Kept whether the description is written or not: a failure does not say which.
        let (new_shard, new_log) = incoming.keep();
        descriptor
            .write(&self.directory)
            .map_err(RequestError::internal)?;
        let old = shard.replace(new_shard);
        *log = new_log;
        drop((shard, log));
        drop(old);
        let paths = DataPaths::of(&self.directory, descriptor.generation);
        if let Err(error) = paths.clear_leftovers(&self.directory) {
            tracing::warn!(collection = self.name, %error, "old points are left on disk");
        }
        self.dirty.notify_one();
        Ok(())
    }

    /// Creates a collection from a snapshot, in an empty directory. It exists once this returns.
    ///
    /// # Errors
    /// When the snapshot is damaged, hostile, or does not fit the configuration.
    pub(in crate::qdrant) fn create_from(
        directory: PathBuf,
        name: String,
        config: CollectionConfig,
        snapshot: &Path,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        std::fs::create_dir_all(&directory).map_err(RequestError::internal)?;
        let incoming = Incoming::unpack(&directory, &config, snapshot, limits)?;
        let descriptor = Descriptor {
            name,
            config,
            generation: Some(incoming.generation),
        };
        let (shard, log) = incoming.keep();
        descriptor
            .write(&directory)
            .map_err(RequestError::internal)?;
        Ok(Self::new(directory, descriptor, shard, log))
    }
}

/// The configuration of the collection that a snapshot is of.
///
/// # Errors
/// When the snapshot does not tell, because it is not of an embedded node.
pub(in crate::qdrant) fn config_of(snapshot: &Path) -> Result<CollectionConfig, RequestError> {
    let Some(descriptor) = archive::descriptor(snapshot)? else {
        return Err(RequestError::WrongInput(format!(
            "the snapshot has no {}: it is not a collection's of an embedded node, and a server's \
             has another layout",
            archive::DESCRIPTOR_FILE
        )));
    };
    let descriptor: Descriptor = serde_json::from_slice(&descriptor).map_err(|error| {
        RequestError::WrongInput(format!("{}: {error}", archive::DESCRIPTOR_FILE))
    })?;
    descriptor.config.check()?;
    Ok(descriptor.config)
}

/// An unpacked and loaded shard that no description names yet.
struct Incoming {
    generation: Uuid,
    // Closed before its files are deleted: fields are dropped in this order.
    shard: EdgeShard,
    log: UpdateLog,
    files: Unnamed,
}

impl Incoming {
    fn unpack(
        directory: &Path,
        config: &CollectionConfig,
        snapshot: &Path,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        let generation = Uuid::new_v4();
        let files = Unnamed(Some(DataPaths::of(directory, Some(generation))));
        let paths = DataPaths::of(directory, Some(generation));
        archive::unpack(snapshot, limits, &paths.shard)?;
        let shard = EdgeShard::load(&paths.shard, Some(config.edge())).map_err(|error| {
            RequestError::WrongInput(format!("the snapshot does not fit the collection: {error}"))
        })?;
        shard.flush();
        let log = paths.durable(directory).map_err(RequestError::internal)?;
        Ok(Self {
            generation,
            shard,
            log,
            files,
        })
    }

    fn keep(mut self) -> (EdgeShard, UpdateLog) {
        self.files.0 = None;
        (self.shard, self.log)
    }
}

/// Files to delete unless they are given a name.
struct Unnamed(Option<DataPaths>);

impl Drop for Unnamed {
    fn drop(&mut self) {
        let Some(paths) = self.0.take() else {
            return;
        };
        for path in [paths.shard, paths.log] {
            match remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a failed restore is left on disk");
                }
                _ => (),
            }
        }
    }
}

/// Copies the files of a flushed shard, without what a loaded one would not read.
fn copy_shard(from: &Path, to: &Path) -> io::Result<()> {
    let unread = unread_shard_logs(from)?;
    for file in files_below(from)? {
        let source = from.join(&file);
        if hidden(&file) || unread.contains(&source) {
            continue;
        }
        let target = to.join(&file);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        copy_sparse(&source, &target)?;
    }
    Ok(())
}

/// qdrant-edge renames what it is about to delete.
fn hidden(file: &Path) -> bool {
    file.components()
        .any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
}
