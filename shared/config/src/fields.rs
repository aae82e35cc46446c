//! The names of a section's fields, read off its `Deserialize` implementation.

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

use crate::Section;

/// Lists the environment variables of a section, in the order of its fields.
pub fn variable_names<T: Section>() -> Vec<String> {
    field_names::<T>()
        .iter()
        .map(|field| variable_name(T::PREFIX, field))
        .collect()
}

/// Lists the variables of a section which a document (a README's env table) does not name.
pub fn undocumented<T: Section>(document: &str) -> Vec<String> {
    let mut names = variable_names::<T>();
    names.retain(|name| !document.contains(&format!("`{name}`")));
    names
}

pub(crate) fn variable_name(prefix: &str, field: &str) -> String {
    format!("{prefix}{}", field.to_ascii_uppercase())
}

/// Asks a struct's derived `Deserialize` which fields it wants: it hands them to
/// `deserialize_struct` before it reads anything.
pub(crate) fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The answer is in `names`; the error only ends the attempt.
    drop(T::deserialize(FieldNames { names: &mut names }));
    names
}

struct FieldNames<'a> {
    names: &'a mut &'static [&'static str],
}

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only structs have field names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.names = fields;
        Err(de::Error::custom("only the names were wanted"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
