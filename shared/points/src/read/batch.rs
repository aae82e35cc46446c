//! The batch form: `"batch": {"ids": […], "vectors": …, "payloads": […]}`, in any order of the three.
use super::{Place, Reader, Span, read_id};
use crate::error::{Fault, Parsed};
use crate::json::given_twice;
use crate::wire::{close, open};

/// What a batch calls its vectors.
pub(super) const VECTORS: &str = "vectors";
const IDS: &str = "ids";
const PAYLOADS: &str = "payloads";

/// A batch's vectors, before they are matched with its ids.
#[derive(Debug)]
enum Columns {
    /// No vectors at all.
    None,
    /// Per point its field `vectors`.
    Rows(Vec<Span>),
    /// Per name, per point, an entry of `NamedVectors`.
    Named(Vec<(String, Vec<Span>)>),
}

impl Reader<'_> {
    /// Reads a batch.
    pub(super) fn batch(&mut self) -> Parsed<()> {
        self.json.peek();
        let start = self.json.offset();
        self.place = Place::Batch(start);
        let keys = self.keys.enter();
        let (mut ids, mut columns, mut payloads) = (None, None, None);
        let mut more = self.json.open_object("a batch: an object")?;
        while more {
            let key = self.json.raw_key()?;
            match &*self.json.resolve(key)? {
                b"ids" if ids.is_none() => ids = Some(self.ids()?),
                b"vectors" if columns.is_none() => columns = Some(self.columns()?),
                b"payloads" if payloads.is_none() => payloads = Some(self.payloads()?),
                b"ids" | b"vectors" | b"payloads" => return Err(given_twice(&self.json, key)),
                _ => {
                    self.keys.push(key);
                    self.json.skip()?;
                }
            }
            more = self.json.next_member()?;
        }
        self.keys.leave(&self.json, keys)?;
        let Some(points) = ids else {
            return Err(Fault::wrong_type(start, "missing").within(IDS));
        };
        self.draft.vectors = self.vectors_of(columns.unwrap_or(Columns::None), points)?;
        let payloads = payloads
            .flatten()
            .unwrap_or_else(|| vec![Span::default(); points]);
        same_length(PAYLOADS, payloads.len(), points)?;
        self.draft.payloads = payloads;
        Ok(())
    }

    /// Reads the ids and tells how many.
    fn ids(&mut self) -> Parsed<usize> {
        let mut more = self
            .json
            .open_array("a list of ids")
            .map_err(|fault| fault.within(IDS))?;
        while more {
            let index = self.draft.ids.len();
            read_id(&mut self.json)
                .and_then(|id| self.draft.push_id(id))
                .map_err(|fault| fault.of_point(index, "id", IDS))?;
            more = self.json.next_item()?;
        }
        Ok(self.draft.ids.len())
    }

    /// Reads the payloads; `null` is none.
    fn payloads(&mut self) -> Parsed<Option<Vec<Span>>> {
        if self.json.take_null()? {
            return Ok(None);
        }
        let mut payloads = Vec::with_capacity(self.draft.ids.len());
        let mut more = self
            .json
            .open_array("a list of payloads")
            .map_err(|fault| fault.within(PAYLOADS))?;
        while more {
            let index = payloads.len();
            payloads.push(
                self.payload()
                    .map_err(|fault| fault.of_point(index, "payload", PAYLOADS))?,
            );
            more = self.json.next_item()?;
        }
        Ok(Some(payloads))
    }

    /// Reads the vectors, a list of points' vectors or a list a name.
    fn columns(&mut self) -> Parsed<Columns> {
        match self.json.peek() {
            Some(b'n') => self.json.literal(b"null").map(|()| Columns::None),
            Some(b'[') => self.rows().map(Columns::Rows),
            Some(b'{') => self.named_columns().map(Columns::Named),
            _ => Err(self
                .json
                .unexpected("a list of vectors, or an object of such lists")
                .within(VECTORS)),
        }
    }

    fn rows(&mut self) -> Parsed<Vec<Span>> {
        let mut rows = Vec::with_capacity(self.draft.ids.len());
        let mut more = self.json.open_array("a list of vectors")?;
        while more {
            let index = rows.len();
            rows.push(
                self.point_vectors(index)
                    .map_err(|fault| fault.of_point(index, VECTORS, VECTORS))?,
            );
            more = self.json.next_item()?;
        }
        Ok(rows)
    }

    fn named_columns(&mut self) -> Parsed<Vec<(String, Vec<Span>)>> {
        let mut columns = Vec::new();
        let mut more = self.json.open_object("an object")?;
        while more {
            let key = self.json.raw_key()?;
            let text = self.json.resolve(key)?;
            let name = self.draft.shapes.name(&text)?;
            if self.draft.shapes.seen_in(name, 0) {
                return Err(given_twice(&self.json, key).within(VECTORS));
            }
            let path = format!("{VECTORS}.{}", String::from_utf8_lossy(&text));
            let column = self.column(&text, name, &path)?;
            columns.push((path, column));
            more = self.json.next_member()?;
        }
        Ok(columns)
    }

    /// Reads one name's vectors.
    fn column(&mut self, text: &[u8], name: usize, path: &str) -> Parsed<Vec<Span>> {
        let mut column = Vec::new();
        let mut more = self
            .json
            .open_array("a list of vectors")
            .map_err(|fault| fault.within(path))?;
        while more {
            let index = column.len();
            let start = self.draft.arena.len();
            let entry = self
                .named_vector(text, name, index)
                .and_then(|()| self.draft.entry(start))
                .map_err(|fault| fault.of_point(index, path, path))?;
            column.push(entry);
            more = self.json.next_item()?;
        }
        Ok(column)
    }

    /// Matches the vectors with `points` points: per point its field `vectors`.
    fn vectors_of(&mut self, columns: Columns, points: usize) -> Parsed<Vec<Span>> {
        let columns = match columns {
            Columns::Rows(rows) => {
                same_length(VECTORS, rows.len(), points)?;
                return Ok(rows);
            }
            Columns::None => Vec::new(),
            Columns::Named(columns) => columns,
        };
        if columns.is_empty() {
            let none = self.no_vectors()?;
            return Ok(vec![none; points]);
        }
        for (path, column) in &columns {
            same_length(path, column.len(), points)?;
        }
        (0..points)
            .map(|point| self.joined(&columns, point))
            .collect()
    }

    /// Writes the field `vectors` of one point from its entries of every column.
    fn joined(&mut self, columns: &[(String, Vec<Span>)], point: usize) -> Parsed<Span> {
        let out = &mut self.draft.arena;
        let start = out.len();
        let size = columns.iter().map(|(_, column)| column[point].len()).sum();
        let vectors = open(out, super::vector::VECTORS, size);
        let named = open(out, super::vector::NAMED, size);
        for (_, column) in columns {
            out.extend_from_within(column[point].range());
        }
        close(out, named);
        close(out, vectors);
        self.draft.span(start)
    }
}

fn same_length(path: &str, found: usize, points: usize) -> Parsed<()> {
    if found == points {
        return Ok(());
    }
    Err(Fault::invalid(format!("expected as many as ids, {points}, found {found}")).within(path))
}
