//! SHA-256 in the form in which Qdrant tells and takes it: hexadecimal.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::error::RequestError;

/// # Errors
/// When a file has another SHA-256 than was expected of it.
pub(crate) fn check_sha256(actual: &str, expected: Option<&str>) -> Result<(), RequestError> {
    match expected {
        Some(expected) if !expected.trim().eq_ignore_ascii_case(actual) => {
            Err(RequestError::ChecksumMismatch {
                expected: expected.to_owned(),
                actual: actual.to_owned(),
            })
        }
        _ => Ok(()),
    }
}

/// Hashes what it passes on.
pub(crate) struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
        }
    }

    /// What it was made of, and the SHA-256 of what went through.
    pub(crate) fn finish(self) -> (W, String) {
        (self.inner, hex(self.hasher))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

pub(crate) fn sha256(text: &str) -> String {
    hex(Sha256::new_with_prefix(text))
}

pub(crate) fn hex(hasher: Sha256) -> String {
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
