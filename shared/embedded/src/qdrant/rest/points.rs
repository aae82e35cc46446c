//! Routes of points.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Bytes,
    extract::{Path, Query as Parameters, State, rejection::BytesRejection},
    response::Response,
};
use qdrant_edge::{CountRequest, PointId, ScrollRequest, WithPayloadInterface, WithVector};
use serde::Serialize;

use super::{
    answer::{Point, Updated, answer},
    body::{
        DeleteBody, QueryBatchBody, QueryBody, RetrieveBody, UpdateParameters, UpsertBody, parse,
    },
};
use crate::qdrant::{Node, collection::Collection, error::RequestError};

type Body = Result<Bytes, BytesRejection>;

#[derive(Serialize)]
struct Scrolled {
    points: Vec<Point>,
    next_page_offset: Option<PointId>,
}

#[derive(Serialize)]
struct Counted {
    count: usize,
}

#[derive(Serialize)]
struct Queried {
    points: Vec<Point>,
}

pub(super) async fn upsert(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    Parameters(UpdateParameters { wait }): Parameters<UpdateParameters>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let upsert = |collection: &Collection| {
        let body: UpsertBody = parse(body)?;
        collection.upsert(body.into_upsert()?)
    };
    let operation = node.write(collection, upsert).await;
    answer(operation.map(|id| Updated::new(id, wait)), started)
}

pub(super) async fn delete(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    Parameters(UpdateParameters { wait }): Parameters<UpdateParameters>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let delete = |collection: &Collection| {
        let body: DeleteBody = parse(body)?;
        collection.delete(body.into())
    };
    let operation = node.write(collection, delete).await;
    answer(operation.map(|id| Updated::new(id, wait)), started)
}

pub(super) async fn retrieve(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let retrieve = |collection: &Collection| {
        let body: RetrieveBody = parse(body)?;
        // qdrant-edge's own default is the payload; REST's is none.
        let with_payload = body.with_payload.unwrap_or_default();
        let records = collection
            .read(|shard| shard.retrieve(&body.ids, Some(with_payload), body.with_vector))?;
        Ok(records.into_iter().map(Point::from).collect::<Vec<_>>())
    };
    answer(node.read(collection, retrieve).await, started)
}

pub(super) async fn get(
    State(node): State<Arc<Node>>,
    Path((collection, id)): Path<(String, String)>,
) -> Response {
    let started = Instant::now();
    let get = move |collection: &Collection| {
        let id: PointId = id.parse().map_err(|()| {
            RequestError::WrongInput(format!("Can not recognize \"{id}\" as point id"))
        })?;
        let found = collection.read(|shard| {
            let everything = (WithPayloadInterface::Bool(true), WithVector::Bool(true));
            shard.retrieve(&[id], Some(everything.0), Some(everything.1))
        })?;
        let point = found.into_iter().next().map(Point::from);
        point.ok_or_else(|| {
            RequestError::PointMissing(format!("Point with id {id} does not exists!"))
        })
    };
    answer(node.read(collection, get).await, started)
}

pub(super) async fn scroll(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let scroll = |collection: &Collection| {
        let request: ScrollRequest = parse(body)?;
        let (records, next_page_offset) = collection.scroll(request)?;
        Ok(Scrolled {
            points: records.into_iter().map(Point::from).collect(),
            next_page_offset,
        })
    };
    answer(node.read(collection, scroll).await, started)
}

pub(super) async fn count(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let count = |collection: &Collection| {
        let request: CountRequest = parse(body)?;
        let count = collection.read(|shard| shard.count(request))?;
        Ok(Counted { count })
    };
    answer(node.read(collection, count).await, started)
}

pub(super) async fn query(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let query = |collection: &Collection| run(parse(body)?, collection);
    answer(node.read(collection, query).await, started)
}

pub(super) async fn query_batch(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let queries = |collection: &Collection| {
        let batch: QueryBatchBody = parse(body)?;
        let answers = batch.searches.into_iter().map(|body| run(body, collection));
        answers.collect::<Result<Vec<_>, _>>()
    };
    answer(node.read(collection, queries).await, started)
}

fn run(body: QueryBody, collection: &Collection) -> Result<Queried, RequestError> {
    let points = body.into_query()?.run(collection)?;
    Ok(Queried {
        points: points.into_iter().map(Point::from).collect(),
    })
}
