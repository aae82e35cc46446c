//! The list form: `"points": [{"id": …, "vector": …, "payload": …}, …]`.
use super::{Place, Reader, read_id};
use crate::error::Fault;
use crate::error::Parsed;
use crate::json::given_twice;

/// What a point of the list form calls its vectors.
pub(super) const VECTOR: &str = "vector";
const POINTS: &str = "points";

impl Reader<'_> {
    /// Reads every point of a list.
    pub(super) fn points(&mut self) -> Parsed<()> {
        let mut more = self
            .json
            .open_array("a list of points")
            .map_err(|fault| fault.within(POINTS))?;
        let mut index = 0;
        while more {
            self.json.peek();
            self.place = Place::Point(self.json.offset());
            self.point(index)?;
            index += 1;
            more = self.json.next_item()?;
        }
        Ok(())
    }

    fn point(&mut self, index: usize) -> Parsed<()> {
        let of_point = |fault: Box<Fault>| fault.of_point(index, "", POINTS);
        let start = self.json.offset();
        let keys = self.keys.enter();
        let (mut id, mut vectors, mut payload) = (None, None, None);
        let mut more = self
            .json
            .open_object("a point: an object")
            .map_err(of_point)?;
        while more {
            let key = self.json.raw_key()?;
            match &*self.json.resolve(key)? {
                b"id" if id.is_none() => {
                    id = Some(
                        read_id(&mut self.json).map_err(|fault| of_point(fault.within("id")))?,
                    );
                }
                b"vector" | b"vectors" if vectors.is_none() => {
                    let read = self.point_vectors(index);
                    vectors = Some(read.map_err(|fault| of_point(fault.within(VECTOR)))?);
                }
                b"payload" if payload.is_none() => {
                    payload = Some(
                        self.payload()
                            .map_err(|fault| of_point(fault.within("payload")))?,
                    );
                }
                b"id" | b"vector" | b"vectors" | b"payload" => {
                    return Err(of_point(given_twice(&self.json, key)));
                }
                _ => {
                    self.keys.push(key);
                    self.json.skip()?;
                }
            }
            more = self.json.next_member()?;
        }
        self.keys.leave(&self.json, keys).map_err(of_point)?;
        let Some(id) = id else {
            return Err(of_point(Fault::wrong_type(start, "missing").within("id")));
        };
        let vectors = match vectors {
            Some(vectors) => vectors,
            None => self
                .no_vectors()
                .map_err(|fault| of_point(fault.within(VECTOR)))?,
        };
        self.draft
            .push_id(id)
            .map_err(|fault| of_point(fault.within("id")))?;
        self.draft.vectors.push(vectors);
        self.draft.payloads.push(payload.unwrap_or_default());
        Ok(())
    }
}
