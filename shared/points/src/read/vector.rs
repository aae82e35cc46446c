//! Vectors: dense, multi-dense, named; written as `qdrant.Vectors` while they are read.
mod sparse;

use super::{Reader, Shape, Span};
use crate::error::{Fault, Parsed};
use crate::json::given_twice;
use crate::wire::{close, open, put_bytes, varint_len};

/// `PointStruct.vectors`.
pub(super) const VECTORS: &[u8] = &[0x22];
/// `Vectors.vector`.
const VECTOR: &[u8] = &[0x0a];
/// `Vectors.vectors`.
pub(super) const NAMED: &[u8] = &[0x12];
/// `NamedVectors.vectors`, a map's entry; its key and its value.
const ENTRY: &[u8] = &[0x0a];
const ENTRY_KEY: u8 = 0x0a;
const ENTRY_VALUE: &[u8] = &[0x12];
/// `Vector.dense`, `.multi_dense`.
const DENSE: &[u8] = &[0xaa, 0x06];
const MULTI: &[u8] = &[0xba, 0x06];
/// `DenseVector.data`, `SparseVector.values`: packed.
const DATA: &[u8] = &[0x0a];
/// `MultiDenseVector.vectors`.
const ROW: &[u8] = &[0x0a];
/// A point without vectors: named vectors, none of them. The field must be there all the same, Qdrant
/// refuses a point that lacks it.
const NO_VECTORS: &[u8] = &[0x22, 0x02, 0x12, 0x00];
/// Numbers in a matrix must be fewer. Source: Qdrant's `MAX_MULTIVECTOR_FLATTENED_LEN`.
const MAX_MATRIX: usize = 1024 * 1024;
/// Message levels down to `Vector` in an unnamed and in a named vector.
const VECTOR_LEVEL: u32 = 3;
const NAMED_VECTOR_LEVEL: u32 = 5;

const EXPECTED: &str = "a vector: a list of numbers, a list of such lists, or an object";

impl Reader<'_> {
    /// Writes the field `vectors` of a point that has none.
    pub(super) fn no_vectors(&mut self) -> Parsed<Span> {
        let start = self.draft.arena.len();
        self.draft.arena.extend_from_slice(NO_VECTORS);
        self.draft.span(start)
    }

    /// Reads all a point's vectors and writes them as its field `vectors`.
    pub(super) fn point_vectors(&mut self, point: usize) -> Parsed<Span> {
        let start = self.draft.arena.len();
        match self.json.peek() {
            Some(b'[') => {
                let name = self.draft.shapes.name(b"")?;
                let vectors = open(&mut self.draft.arena, VECTORS, self.last_vectors);
                let vector = open(&mut self.draft.arena, VECTOR, self.last_vectors);
                let shape = self.list_vector(name)?;
                self.draft.shapes.note(name, point, shape);
                close(&mut self.draft.arena, vector);
                close(&mut self.draft.arena, vectors);
            }
            Some(b'{') => self.named_or_inference(point, start)?,
            Some(b'n') => {
                self.json.literal(b"null")?;
                return self.no_vectors();
            }
            _ => return Err(self.json.unexpected(EXPECTED)),
        }
        self.last_vectors = self.draft.arena.len() - start;
        self.draft.span(start)
    }

    /// An object in a vector's place: names and vectors, or what one is inferred from. Qdrant tries the
    /// names first and so do we.
    fn named_or_inference(&mut self, point: usize, start: usize) -> Parsed<()> {
        let object = self.json.offset();
        let (keys, noted) = (self.keys.enter(), self.draft.shapes.mark());
        let vectors = open(&mut self.draft.arena, VECTORS, self.last_vectors);
        let named = open(&mut self.draft.arena, NAMED, self.last_vectors);
        match self.named(point) {
            Ok(()) => {
                close(&mut self.draft.arena, named);
                close(&mut self.draft.arena, vectors);
                Ok(())
            }
            Err(_) if self.is_inference(object) => {
                self.keys.forget(keys);
                self.draft.shapes.back_to(noted);
                self.draft.arena.truncate(start);
                self.json.go(object);
                self.unnamed_inference(point)
            }
            // Cut off before its `model` it may have been one: then it is the cut that is to be told.
            Err(fault) => self.json.probe(object).skip().and(Err(fault)),
        }
    }

    fn unnamed_inference(&mut self, point: usize) -> Parsed<()> {
        let vectors = open(&mut self.draft.arena, VECTORS, 0);
        let vector = open(&mut self.draft.arena, VECTOR, 0);
        self.inference(VECTOR_LEVEL)?;
        let name = self.draft.shapes.name(b"")?;
        self.draft.shapes.note(name, point, Shape::Inference);
        close(&mut self.draft.arena, vector);
        close(&mut self.draft.arena, vectors);
        Ok(())
    }

    /// Names and their vectors.
    fn named(&mut self, point: usize) -> Parsed<()> {
        let mut more = self.json.open_object(EXPECTED)?;
        while more {
            let key = self.json.raw_key()?;
            let text = self.json.resolve(key)?;
            let name = self.draft.shapes.name(&text)?;
            if self.draft.shapes.seen_in(name, point) {
                return Err(given_twice(&self.json, key));
            }
            self.named_vector(&text, name, point)
                .map_err(|fault| fault.within(&String::from_utf8_lossy(&text)))?;
            more = self.json.next_member()?;
        }
        Ok(())
    }

    /// One entry of `NamedVectors.vectors`.
    pub(super) fn named_vector(&mut self, text: &[u8], name: usize, point: usize) -> Parsed<()> {
        let size = 4 * self.draft.shapes.last_size(name);
        let entry = open(&mut self.draft.arena, ENTRY, size + text.len());
        put_bytes(&mut self.draft.arena, ENTRY_KEY, text);
        let value = open(&mut self.draft.arena, ENTRY_VALUE, size);
        let shape = match self.json.peek() {
            Some(b'[') => self.list_vector(name)?,
            Some(b'{') => self.object_vector()?,
            _ => return Err(self.json.unexpected(EXPECTED)),
        };
        self.draft.shapes.note(name, point, shape);
        close(&mut self.draft.arena, value);
        close(&mut self.draft.arena, entry);
        Ok(())
    }

    /// An object under a vector's name: sparse, or what a vector is inferred from.
    fn object_vector(&mut self) -> Parsed<Shape> {
        let object = self.json.offset();
        let mut probe = self.json.probe(object);
        let sparse =
            probe.open_object(EXPECTED)? && matches!(&*probe.key()?, b"indices" | b"values");
        if sparse || !self.is_inference(object) {
            return self.sparse();
        }
        self.inference(NAMED_VECTOR_LEVEL)?;
        Ok(Shape::Inference)
    }

    /// A list: of numbers, or of such lists.
    fn list_vector(&mut self, name: usize) -> Parsed<Shape> {
        let expected = self.draft.shapes.last_size(name);
        if !self.json.open_array(EXPECTED)? {
            return Err(Fault::invalid("a vector may not be empty"));
        }
        if self.json.peek() == Some(b'[') {
            return self.matrix(expected).map(Shape::Multi);
        }
        let dense = open(&mut self.draft.arena, DENSE, dense_len(expected));
        let count = self.data(expected)?;
        close(&mut self.draft.arena, dense);
        Ok(Shape::Dense(count))
    }

    /// The numbers of a list, after its bracket, as a packed field.
    fn data(&mut self, expected: usize) -> Parsed<usize> {
        let data = open(&mut self.draft.arena, DATA, 4 * expected);
        let count = self.json.elements(&mut self.draft.arena, expected)?;
        close(&mut self.draft.arena, data);
        Ok(count)
    }

    /// The rows of a matrix, after its bracket; tells their size.
    fn matrix(&mut self, expected: usize) -> Parsed<usize> {
        let multi = open(&mut self.draft.arena, MULTI, self.last_vectors);
        let mut size = expected;
        let mut rows = 0;
        loop {
            let count = self.row(size).map_err(|fault| fault.at_index(rows))?;
            if rows > 0 && count != size {
                let message =
                    format!("expected {size} dimensions as in the rows before, found {count}");
                return Err(Fault::invalid(message).at_index(rows));
            }
            size = count;
            rows += 1;
            if rows.saturating_mul(size) >= MAX_MATRIX {
                return Err(Fault::invalid(format!(
                    "the rows hold {MAX_MATRIX} numbers or more"
                )));
            }
            if !self.json.next_item()? {
                break;
            }
        }
        close(&mut self.draft.arena, multi);
        Ok(size)
    }

    fn row(&mut self, expected: usize) -> Parsed<usize> {
        if !self.json.open_array("a list of numbers")? {
            return Err(Fault::invalid("a vector may not be empty"));
        }
        let row = open(&mut self.draft.arena, ROW, dense_len(expected));
        let count = self.data(expected)?;
        close(&mut self.draft.arena, row);
        Ok(count)
    }
}

/// Bytes of a `DenseVector`'s content.
fn dense_len(size: usize) -> usize {
    1 + varint_len(4 * size as u64) + 4 * size
}
