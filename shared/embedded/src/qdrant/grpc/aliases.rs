//! Aliases between protobuf and the terms of the node.

use std::time::Instant;

use qdrant_client::qdrant::{
    AliasDescription, AliasOperations, ChangeAliases, CreateAlias, DeleteAlias,
    ListAliasesResponse, RenameAlias, alias_operations::Action,
};
use tonic::Response;

use super::{answer::seconds, write::malformed};
use crate::qdrant::{aliases::AliasAction, error::RequestError};

/// # Errors
/// When an action does not say what it is.
pub(super) fn actions(request: ChangeAliases) -> Result<Vec<AliasAction>, RequestError> {
    let action = |AliasOperations { action }| match action {
        Some(Action::CreateAlias(CreateAlias {
            collection_name,
            alias_name,
        })) => Ok(AliasAction::Create {
            alias: alias_name,
            collection: collection_name,
        }),
        Some(Action::DeleteAlias(DeleteAlias { alias_name })) => {
            Ok(AliasAction::Delete { alias: alias_name })
        }
        Some(Action::RenameAlias(RenameAlias {
            old_alias_name,
            new_alias_name,
        })) => Ok(AliasAction::Rename {
            from: old_alias_name,
            to: new_alias_name,
        }),
        None => Err(malformed("an alias operation without an action")),
    };
    request.actions.into_iter().map(action).collect()
}

pub(super) fn listed(
    aliases: Vec<(String, String)>,
    started: Instant,
) -> Response<ListAliasesResponse> {
    let describe = |(alias_name, collection_name)| AliasDescription {
        alias_name,
        collection_name,
    };
    Response::new(ListAliasesResponse {
        aliases: aliases.into_iter().map(describe).collect(),
        time: seconds(started),
    })
}
