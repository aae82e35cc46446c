//! What a write's vectors look like: per name, each new kind or size and the point where it is first seen, as
//! far as that can matter. A collection is checked against that, whatever the number of points.
use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Fault, Parsed, PointRef, shortened};
use crate::id::PointId;
use crate::{CollectionSchema, VectorKind, WriteError};

/// Kind and size of one vector of one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Dense(usize),
    /// Rows of this size.
    Multi(usize),
    Sparse,
    /// What the server makes a vector of.
    Inference,
}

/// Names the vectors of a write may have. A collection has a handful; a body may make up millions, each of
/// them some hundred bytes here.
const MAX_NAMES: usize = 4096;
/// Shapes of a name that are told apart. Whatever a collection has under it, it takes three at most: a size of
/// dense vector, rows of that size, and what is inferred. So the first fault is with the fourth shape or before.
const MAX_SHAPES: usize = 4;

#[derive(Debug)]
struct Name {
    text: Arc<[u8]>,
    /// The last one seen, if nothing was taken back since.
    last: Option<Shape>,
    /// Those noted.
    noted: [Option<Shape>; MAX_SHAPES],
    /// Number of points begun when it was last seen.
    seen: usize,
}

impl Name {
    /// Whether it is `text`. Nothing is not compared with nothing: libc takes a hundred cycles for that where
    /// the one nothing is at an address that is not mapped.
    #[inline]
    fn is(&self, text: &[u8]) -> bool {
        self.text.len() == text.len() && (text.is_empty() || *self.text == *text)
    }
}

/// A shape a name had not had before.
#[derive(Debug)]
struct Change {
    point: usize,
    name: usize,
    shape: Shape,
}

/// Every vector name of a write and how its vectors look.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    names: Vec<Name>,
    by_text: HashMap<Arc<[u8]>, usize>,
    changes: Vec<Change>,
    /// The name that followed the last one in the point before.
    next: usize,
}

impl Shapes {
    /// Number of `name`, a new one if it was never seen. Cheapest when names come in a steady order.
    #[inline]
    pub(crate) fn name(&mut self, text: &[u8]) -> Parsed<usize> {
        let guess = if self.next < self.names.len() {
            self.next
        } else {
            0
        };
        let name = match self.names.get(guess) {
            Some(name) if name.is(text) => guess,
            _ => self.look_up(text)?,
        };
        self.next = name + 1;
        Ok(name)
    }

    fn look_up(&mut self, text: &[u8]) -> Parsed<usize> {
        if let Some(&name) = self.by_text.get(text) {
            return Ok(name);
        }
        let name = self.names.len();
        if name == MAX_NAMES {
            return Err(Fault::invalid(format!(
                "vectors of more than {MAX_NAMES} different names"
            )));
        }
        let text: Arc<[u8]> = text.into();
        self.names.push(Name {
            text: text.clone(),
            last: None,
            noted: [None; MAX_SHAPES],
            seen: 0,
        });
        self.by_text.insert(text, name);
        Ok(name)
    }

    /// Whether `name` was noted for point `point` already; notes it.
    #[inline]
    pub(crate) fn seen_in(&mut self, name: usize, point: usize) -> bool {
        std::mem::replace(&mut self.names[name].seen, point + 1) == point + 1
    }

    /// How many numbers the last vector of `name` had, or a row of it.
    #[inline]
    pub(crate) fn last_size(&self, name: usize) -> usize {
        match self.names[name].last {
            Some(Shape::Dense(size) | Shape::Multi(size)) => size,
            Some(Shape::Sparse | Shape::Inference) | None => 0,
        }
    }

    /// Notes that point `point` has such a vector.
    #[inline]
    pub(crate) fn note(&mut self, name: usize, point: usize, shape: Shape) {
        if self.names[name].last != Some(shape) {
            self.note_change(name, point, shape);
        }
    }

    fn note_change(&mut self, name: usize, point: usize, shape: Shape) {
        let Name { last, noted, .. } = &mut self.names[name];
        *last = Some(shape);
        if noted.contains(&Some(shape)) {
            return;
        }
        if let Some(free) = noted.iter_mut().find(|noted| noted.is_none()) {
            *free = Some(shape);
            self.changes.push(Change { point, name, shape });
        }
    }

    /// How much was noted so far.
    pub(crate) fn mark(&self) -> usize {
        self.changes.len()
    }

    /// Forgets what was noted after [`Shapes::mark`] answered `mark`.
    pub(crate) fn back_to(&mut self, mark: usize) {
        for Change { name, shape, .. } in self.changes.drain(mark..) {
            let Name { last, noted, .. } = &mut self.names[name];
            *last = None;
            for noted in noted.iter_mut().filter(|noted| **noted == Some(shape)) {
                *noted = None;
            }
        }
    }

    /// Checks every shape against the collection's vectors; of several faults tells the first point's.
    /// `field` is what a body calls its vectors.
    pub(crate) fn check(
        &self,
        schema: &CollectionSchema,
        ids: &[PointId],
        field: &str,
    ) -> Result<(), WriteError> {
        let fault = self
            .changes
            .iter()
            .filter_map(|change| self.fault(change, schema).map(|message| (change, message)))
            .min_by_key(|(change, _)| change.point);
        let Some((change, message)) = fault else {
            return Ok(());
        };
        let name = shortened(&self.names[change.name].text);
        let field = if name.is_empty() {
            field.to_owned()
        } else {
            format!("{field}.{name}")
        };
        let id = ids.get(change.point).map(PointId::to_string);
        Err(WriteError::Invalid {
            point: Some(PointRef {
                index: change.point,
                id,
            }),
            field,
            message,
        })
    }

    /// What is wrong with a shape; the rules are those of Qdrant's segments: a dense vector where a matrix
    /// is wanted is one row, anything else must be of the kind and the size.
    fn fault(&self, change: &Change, schema: &CollectionSchema) -> Option<String> {
        let name = String::from_utf8_lossy(&self.names[change.name].text);
        let Some(kind) = schema.vectors.get(name.as_ref()) else {
            return Some(unknown_name(&name, schema));
        };
        match (change.shape, kind) {
            (Shape::Dense(got), VectorKind::Dense { size } | VectorKind::MultiDense { size })
            | (Shape::Multi(got), VectorKind::MultiDense { size }) => {
                (got as u64 != *size).then(|| format!("expected {size} dimensions, found {got}"))
            }
            (Shape::Sparse, VectorKind::Sparse) | (Shape::Inference, _) => None,
            (Shape::Dense(_) | Shape::Multi(_), VectorKind::Sparse) => {
                Some("expected a sparse vector, {\"indices\": […], \"values\": […]}".to_owned())
            }
            (Shape::Sparse, VectorKind::Dense { .. } | VectorKind::MultiDense { .. }) => {
                Some("expected a dense vector, found a sparse one".to_owned())
            }
            (Shape::Multi(_), VectorKind::Dense { .. }) => {
                Some("expected one dense vector, found a list of them".to_owned())
            }
        }
    }
}

fn unknown_name(name: &str, schema: &CollectionSchema) -> String {
    let known: Vec<String> = schema
        .vectors
        .keys()
        .map(|name| {
            if name.is_empty() {
                "an unnamed one".to_owned()
            } else {
                format!("`{name}`")
            }
        })
        .collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    match name {
        "" => format!("the collection has no unnamed vector; it has {known}"),
        _ => format!("the collection has no vector of this name; it has {known}"),
    }
}

#[cfg(test)]
mod tests;
