//! A snapshot of the whole node: as a Qdrant server's, a tar of collections' snapshots and of
//! `config.json`, which says which is whose and what aliases there are. It is not of one moment:
//! collection comes after collection. No route restores it; each snapshot in it can be uploaded.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;
use tar::{Builder, Header, HeaderMode};
use tempfile::NamedTempFile;

use super::{
    Node,
    error::RequestError,
    snapshots::{Description, Of},
};

const CONFIG_FILE: &str = "config.json";

#[derive(Serialize)]
struct Config {
    collections_mapping: BTreeMap<String, String>,
    collections_aliases: BTreeMap<String, String>,
}

impl Node {
    /// Keeps a snapshot of every collection there is, and of the aliases.
    ///
    /// # Errors
    /// When there is no room for it. A collection deleted meanwhile is left out.
    pub(crate) fn create_full_snapshot(&self) -> Result<Description, RequestError> {
        let mut config = Config {
            collections_mapping: BTreeMap::new(),
            collections_aliases: self.collections.aliases().into_iter().collect(),
        };
        let mut parts = Vec::new();
        for (number, name) in self.collections.names().into_iter().enumerate() {
            let part = match self.part(&name) {
                Err(RequestError::CollectionMissing(_)) => continue,
                part => part?,
            };
            let file = format!("collection-{number}.snapshot");
            config.collections_mapping.insert(name, file.clone());
            parts.push((file, part));
        }
        self.snapshots
            .keep(Of::Storage, |out| write(&config, &parts, out))
    }

    fn part(&self, collection: &str) -> Result<NamedTempFile, RequestError> {
        let collection = self.collections.get(collection)?;
        let staged = collection.stage(self.snapshots.temporary())?;
        let file = self.snapshots.temporary_file();
        let file = file.map_err(RequestError::internal)?;
        let mut buffered = io::BufWriter::new(file);
        staged
            .write(&mut buffered)
            .map_err(RequestError::internal)?;
        buffered.into_inner().map_err(RequestError::internal)
    }
}

fn write(
    config: &Config,
    parts: &[(String, NamedTempFile)],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut tar = Builder::new(out);
    tar.mode(HeaderMode::Deterministic);
    for (name, part) in parts {
        tar.append_path_with_name(part.path(), name)?;
    }
    let config = serde_json::to_vec_pretty(config)?;
    let mut header = Header::new_gnu();
    header.set_size(config.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, CONFIG_FILE, config.as_slice())?;
    tar.into_inner()?.flush()
}
