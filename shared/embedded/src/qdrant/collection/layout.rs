//! Where the parts of a collection are in its directory, and the description that says which of
//! them count.

use std::{
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{CollectionConfig, log::UpdateLog};
use crate::qdrant::files::{remove, sync_directory, sync_tree, write_whole};

pub(super) const CONFIG_FILE: &str = "collection.json";

pub(super) type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// What is kept of a collection beside its points.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Descriptor {
    pub(super) name: String,
    pub(super) config: CollectionConfig,
    /// Which of the shards in its directory is the collection's, if it has been restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<Uuid>,
}

impl Descriptor {
    /// Writes it where it is looked for; from then on it counts.
    pub(super) fn write(&self, directory: &Path) -> Result<(), OpenError> {
        let bytes = serde_json::to_vec_pretty(self)?;
        Ok(write_whole(directory, CONFIG_FILE, &bytes)?)
    }
}

/// Where a collection's points are. A restore puts new ones beside the old, so that whichever
/// the description names is whole.
pub(super) struct DataPaths {
    pub(super) shard: PathBuf,
    pub(super) log: PathBuf,
}

impl DataPaths {
    pub(super) fn of(directory: &Path, generation: Option<Uuid>) -> Self {
        let (shard, log) = match generation {
            None => ("shard".to_owned(), "updates.log".to_owned()),
            Some(id) => (format!("shard-{id}"), format!("updates-{id}.log")),
        };
        Self {
            shard: directory.join(shard),
            log: directory.join(log),
        }
    }

    /// Deletes what an interrupted restore has left beside them.
    pub(super) fn clear_leftovers(&self, directory: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path != self.shard && path != self.log && !path.ends_with(CONFIG_FILE) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// A new, empty log beside the shard, once both would outlive a power failure.
    pub(super) fn durable(&self, directory: &Path) -> io::Result<UpdateLog> {
        let log = UpdateLog::open(&self.log, |_| ())?;
        sync_tree(&self.shard)?;
        sync_directory(directory)?;
        Ok(log)
    }
}
