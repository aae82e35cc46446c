//! API keys over both protocols.

use alioth_testkit::{Qdrant, qdrant::Keys};
use hyper::{Method, StatusCode};
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, VectorParamsBuilder};
use serde_json::json;
use tonic::Code;

use crate::{
    http::{Rest, error_of},
    setup::{Outcome, refusal},
};

const FULL: &str = "the key that may write";
const READ_ONLY: &str = "the key that may read";

#[tokio::test]
async fn grpc_without_a_key_or_with_a_wrong_one_is_unauthenticated() -> Outcome {
    let qdrant = with_keys().await;
    let nobody = qdrant.client_with_key(None);
    assert_eq!(
        refusal(nobody.list_collections().await),
        (
            Code::Unauthenticated,
            "Must provide an API key or an Authorization bearer token".to_owned()
        )
    );
    let stranger = qdrant.client_with_key(Some("guessed"));
    let expected = (Code::Unauthenticated, "Invalid API key or JWT".to_owned());
    assert_eq!(refusal(stranger.list_collections().await), expected);
    // The one call that needs no key.
    assert!(nobody.health_check().await.is_ok());
    assert!(qdrant.client().list_collections().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_reading_key_may_not_write() -> Outcome {
    let qdrant = with_keys().await;
    let reader = qdrant.client_with_key(Some(READ_ONLY));
    assert!(reader.list_collections().await.is_ok());
    let create = CreateCollectionBuilder::new("x")
        .vectors_config(VectorParamsBuilder::new(1, Distance::Dot));
    let (code, message) = refusal(reader.create_collection(create).await);
    assert_eq!(code, Code::PermissionDenied);
    assert!(message.starts_with("Forbidden: "), "{message}");
    Ok(())
}

#[tokio::test]
async fn rest_answers_401_and_403() -> Outcome {
    let qdrant = with_keys().await;
    let vectors = json!({"vectors": {"size": 1, "distance": "Dot"}});
    let nobody = Rest::at(qdrant.rest_url());
    let (status, text) = nobody.text(Method::GET, "/collections", "".into()).await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        text,
        "Must provide an API key or an Authorization bearer token"
    );
    for path in ["/", "/healthz", "/readyz"] {
        let (status, _) = nobody.text(Method::GET, path, "".into()).await?;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    let stranger = Rest::with_key(qdrant.rest_url(), "guessed");
    let (status, _) = stranger
        .text(Method::GET, "/collections", "".into())
        .await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    let reader = Rest::with_key(qdrant.rest_url(), READ_ONLY);
    let (status, _) = reader.get("/collections").await?;
    assert_eq!(status, StatusCode::OK);
    let (status, answer) = reader.put("/collections/x", &vectors).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(error_of(&answer).starts_with("Forbidden: "), "{answer}");

    let owner = Rest::with_key(qdrant.rest_url(), FULL);
    let (status, _) = owner.put("/collections/x", &vectors).await?;
    assert_eq!(status, StatusCode::OK);
    let delete = json!({"points": [1]});
    let (status, _) = reader.post("/collections/x/points/delete", &delete).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = reader
        .post("/collections/x/points/count", &json!({}))
        .await?;
    assert_eq!(status, StatusCode::OK);
    Ok(())
}

async fn with_keys() -> Qdrant {
    Qdrant::start_with_keys(Keys {
        full: Some(FULL.to_owned()),
        read_only: Some(READ_ONLY.to_owned()),
    })
    .await
}
