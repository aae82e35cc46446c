//! Second names of collections, in one file that is replaced whole. Does not know which
//! collections there are.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{error::RequestError, files::write_whole};

const FILE: &str = "aliases.json";

/// What is done to an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AliasAction {
    Create { alias: String, collection: String },
    Delete { alias: String },
    Rename { from: String, to: String },
}

impl AliasAction {
    /// The alias that is new afterwards, and of which collection if the action says so.
    pub(super) fn creates(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::Create { alias, collection } => (Some(alias), Some(collection)),
            Self::Delete { .. } => (None, None),
            Self::Rename { to, .. } => (Some(to), None),
        }
    }
}

/// Aliases and the collections they stand for.
#[derive(Clone)]
pub(super) struct Aliases {
    directory: PathBuf,
    collections: BTreeMap<String, String>,
}

impl Aliases {
    /// # Errors
    /// When the file cannot be read. That there is none is no error.
    pub(super) fn load(directory: &Path) -> io::Result<Self> {
        let collections = match std::fs::read(directory.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            directory: directory.to_owned(),
            collections,
        })
    }

    /// They outlive the process, and a power failure, once this returns.
    pub(super) fn save(&self) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&self.collections)?;
        write_whole(&self.directory, FILE, &bytes)
    }

    pub(super) fn get(&self, alias: &str) -> Option<&str> {
        self.collections.get(alias).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (String, String)> {
        let clone = |(alias, collection): (&String, &String)| (alias.clone(), collection.clone());
        self.collections.iter().map(clone)
    }

    /// The aliases after every action, in their order.
    ///
    /// # Errors
    /// When one renames an alias that is not there. One to delete that is not is not missed.
    pub(super) fn changed(&self, actions: Vec<AliasAction>) -> Result<Self, RequestError> {
        let mut changed = self.clone();
        let collections = &mut changed.collections;
        for action in actions {
            match action {
                AliasAction::Create { alias, collection } => {
                    collections.insert(alias, collection);
                }
                AliasAction::Delete { alias } => {
                    collections.remove(&alias);
                }
                AliasAction::Rename { from, to } => match collections.remove(&from) {
                    Some(collection) => {
                        collections.insert(to, collection);
                    }
                    None => return Err(RequestError::AliasMissing(from)),
                },
            }
        }
        Ok(changed)
    }

    /// The aliases without those of a collection; `None` if it has none.
    pub(super) fn without(&self, collection: &str) -> Option<Self> {
        let mut left = self.clone();
        left.collections.retain(|_, of| of != collection);
        (left.collections.len() < self.collections.len()).then_some(left)
    }
}
