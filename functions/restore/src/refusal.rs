//! Why a restore does not begin. Each is found before anything is touched.

use alioth_snapshot_store::{ParseIdError, SnapshotId};
use semver::Version;

/// A restore that cannot be, as asked. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A text that names no snapshot.
    #[error("from.id: {0}")]
    SnapshotId(#[from] ParseIdError),
    /// No complete snapshot fits.
    #[error("from: there is no complete snapshot {wanted}")]
    NoSnapshot {
        /// Of what, and of which time.
        wanted: String,
    },
    /// The snapshot does not exist, or nobody finished it.
    #[error("from.id: snapshot {id} does not exist or is incomplete: it has no manifest")]
    Incomplete {
        /// Which.
        id: SnapshotId,
    },
    /// The snapshot is complete and has another content.
    #[error("collections: snapshot {id} has no collection {name:?}; it has {has}")]
    NoSuchCollection {
        /// The snapshot.
        id: SnapshotId,
        /// What was asked for.
        name: String,
        /// What there is.
        has: String,
    },
    /// Older servers cannot read what newer ones wrote.
    #[error("the snapshot is of Qdrant {snapshot}, and a node runs {server}: its version is older")]
    ServerTooOld {
        /// The lowest of the nodes.
        server: Version,
        /// The highest of those that were saved.
        snapshot: Version,
    },
    /// A manifest with a version that is none.
    #[error("the manifest's version {text:?} of Qdrant is no version")]
    SnapshotVersion {
        /// What it says.
        text: String,
    },
    /// Replacing was not asked for.
    #[error("collection {name:?} exists; say overwrite, or another name")]
    Exists {
        /// Which.
        name: String,
    },
    /// A collection cannot have an alias's name.
    #[error(
        "{name:?} is an alias of {collection:?} here; restore under another name, or remove it"
    )]
    NameIsAlias {
        /// The name.
        name: String,
        /// What it stands for.
        collection: String,
    },
    /// An alias cannot have a collection's name.
    #[error("alias {alias:?} of {collection:?} is a collection's name here")]
    AliasIsName {
        /// The alias.
        alias: String,
        /// The restored collection it belongs to.
        collection: String,
    },
    /// Shards whose numbers decide where points belong, and which Qdrant would number differently.
    #[error(
        "collection {name:?} has custom sharding that Qdrant cannot recreate ({reason}); see qdrant issue 10135"
    )]
    CustomSharding {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// A manifest that does not describe a collection.
    #[error("the manifest's collection {name:?}: {reason}")]
    Unusable {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// Nobody of that name is configured.
    #[error("host: {host:?} is none of the cluster's nodes; they are {nodes}")]
    NoSuchHost {
        /// What was asked for.
        host: String,
        /// Who there is.
        nodes: String,
    },
    /// A file is a node's, and there are several.
    #[error("host: a snapshot file goes to one node, and there are {nodes}")]
    WhichHost {
        /// Who there is.
        nodes: String,
    },
    /// `s3://` leads to another bucket, or to nothing.
    #[error("from.url: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
}
