//! Which snapshot a request means. Reads the bucket, changes nothing.

use alioth_jobs::{RestoreFrom, RestoreRequest, RestoreWhat};
use alioth_snapshot_store::{Manifest, ObjectKey, SnapshotId, SnapshotStore, StoreError};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{error::RestoreError, progress::Noted, refusal::Refusal};

/// What is restored from.
#[derive(Debug)]
pub(crate) enum Source {
    /// One of ours, whole.
    Manifest(Box<Manifest>),
    /// One collection's snapshot file.
    File(Origin),
}

/// Where a snapshot file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the bucket.
    Object(ObjectKey),
    /// Where the node fetches it from itself.
    Url(String),
}

/// What `latest` and `before` look for when everything is to come back.
const OF_ALL: &str =
    "of all collections (one of some, or from before that was noted, is restored by its id)";

/// Finds the snapshot.
///
/// # Errors
/// `Refused` when there is none; `Store`.
pub(crate) async fn find(
    request: &RestoreRequest,
    store: &SnapshotStore,
    bucket: &str,
    noted: &Noted,
) -> Result<Source, RestoreError> {
    if let Some(id) = &noted.snapshot {
        return of_id(store, id).await;
    }
    if let Some(key) = &noted.file {
        return Ok(Source::File(Origin::Object(at_root(key)?)));
    }
    match &request.from {
        RestoreFrom::Latest => latest(store, &request.what, None).await,
        RestoreFrom::Before(time) => latest(store, &request.what, Some(*time)).await,
        RestoreFrom::Id(id) => of_id(store, id).await,
        RestoreFrom::Url(url) => Ok(Source::File(origin(url, bucket)?)),
        RestoreFrom::PythonLatest { host } => newest(store, &request.what, host).await,
    }
}

async fn of_id(store: &SnapshotStore, id: &str) -> Result<Source, RestoreError> {
    let id: SnapshotId = id.parse().map_err(Refusal::SnapshotId)?;
    match store.get_manifest(&id).await {
        Ok(manifest) => Ok(Source::Manifest(Box::new(manifest))),
        Err(StoreError::NoSnapshot { .. }) => Err(Refusal::Incomplete { id }.into()),
        Err(error) => Err(error.into()),
    }
}

async fn latest(
    store: &SnapshotStore,
    what: &RestoreWhat,
    before: Option<Timestamp>,
) -> Result<Source, RestoreError> {
    match containing(store, what, before).await? {
        Some(manifest) => Ok(Source::Manifest(Box::new(manifest))),
        None => {
            let of = match what {
                RestoreWhat::Cluster => OF_ALL.to_owned(),
                RestoreWhat::Collections(names) => format!("of {}", names.join(", ")),
            };
            let wanted = match before {
                Some(time) => format!("{of} from before {time}"),
                None => of,
            };
            Err(Refusal::NoSnapshot { wanted }.into())
        }
    }
}

/// The newest complete snapshot that has all of it: schedules of single collections may share a bucket. For a whole
/// cluster it is one that says that all was asked for: else a snapshot of one collection, being newer, would be
/// restored in place of everything. By its id any is taken. A manifest that cannot be read ends the search, since an
/// older snapshot is not what was asked for.
async fn containing(
    store: &SnapshotStore,
    what: &RestoreWhat,
    before: Option<Timestamp>,
) -> Result<Option<Manifest>, RestoreError> {
    for listed in store.list().await? {
        let in_time = before.is_none_or(|time| listed.id.time() < time);
        if !listed.complete || !in_time {
            continue;
        }
        let manifest = match store.get_manifest(&listed.id).await {
            Ok(manifest) => manifest,
            // Retention was faster.
            Err(StoreError::NoSnapshot { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let has_all = match what {
            RestoreWhat::Cluster => manifest.is_whole(),
            RestoreWhat::Collections(names) => {
                names.iter().all(|name| manifest.collection(name).is_some())
            }
        };
        if has_all {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

/// Python's newest file of that host, or our newest snapshot with that collection, whichever is newer.
async fn newest(
    store: &SnapshotStore,
    what: &RestoreWhat,
    host: &str,
) -> Result<Source, RestoreError> {
    let ours = containing(store, what, None).await?;
    let theirs = match what {
        RestoreWhat::Collections(names) if names.len() == 1 => {
            store.python_latest(host, &names[0]).await?
        }
        RestoreWhat::Collections(_) | RestoreWhat::Cluster => None,
    };
    match (ours, theirs) {
        (Some(manifest), Some(key)) if written(key.as_str()) > Some(manifest.id.time()) => {
            Ok(Source::File(Origin::Object(key)))
        }
        (Some(manifest), _) => Ok(Source::Manifest(Box::new(manifest))),
        (None, Some(key)) => Ok(Source::File(Origin::Object(key))),
        (None, None) => {
            let wanted = format!("of it, and none that the Python Alioth wrote for {host}");
            Err(Refusal::NoSnapshot { wanted }.into())
        }
    }
}

/// When Qdrant wrote a snapshot, by the name it gave it: `<collection>-<peer>-2026-11-22-12-15-00.snapshot`.
fn written(key: &str) -> Option<Timestamp> {
    const FORM: &str = "%Y-%m-%d-%H-%M-%S";
    const LENGTH: usize = 19;
    let name = key.strip_suffix(".snapshot")?;
    let time = name.get(name.len().checked_sub(LENGTH)?..)?;
    let time = DateTime::strptime(FORM, time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A URL as something to read. `s3://` means this bucket, with the credentials at hand, and no other.
fn origin(url: &str, bucket: &str) -> Result<Origin, Refusal> {
    let Some(rest) = url.strip_prefix("s3://") else {
        return Ok(Origin::Url(url.to_owned()));
    };
    let Some((found, key)) = rest.split_once('/') else {
        let reason = "names no object".to_owned();
        return Err(Refusal::Url { reason });
    };
    if found != bucket {
        let reason = format!("is of bucket {found}, and {bucket} is configured");
        return Err(Refusal::Url { reason });
    }
    Ok(Origin::Object(at_root(key)?))
}

fn at_root(key: &str) -> Result<ObjectKey, Refusal> {
    ObjectKey::at_root(key).map_err(|error| Refusal::Url {
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qdrant_s_names_tell_their_time() {
        let key = "collection/q1/movies/movies-8123-2026-11-22-12-15-00.snapshot";
        let time: Timestamp = "2026-11-22T12:15:00Z".parse().unwrap();
        assert_eq!(written(key), Some(time));
        assert_eq!(written("collection/q1/movies/by-hand.snapshot"), None);
        assert_eq!(written("x.snapshot"), None);
    }

    #[test]
    fn an_s3_url_is_of_the_configured_bucket() {
        let at = |url| origin(url, "backups");
        let key = ObjectKey::at_root("collection/q1/movies/a.snapshot").unwrap();
        let object = at("s3://backups/collection/q1/movies/a.snapshot");
        assert_eq!(object, Ok(Origin::Object(key)));
        assert!(at("s3://other/a.snapshot").is_err());
        assert!(at("s3://backups").is_err());
        assert!(at("s3://backups/../a.snapshot").is_err());
        let url = "https://elsewhere/a.snapshot".to_owned();
        assert_eq!(at(&url), Ok(Origin::Url(url.clone())));
    }
}
