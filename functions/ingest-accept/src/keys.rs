//! Who may write: keys from the configuration and from a file that may change while the process
//! runs. Keys are compared in constant time and never logged.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use alioth_config::Secret;

use axum::http::{HeaderMap, HeaderName, header};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{answer::Refusal, config::ApiConfig};

/// Every key is compared as a block of this size, so that no time tells a key's length.
pub(crate) const LONGEST_KEY_BYTES: usize = 256;
/// How long a rotated key may go unnoticed; the file is a few hundred bytes.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a key that was taken out of the source may still be taken here.
const SOURCE_STALE: Duration = Duration::from_secs(300);
/// How often wrong keys may have the source asked: anybody can send one.
const SOURCE_PAUSE: Duration = Duration::from_secs(30);
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Where keys come from that are neither configured nor in a file.
#[async_trait::async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Asks for the keys; `None` when they cannot be had. Bounded by itself.
    async fn keys(&self) -> Option<Vec<Secret>>;
}

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
    source: Option<Source>,
    current: RwLock<Arc<[Key]>>,
}

/// A source, and when it was asked. Whoever asks holds the lock, so that a crowd asks once.
struct Source {
    keys: Arc<dyn KeySource>,
    /// By the wall clock, which goes on while the process is suspended.
    asked: Mutex<SystemTime>,
}

impl Keys {
    /// Collects the configured keys, among them those the source has given, and those of the file.
    ///
    /// # Errors
    /// When the file cannot be read or has no key in it. Not transient.
    pub(crate) fn load(
        config: &ApiConfig,
        source: Option<Arc<dyn KeySource>>,
    ) -> Result<Self, KeysError> {
        let configured: Vec<Key> = config.keys.iter().filter_map(key_of).collect();
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
            source: source.map(|keys| Source {
                keys,
                asked: Mutex::new(SystemTime::now()),
            }),
            current: RwLock::new(current),
        })
    }

    /// Lets a request in, or says why not. Asks the source first when it was not for long, and again before a key
    /// is called wrong.
    ///
    /// # Errors
    /// `KeyMissing` and `KeyWrong`.
    pub(crate) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.renew(SOURCE_STALE).await;
        match self.look_up(headers) {
            Err(Refusal::KeyWrong) if self.renew(SOURCE_PAUSE).await => self.look_up(headers),
            known => known,
        }
    }

    /// Asks the source unless it was asked less than `after` ago; whether it gave keys.
    async fn renew(&self, after: Duration) -> bool {
        let Some(source) = &self.source else {
            return false;
        };
        let mut asked = source.asked.lock().await;
        // Set back, the clock tells nothing.
        if asked.elapsed().is_ok_and(|ago| ago < after) {
            return false;
        }
        let given = source.keys.keys().await;
        *asked = SystemTime::now();
        let Some(keys) = given else {
            return false;
        };
        let keys: Arc<[Key]> = keys.iter().filter_map(key_of).collect();
        // A source that went empty would leave the door open.
        if keys.is_empty() {
            tracing::error!("the source of API keys has none: they stay as they were");
            return false;
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = keys;
        true
    }

    fn look_up(&self, headers: &HeaderMap) -> Result<(), Refusal> {
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

fn key_of(key: &Secret) -> Option<Key> {
    Key::new(key.expose().as_bytes())
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
        keys.look_up(&headers)
            .map_err(|refusal| refusal.verdict().code)
    }

    fn keys(configured: &[&str], file: Option<&Path>) -> Keys {
        let config = ApiConfig {
            keys: configured.iter().map(|key| (*key).into()).collect(),
            keys_file: file.map(Path::to_owned),
        };
        Keys::load(&config, None).unwrap()
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

    /// Gives what it was told to, and counts.
    #[derive(Default)]
    struct Told {
        keys: std::sync::Mutex<Option<Vec<Secret>>>,
        asked: std::sync::atomic::AtomicUsize,
    }

    impl Told {
        fn tell(&self, keys: Option<&[&str]>) {
            let keys = keys.map(|keys| keys.iter().map(|key| (*key).into()).collect());
            *self.keys.lock().unwrap() = keys;
        }

        fn asked(&self) -> usize {
            self.asked.load(std::sync::atomic::Ordering::Relaxed)
        }
    }

    #[async_trait::async_trait]
    impl KeySource for Told {
        async fn keys(&self) -> Option<Vec<Secret>> {
            self.asked
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.keys.lock().unwrap().clone()
        }
    }

    async fn admit_by(keys: &Keys, key: &str) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        headers.insert("api-key", key.parse().unwrap());
        let admitted = keys.admit(&headers).await;
        admitted.map_err(|refusal| refusal.verdict().code)
    }

    async fn age(keys: &Keys, by: Duration) {
        *keys.source.as_ref().unwrap().asked.lock().await -= by;
    }

    #[tokio::test]
    async fn a_wrong_key_has_the_source_asked_but_not_over_and_over() {
        let source = Arc::new(Told::default());
        let config = ApiConfig {
            keys: vec!["old".into()],
            keys_file: None,
        };
        let keys = Keys::load(&config, Some(source.clone())).unwrap();
        source.tell(Some(&["new"]));
        assert_eq!(admit_by(&keys, "new").await, Err(Code::KeyWrong));
        assert_eq!((source.asked(), admit_by(&keys, "old").await), (0, Ok(())));

        age(&keys, SOURCE_PAUSE).await;
        assert_eq!(admit_by(&keys, "old").await, Ok(()));
        assert_eq!(source.asked(), 0, "a good key asks nobody");
        assert_eq!(admit_by(&keys, "new").await, Ok(()));
        assert_eq!(admit_by(&keys, "old").await, Err(Code::KeyWrong));
        assert_eq!(source.asked(), 1);

        age(&keys, SOURCE_STALE).await;
        source.tell(Some(&["newer"]));
        assert_eq!(admit_by(&keys, "new").await, Err(Code::KeyWrong));
        assert_eq!(
            (source.asked(), admit_by(&keys, "newer").await),
            (2, Ok(()))
        );

        for nothing in [None, Some(&[][..])] {
            age(&keys, SOURCE_STALE).await;
            source.tell(nothing);
            assert_eq!(admit_by(&keys, "newer").await, Ok(()));
        }
        assert_eq!(source.asked(), 4);
    }
}
