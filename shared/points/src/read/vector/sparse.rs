//! Sparse vectors, `{"indices": […], "values": […]}`, written as `qdrant.SparseVector`.
use super::{EXPECTED, Reader, Shape};
use crate::error::{Fault, Parsed, shortened};
use crate::json::{Number, given_twice};
use crate::wire::{close, open, put_varint, varint_len};

/// `Vector.sparse`.
const SPARSE: &[u8] = &[0xb2, 0x06];
/// `SparseVector.indices`: packed.
const INDICES: &[u8] = &[0x12];

impl Reader<'_> {
    /// Reads a sparse vector.
    pub(super) fn sparse(&mut self) -> Parsed<Shape> {
        let sparse = open(&mut self.draft.arena, SPARSE, self.last_vectors);
        let start = self.json.offset();
        let keys = self.keys.enter();
        let mut more = self.json.open_object(EXPECTED)?;
        let mut values = None;
        let mut indices = false;
        while more {
            let key = self.json.raw_key()?;
            match &*self.json.resolve(key)? {
                b"indices" if !indices => {
                    self.sparse_indices()
                        .map_err(|fault| fault.within("indices"))?;
                    indices = true;
                }
                b"values" if values.is_none() => {
                    values = Some(
                        self.sparse_values()
                            .map_err(|fault| fault.within("values"))?,
                    )
                }
                b"indices" | b"values" => return Err(given_twice(&self.json, key)),
                _ => {
                    self.keys.push(key);
                    self.json.skip()?;
                }
            }
            more = self.json.next_member()?;
        }
        self.keys.leave(&self.json, keys)?;
        let (Some(values), true) = (values, indices) else {
            let missing = if indices { "values" } else { "indices" };
            return Err(Fault::wrong_type(start, "missing").within(missing));
        };
        self.put_indices(values)?;
        close(&mut self.draft.arena, sparse);
        Ok(Shape::Sparse)
    }

    fn sparse_values(&mut self) -> Parsed<usize> {
        if !self.json.open_array("a list of numbers")? {
            return Ok(0);
        }
        self.data(self.indices.len())
    }

    fn sparse_indices(&mut self) -> Parsed<()> {
        self.indices.clear();
        let mut more = self.json.open_array("a list of unsigned 32-bit integers")?;
        while more {
            let index = self
                .sparse_index()
                .map_err(|fault| fault.at_index(self.indices.len()))?;
            self.indices.push(index);
            more = self.json.next_item()?;
        }
        Ok(())
    }

    fn sparse_index(&mut self) -> Parsed<u32> {
        let from = match self.json.peek() {
            Some(b'-' | b'0'..=b'9') => self.json.offset(),
            _ => return Err(self.json.unexpected("an unsigned 32-bit integer")),
        };
        match self.json.number()? {
            Number::Integer(value) if u32::try_from(value).is_ok() => Ok(value as u32),
            Number::Integer(_) | Number::Unsigned(_) | Number::Double(_) => {
                let text = shortened(self.json.since(from));
                Err(Fault::invalid(format!(
                    "{text} is not an unsigned 32-bit integer"
                )))
            }
        }
    }

    /// Writes the indices after as many values.
    fn put_indices(&mut self, values: usize) -> Parsed<()> {
        if self.indices.len() != values {
            let message = format!(
                "as many indices as values are wanted, found {} and {values}",
                self.indices.len()
            );
            return Err(Fault::invalid(message).within("indices"));
        }
        if let Some(twice) = first_twice(&self.indices) {
            return Err(Fault::invalid(format!("{twice} is given twice")).within("indices"));
        }
        if values == 0 {
            return Ok(());
        }
        let out = &mut self.draft.arena;
        out.extend_from_slice(INDICES);
        put_varint(
            out,
            self.indices
                .iter()
                .map(|&index| varint_len(index.into()) as u64)
                .sum(),
        );
        for &index in &self.indices {
            put_varint(out, index.into());
        }
        Ok(())
    }
}

/// The smallest number that is there twice.
fn first_twice(numbers: &[u32]) -> Option<u32> {
    if numbers.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}
