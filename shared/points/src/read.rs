//! Bodies into wire bytes, in one pass: what is read is written at once, and only places are remembered.
mod batch;
mod body;
mod datetime;
mod draft;
mod filter;
mod inference;
mod path;
mod payload;
mod point;
mod selector;
mod shapes;
mod vector;

use crate::error::{Fault, Parsed, WriteError, shortened};
use crate::id::PointId;
use crate::json::{Cursor, Keys, Number};

pub(crate) use body::{Body, read_ingest, read_upsert};
pub(crate) use draft::{Draft, Span};
pub(crate) use shapes::{Shape, Shapes};

/// Messages that may lie in each other below `UpsertPoints`. A Qdrant server's decoder goes down 100; a
/// cluster wraps an upsert once or twice more to hand it to another peer, so a few are left.
/// Source: prost's `RECURSION_LIMIT`.
const MAX_LEVEL: u32 = 96;

/// Where the points being read stand, so that an error can name one by its id.
#[derive(Debug, Clone, Copy)]
enum Place {
    Nowhere,
    /// Offset of the point's object.
    Point(usize),
    /// Offset of the batch's object.
    Batch(usize),
}

/// Reads one body.
#[derive(Debug)]
struct Reader<'a> {
    json: Cursor<'a>,
    keys: Keys,
    draft: Draft,
    place: Place,
    /// Bytes of the last point's vectors: a good guess for the next one's.
    last_vectors: usize,
    /// Indices of the sparse vector being read.
    indices: Vec<u32>,
}

impl<'a> Reader<'a> {
    fn new(body: &'a [u8]) -> Reader<'a> {
        Reader {
            json: Cursor::new(body),
            keys: Keys::default(),
            draft: Draft::new(body.len()),
            place: Place::Nowhere,
            last_vectors: 0,
            indices: Vec::new(),
        }
    }

    /// The error a fault becomes, its point named by its id if that can be read.
    #[cold]
    fn error(&self, fault: Fault, body: &[u8]) -> WriteError {
        fault.into_error(body, |point| {
            let known = self.draft.ids.get(point).copied();
            known
                .or_else(|| self.find_id(point))
                .map(|id| id.to_string())
        })
    }

    #[cold]
    fn find_id(&self, point: usize) -> Option<PointId> {
        let at = match self.place {
            Place::Nowhere => None,
            Place::Point(object) => self.json.find_member(object, b"id"),
            Place::Batch(object) => {
                let ids = self.json.find_member(object, b"ids")?;
                self.json.find_item(ids, point)
            }
        };
        read_id(&mut self.json.probe(at?)).ok()
    }
}

/// Reads a point's id: an unsigned number or a UUID.
fn read_id(json: &mut Cursor<'_>) -> Parsed<PointId> {
    const EXPECTED: &str = "an unsigned integer or a UUID";
    match json.peek() {
        Some(b'-' | b'0'..=b'9') => {
            let from = json.offset();
            match json.number()? {
                Number::Integer(value) if value >= 0 => Ok(PointId::Num(value.unsigned_abs())),
                Number::Unsigned(value) => Ok(PointId::Num(value)),
                Number::Integer(_) | Number::Double(_) => Err(Fault::invalid(format!(
                    "{} is not {EXPECTED}",
                    shortened(json.since(from))
                ))),
            }
        }
        Some(b'"') => {
            let text = json.text()?;
            PointId::from_uuid_text(&text).ok_or_else(|| {
                Fault::invalid(format!("\"{}\" is not {EXPECTED}", shortened(&text)))
            })
        }
        _ => Err(json.unexpected(EXPECTED)),
    }
}
