//! `alioth` as a process, and what it said.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use qdrant_client::{
    Qdrant,
    qdrant::{CountPointsBuilder, CreateCollectionBuilder, Distance, VectorParamsBuilder},
};

pub(crate) fn alioth(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alioth"));
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) async fn output_of(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub(crate) async fn output(arguments: &[&str]) -> Output {
    output_of(alioth(arguments)).await
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A standalone Alioth; killed when dropped.
pub(crate) struct Standalone {
    pub(crate) child: Child,
    pub(crate) http: String,
    qdrant: String,
    environment: PathBuf,
}

impl Standalone {
    /// Starts it on free ports and reads their addresses from what it prints.
    pub(crate) async fn start(data_dir: &Path) -> Self {
        let data_dir = data_dir.to_str().unwrap().to_owned();
        tokio::task::spawn_blocking(move || {
            let mut child = alioth(&["standalone", "--data-dir", &data_dir, "--free-ports"])
                .env("ALIOTH_LOG_LEVEL", "warn")
                // A job that a kill cut off is taken for dead sooner.
                .env("ALIOTH_JOB_LEASE", "2s")
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let stdout = BufReader::new(child.stdout.take().unwrap());
            let mut lines = stdout.lines().map_while(Result::ok);
            let line = lines
                .find(|line| line.starts_with("alioth takes writes"))
                .unwrap();
            let address = |name: &str| {
                let (_, rest) = line
                    .split_once(name)
                    .unwrap_or_else(|| panic!("{name} is not in {line:?}"));
                let word = rest.split_whitespace().next().unwrap();
                word.trim_end_matches(',').to_owned()
            };
            Self {
                http: address("writes at "),
                qdrant: address("Qdrant's gRPC at "),
                environment: address("environment in ").into(),
                child,
            }
        })
        .await
        .unwrap()
    }

    pub(crate) fn client(&self) -> Qdrant {
        Qdrant::from_url(&self.qdrant)
            .skip_compatibility_check()
            .build()
            .unwrap()
    }

    /// A command with the variables that reach this one's engines.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let variables = std::fs::read_to_string(&self.environment).unwrap();
        let mut command = alioth(arguments);
        command.envs(variables.lines().map(|line| line.split_once('=').unwrap()));
        command
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) async fn create(client: &Qdrant, collection: &str) {
    let vectors = VectorParamsBuilder::new(2, Distance::Dot);
    client
        .create_collection(CreateCollectionBuilder::new(collection).vectors_config(vectors))
        .await
        .unwrap();
}

pub(crate) async fn count(client: &Qdrant, collection: &str) -> u64 {
    let request = CountPointsBuilder::new(collection).exact(true);
    let response = client.count(request).await.unwrap();
    response.result.unwrap().count
}
