//! Files and directories as the node writes them: whole or not at all, and there after a power
//! failure once the call returns. Knows nothing of what is in them.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Read and written at once by a copy; what is zero over so much becomes a hole.
const BLOCK_BYTES: usize = 64 * 1024;

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}.new"));
    std::fs::write(&unfinished, bytes)?;
    File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, directory.join(name))?;
    sync_directory(directory)
}

/// Makes the names in a directory outlive a power failure.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Makes everything below a directory outlive a power failure, itself included.
pub(crate) fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_tree(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    sync_directory(directory)
}

/// Every file below a directory, in the order of their paths, which are relative to it.
pub(crate) fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        for entry in std::fs::read_dir(directory.join(&relative))? {
            let entry = entry?;
            let path = relative.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => open.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Copies a file, leaving holes where it is empty: qdrant-edge allocates its files ahead.
pub(crate) fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    const EMPTY: &[u8] = &[0; BLOCK_BYTES];
    let mut source = File::open(from)?;
    let mut target = File::create(to)?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut length = 0;
    loop {
        let read = source.read(&mut block)?;
        if read == 0 {
            return target.set_len(length);
        }
        length += read as u64;
        if block[..read] == EMPTY[..read] {
            target.seek(SeekFrom::Current(read as i64))?;
        } else {
            target.write_all(&block[..read])?;
        }
    }
}

/// Deletes a file or a directory with all that is in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}
