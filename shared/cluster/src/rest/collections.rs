//! Collections: their names, settings, counts, aliases; making and removing them.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::{Operation, RestError},
    http::{Address, Call},
    kinds::{Alias, AliasAction, CollectionInfo},
    nodes::QdrantRest,
};

impl QdrantRest {
    /// Every collection's name, sorted.
    ///
    /// # Errors
    /// As every call's: what [`RestError`] says.
    pub async fn collections(&self) -> Result<Vec<String>, RestError> {
        #[derive(Deserialize)]
        struct Listed {
            collections: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let listed: Listed = self
            .any(|node| node.result(Call::get(Operation::ListCollections, &["collections"])))
            .await?;
        let names = listed.collections.into_iter().map(|named| named.name);
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A collection's settings and state.
    ///
    /// # Errors
    /// `Refused` with 404 when there is none of that name.
    pub async fn collection(&self, name: &str) -> Result<CollectionInfo, RestError> {
        #[derive(Deserialize)]
        struct Described {
            status: String,
            config: Value,
            payload_schema: Value,
        }
        let path = ["collections", name];
        let operation = Operation::DescribeCollection(name.to_owned());
        let described: Described = self
            .any(|node| node.result(Call::get(operation.clone(), &path)))
            .await?;
        Ok(CollectionInfo {
            config: described.config,
            payload_schema: described.payload_schema,
            status: described.status,
        })
    }

    /// Every alias, sorted.
    ///
    /// # Errors
    /// As every call's.
    pub async fn aliases(&self) -> Result<Vec<Alias>, RestError> {
        #[derive(Deserialize)]
        struct Listed {
            aliases: Vec<Alias>,
        }
        let listed: Listed = self
            .any(|node| node.result(Call::get(Operation::ListAliases, &["aliases"])))
            .await?;
        let mut aliases = listed.aliases;
        aliases.sort_unstable();
        Ok(aliases)
    }

    /// Exactly how many points a collection has; looks at every one of them.
    ///
    /// # Errors
    /// As every call's; also when some shard has no active replica.
    pub async fn count(&self, name: &str) -> Result<u64, RestError> {
        self.any(|node| count_by(node, name)).await
    }

    /// The same asked of one node, which counts in its own replicas where it has some.
    ///
    /// # Errors
    /// As [`QdrantRest::count`], and `UnknownPeer`.
    pub async fn count_on(&self, peer: u64, name: &str) -> Result<u64, RestError> {
        count_by(self.address(peer)?, name).await
    }

    /// Creates a collection from a request body of `PUT /collections/{c}`.
    ///
    /// # Errors
    /// `Refused` with 409 when there is one already. After `NoAnswer` there may be.
    pub async fn create_collection(&self, name: &str, body: &Value) -> Result<(), RestError> {
        let operation = Operation::CreateCollection(name.to_owned());
        self.change(operation, Method::PUT, &["collections", name], body)
            .await
    }

    /// Changes settings of a collection by a request body of `PATCH /collections/{c}`.
    ///
    /// # Errors
    /// As every call's.
    pub async fn update_collection(&self, name: &str, body: &Value) -> Result<(), RestError> {
        let operation = Operation::UpdateCollection(name.to_owned());
        self.change(operation, Method::PATCH, &["collections", name], body)
            .await
    }

    /// Creates a shard key from a request body of `PUT /collections/{c}/shards`.
    ///
    /// # Errors
    /// As every call's; a key that exists is refused.
    pub async fn create_shard_key(&self, name: &str, body: &Value) -> Result<(), RestError> {
        let operation = Operation::CreateShardKey(name.to_owned());
        self.change(
            operation,
            Method::PUT,
            &["collections", name, "shards"],
            body,
        )
        .await
    }

    /// Creates a payload index; `schema` as `PUT /collections/{c}/index` takes `field_schema`.
    /// Returns when it is there: without `wait` a server tells of it some time later, and a snapshot
    /// taken in between would not have it.
    ///
    /// # Errors
    /// As every call's.
    pub async fn create_payload_index(
        &self,
        name: &str,
        field: &str,
        schema: &Value,
    ) -> Result<(), RestError> {
        let operation = Operation::CreateIndex(name.to_owned(), field.to_owned());
        let body = json!({"field_name": field, "field_schema": schema});
        let path = ["collections", name, "index"];
        self.any(|node| {
            let mut call = Call::send(operation.clone(), Method::PUT, &path, &body);
            call.query = &[("wait", "true")];
            done(node.result(call))
        })
        .await
    }

    /// Deletes a collection; of none it says nothing.
    ///
    /// # Errors
    /// As every call's.
    pub async fn delete_collection(&self, name: &str) -> Result<(), RestError> {
        let operation = Operation::DeleteCollection(name.to_owned());
        let path = ["collections", name];
        self.any(|node| {
            let mut call = Call::get(operation.clone(), &path);
            call.method = Method::DELETE;
            done(node.result(call))
        })
        .await
    }

    /// Changes aliases, all at once or none.
    ///
    /// # Errors
    /// As every call's; an alias with a collection's name is refused.
    pub async fn update_aliases(&self, actions: &[AliasAction]) -> Result<(), RestError> {
        let actions: Vec<Value> = actions.iter().map(action).collect();
        let body = json!({"actions": actions});
        let path = ["collections", "aliases"];
        self.change(Operation::UpdateAliases, Method::POST, &path, &body)
            .await
    }

    async fn change(
        &self,
        operation: Operation,
        method: Method,
        path: &[&str],
        body: &Value,
    ) -> Result<(), RestError> {
        self.any(|node| {
            done(node.result(Call::send(operation.clone(), method.clone(), path, body)))
        })
        .await
    }
}

async fn count_by(node: &Address, name: &str) -> Result<u64, RestError> {
    #[derive(Deserialize)]
    struct Counted {
        count: u64,
    }
    let path = ["collections", name, "points", "count"];
    let exact = json!({"exact": true});
    let operation = Operation::Count(name.to_owned());
    let call = Call::send(operation, Method::POST, &path, &exact);
    let counted: Counted = node.result(call).await?;
    Ok(counted.count)
}

/// The result of a change is `true`, or an update's number: it went well either way.
async fn done(call: impl Future<Output = Result<Value, RestError>>) -> Result<(), RestError> {
    call.await.map(drop)
}

fn action(action: &AliasAction) -> Value {
    match action {
        AliasAction::Create(alias) => json!({"create_alias": alias}),
        AliasAction::Delete { alias } => json!({"delete_alias": {"alias_name": alias}}),
    }
}
