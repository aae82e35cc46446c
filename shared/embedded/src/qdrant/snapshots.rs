//! Snapshots that are kept as files, and the room for those that are only passing through.
//! Knows what a snapshot is called and where it is; its form is the collection's concern.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::Serialize;
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    checksum::{Hashing, sha256},
    error::RequestError,
    files::{sync_directory, write_whole},
};

const DIRECTORY: &str = "snapshots";
const COLLECTIONS: &str = "collections";
const TEMPORARY: &str = "temp";
const EXTENSION: &str = ".snapshot";
const CHECKSUM: &str = ".checksum";
/// Snapshots made or restored at once: each reads or writes a whole collection.
const AT_ONCE: usize = 2;
/// Copies that are read at once, by readers of any speed: each is on disk for so long.
const STREAMS: usize = 8;

/// Whose snapshots.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// The node's, of everything in it.
    Storage,
    Collection(&'a str),
}

/// What is told of a snapshot.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) creation_time: SystemTime,
    /// Bytes.
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<String>,
}

/// The kept snapshots of a node.
pub(crate) struct Snapshots {
    directory: PathBuf,
    temporary: PathBuf,
    pub(super) threads: Semaphore,
    pub(super) streams: Arc<Semaphore>,
}

impl Snapshots {
    /// Makes room, and clears away what a killed process has left in it.
    ///
    /// # Errors
    /// When the directories cannot be written.
    pub(super) fn open(data_directory: &Path) -> io::Result<Self> {
        let temporary = data_directory.join(TEMPORARY);
        match std::fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir_all(&temporary)?,
        }
        let directory = data_directory.join(DIRECTORY);
        std::fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            temporary,
            threads: Semaphore::new(AT_ONCE),
            streams: Arc::new(Semaphore::new(STREAMS)),
        })
    }

    /// Where files of no name are put; on the disk of the collections.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// A file that is deleted unless it is kept.
    pub(crate) fn temporary_file(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.temporary)
    }

    /// Keeps what `write` writes, under a new name.
    ///
    /// # Errors
    /// When it cannot be written; nothing is kept then.
    pub(crate) fn keep(
        &self,
        of: Of<'_>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Description, RequestError> {
        let kept = || -> io::Result<Description> {
            let mut file = Hashing::new(BufWriter::new(self.temporary_file()?));
            write(&mut file)?;
            let (file, checksum) = file.finish();
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            let directory = self.directory_of(of);
            std::fs::create_dir_all(&directory)?;
            let name = new_name(of);
            // First, so that no snapshot is ever without.
            write_whole(
                &directory,
                &format!("{name}{CHECKSUM}"),
                checksum.as_bytes(),
            )?;
            file.persist(directory.join(&name))?;
            sync_directory(&directory)?;
            describe(&directory, name)
        };
        kept().map_err(RequestError::internal)
    }

    /// Every kept snapshot, in the order of their names.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn list(&self, of: Of<'_>) -> Result<Vec<Description>, RequestError> {
        let directory = self.directory_of(of);
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(RequestError::internal)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(RequestError::internal)?.file_name();
            if let Some(name) = name.to_str().filter(|name| is_name(name)) {
                found.push(describe(&directory, name.to_owned()).map_err(RequestError::internal)?);
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Where a kept snapshot is.
    ///
    /// # Errors
    /// When there is none of this name.
    pub(crate) fn path(&self, of: Of<'_>, name: &str) -> Result<PathBuf, RequestError> {
        let path = self.directory_of(of).join(name);
        match is_name(name) && path.is_file() {
            true => Ok(path),
            false => Err(RequestError::SnapshotMissing(name.to_owned())),
        }
    }

    /// Where the snapshot of a `file` URL is, which must be a kept one.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn path_of_url(&self, location: &str) -> Result<PathBuf, RequestError> {
        let bad = |what: &str| RequestError::Malformed(format!("Bad request: {what}"));
        let url = url::Url::parse(location)
            .map_err(|error| bad(&format!("Invalid snapshot URI {location}: {error}")))?;
        match url.scheme() {
            "file" => (),
            "http" | "https" => {
                return Err(RequestError::Forbidden(
                    "Snapshot recovery from remote URLs is disabled in the configuration",
                ));
            }
            scheme => {
                let problem = format!("URL {location} with scheme {scheme} is not supported");
                return Err(bad(&problem));
            }
        }
        let path = url.to_file_path().map_err(|()| {
            bad("Invalid snapshot URI, file path must be absolute or on localhost")
        })?;
        let (path, kept) = match (path.canonicalize(), self.directory.canonicalize()) {
            (Ok(path), Ok(kept)) => (path, kept),
            _ => return Err(bad(&format!("Snapshot file {path:?} does not exist"))),
        };
        match path.starts_with(kept) && path.is_file() {
            true => Ok(path),
            false => Err(RequestError::Forbidden(
                "Snapshot file must be inside the snapshots directory",
            )),
        }
    }

    /// Deletes a kept snapshot.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be deleted.
    pub(crate) fn delete(&self, of: Of<'_>, name: &str) -> Result<bool, RequestError> {
        let path = self.path(of, name)?;
        std::fs::remove_file(&path).map_err(RequestError::internal)?;
        let checksum = self.directory_of(of).join(format!("{name}{CHECKSUM}"));
        if let Err(error) = std::fs::remove_file(&checksum) {
            tracing::warn!(%error, path = %checksum.display(), "a checksum is left on disk");
        }
        Ok(true)
    }

    fn directory_of(&self, of: Of<'_>) -> PathBuf {
        match of {
            Of::Storage => self.directory.clone(),
            // A collection's name may be longer than that of a file.
            Of::Collection(name) => self.directory.join(COLLECTIONS).join(sha256(name)),
        }
    }
}

/// A file that came from outside, with the SHA-256 of its bytes.
pub(crate) struct Received {
    pub(crate) path: TempPath,
    pub(crate) sha256: String,
}

fn describe(directory: &Path, name: String) -> io::Result<Description> {
    let metadata = File::open(directory.join(&name))?.metadata()?;
    let checksum = std::fs::read_to_string(directory.join(format!("{name}{CHECKSUM}"))).ok();
    Ok(Description {
        creation_time: metadata.modified()?,
        size: metadata.len(),
        checksum,
        name,
    })
}

fn new_name(of: Of<'_>) -> String {
    let what = match of {
        Of::Storage => "full-snapshot",
        Of::Collection(_) => "collection",
    };
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d-%H-%M-%S");
    format!("{what}-{now}-{}{EXTENSION}", Uuid::new_v4().simple())
}

/// Whether a name is one of a snapshot, and of a file in one directory.
fn is_name(name: &str) -> bool {
    name.ends_with(EXTENSION) && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// As a Qdrant server writes times: UTC, to the second, without saying so.
fn as_text<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::try_from(*time).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&time.strftime("%Y-%m-%dT%H:%M:%S"))
}
