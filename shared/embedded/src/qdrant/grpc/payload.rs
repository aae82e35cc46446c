//! Payload values between protobuf and JSON, exact both ways but for integers above `i64`,
//! which protobuf has no place for and a Qdrant server turns into floats as well.

use std::collections::HashMap;

use qdrant_client::qdrant::{ListValue, Struct, Value, value::Kind};
use qdrant_edge::Payload;
use serde_json::{Map, Number, Value as Json};

use crate::qdrant::error::RequestError;

type Object = Map<String, Json>;

/// A point's payload; none at all when it is empty, as gRPC cannot tell the two apart.
pub(super) fn payload(fields: HashMap<String, Value>) -> Result<Option<Payload>, RequestError> {
    if fields.is_empty() {
        return Ok(None);
    }
    object(fields).map(Payload).map(Some)
}

/// A map of protobuf values as a JSON object.
pub(super) fn object(fields: HashMap<String, Value>) -> Result<Object, RequestError> {
    fields
        .into_iter()
        .map(|(name, value)| Ok((name, json(value)?)))
        .collect()
}

/// A JSON object as a map of protobuf values.
pub(super) fn fields(object: Object) -> HashMap<String, Value> {
    object
        .into_iter()
        .map(|(name, json)| (name, value(json)))
        .collect()
}

fn json(value: Value) -> Result<Json, RequestError> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => Json::Bool(value),
        Some(Kind::IntegerValue(value)) => Json::Number(value.into()),
        Some(Kind::DoubleValue(value)) => {
            let number = Number::from_f64(value);
            Json::Number(number.ok_or_else(|| {
                RequestError::Malformed("cannot convert to json number".to_owned())
            })?)
        }
        Some(Kind::StringValue(value)) => Json::String(value),
        Some(Kind::ListValue(list)) => Json::Array(
            list.values
                .into_iter()
                .map(json)
                .collect::<Result<_, _>>()?,
        ),
        Some(Kind::StructValue(value)) => Json::Object(object(value.fields)?),
    })
}

fn value(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Kind::IntegerValue(value),
            // Every JSON number is an f64 at least.
            None => Kind::DoubleValue(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(value) => Kind::StringValue(value),
        Json::Array(values) => Kind::ListValue(ListValue {
            values: values.into_iter().map(value).collect(),
        }),
        Json::Object(object) => Kind::StructValue(Struct {
            fields: fields(object),
        }),
    };
    Value { kind: Some(kind) }
}
