//! What no collection, host or URL can be.

use crate::{error::RequestError, host::Host};

/// As Qdrant limits it, in characters.
const LONGEST_NAME_CHARS: usize = 255;
/// Source: RFC 1035, 2.3.4.
const LONGEST_HOST_BYTES: usize = 255;

/// Refuses what cannot be a collection's name, or a glob of names.
pub(crate) fn name(field: impl Into<String>, name: &str) -> Result<(), RequestError> {
    let message = if name.is_empty() {
        "is empty"
    } else if name.chars().count() > LONGEST_NAME_CHARS {
        "is longer than 255 characters"
    } else if name.chars().any(char::is_control) {
        "has a control character in it"
    } else {
        return Ok(());
    };
    Err(RequestError::invalid(field, message))
}

/// Checks a list of names.
pub(crate) fn names(field: &str, names: &[String]) -> Result<(), RequestError> {
    for (index, text) in names.iter().enumerate() {
        name(format!("{field}[{index}]"), text)?;
    }
    Ok(())
}

/// Refuses what names no host. It becomes part of keys in the bucket, so it is held to a host name's letters.
pub(crate) fn host(field: &str, host: &Host) -> Result<(), RequestError> {
    let name = host.host.as_str();
    let in_a_name = |letter: char| letter.is_ascii_alphanumeric() || "._-:[]".contains(letter);
    let message = if name.is_empty() {
        "is empty"
    } else if name.len() > LONGEST_HOST_BYTES {
        "is longer than 255 bytes"
    } else if !name.chars().all(in_a_name) || name.chars().all(|letter| letter == '.') {
        "is no host name or address"
    } else {
        return Ok(());
    };
    Err(RequestError::invalid(format!("{field}.host"), message))
}

/// Refuses what is no URL of a snapshot. `file:` would read the disk of whichever node is asked.
pub(crate) fn url(field: &str, url: &str) -> Result<(), RequestError> {
    let rest = ["https://", "http://", "s3://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let message = match rest {
        None => "must begin with https://, http:// or s3://",
        Some(rest) if rest.is_empty() || rest.starts_with('/') => "names no host",
        Some(rest) if rest.contains(|letter: char| letter.is_control() || letter == ' ') => {
            "has a blank or a control character in it"
        }
        Some(_) => return Ok(()),
    };
    Err(RequestError::invalid(field, message))
}
