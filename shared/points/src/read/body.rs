//! Whole bodies: the Python Alioth's, and Qdrant's upsert.
use super::{Draft, Reader, batch, point};
use crate::error::{Fault, Parsed, WriteError};
use crate::json::given_twice;

/// What a body says.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// Named by the body itself.
    pub(crate) collection_name: String,
    pub(crate) draft: Draft,
    /// What this kind of body calls a point's vectors.
    pub(crate) vectors_field: &'static str,
    /// The field `shard_key_selector`, or nothing.
    pub(crate) shard_key: Vec<u8>,
    /// The field `update_filter`, or nothing.
    pub(crate) update_filter: Vec<u8>,
    /// The field `update_mode`, or nothing.
    pub(crate) update_mode: Vec<u8>,
}

/// Reads `{"collection_name": …, "batch": …}`.
pub(crate) fn read_ingest(text: &[u8]) -> Result<Body, WriteError> {
    let mut reader = Reader::new(text);
    match check_len(text).and_then(|()| reader.ingest()) {
        Ok(body) => Ok(Body {
            draft: reader.draft,
            ..body
        }),
        Err(fault) => Err(reader.error(*fault, text)),
    }
}

/// Reads `{"points": […], …}` or `{"batch": …, …}`.
pub(crate) fn read_upsert(text: &[u8]) -> Result<Body, WriteError> {
    let mut reader = Reader::new(text);
    match check_len(text).and_then(|()| reader.upsert()) {
        Ok(body) => Ok(Body {
            draft: reader.draft,
            ..body
        }),
        Err(fault) => Err(reader.error(*fault, text)),
    }
}

/// Places in a body are kept in 32 bits.
fn check_len(text: &[u8]) -> Parsed<()> {
    match u32::try_from(text.len()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::syntax(0, "a body of 4 GiB or more")),
    }
}

/// The two ways Qdrant takes points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Points,
    Batch,
}

impl Form {
    fn of(name: &[u8]) -> Option<Form> {
        match name {
            b"points" => Some(Form::Points),
            b"batch" => Some(Form::Batch),
            _ => None,
        }
    }

    fn vectors_field(self) -> &'static str {
        match self {
            Form::Points => point::VECTOR,
            Form::Batch => batch::VECTORS,
        }
    }

    fn ids_field(self) -> &'static str {
        match self {
            Form::Points => "points",
            Form::Batch => "batch.ids",
        }
    }
}

/// Bytes an option may take. Each message of a write has the options in it: were they as large as a message may
/// be, every point would go in a message of its own and take a copy of them along.
const MAX_OPTION_LEN: usize = 64 << 10;

fn check_option_len(len: usize) -> Parsed<()> {
    match len <= MAX_OPTION_LEN {
        true => Ok(()),
        false => Err(Fault::invalid(format!(
            "takes {len} bytes, more than {MAX_OPTION_LEN}"
        ))),
    }
}

impl Reader<'_> {
    fn ingest(&mut self) -> Parsed<Body> {
        let mut body = Body {
            vectors_field: batch::VECTORS,
            ..Body::default()
        };
        let keys = self.keys.enter();
        let (mut named, mut batch) = (false, false);
        let mut more = self.json.open_object("an object")?;
        while more {
            let key = self.json.raw_key()?;
            match &*self.json.resolve(key)? {
                b"collection_name" if !named => {
                    body.collection_name = self
                        .collection_name()
                        .map_err(|fault| fault.within("collection_name"))?;
                    named = true;
                }
                b"batch" if !batch => {
                    self.batch().map_err(|fault| fault.in_batch())?;
                    batch = true;
                }
                b"collection_name" | b"batch" => return Err(given_twice(&self.json, key)),
                _ => {
                    self.keys.push(key);
                    self.json.skip()?;
                }
            }
            more = self.json.next_member()?;
        }
        self.keys.leave(&self.json, keys)?;
        self.json.end()?;
        for (found, field) in [(named, "collection_name"), (batch, "batch")] {
            if !found {
                return Err(Fault::wrong_type(0, "missing").within(field));
            }
        }
        self.some_points(Form::Batch.ids_field())?;
        Ok(body)
    }

    fn collection_name(&mut self) -> Parsed<String> {
        if self.json.peek() != Some(b'"') {
            return Err(self.json.unexpected("a string"));
        }
        Ok(String::from_utf8_lossy(&self.json.text()?).into_owned())
    }

    fn upsert(&mut self) -> Parsed<Body> {
        let mut body = Body::default();
        let keys = self.keys.enter();
        let mut found = None;
        let mut more = self.json.open_object("an object")?;
        while more {
            let key = self.json.raw_key()?;
            let name = self.json.resolve(key)?;
            match (Form::of(&name), found) {
                (Some(form), None) => {
                    self.form(form)?;
                    found = Some(form);
                }
                (Some(form), Some(earlier)) if form == earlier => {
                    return Err(given_twice(&self.json, key));
                }
                (Some(_), Some(_)) => {
                    return Err(
                        Fault::invalid("`points` and `batch` may not be given together")
                            .within("batch"),
                    );
                }
                (None, _) => {
                    self.keys.push(key);
                    self.option(&name, &mut body)
                        .map_err(|fault| fault.within(&String::from_utf8_lossy(&name)))?;
                }
            }
            more = self.json.next_member()?;
        }
        self.keys.leave(&self.json, keys)?;
        self.json.end()?;
        let Some(form) = found else {
            return Err(Fault::wrong_type(
                0,
                "missing, and so is `batch`: one of them holds the points",
            )
            .within("points"));
        };
        body.vectors_field = form.vectors_field();
        self.some_points(form.ids_field())?;
        Ok(body)
    }

    fn form(&mut self, form: Form) -> Parsed<()> {
        match form {
            Form::Points => self.points(),
            Form::Batch => self.batch().map_err(|fault| fault.in_batch()),
        }
    }

    /// Reads what stands beside the points. What Qdrant does not know it passes over, and so do we.
    fn option(&mut self, name: &[u8], body: &mut Body) -> Parsed<()> {
        let known = matches!(name, b"shard_key" | b"update_filter" | b"update_mode");
        if known && self.json.take_null()? {
            return Ok(());
        }
        self.json.peek();
        let mut probe = self.json.probe(self.json.offset());
        match name {
            b"shard_key" => {
                self.shard_key(&mut body.shard_key)?;
                check_option_len(body.shard_key.len())
            }
            b"update_filter" => {
                // It is passed over once a level, so first of all it must be short.
                let start = probe.offset();
                probe.skip()?;
                check_option_len(probe.since(start).len())?;
                self.update_filter(&mut body.update_filter)?;
                check_option_len(body.update_filter.len())
            }
            b"update_mode" => self.update_mode(&mut body.update_mode),
            _ => self.json.skip(),
        }
    }

    fn some_points(&self, field: &str) -> Parsed<()> {
        match self.draft.ids.is_empty() {
            true => Err(Fault::invalid("at least one point is wanted").within(field)),
            false => Ok(()),
        }
    }
}
