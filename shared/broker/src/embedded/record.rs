//! A message as bytes in the file, and back. The first byte is the form's version, so that later ones can be told.

use bytes::Bytes;

use crate::message::{HeaderValue, OutgoingMessage};

const VERSION: u8 = 1;
const TEXT: u8 = 0;
const INT: u8 = 1;

/// A record that cannot be read: the file was written by something else. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("read a record: it is of version {0}")]
    Version(u8),
    #[error("read a record: it ends early")]
    Short,
    #[error("read a record: its {0} is no text")]
    Text(&'static str),
    #[error("read a record: a header is of the unknown type {0}")]
    Header(u8),
}

/// Bytes that [`write()`] fills.
pub(super) fn length(message: &OutgoingMessage) -> usize {
    let header = |(name, value): &(String, HeaderValue)| {
        let value = match value {
            HeaderValue::Text(text) => 4 + text.len(),
            HeaderValue::Int(_) => 8,
        };
        4 + name.len() + 1 + value
    };
    let texts = [&message.content_type, &message.kind, &message.message_id];
    let texts: usize = texts.iter().map(|text| 4 + text.len()).sum();
    1 + texts + 4 + message.headers.iter().map(header).sum::<usize>() + message.body.len()
}

/// Writes a message into exactly [`length`] bytes.
pub(super) fn write(message: &OutgoingMessage, mut into: &mut [u8]) {
    let mut put = |bytes: &[u8]| {
        let (here, rest) = std::mem::take(&mut into).split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        into = rest;
    };
    put(&[VERSION]);
    for text in [&message.content_type, &message.kind, &message.message_id] {
        put(&size(text.len()));
        put(text.as_bytes());
    }
    put(&size(message.headers.len()));
    for (name, value) in &message.headers {
        put(&size(name.len()));
        put(name.as_bytes());
        match value {
            HeaderValue::Text(text) => {
                put(&[TEXT]);
                put(&size(text.len()));
                put(text.as_bytes());
            }
            HeaderValue::Int(number) => {
                put(&[INT]);
                put(&number.to_le_bytes());
            }
        }
    }
    put(&message.body);
}

/// Reads a message.
pub(super) fn read(record: &[u8]) -> Result<OutgoingMessage, RecordError> {
    let mut rest = record;
    match take::<1>(&mut rest)? {
        [VERSION] => {}
        [other] => return Err(RecordError::Version(other)),
    }
    let content_type = text(&mut rest, "content type")?;
    let kind = text(&mut rest, "type")?;
    let message_id = text(&mut rest, "message id")?;
    let count = u32::from_le_bytes(take(&mut rest)?);
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = text(&mut rest, "header")?;
        let value = match take::<1>(&mut rest)? {
            [TEXT] => HeaderValue::Text(text(&mut rest, "header")?),
            [INT] => HeaderValue::Int(i64::from_le_bytes(take(&mut rest)?)),
            [other] => return Err(RecordError::Header(other)),
        };
        headers.push((name, value));
    }
    let body = Bytes::copy_from_slice(rest);
    Ok(OutgoingMessage {
        body,
        content_type,
        kind,
        message_id,
        headers,
    })
}

/// Saturates: a length is bounded by the message, which is bounded far below 4 GiB.
fn size(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or(RecordError::Short)?;
    *rest = left;
    Ok(*taken)
}

fn text(rest: &mut &[u8], what: &'static str) -> Result<String, RecordError> {
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (taken, left) = rest.split_at_checked(length).ok_or(RecordError::Short)?;
    *rest = left;
    let text = std::str::from_utf8(taken).map_err(|_| RecordError::Text(what))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_message() -> impl Strategy<Value = OutgoingMessage> {
        let value = prop_oneof![
            ".*".prop_map(HeaderValue::Text),
            any::<i64>().prop_map(HeaderValue::Int)
        ];
        let headers = proptest::collection::vec((".*", value), 0..4);
        let body = proptest::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
        (body, ".*", ".*", ".*", headers).prop_map(
            |(body, content_type, kind, message_id, headers)| OutgoingMessage {
                body,
                content_type,
                kind,
                message_id,
                headers,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(message in any_message()) {
            let mut record = vec![0; length(&message)];
            write(&message, &mut record);
            prop_assert_eq!(read(&record), Ok(message));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(read(&bytes));
        }
    }

    #[test]
    fn a_later_version_is_refused() {
        assert_eq!(read(&[2]), Err(RecordError::Version(2)));
    }
}
