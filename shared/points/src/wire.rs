//! Protobuf's wire format, as far as `qdrant.UpsertPoints` needs it: varints, tags and length prefixes,
//! always in their shortest form. Knows no message.

/// `qdrant.UpsertPoints`, by field.
pub(crate) mod upsert {
    pub(crate) const COLLECTION_NAME: u8 = 0x0a;
    pub(crate) const POINT: u8 = 0x1a;
    pub(crate) const ORDERING: u8 = 0x22;
    pub(crate) const SHARD_KEY_SELECTOR: u8 = 0x2a;
    pub(crate) const UPDATE_FILTER: u8 = 0x32;
    pub(crate) const TIMEOUT: u8 = 0x38;
    pub(crate) const UPDATE_MODE: u8 = 0x40;
    /// Field `wait` and its value, true.
    pub(crate) const WAIT_TRUE: &[u8] = &[0x10, 0x01];
}

/// Bytes `value` takes as a varint.
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    // 7 bits a byte: (bits * 9 + 64) / 64 is bits / 7 rounded up for 1..=64 bits.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) / 64
}

/// Appends `value` as a varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Appends a double field.
#[inline]
pub(crate) fn put_double(out: &mut Vec<u8>, tag: u8, value: f64) {
    out.push(tag);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a varint field.
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, tag: u8, value: u64) {
    out.push(tag);
    put_varint(out, value);
}

/// A length-delimited field that is being written: its content starts at `content`, after `width` bytes of length.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Open {
    content: usize,
    width: usize,
}

/// Starts a length-delimited field of about `expected` bytes; [`close`] is cheapest when the guess is as long as a varint.
#[inline]
pub(crate) fn open(out: &mut Vec<u8>, tag: &[u8], expected: usize) -> Open {
    let width = varint_len(expected as u64);
    out.extend_from_slice(tag);
    out.extend_from_slice(&[0; 10][..width]);
    Open {
        content: out.len(),
        width,
    }
}

/// Ends a field: writes its length, and moves its content when the length takes more or fewer bytes than guessed.
#[inline]
pub(crate) fn close(out: &mut Vec<u8>, field: Open) {
    let Open { content, width } = field;
    let len = out.len() - content;
    let needed = varint_len(len as u64);
    if needed != width {
        resize_prefix(out, content, width, needed);
    }
    let mut value = len as u64;
    let prefix = &mut out[content - width..][..needed];
    for byte in &mut prefix[..needed - 1] {
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    prefix[needed - 1] = value as u8;
}

/// Moves everything from `content` on so that `needed` bytes lie before it instead of `width`.
#[cold]
fn resize_prefix(out: &mut Vec<u8>, content: usize, width: usize, needed: usize) {
    let end = out.len();
    if needed > width {
        out.resize(end + needed - width, 0);
        out.copy_within(content..end, content + needed - width);
    } else {
        out.copy_within(content..end, content - (width - needed));
        out.truncate(end - (width - needed));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_are_as_long_as_is_told(value in any::<u64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_len(value));
            prop_assert_eq!(prost::decode_length_delimiter(&*out).ok(), usize::try_from(value).ok());
        }

        #[test]
        fn a_field_is_the_same_whatever_length_was_expected(
            len in prop_oneof![0..300_usize, 16_000..17_000_usize],
            expected in prop_oneof![0..300_usize, 16_000..17_000_usize, Just(1 << 40)],
        ) {
            let content: Vec<u8> = (0..len).map(|index| index as u8).collect();
            let mut plain = b"before".to_vec();
            put_bytes(&mut plain, 0x0a, &content);
            let mut opened = b"before".to_vec();
            let field = open(&mut opened, &[0x0a], expected);
            opened.extend_from_slice(&content);
            close(&mut opened, field);
            prop_assert_eq!(opened, plain);
        }
    }
}
