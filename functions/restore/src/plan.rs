//! What a restore from a manifest does, or why it does not: decided before anything is touched. Pure.

use std::collections::{BTreeMap, BTreeSet};

use alioth_cluster::rest::{Alias, AliasAction};
use alioth_jobs::{RestoreRequest, RestoreWhat};
use alioth_snapshot_store::{Manifest, manifest::Collection};
use semver::Version;

use crate::{
    create_body::{self, CreateBodies},
    progress::Noted,
    refusal::Refusal,
    shard_keys::{self, KeyShards},
};

/// What stands in the cluster before a restore.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// The lowest version of its nodes.
    pub(crate) version: Version,
    /// Every collection.
    pub(crate) collections: BTreeSet<String>,
    /// Every alias.
    pub(crate) aliases: Vec<Alias>,
}

/// One collection to be restored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned<'m> {
    /// What the manifest says of it.
    pub(crate) saved: &'m Collection,
    /// Its name here.
    pub(crate) target: String,
    /// What is there of that name.
    pub(crate) fate: Fate,
    /// How it is made.
    pub(crate) bodies: CreateBodies,
    /// Its shard keys, in the order in which they are made; none without custom sharding.
    pub(crate) keys: Vec<KeyShards>,
    /// Its payload indexes: field and schema.
    pub(crate) indexes: Vec<(String, serde_json::Value)>,
}

/// What becomes of a collection that has the target's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There is none.
    Absent,
    /// It is replaced.
    Replaced,
    /// An earlier run of this job made it and left it unfinished: it is made anew.
    Remade,
    /// An earlier run of this job restored it: it stays.
    Kept,
}

/// Decides what to restore.
///
/// # Errors
/// Every reason not to.
pub(crate) fn plan<'m>(
    manifest: &'m Manifest,
    request: &RestoreRequest,
    standing: &Standing,
    noted: &Noted,
) -> Result<Vec<Planned<'m>>, Refusal> {
    check_version(manifest, &standing.version)?;
    let mut planned = Vec::new();
    for saved in wanted(manifest, &request.what)? {
        let target = request.rename_to.as_ref().unwrap_or(&saved.name).clone();
        let fate = fate(&target, request.overwrite, standing, noted)?;
        planned.push(planned_collection(saved, target, fate)?);
    }
    check_aliases(&planned, standing)?;
    Ok(planned)
}

/// The aliases of what was restored, all to be set at once: those the manifest knows, and those that stood for a
/// collection which was replaced.
pub(crate) fn alias_actions(planned: &[Planned<'_>], noted: &Noted) -> Vec<AliasAction> {
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    for (alias, collection) in &noted.kept_aliases {
        aliases.insert(alias.clone(), collection.clone());
    }
    for collection in planned {
        for alias in &collection.saved.aliases {
            aliases.insert(alias.clone(), collection.target.clone());
        }
    }
    let pairs = aliases.into_iter();
    pairs
        .map(|(alias, collection)| AliasAction::Create(Alias { alias, collection }))
        .collect()
}

/// The aliases that go when collections are replaced, and are to come back.
pub(crate) fn endangered_aliases(
    planned: &[Planned<'_>],
    standing: &Standing,
) -> BTreeMap<String, String> {
    let replaced = |name: &str| {
        let mut found = planned.iter().filter(|planned| planned.target == name);
        found.any(|planned| matches!(planned.fate, Fate::Replaced | Fate::Remade))
    };
    let aliases = standing.aliases.iter();
    aliases
        .filter(|alias| replaced(&alias.collection))
        .map(|alias| (alias.alias.clone(), alias.collection.clone()))
        .collect()
}

/// No node here may be older than any that a shard was read from: in an upgrade they differ.
fn check_version(manifest: &Manifest, server: &Version) -> Result<(), Refusal> {
    let snapshot = newest_version(manifest)?;
    let release = |version: &Version| (version.major, version.minor, version.patch);
    if release(server) < release(&snapshot) {
        return Err(Refusal::ServerTooOld {
            server: server.clone(),
            snapshot,
        });
    }
    Ok(())
}

/// The highest version among the nodes that were saved; `qdrant_version` is their lowest.
pub(crate) fn newest_version(manifest: &Manifest) -> Result<Version, Refusal> {
    let of = |text: &String| {
        Version::parse(text).map_err(|_| Refusal::SnapshotVersion { text: text.clone() })
    };
    let mut newest = of(&manifest.qdrant_version)?;
    for peer in &manifest.peers {
        newest = newest.max(of(&peer.version)?);
    }
    Ok(newest)
}

/// The collections asked for, each once, in the manifest's order.
fn wanted<'m>(manifest: &'m Manifest, what: &RestoreWhat) -> Result<Vec<&'m Collection>, Refusal> {
    let names = match what {
        RestoreWhat::Cluster => return Ok(manifest.collections.iter().collect()),
        RestoreWhat::Collections(names) => names,
    };
    for name in names {
        if manifest.collection(name).is_none() {
            let has: Vec<&str> = manifest
                .collections
                .iter()
                .map(|c| c.name.as_str())
                .collect();
            return Err(Refusal::NoSuchCollection {
                id: manifest.id.clone(),
                name: name.clone(),
                has: list(&has),
            });
        }
    }
    let found = manifest.collections.iter();
    Ok(found.filter(|saved| names.contains(&saved.name)).collect())
}

fn fate(
    target: &str,
    overwrite: bool,
    standing: &Standing,
    noted: &Noted,
) -> Result<Fate, Refusal> {
    if let Some(alias) = standing.aliases.iter().find(|alias| alias.alias == target) {
        return Err(Refusal::NameIsAlias {
            name: target.to_owned(),
            collection: alias.collection.clone(),
        });
    }
    match standing.collections.contains(target) {
        false => Ok(Fate::Absent),
        true if noted.restored.contains(target) => Ok(Fate::Kept),
        true if noted.begun.contains(target) => Ok(Fate::Remade),
        true if overwrite => Ok(Fate::Replaced),
        true => Err(Refusal::Exists {
            name: target.to_owned(),
        }),
    }
}

fn planned_collection(
    saved: &Collection,
    target: String,
    fate: Fate,
) -> Result<Planned<'_>, Refusal> {
    let unusable = |reason: String| Refusal::Unusable {
        name: saved.name.clone(),
        reason,
    };
    let bodies = create_body::create_bodies(&saved.config).map_err(unusable)?;
    let indexes = create_body::indexes(&saved.payload_schema).map_err(unusable)?;
    let keys = match create_body::is_custom_sharding(&saved.config) {
        true => shard_keys::recreate(saved).map_err(|reason| Refusal::CustomSharding {
            name: saved.name.clone(),
            reason,
        })?,
        false => {
            shard_keys::check_numbers(saved).map_err(unusable)?;
            Vec::new()
        }
    };
    Ok(Planned {
        saved,
        target,
        fate,
        bodies,
        keys,
        indexes,
    })
}

/// An alias to be set must not be the name of a collection that is there, or will be.
fn check_aliases(planned: &[Planned<'_>], standing: &Standing) -> Result<(), Refusal> {
    let targets: BTreeSet<&str> = planned.iter().map(|p| p.target.as_str()).collect();
    for collection in planned {
        for alias in &collection.saved.aliases {
            if standing.collections.contains(alias) || targets.contains(alias.as_str()) {
                return Err(Refusal::AliasIsName {
                    alias: alias.clone(),
                    collection: collection.target.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Names for people, not all of a thousand.
pub(crate) fn list(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>();
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests;
