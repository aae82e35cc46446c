//! Types of settings that a bare number or string would leave ambiguous.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A password, key or URL with one in it. Never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret(String);

impl Secret {
    /// Hands out the value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it was left unset.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// That many kibibytes.
    pub const fn kib(count: u64) -> Self {
        Self(count * 1024)
    }

    /// That many mebibytes.
    pub const fn mib(count: u64) -> Self {
        Self(count * 1024 * 1024)
    }

    /// The size as an index into memory; saturates where an address is narrower than 64 bits.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A text that is no value of the wanted type. Does not repeat the text. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseValueError {
    /// Not a number of bytes.
    #[error("expected bytes, or a number with KiB, MiB, GiB, KB, MB or GB")]
    ByteSize,
    /// Not a length of time.
    #[error("expected a number with ms, s, m or h")]
    Span,
}

const BYTE_UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
    ("", 1),
];

// "ms" before "s" and "m": the first suffix that fits is taken.
const TIME_UNITS_MS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl FromStr for ByteSize {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        scaled(text, &BYTE_UNITS)
            .map(Self)
            .ok_or(ParseValueError::ByteSize)
    }
}

impl FromStr for Span {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        scaled(text, &TIME_UNITS_MS)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or(ParseValueError::Span)
    }
}

/// Reads `<whole number><unit>`, blanks allowed between, and multiplies.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, factor)))?;
    digits.trim_end().parse::<u64>().ok()?.checked_mul(*factor)
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_sizes_take_binary_and_decimal_units() {
        assert_eq!("4096".parse(), Ok(ByteSize(4096)));
        assert_eq!("256KiB".parse(), Ok(ByteSize::kib(256)));
        assert_eq!("32 MiB".parse(), Ok(ByteSize::mib(32)));
        assert_eq!("1GB".parse(), Ok(ByteSize(1_000_000_000)));
        for bad in ["", "KiB", "-1", "1.5MiB", "12XiB", "99999999999GiB"] {
            assert_eq!(
                bad.parse::<ByteSize>(),
                Err(ParseValueError::ByteSize),
                "{bad}"
            );
        }
    }

    #[test]
    fn spans_want_a_unit() {
        assert_eq!("45s".parse(), Ok(Span(Duration::from_secs(45))));
        assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!("2m".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("1h".parse(), Ok(Span(Duration::from_secs(3600))));
        for bad in ["", "45", "s", "-1s", "1.5s", "99999999999999999999h"] {
            assert_eq!(bad.parse::<Span>(), Err(ParseValueError::Span), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_in_its_debug_output() {
        assert_eq!(
            format!("{:?}", Some(Secret::from("hunter2"))),
            "Some([redacted])"
        );
    }
}
