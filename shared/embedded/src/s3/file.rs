//! One object, or one part of an upload, in one file: its bytes, then its attributes, then their length and a mark.
//! Bytes and attributes thus come to be, and go, by one rename. Knows nothing of buckets.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// Ends every file.
const MARK: [u8; 8] = *b"alioths3";
/// The attributes' length, little endian, and the mark.
const END_BYTES: u64 = 4 + MARK.len() as u64;
/// A key has 1024 bytes at most, six times that in JSON at the worst.
const LONGEST_ATTRIBUTES: u64 = 64 * 1024;

/// What there is to know of an object beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attributes {
    /// Its key: the file's name is a hash of it. Of a part, empty.
    pub(super) key: String,
    /// MD5 of its bytes, or of its parts' MD5s and their number.
    pub(super) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
}

/// A file that was opened: another one may have its name by now, and its bytes are these all the same.
#[derive(Debug)]
pub(super) struct Opened {
    /// Stands at its first byte.
    pub(super) file: File,
    pub(super) attributes: Attributes,
    /// Bytes of the object.
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

/// Opens a file and reads what stands at its end; `None` when there is none.
pub(super) fn open(path: &Path) -> io::Result<Option<Opened>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let strange = || {
        let message = format!("{} is not what was written there", path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let before_end = metadata.len().checked_sub(END_BYTES).ok_or_else(strange)?;
    file.seek(SeekFrom::Start(before_end))?;
    let (mut length, mut mark) = ([0; 4], [0; MARK.len()]);
    file.read_exact(&mut length)?;
    file.read_exact(&mut mark)?;
    let length = u64::from(u32::from_le_bytes(length));
    let bytes = before_end.checked_sub(length).ok_or_else(strange)?;
    if mark != MARK || length > LONGEST_ATTRIBUTES {
        return Err(strange());
    }
    file.seek(SeekFrom::Start(bytes))?;
    let attributes = serde_json::from_reader((&mut file).take(length)).map_err(|_| strange())?;
    file.rewind()?;
    Ok(Some(Opened {
        file,
        attributes,
        bytes,
        modified: metadata.modified()?,
    }))
}

/// Writes the attributes behind the bytes.
pub(super) fn finish(mut file: &File, attributes: &Attributes) -> io::Result<()> {
    let json = serde_json::to_vec(attributes)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    file.write_all(&json)?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&MARK)
}

/// Gives a finished file its name, over whatever had it. On the disk before it returns.
pub(super) fn place(finished: NamedTempFile, path: &Path) -> io::Result<()> {
    finished.as_file().sync_all()?;
    finished.persist(path).map_err(|error| error.error)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
