//! Aliases: reads and writes find their collection by them, and a switch is all or nothing.

use alioth_testkit::Qdrant;
use hyper::StatusCode;
use qdrant_client::qdrant::{CreateAliasBuilder, RenameAliasBuilder, UpsertPointsBuilder};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    http::{Rest, error_of},
    setup::{Outcome, count, ids, no_payload, point, refusal},
};

struct Two {
    qdrant: Qdrant,
    rest: Rest,
}

impl Two {
    /// Collections `old` with point 1 and `new` with point 2.
    async fn new() -> anyhow::Result<Self> {
        let qdrant = Qdrant::start().await;
        let rest = Rest::at(qdrant.rest_url());
        for (name, id) in [("old", 1), ("new", 2)] {
            let vectors = json!({"vectors": {"size": 1, "distance": "Dot"}});
            rest.put(&format!("/collections/{name}"), &vectors).await?;
            let points = json!({"points": [{"id": id, "vector": [1.0]}]});
            let path = format!("/collections/{name}/points?wait=true");
            rest.put(&path, &points).await?;
        }
        Ok(Self { qdrant, rest })
    }

    async fn change(&self, actions: Value) -> anyhow::Result<(StatusCode, Value)> {
        let actions = json!({"actions": actions});
        self.rest.post("/collections/aliases", &actions).await
    }

    async fn aliases(&self, path: &str) -> anyhow::Result<Value> {
        let (_, answer) = self.rest.get(path).await?;
        Ok(answer["result"]["aliases"].clone())
    }
}

fn create(alias: &str, collection: &str) -> Value {
    json!({"create_alias": {"alias_name": alias, "collection_name": collection}})
}

fn delete(alias: &str) -> Value {
    json!({"delete_alias": {"alias_name": alias}})
}

fn rename(from: &str, to: &str) -> Value {
    json!({"rename_alias": {"old_alias_name": from, "new_alias_name": to}})
}

fn stands_for(alias: &str, collection: &str) -> Value {
    json!({"alias_name": alias, "collection_name": collection})
}

#[tokio::test]
async fn an_alias_is_read_and_written_by_switched_and_survives_a_restart() -> Outcome {
    let mut two = Two::new().await?;
    let (status, answer) = two.change(json!([create("live", "old")])).await?;
    assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!(true)));
    let client = two.qdrant.client();
    assert_eq!(ids(&client, "live").await?, ["1"]);
    let points = vec![point(3, vec![1.0], no_payload())];
    client
        .upsert_points(UpsertPointsBuilder::new("live", points).wait(true))
        .await?;
    assert_eq!(ids(&client, "old").await?, ["1", "3"]);
    let (_, exists) = two.rest.get("/collections/live/exists").await?;
    assert_eq!(exists["result"]["exists"], true);

    let switch = json!([delete("live"), create("live", "new")]);
    let (status, answer) = two.change(switch).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(ids(&client, "live").await?, ["2"]);
    two.qdrant.stop().await;
    two.qdrant.start_again().await;
    let client = two.qdrant.client();
    assert_eq!(ids(&client, "live").await?, ["2"]);
    assert_eq!(
        two.aliases("/aliases").await?,
        json!([stands_for("live", "new")])
    );
    assert_eq!(two.aliases("/collections/old/aliases").await?, json!([]));
    let of_new = two.aliases("/collections/new/aliases").await?;
    assert_eq!(of_new, json!([stands_for("live", "new")]));

    // A collection is deleted by its name only, and takes its aliases along.
    let (_, deleted) = two.rest.delete("/collections/live").await?;
    assert_eq!(deleted["result"], false);
    two.rest.delete("/collections/new").await?;
    assert_eq!(two.aliases("/aliases").await?, json!([]));
    let (status, _) = two.rest.get("/collections/live").await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn changes_that_cannot_be_are_refused() -> Outcome {
    let two = Two::new().await?;
    two.change(json!([create("live", "old")])).await?;
    for (actions, expected, message) in [
        (
            json!([create("x", "nowhere")]),
            StatusCode::NOT_FOUND,
            "Not found: Collection `nowhere` doesn't exist!",
        ),
        (
            json!([create("new", "old")]),
            StatusCode::CONFLICT,
            "Wrong input: Collection `new` already exists!",
        ),
        (
            json!([rename("nothing", "x")]),
            StatusCode::NOT_FOUND,
            "Not found: Alias nothing does not exists!",
        ),
    ] {
        let (status, answer) = two.change(actions).await?;
        assert_eq!((status, error_of(&answer)), (expected, message));
    }
    let (status, answer) = two.change(json!([{"forget": {}}])).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let vectors = json!({"vectors": {"size": 1, "distance": "Dot"}});
    let (status, answer) = two.rest.put("/collections/live", &vectors).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        error_of(&answer),
        "Wrong input: Can't create collection with name live. Alias with the same name already \
         exists"
    );
    // What is not there is not missed.
    let (status, _) = two.change(json!([delete("nothing")])).await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        two.aliases("/aliases").await?,
        json!([stands_for("live", "old")])
    );
    Ok(())
}

#[tokio::test]
async fn one_refused_action_leaves_every_alias_as_it_was() -> Outcome {
    let two = Two::new().await?;
    if !two.qdrant.is_embedded() {
        // A server keeps what came before the action it refuses.
        return Ok(());
    }
    two.change(json!([create("live", "old")])).await?;
    let actions = json!([
        rename("live", "past"),
        create("live", "new"),
        rename("nothing", "x")
    ]);
    let (status, _) = two.change(actions).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        two.aliases("/aliases").await?,
        json!([stands_for("live", "old")])
    );
    Ok(())
}

#[tokio::test]
async fn aliases_are_changed_over_grpc() -> Outcome {
    let two = Two::new().await?;
    let client = two.qdrant.client();
    client
        .create_alias(CreateAliasBuilder::new("old", "live"))
        .await?;
    assert_eq!(count(&client, "live").await?, 1);
    client
        .rename_alias(RenameAliasBuilder::new("live", "past"))
        .await?;
    let listed = client.list_aliases().await?.aliases;
    let listed: Vec<_> = listed
        .iter()
        .map(|of| (&*of.alias_name, &*of.collection_name))
        .collect();
    assert_eq!(listed, [("past", "old")]);
    let listed = client.list_collection_aliases("old").await?.aliases;
    assert_eq!(listed.len(), 1);
    assert!(
        client
            .list_collection_aliases("new")
            .await?
            .aliases
            .is_empty()
    );
    client.delete_alias("past").await?;
    assert!(client.list_aliases().await?.aliases.is_empty());
    let (code, _) = refusal(
        client
            .create_alias(CreateAliasBuilder::new("gone", "x"))
            .await,
    );
    assert_eq!(code, Code::NotFound);
    Ok(())
}
