//! A body with room for ids.

use super::id;

/// Digits of every id.
const DIGITS: usize = 12;

/// A body whose ids are filled in for each write.
#[derive(Debug, Clone, Default)]
pub struct Template {
    bytes: Vec<u8>,
    /// Where ids begin.
    ids: Vec<usize>,
}

impl Template {
    pub(super) fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn id(&mut self) {
        self.ids.push(self.bytes.len());
        self.bytes.extend_from_slice(&[b'0'; DIGITS]);
    }

    /// Points in it.
    pub fn points(&self) -> usize {
        self.ids.len()
    }

    /// Bytes of every body.
    pub fn body_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the body with the ids of the so-manieth point and those after it.
    pub fn write(&self, first: u64, body: &mut Vec<u8>) {
        let start = body.len();
        body.extend_from_slice(&self.bytes);
        for (number, place) in (first..).zip(&self.ids) {
            let mut rest = id(number);
            for digit in body[start + place..start + place + DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}
