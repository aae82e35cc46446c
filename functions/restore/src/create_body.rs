//! What `GET /collections/{c}` told, as the requests that make such a collection again. Pure.

use serde_json::{Map, Value, json};

/// The requests that make a collection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateBodies {
    /// Body of `PUT /collections/{c}`.
    pub(crate) create: Value,
    /// Body of `PATCH /collections/{c}`, for what creating does not take.
    pub(crate) update: Option<Value>,
}

/// Of `params`, what creating takes under the same name.
const PARAMS: [&str; 7] = [
    "vectors",
    "sparse_vectors",
    "shard_number",
    "sharding_method",
    "replication_factor",
    "write_consistency_factor",
    "on_disk_payload",
];
/// Beside `params`: name in the answer, name in the request.
const SECTIONS: [(&str, &str); 6] = [
    ("hnsw_config", "hnsw_config"),
    ("optimizer_config", "optimizers_config"),
    ("wal_config", "wal_config"),
    ("quantization_config", "quantization_config"),
    ("strict_mode_config", "strict_mode_config"),
    ("metadata", "metadata"),
];
/// Of `params`, what only updating takes.
const UPDATED_PARAMS: [&str; 2] = ["read_fan_out_factor", "read_fan_out_delay_ms"];

/// Makes the requests of a saved `result.config`.
///
/// # Errors
/// What is missing in it.
pub(crate) fn create_bodies(config: &Value) -> Result<CreateBodies, String> {
    let Some(params) = config.get("params").and_then(Value::as_object) else {
        return Err("its config has no params".to_owned());
    };
    let mut create = Map::new();
    for name in PARAMS {
        copy(params.get(name), name, &mut create);
    }
    // Only sparse vectors: the server still wants to be told so.
    create.entry("vectors").or_insert_with(|| json!({}));
    for (from, to) in SECTIONS {
        copy(config.get(from), to, &mut create);
    }
    let mut updated = Map::new();
    for name in UPDATED_PARAMS {
        copy(params.get(name), name, &mut updated);
    }
    let update = (!updated.is_empty()).then(|| json!({"params": updated}));
    Ok(CreateBodies {
        create: Value::Object(create),
        update,
    })
}

fn copy(value: Option<&Value>, name: &str, into: &mut Map<String, Value>) {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        into.insert(name.to_owned(), value.clone());
    }
}

/// Field and schema of each payload index in a saved `result.payload_schema`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn indexes(payload_schema: &Value) -> Result<Vec<(String, Value)>, String> {
    let fields = match payload_schema {
        Value::Null => return Ok(Vec::new()),
        Value::Object(fields) => fields,
        _ => return Err("its payload_schema is no object".to_owned()),
    };
    let mut indexes = Vec::new();
    for (field, index) in fields {
        let params = index.get("params").filter(|params| !params.is_null());
        match params.or_else(|| index.get("data_type")) {
            Some(schema) => indexes.push((field.clone(), schema.clone())),
            None => return Err(format!("its payload_schema has no data_type for {field:?}")),
        }
    }
    Ok(indexes)
}

/// How many shards a collection without shard keys has.
pub(crate) fn shard_number(config: &Value) -> Option<u64> {
    config.pointer("/params/shard_number")?.as_u64()
}

/// Whether shards belong to keys that somebody chose.
pub(crate) fn is_custom_sharding(config: &Value) -> bool {
    config.pointer("/params/sharding_method") == Some(&json!("custom"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_told_of_a_collection_is_asked_for_again() {
        let config = json!({
            "params": {
                "vectors": {"title": {"size": 4, "distance": "Cosine"}},
                "sparse_vectors": {"words": {}}, "shard_number": 6, "sharding_method": null,
                "replication_factor": 2, "write_consistency_factor": 1, "on_disk_payload": true,
                "read_fan_out_factor": 1, "read_fan_out_delay_ms": null
            },
            "hnsw_config": {"m": 16}, "optimizer_config": {"deleted_threshold": 0.2},
            "wal_config": {"wal_capacity_mb": 32}, "quantization_config": null,
            "strict_mode_config": {"enabled": false}, "metadata": {"owner": "films"}
        });
        let bodies = create_bodies(&config).unwrap();
        let expected = json!({
            "vectors": {"title": {"size": 4, "distance": "Cosine"}},
            "sparse_vectors": {"words": {}}, "shard_number": 6, "replication_factor": 2,
            "write_consistency_factor": 1, "on_disk_payload": true, "hnsw_config": {"m": 16},
            "optimizers_config": {"deleted_threshold": 0.2}, "wal_config": {"wal_capacity_mb": 32},
            "strict_mode_config": {"enabled": false}, "metadata": {"owner": "films"}
        });
        assert_eq!(bodies.create, expected);
        let update = json!({"params": {"read_fan_out_factor": 1}});
        assert_eq!(bodies.update, Some(update));
    }

    #[test]
    fn a_collection_of_sparse_vectors_alone_has_an_empty_set_of_dense_ones() {
        let config = json!({"params": {"sparse_vectors": {"words": {}}, "shard_number": 1}});
        let bodies = create_bodies(&config).unwrap();
        assert_eq!(bodies.create["vectors"], json!({}));
        assert_eq!(bodies.update, None);
        assert!(create_bodies(&json!({"status": "green"})).is_err());
    }

    #[test]
    fn an_index_keeps_its_parameters() {
        let text = json!({"type": "text", "tokenizer": "word"});
        let schema = json!({
            "title": {"data_type": "text", "params": text, "points": 7},
            "year": {"data_type": "integer", "points": 7}
        });
        let found = indexes(&schema).unwrap();
        let expected = [
            ("title".to_owned(), text),
            ("year".to_owned(), json!("integer")),
        ];
        assert_eq!(found, expected);
        assert_eq!(indexes(&Value::Null), Ok(Vec::new()));
        assert!(indexes(&json!({"year": {}})).is_err());
    }
}
