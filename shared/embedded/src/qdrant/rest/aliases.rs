//! Routes of aliases.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer::answer, body::parse};
use crate::qdrant::{Collections, Node, aliases::AliasAction};

/// The body of a change.
#[derive(Deserialize)]
struct Changes {
    actions: Vec<Change>,
}

#[derive(Deserialize)]
enum Change {
    #[serde(rename = "create_alias")]
    Create {
        collection_name: String,
        alias_name: String,
    },
    #[serde(rename = "delete_alias")]
    Delete { alias_name: String },
    #[serde(rename = "rename_alias")]
    Rename {
        old_alias_name: String,
        new_alias_name: String,
    },
}

impl From<Change> for AliasAction {
    fn from(change: Change) -> Self {
        match change {
            Change::Create {
                collection_name,
                alias_name,
            } => Self::Create {
                alias: alias_name,
                collection: collection_name,
            },
            Change::Delete { alias_name } => Self::Delete { alias: alias_name },
            Change::Rename {
                old_alias_name,
                new_alias_name,
            } => Self::Rename {
                from: old_alias_name,
                to: new_alias_name,
            },
        }
    }
}

pub(super) async fn change(
    State(node): State<Arc<Node>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let started = Instant::now();
    let change = |collections: &Collections| {
        let Changes { actions } = parse(body)?;
        collections.change_aliases(actions.into_iter().map(AliasAction::from).collect())
    };
    answer(node.change(change).await, started)
}

pub(super) async fn list(State(node): State<Arc<Node>>) -> Response {
    let started = Instant::now();
    answer(Ok(listed(node.collections.aliases())), started)
}

pub(super) async fn list_of_collection(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
) -> Response {
    let started = Instant::now();
    let found = node.collections.get(&name).map(|collection| {
        let mut aliases = node.collections.aliases();
        aliases.retain(|(_, of)| of == collection.name());
        listed(aliases)
    });
    answer(found, started)
}

fn listed(aliases: Vec<(String, String)>) -> Value {
    let describe =
        |(alias, collection)| json!({"alias_name": alias, "collection_name": collection});
    let aliases: Vec<_> = aliases.into_iter().map(describe).collect();
    json!({"aliases": aliases})
}
