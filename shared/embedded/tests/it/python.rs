//! Qdrant's official Python client against the node, over REST and over gRPC.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alioth_testkit::{Qdrant, unique_collection};
use tokio::process::Command;

use crate::setup::Outcome;

/// Any client of this or a later minor release must work; the newest is taken.
const CLIENT: &str = "qdrant-client>=1.16";
const SCRIPT: &str = include_str!("python/client.py");

#[tokio::test]
async fn the_official_python_client_works_over_rest_and_grpc() -> Outcome {
    let python = python_with_client().await?;
    let qdrant = Qdrant::start().await;
    for prefer_grpc in ["false", "true"] {
        let run = Command::new(&python)
            .args(["-c", SCRIPT])
            .arg(qdrant.rest_url())
            .arg(qdrant.grpc_url())
            .arg(unique_collection("python"))
            .arg(prefer_grpc)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(120), run).await??;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gRPC {prefer_grpc}: {errors}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "all well");
    }
    Ok(())
}

/// A virtual environment in the target folder, made once.
async fn python_with_client() -> anyhow::Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = target.join("qdrant-python");
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if ready.exists() {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))
    .await?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        CLIENT,
    ];
    run(Command::new(&python).args(install)).await?;
    std::fs::write(ready, "")?;
    Ok(python)
}

async fn run(command: &mut Command) -> Outcome {
    let output = command.output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {errors}");
    Ok(())
}
