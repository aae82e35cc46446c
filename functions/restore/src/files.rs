//! One collection from one node's snapshot file: what the Python Alioth wrote, or whatever is at a URL. Qdrant itself
//! makes the collection, with what the file says of it, if it is not there; if it is, only that node's shards change.

use std::{net::IpAddr, time::Duration};

use alioth_cluster::rest::{Priority, QdrantRest, RestNode, UploadError};
use alioth_job_runner::Report;
use alioth_jobs::{Host, RestoreRequest, RestoreWhat};
use alioth_snapshot_store::{ObjectKey, StoreError};
use futures_util::TryStreamExt;
use serde_json::json;

use crate::{
    collections::Restorer,
    count::Counted,
    create_body,
    error::RestoreError,
    plan::{Standing, list},
    progress::Noted,
    refusal::Refusal,
    settle::{self, Expected},
    source::Origin,
    upload::is_transient,
};

/// What Qdrant calls the file that was uploaded, and keeps.
const UPLOADED: &str = "alioth.snapshot";
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Destination<'a> {
    target: &'a str,
    peer: u64,
}

impl Restorer<'_> {
    /// Restores a file.
    ///
    /// # Errors
    /// `Refused` before anything is touched; else whatever failed.
    pub(crate) async fn file(
        &self,
        origin: &Origin,
        request: &RestoreRequest,
        mut noted: Noted,
    ) -> Result<Report, RestoreError> {
        let standing = self.standing().await?;
        let destination = plan(request, self.rest.nodes(), &standing, &noted)?;
        let target = destination.target;
        if standing.collections.contains(target) {
            self.check_sharding(target).await?;
        }
        noted.begun.insert(target.to_owned());
        noted.file = match origin {
            Origin::Object(key) => Some(key.as_str().to_owned()),
            // The request's own, which no later run changes; and it may be a credential.
            Origin::Url(_) => None,
        };
        noted.write(self.recorder).await?;

        let (bytes, retries) = match origin {
            Origin::Object(key) => self.upload(key, destination).await?,
            Origin::Url(url) => {
                let recovered =
                    self.rest
                        .recover(destination.peer, target, url, Priority::Snapshot);
                recovered.await?;
                (0, 0)
            }
        };
        let terms = self.terms(Expected::Unknown);
        let points = settle::wait(self.rest, target, terms).await?.points;
        let from = match origin {
            Origin::Object(key) => key.to_string(),
            // A presigned URL is a credential.
            Origin::Url(url) => without_query(url),
        };
        tracing::info!(collection = target, points, from, "file restored");
        Ok(Report {
            bytes,
            shards: 1,
            retries,
            result: json!({"file": from, "restored_as": target, "points": points}),
        })
    }

    /// Qdrant recovers no shard keys, and leaves such a collection empty.
    async fn check_sharding(&self, target: &str) -> Result<(), RestoreError> {
        let collection = self.rest.collection(target).await?;
        if !create_body::is_custom_sharding(&collection.config) {
            return Ok(());
        }
        let refusal = Refusal::CustomSharding {
            name: target.to_owned(),
            reason: "a collection's snapshot file brings no shard keys".to_owned(),
        };
        Err(refusal.into())
    }

    async fn upload(
        &self,
        key: &ObjectKey,
        destination: Destination<'_>,
    ) -> Result<(u64, u64), RestoreError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let source = match self.upload_once(key, destination).await {
                Ok(bytes) => {
                    forget(self.rest, destination).await;
                    return Ok((bytes, u64::from(attempt - 1)));
                }
                Err(source) => source,
            };
            if !is_transient(&source) || attempt >= self.config.attempts {
                return Err(RestoreError::UploadFile {
                    collection: destination.target.to_owned(),
                    attempts: attempt,
                    source: Box::new(source),
                });
            }
            let error = alioth_job_runner::chain(&source);
            tracing::warn!(
                collection = destination.target,
                error,
                "file is tried again"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn upload_once(
        &self,
        key: &ObjectKey,
        destination: Destination<'_>,
    ) -> Result<u64, UploadError<StoreError>> {
        let object = self
            .store
            .get_stream(key)
            .await
            .map_err(UploadError::Source)?;
        let length = object.length();
        let counted = Counted::begin(self.progress);
        let counter = counted.counter();
        let bytes = object.inspect_ok(move |piece| counter.add(piece.len() as u64));
        let Destination { target, peer } = destination;
        self.rest
            .upload_collection_snapshot(peer, target, bytes, Some(length), Priority::Snapshot)
            .await?;
        counted.keep();
        Ok(length)
    }
}

/// Removes the file that Qdrant keeps of an upload. It is in the way of the disk only, so no failure of the restore.
async fn forget(rest: &QdrantRest, destination: Destination<'_>) {
    let Destination { target, peer } = destination;
    if let Err(error) = rest
        .delete_collection_snapshot(peer, target, UPLOADED)
        .await
    {
        let error = alioth_job_runner::chain(&error);
        tracing::warn!(
            collection = target,
            peer,
            error,
            "uploaded file stays on the node"
        );
    }
}

/// Decides where a file goes. Pure.
fn plan<'a>(
    request: &'a RestoreRequest,
    nodes: &[RestNode],
    standing: &Standing,
    noted: &Noted,
) -> Result<Destination<'a>, Refusal> {
    let target = match (&request.rename_to, &request.what) {
        (Some(name), _) => name,
        (None, RestoreWhat::Collections(names)) if names.len() == 1 => &names[0],
        (None, RestoreWhat::Collections(_) | RestoreWhat::Cluster) => {
            let reason = "a snapshot file is of one collection".to_owned();
            return Err(Refusal::Url { reason });
        }
    };
    let peer = node(request.host.as_ref(), nodes)?;
    if let Some(alias) = standing.aliases.iter().find(|alias| alias.alias == *target) {
        return Err(Refusal::NameIsAlias {
            name: target.clone(),
            collection: alias.collection.clone(),
        });
    }
    let is_free = !standing.collections.contains(target) || noted.begun.contains(target);
    if !is_free && !request.overwrite {
        return Err(Refusal::Exists {
            name: target.clone(),
        });
    }
    Ok(Destination { target, peer })
}

/// The node that is meant: the only one, or the one of that name.
fn node(host: Option<&Host>, nodes: &[RestNode]) -> Result<u64, Refusal> {
    let names: Vec<String> = nodes
        .iter()
        .map(|n| format!("{}:{}", n.host, n.port))
        .collect();
    let told = || list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let Some(host) = host else {
        return match nodes {
            [only] => Ok(only.peer),
            _ => Err(Refusal::WhichHost { nodes: told() }),
        };
    };
    let fits = |node: &&RestNode| {
        is_same_host(&node.host, &host.host) && host.port.is_none_or(|port| port == node.port)
    };
    let mut found = nodes.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node.peer),
        (Some(_), Some(_)) => Err(Refusal::WhichHost { nodes: told() }),
        (None, _) => Err(Refusal::NoSuchHost {
            host: host.host.clone(),
            nodes: told(),
        }),
    }
}

/// A pod's name may stand for its full one: `q-0` for `q-0.q.namespace.svc`.
fn is_same_host(known: &str, asked: &str) -> bool {
    let longer = |longer: &str, shorter: &str| {
        let rest = longer.strip_prefix(shorter);
        // An address has no short form.
        rest.is_some_and(|rest| rest.starts_with('.')) && longer.parse::<IpAddr>().is_err()
    };
    known == asked || longer(known, asked) || longer(asked, known)
}

fn without_query(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    // And a password is one, too.
    match (path.split_once("://"), path.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        (Some(_) | None, _) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
