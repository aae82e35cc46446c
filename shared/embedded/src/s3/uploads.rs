//! Multipart uploads: a directory each, with a file that says what it is of and one a part. It goes once the object is
//! there, so that an upload whose completion was cut off can be completed again. Every method blocks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use s3s::crypto::{Checksum as _, Md5};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::{
    Fault,
    file::{self, Attributes, Opened},
    hex,
    objects::Objects,
};

/// S3's own. Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const LEAST_PART_BYTES: u64 = 5 * 1024 * 1024;

/// What an upload is of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) content_type: Option<String>,
    /// Seconds since 1970.
    pub(super) initiated: u64,
}

/// Parts that a client says make an object.
pub(super) type Wanted = Vec<(i32, String)>;

impl Upload {
    pub(super) fn new(bucket: String, key: String, content_type: Option<String>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            bucket,
            key,
            content_type,
            initiated: now.unwrap_or_default().as_secs(),
        }
    }
}

impl Objects {
    pub(super) fn begin_upload(&self, upload: &Upload) -> Result<Uuid, Fault> {
        self.bucket(&upload.bucket)?;
        let id = Uuid::new_v4();
        let json = serde_json::to_vec(upload).map_err(io::Error::other)?;
        // Whole or not at all: one that cannot be read would be aborted by nobody.
        let folder = self.temporary().join(id.to_string());
        fs::create_dir(&folder)?;
        fs::write(description(&folder), json)?;
        fs::rename(folder, self.upload_folder(id))?;
        Ok(id)
    }

    /// Makes a part of a file with all its bytes in it, over the one of the same number.
    pub(super) fn put_part(
        &self,
        id: Uuid,
        number: i32,
        etag: String,
        written: NamedTempFile,
    ) -> Result<(), Fault> {
        let folder = self.upload_folder(id);
        let attributes = Attributes {
            key: String::new(),
            etag,
            content_type: None,
        };
        file::finish(written.as_file(), &attributes)?;
        // Not onto the disk yet: the object will be.
        match written.persist(folder.join(number.to_string())) {
            Ok(_) => Ok(()),
            // Aborted while the part was on its way.
            Err(failed) if failed.error.kind() == io::ErrorKind::NotFound => {
                Err(Fault::NoSuchUpload)
            }
            Err(failed) => Err(failed.error.into()),
        }
    }

    /// Sees that the parts are what the client takes them for.
    pub(super) fn check_parts(
        &self,
        bucket: &str,
        key: &str,
        id: Uuid,
        wanted: &Wanted,
    ) -> Result<(), Fault> {
        self.upload(bucket, key, id)?;
        if wanted.is_empty() || !wanted.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(Fault::InvalidPartOrder);
        }
        for (index, (number, etag)) in wanted.iter().enumerate() {
            let part = self.part(id, *number)?;
            if part.attributes.etag != *etag {
                return Err(Fault::InvalidPart(*number));
            }
            if part.bytes < LEAST_PART_BYTES && index + 1 < wanted.len() {
                return Err(Fault::EntityTooSmall(*number));
            }
        }
        Ok(())
    }

    /// Makes an object of the parts, and gives its ETag.
    pub(super) fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: Uuid,
        wanted: &Wanted,
    ) -> Result<String, Fault> {
        let upload = self.upload(bucket, key, id)?;
        let mut whole = self.new_file()?;
        let mut md5_of_parts = Md5::new();
        for (number, _) in wanted {
            let part = self.part(id, *number)?;
            md5_of_parts.update(&unhex(&part.attributes.etag));
            let mut bytes = io::Read::take(&part.file, part.bytes);
            io::copy(&mut bytes, whole.as_file_mut())?;
        }
        let etag = format!("{}-{}", hex(&md5_of_parts.finalize()), wanted.len());
        let attributes = Attributes {
            key: upload.key,
            etag: etag.clone(),
            content_type: upload.content_type,
        };
        self.put(&upload.bucket, &attributes, whole)?;
        // The object is there; what stays of its upload is taken for a leftover in a day.
        if let Err(error) = self.abort_upload(bucket, key, id) {
            tracing::warn!(%error, "parts of a completed upload stay");
        }
        Ok(etag)
    }

    pub(super) fn abort_upload(&self, bucket: &str, key: &str, id: Uuid) -> Result<(), Fault> {
        self.upload(bucket, key, id)?;
        // Out of the way first: of a removal that is cut off, the next start removes the rest.
        let gone = self.temporary().join(Uuid::new_v4().to_string());
        match fs::rename(self.upload_folder(id), &gone) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Fault::NoSuchUpload),
            renamed => Ok(renamed.and_then(|()| fs::remove_dir_all(gone))?),
        }
    }

    /// Every upload into a bucket that has not ended, by key.
    pub(super) fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<(Uuid, Upload)>, Fault> {
        self.bucket(bucket)?;
        let mut uploads = Vec::new();
        for entry in fs::read_dir(self.uploads())? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| Uuid::parse_str(name).ok()) else {
                continue;
            };
            match self.read_upload(id) {
                Ok(upload) if upload.bucket == bucket && upload.key.starts_with(prefix) => {
                    uploads.push((id, upload));
                }
                Ok(_) | Err(Fault::NoSuchUpload) => {}
                Err(error) => return Err(error),
            }
        }
        uploads.sort_by(|(a, of_a), (b, of_b)| (&of_a.key, a).cmp(&(&of_b.key, b)));
        Ok(uploads)
    }

    /// An upload of that very object.
    fn upload(&self, bucket: &str, key: &str, id: Uuid) -> Result<Upload, Fault> {
        self.bucket(bucket)?;
        let upload = self.read_upload(id)?;
        match upload.bucket == bucket && upload.key == key {
            true => Ok(upload),
            false => Err(Fault::NoSuchUpload),
        }
    }

    fn read_upload(&self, id: Uuid) -> Result<Upload, Fault> {
        let json = match fs::read(description(&self.upload_folder(id))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Fault::NoSuchUpload);
            }
            read => read?,
        };
        // Cut off by a kill: nobody was told of it.
        serde_json::from_slice(&json).map_err(|_| Fault::NoSuchUpload)
    }

    fn part(&self, id: Uuid, number: i32) -> Result<Opened, Fault> {
        let path = self.upload_folder(id).join(number.to_string());
        match file::open(&path) {
            Ok(Some(part)) => Ok(part),
            Ok(None) => Err(Fault::InvalidPart(number)),
            // A power failure was faster than the disk: parts are not synced.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Fault::InvalidPart(number))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn upload_folder(&self, id: Uuid) -> PathBuf {
        self.uploads().join(id.to_string())
    }
}

fn description(folder: &Path) -> PathBuf {
    folder.join("upload.json")
}

/// A part's ETag as the bytes that it was.
fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.filter_map(byte).collect()
}
