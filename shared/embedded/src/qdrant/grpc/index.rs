//! Payload indexes between protobuf and the terms of qdrant-edge.

#![expect(deprecated, reason = "clients of any age are served")]

use qdrant_client::qdrant::{
    self as proto, CreateFieldIndexCollection, FieldType, PayloadSchemaInfo,
    payload_index_params::IndexParams, stemming_algorithm::StemmingParams,
};
use qdrant_edge::{
    BoolIndexParams, DatetimeIndexParams, FloatIndexParams, GeoIndexParams, IntegerIndexParams,
    KeywordIndexParams, PayloadFieldSchema, PayloadIndexInfo, PayloadSchemaParams,
    PayloadSchemaType, TextIndexParams, TokenizerType, UuidIndexParams,
};
use serde_json::json;

use super::write::malformed;
use crate::qdrant::error::RequestError;

/// The kind of index a request asks for, if it says so.
///
/// # Errors
/// When the type is unknown.
pub(super) fn schema(
    request: &CreateFieldIndexCollection,
) -> Result<Option<PayloadFieldSchema>, RequestError> {
    let given = request.field_index_params.as_ref();
    let given = given.and_then(|params| params.index_params.clone());
    Ok(match (given, request.field_type) {
        (Some(given), _) => Some(PayloadFieldSchema::FieldParams(params(given)?)),
        (None, Some(field_type)) => Some(PayloadFieldSchema::FieldType(schema_type(field_type)?)),
        (None, None) => None,
    })
}

/// An index as a collection's information tells of it.
pub(super) fn info(index: PayloadIndexInfo) -> PayloadSchemaInfo {
    let data_type = match index.data_type {
        PayloadSchemaType::Keyword => proto::PayloadSchemaType::Keyword,
        PayloadSchemaType::Integer => proto::PayloadSchemaType::Integer,
        PayloadSchemaType::Float => proto::PayloadSchemaType::Float,
        PayloadSchemaType::Geo => proto::PayloadSchemaType::Geo,
        PayloadSchemaType::Text => proto::PayloadSchemaType::Text,
        PayloadSchemaType::Bool => proto::PayloadSchemaType::Bool,
        PayloadSchemaType::Datetime => proto::PayloadSchemaType::Datetime,
        PayloadSchemaType::Uuid => proto::PayloadSchemaType::Uuid,
    };
    PayloadSchemaInfo {
        data_type: data_type.into(),
        params: index.params.map(|params| proto::PayloadIndexParams {
            index_params: Some(params_info(params)),
        }),
        points: Some(index.points as u64),
    }
}

fn schema_type(field_type: i32) -> Result<PayloadSchemaType, RequestError> {
    Ok(match FieldType::try_from(field_type) {
        Ok(FieldType::Keyword) => PayloadSchemaType::Keyword,
        Ok(FieldType::Integer) => PayloadSchemaType::Integer,
        Ok(FieldType::Float) => PayloadSchemaType::Float,
        Ok(FieldType::Geo) => PayloadSchemaType::Geo,
        Ok(FieldType::Text) => PayloadSchemaType::Text,
        Ok(FieldType::Bool) => PayloadSchemaType::Bool,
        Ok(FieldType::Datetime) => PayloadSchemaType::Datetime,
        Ok(FieldType::Uuid) => PayloadSchemaType::Uuid,
        Err(_) => return Err(malformed("cannot convert field_type")),
    })
}

fn params(given: IndexParams) -> Result<PayloadSchemaParams, RequestError> {
    Ok(match given {
        IndexParams::KeywordIndexParams(given) => {
            PayloadSchemaParams::Keyword(KeywordIndexParams {
                is_tenant: given.is_tenant,
                on_disk: given.on_disk,
                enable_hnsw: given.enable_hnsw,
                ..KeywordIndexParams::default()
            })
        }
        IndexParams::IntegerIndexParams(given) => {
            PayloadSchemaParams::Integer(IntegerIndexParams {
                lookup: given.lookup,
                range: given.range,
                is_principal: given.is_principal,
                on_disk: given.on_disk,
                enable_hnsw: given.enable_hnsw,
                ..IntegerIndexParams::default()
            })
        }
        IndexParams::FloatIndexParams(given) => PayloadSchemaParams::Float(FloatIndexParams {
            is_principal: given.is_principal,
            on_disk: given.on_disk,
            enable_hnsw: given.enable_hnsw,
            ..FloatIndexParams::default()
        }),
        IndexParams::GeoIndexParams(given) => PayloadSchemaParams::Geo(GeoIndexParams {
            on_disk: given.on_disk,
            enable_hnsw: given.enable_hnsw,
            ..GeoIndexParams::default()
        }),
        IndexParams::BoolIndexParams(given) => PayloadSchemaParams::Bool(BoolIndexParams {
            on_disk: given.on_disk,
            enable_hnsw: given.enable_hnsw,
            ..BoolIndexParams::default()
        }),
        IndexParams::DatetimeIndexParams(given) => {
            PayloadSchemaParams::Datetime(DatetimeIndexParams {
                is_principal: given.is_principal,
                on_disk: given.on_disk,
                enable_hnsw: given.enable_hnsw,
                ..DatetimeIndexParams::default()
            })
        }
        IndexParams::UuidIndexParams(given) => PayloadSchemaParams::Uuid(UuidIndexParams {
            is_tenant: given.is_tenant,
            on_disk: given.on_disk,
            enable_hnsw: given.enable_hnsw,
            ..UuidIndexParams::default()
        }),
        IndexParams::TextIndexParams(given) => PayloadSchemaParams::Text(text(given)?),
    })
}

fn text(given: proto::TextIndexParams) -> Result<TextIndexParams, RequestError> {
    let tokenizer = match proto::TokenizerType::try_from(given.tokenizer) {
        Ok(proto::TokenizerType::Prefix) => TokenizerType::Prefix,
        Ok(proto::TokenizerType::Whitespace) => TokenizerType::Whitespace,
        Ok(proto::TokenizerType::Multilingual) => TokenizerType::Multilingual,
        Ok(proto::TokenizerType::Word) => TokenizerType::Word,
        Ok(proto::TokenizerType::Unknown | proto::TokenizerType::Code) | Err(_) => {
            return Err(malformed("unknown tokenizer type"));
        }
    };
    let length = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    let language = given.stemmer.and_then(|stemmer| stemmer.stemming_params);
    let stemmer = match language {
        Some(StemmingParams::Snowball(params)) => {
            Some(json!({"type": "snowball", "language": params.language.to_lowercase()}))
        }
        Some(StemmingParams::Disabled(_)) | None => None,
    };
    let stopwords = given.stopwords.map(|words| {
        let languages = words.languages.iter().map(|name| name.to_lowercase());
        json!({"languages": languages.collect::<Vec<_>>(), "custom": words.custom})
    });
    // These two are of types qdrant-edge does not name; it reads them as REST writes them.
    let worded = json!({"type": "text", "stemmer": stemmer, "stopwords": stopwords});
    let worded: TextIndexParams = serde_json::from_value(worded)
        .map_err(|error| malformed(&format!("Malformed text index: {error}")))?;
    Ok(TextIndexParams {
        tokenizer,
        min_token_len: given.min_token_len.map(length),
        max_token_len: given.max_token_len.map(length),
        lowercase: given.lowercase,
        ascii_folding: given.ascii_folding,
        phrase_matching: given.phrase_matching,
        on_disk: given.on_disk,
        enable_hnsw: given.enable_hnsw,
        ..worded
    })
}

fn params_info(params: PayloadSchemaParams) -> IndexParams {
    match params {
        PayloadSchemaParams::Keyword(params) => {
            IndexParams::KeywordIndexParams(proto::KeywordIndexParams {
                is_tenant: params.is_tenant,
                on_disk: params.on_disk,
                enable_hnsw: params.enable_hnsw,
                ..Default::default()
            })
        }
        PayloadSchemaParams::Integer(params) => {
            IndexParams::IntegerIndexParams(proto::IntegerIndexParams {
                lookup: params.lookup,
                range: params.range,
                is_principal: params.is_principal,
                on_disk: params.on_disk,
                enable_hnsw: params.enable_hnsw,
                ..Default::default()
            })
        }
        PayloadSchemaParams::Float(params) => {
            IndexParams::FloatIndexParams(proto::FloatIndexParams {
                is_principal: params.is_principal,
                on_disk: params.on_disk,
                enable_hnsw: params.enable_hnsw,
                ..Default::default()
            })
        }
        PayloadSchemaParams::Geo(params) => IndexParams::GeoIndexParams(proto::GeoIndexParams {
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            ..Default::default()
        }),
        PayloadSchemaParams::Bool(params) => IndexParams::BoolIndexParams(proto::BoolIndexParams {
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            ..Default::default()
        }),
        PayloadSchemaParams::Datetime(params) => {
            IndexParams::DatetimeIndexParams(proto::DatetimeIndexParams {
                is_principal: params.is_principal,
                on_disk: params.on_disk,
                enable_hnsw: params.enable_hnsw,
                ..Default::default()
            })
        }
        PayloadSchemaParams::Uuid(params) => IndexParams::UuidIndexParams(proto::UuidIndexParams {
            is_tenant: params.is_tenant,
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            ..Default::default()
        }),
        PayloadSchemaParams::Text(params) => IndexParams::TextIndexParams(text_info(params)),
    }
}

/// Stop words and stemmer are answered over REST only.
fn text_info(params: TextIndexParams) -> proto::TextIndexParams {
    let tokenizer = match params.tokenizer {
        TokenizerType::Prefix => proto::TokenizerType::Prefix,
        TokenizerType::Whitespace => proto::TokenizerType::Whitespace,
        TokenizerType::Word => proto::TokenizerType::Word,
        TokenizerType::Multilingual => proto::TokenizerType::Multilingual,
    };
    proto::TextIndexParams {
        tokenizer: tokenizer.into(),
        lowercase: params.lowercase,
        min_token_len: params.min_token_len.map(|length| length as u64),
        max_token_len: params.max_token_len.map(|length| length as u64),
        on_disk: params.on_disk,
        phrase_matching: params.phrase_matching,
        ascii_folding: params.ascii_folding,
        enable_hnsw: params.enable_hnsw,
        ..Default::default()
    }
}
