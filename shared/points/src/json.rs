//! A strict JSON reader over bytes in memory (RFC 8259): it walks, it builds nothing.
//! Knows nothing of points.
mod cursor;
mod element;
mod keys;
mod number;
mod skip;
mod text;

pub(crate) use cursor::Cursor;
pub(crate) use keys::{Keys, given_twice};
pub(crate) use number::Number;
pub(crate) use skip::Member;
