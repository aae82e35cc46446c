//! Buckets as directories, and objects as files in them, named by the SHA-256 of their keys: a key is never a path, and
//! of any length. Every method blocks.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{
    Fault,
    file::{self, Attributes, Opened},
    hex,
};

/// The endpoint's directory.
#[derive(Debug)]
pub(super) struct Objects {
    root: PathBuf,
}

/// An object, without its bytes.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) etag: String,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

/// Which objects are asked for.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) prefix: String,
    /// Names that go on behind it are folded into one.
    pub(super) delimiter: Option<String>,
    /// Only what sorts behind this.
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

/// One page of them.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// By key, or folded name without an object of its own.
    pub(super) found: BTreeMap<String, Option<Listed>>,
    /// There is more behind the last.
    pub(super) is_truncated: bool,
}

impl Objects {
    /// Opens the directory. What a process that was killed had not finished writing goes.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let objects = Self {
            root: root.to_owned(),
        };
        match fs::remove_dir_all(objects.temporary()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for folder in [objects.temporary(), objects.buckets(), objects.uploads()] {
            fs::create_dir_all(folder)?;
        }
        Ok(objects)
    }

    /// Emptied at a start.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("temp")
    }

    fn buckets(&self) -> PathBuf {
        self.root.join("buckets")
    }

    /// Where the parts of an upload lie.
    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// A bucket's directory. s3s lets no name through that is more than one segment of a path.
    pub(super) fn bucket(&self, name: &str) -> Result<PathBuf, Fault> {
        let path = self.buckets().join(name);
        match path.is_dir() {
            true => Ok(path),
            false => Err(Fault::NoSuchBucket),
        }
    }

    pub(super) fn create_bucket(&self, name: &str) -> Result<(), Fault> {
        match fs::create_dir(self.buckets().join(name)) {
            Ok(()) => Ok(fs::File::open(self.buckets())?.sync_all()?),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Fault::BucketExists),
            Err(error) => Err(error.into()),
        }
    }

    /// A file to be written, which is gone when it is dropped.
    pub(super) fn new_file(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.temporary())
    }

    /// Makes an object of a file with all its bytes in it, over the one before.
    pub(super) fn put(
        &self,
        bucket: &str,
        attributes: &Attributes,
        written: NamedTempFile,
    ) -> Result<(), Fault> {
        let path = self.bucket(bucket)?.join(file_name(&attributes.key));
        file::finish(written.as_file(), attributes)?;
        Ok(file::place(written, &path)?)
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> Result<Opened, Fault> {
        let path = self.bucket(bucket)?.join(file_name(key));
        file::open(&path)?.ok_or(Fault::NoSuchKey)
    }

    /// An object that is not there is deleted already.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> Result<(), Fault> {
        let path = self.bucket(bucket)?.join(file_name(key));
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Lists a bucket; reads the end of each of its files to do so.
    pub(super) fn list(&self, bucket: &str, query: &Query) -> Result<Page, Fault> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(self.bucket(bucket)?)? {
            let opened = match file::open(&entry?.path()) {
                Ok(Some(opened)) => opened,
                // Deleted meanwhile.
                Ok(None) => continue,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::warn!(%error, "a file in a bucket is passed over");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some((name, is_folded)) = query.name(&opened.attributes.key) else {
                continue;
            };
            let listed = Listed {
                etag: opened.attributes.etag,
                bytes: opened.bytes,
                modified: opened.modified,
            };
            found.insert(name, (!is_folded).then_some(listed));
        }
        let is_truncated = found.len() > query.limit;
        let found = found.into_iter().take(query.limit).collect();
        Ok(Page {
            found,
            is_truncated,
        })
    }
}

impl Query {
    /// Under which name a key is listed, and whether others share it; `None` when it is not.
    fn name(&self, key: &str) -> Option<(String, bool)> {
        let below = key.strip_prefix(&self.prefix)?;
        let delimiter = self.delimiter.as_deref().filter(|text| !text.is_empty());
        let folded = delimiter
            .and_then(|delimiter| Some((below.find(delimiter)? + delimiter.len(), delimiter)));
        let name = match folded {
            Some((length, _)) => &key[..self.prefix.len() + length],
            None => key,
        };
        let is_behind = self.after.as_deref().is_none_or(|after| name > after);
        is_behind.then(|| (name.to_owned(), folded.is_some()))
    }
}

fn file_name(key: &str) -> String {
    hex(&Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(prefix: &str, delimiter: Option<&str>, after: Option<&str>) -> Query {
        Query {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            after: after.map(str::to_owned),
            limit: 1,
        }
    }

    #[test]
    fn a_key_is_listed_under_itself_or_folded() {
        let whole = query("a/", None, None);
        assert_eq!(whole.name("a/b/c"), Some(("a/b/c".to_owned(), false)));
        assert_eq!(whole.name("b/c"), None);
        let folded = query("a/", Some("/"), None);
        assert_eq!(folded.name("a/b/c"), Some(("a/b/".to_owned(), true)));
        assert_eq!(folded.name("a/b"), Some(("a/b".to_owned(), false)));
        let behind = query("", Some("/"), Some("a/"));
        assert_eq!(behind.name("a/b"), None);
        assert_eq!(behind.name("b"), Some(("b".to_owned(), false)));
    }
}
