//! Who may write: keys from the configuration and from a file that may change while the process
//! runs. Keys are compared in constant time and never logged.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, header};
use subtle::{Choice, ConstantTimeEq};
use tokio_util::sync::CancellationToken;

use crate::{answer::Refusal, config::ApiConfig};

/// Every key is compared as a block of this size, so that no time tells a key's length.
pub(crate) const LONGEST_KEY_BYTES: usize = 256;
/// How long a rotated key may go unnoticed; the file is a few hundred bytes.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(2);
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Keys that could not be read. Not transient: it is the configuration that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("read the keys in {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file has no key in it, which would leave the door open.
    #[error("read the keys in {path}: there is none")]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// A line of the file is no key that a header can carry.
    #[error("read the keys in {path}: line {line} has more than {LONGEST_KEY_BYTES} bytes")]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// 1-based.
        line: usize,
    },
}

/// A key, padded to a block.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    block: [u8; LONGEST_KEY_BYTES],
    len: u16,
}

impl Key {
    /// Pads a key; `None` when it is longer than any key may be.
    fn new(text: &[u8]) -> Option<Self> {
        let mut block = [0; LONGEST_KEY_BYTES];
        block.get_mut(..text.len())?.copy_from_slice(text);
        let len = u16::try_from(text.len()).ok()?;
        Some(Self { block, len })
    }

    fn matches(&self, other: &Self) -> Choice {
        self.block.ct_eq(&other.block) & self.len.ct_eq(&other.len)
    }
}

/// The keys that open the write routes. With none, they are open to everybody.
pub(crate) struct Keys {
    configured: Vec<Key>,
    file: Option<PathBuf>,
    current: RwLock<Arc<[Key]>>,
}

impl Keys {
    /// Collects the configured keys and those of the file.
    ///
    /// # Errors
    /// When the file cannot be read or has no key in it. Not transient.
    pub(crate) fn load(config: &ApiConfig) -> Result<Self, KeysError> {
        let configured: Vec<Key> = config
            .keys
            .iter()
            .filter_map(|key| Key::new(key.expose().as_bytes()))
            .collect();
        let from_file = match &config.keys_file {
            Some(path) => read_file(path)?,
            None => Vec::new(),
        };
        let current: Arc<[Key]> = configured.iter().cloned().chain(from_file).collect();
        if current.is_empty() {
            tracing::warn!("no API key is configured: whoever reaches the port may write");
        }
        Ok(Self {
            configured,
            file: config.keys_file.clone(),
            current: RwLock::new(current),
        })
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// `KeyMissing` and `KeyWrong`.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let keys = self.current();
        if keys.is_empty() {
            return Ok(());
        }
        let presented = presented(headers).ok_or(Refusal::KeyMissing)?;
        let candidate = Key::new(presented).ok_or(Refusal::KeyWrong)?;
        // Every key is compared, whichever matches: time tells nothing of which one did.
        let known = keys.iter().fold(Choice::from(0), |known, key| {
            known | key.matches(&candidate)
        });
        if bool::from(known) {
            return Ok(());
        }
        Err(Refusal::KeyWrong)
    }

    /// Reads the file again and again until the token is cancelled. A file that went bad changes
    /// nothing: the last good keys stay.
    pub(crate) async fn watch(self: Arc<Self>, token: CancellationToken) {
        let Some(path) = self.file.clone() else {
            return;
        };
        let mut ticks = tokio::time::interval(FILE_CHECK_INTERVAL);
        let mut failing = false;
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.reload(&path) {
                Ok(Reloaded::Changed(count)) => tracing::info!(keys = count, "API keys changed"),
                Ok(Reloaded::Same) => {}
                // Said once, not every two seconds.
                Err(_) if failing => continue,
                Err(error) => {
                    failing = true;
                    tracing::error!(%error, "the API keys stay as they were");
                    continue;
                }
            }
            failing = false;
        }
    }

    fn reload(&self, path: &Path) -> Result<Reloaded, KeysError> {
        let from_file = read_file(path)?;
        let keys: Arc<[Key]> = self.configured.iter().cloned().chain(from_file).collect();
        if keys == self.current() {
            return Ok(Reloaded::Same);
        }
        let count = keys.len();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(Reloaded::Changed(count))
    }

    fn current(&self) -> Arc<[Key]> {
        // The lock is held for a clone or a swap of one pointer, neither of which can panic.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

enum Reloaded {
    Same,
    Changed(usize),
}

/// A few hundred bytes from a local file or a mounted secret: not worth a thread of its own.
fn read_file(path: &Path) -> Result<Vec<Key>, KeysError> {
    let text = std::fs::read(path).map_err(|source| KeysError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut keys = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let key = Key::new(line).ok_or_else(|| KeysError::TooLong {
            path: path.to_owned(),
            line: index + 1,
        })?;
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(KeysError::NoKey {
            path: path.to_owned(),
        });
    }
    Ok(keys)
}

/// The key of a request: `api-key`, as Qdrant's clients send it, before `Authorization: Bearer`.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(API_KEY) {
        return Some(value.as_bytes()).filter(|key| !key.is_empty());
    }
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    Some(key.trim_ascii()).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Code;

    fn admit(keys: &Keys, name: &'static str, value: &str) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        keys.admit(&headers)
            .map_err(|refusal| refusal.verdict().code)
    }

    fn keys(configured: &[&str], file: Option<&Path>) -> Keys {
        let config = ApiConfig {
            keys: configured.iter().map(|key| (*key).into()).collect(),
            keys_file: file.map(Path::to_owned),
        };
        Keys::load(&config).unwrap()
    }

    #[test]
    fn without_keys_everybody_is_let_in() {
        assert_eq!(admit(&keys(&[], None), "accept", "*/*"), Ok(()));
    }

    #[test]
    fn any_key_in_either_header_is_let_in() {
        let keys = keys(&["first", "second"], None);
        assert_eq!(admit(&keys, "api-key", "first"), Ok(()));
        assert_eq!(admit(&keys, "api-key", "second"), Ok(()));
        assert_eq!(admit(&keys, "authorization", "Bearer second"), Ok(()));
        assert_eq!(admit(&keys, "authorization", "bearer first"), Ok(()));
    }

    #[test]
    fn no_key_and_a_wrong_key_are_told_apart() {
        let keys = keys(&["first"], None);
        for (name, value) in [
            ("api-key", ""),
            ("authorization", "Basic first"),
            ("accept", "*/*"),
        ] {
            assert_eq!(admit(&keys, name, value), Err(Code::KeyMissing), "{value}");
        }
        let long = "x".repeat(LONGEST_KEY_BYTES + 1);
        for value in ["firs", "first2", "FIRST", "second", &long] {
            assert_eq!(
                admit(&keys, "api-key", value),
                Err(Code::KeyWrong),
                "{value}"
            );
        }
    }

    #[test]
    fn a_changed_file_changes_the_keys_and_a_bad_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, "old\n\n  next \r\n").unwrap();
        let keys = keys(&["fixed"], Some(&path));
        for key in ["old", "next", "fixed"] {
            assert_eq!(admit(&keys, "api-key", key), Ok(()), "{key}");
        }

        std::fs::write(&path, "next\n").unwrap();
        assert!(matches!(keys.reload(&path), Ok(Reloaded::Changed(2))));
        assert!(matches!(keys.reload(&path), Ok(Reloaded::Same)));
        assert_eq!(admit(&keys, "api-key", "old"), Err(Code::KeyWrong));

        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(keys.reload(&path), Err(KeysError::NoKey { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(keys.reload(&path), Err(KeysError::Read { .. })));
        assert_eq!(admit(&keys, "api-key", "next"), Ok(()));
    }
}
