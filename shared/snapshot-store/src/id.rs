//! Names of snapshots: when they began, and eight hexadecimal digits that keep two of one second apart, in their order.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The time's form; sorts as text the way it sorts as time.
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// `20261122T121500Z`.
const TIME_LENGTH: usize = 16;
const RANDOM_LENGTH: usize = 8;

/// A snapshot's name, `<utc time>-<8 hex>`, as `20261122T121500Z-1f0c9ab2`. Sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId {
    text: String,
    time: Timestamp,
}

/// A text that is no snapshot's name. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no snapshot id: wanted as 20261122T121500Z-1f0c9ab2")]
pub struct ParseIdError {
    text: String,
}

impl SnapshotId {
    /// Names a snapshot that begins at `at`, cut to the second. `random` keeps it apart from others of that second.
    pub fn new(at: Timestamp, random: u32) -> Self {
        let time = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let text = format!("{}-{random:08x}", time.strftime(TIME_FORMAT));
        Self { text, time }
    }

    /// When the snapshot began, to the second.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for SnapshotId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseIdError {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<SnapshotId> {
    let (time, random) = text.split_once('-')?;
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if time.len() != TIME_LENGTH || random.len() != RANDOM_LENGTH || !random.bytes().all(lower_hex)
    {
        return None;
    }
    let civil = DateTime::strptime(TIME_FORMAT, time).ok()?;
    let time = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let id = SnapshotId::new(time, u32::from_str_radix(random, 16).ok()?);
    // The parser of times is laxer than the form: a name must be the one that `new` gives.
    (id.text == text).then_some(id)
}

impl TryFrom<String> for SnapshotId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> Self {
        id.text
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_second_and_sorts_by_it() {
        let at: Timestamp = "2026-11-22T12:15:00.999Z".parse().unwrap();
        let id = SnapshotId::new(at, 0x1f0c_9ab2);
        assert_eq!(id.as_str(), "20261122T121500Z-1f0c9ab2");
        assert_eq!(id.time().to_string(), "2026-11-22T12:15:00Z");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        let later = SnapshotId::new("2026-11-22T12:15:01Z".parse().unwrap(), 0);
        assert!(id < later && id.as_str() < later.as_str());
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"20261122T121500Z-1f0c9ab2\"");
        assert_eq!(serde_json::from_str::<SnapshotId>(&json).unwrap(), id);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "",
            "20261122T121500Z",
            "20261122T121500Z-",
            "20261122T121500Z-1F0C9AB2",
            "20261122T121500Z-1f0c9ab",
            "20261122T121500Z-1f0c9ab2/",
            "20261122T121500Z-../../..",
            "20261322T121500Z-1f0c9ab2",
            "20261122T256000Z-1f0c9ab2",
            "2026112 T121500Z-1f0c9ab2",
            "+0261122T121500Z-1f0c9ab2",
            "20261122t121500z-1f0c9ab2",
        ] {
            assert!(bad.parse::<SnapshotId>().is_err(), "{bad:?}");
        }
    }
}
