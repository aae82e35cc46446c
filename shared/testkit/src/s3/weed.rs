//! SeaweedFS's program: where it is, and what it is told. Starts nothing.

use super::{ACCESS_KEY_ID, READER_ACCESS_KEY_ID, READER_SECRET_ACCESS_KEY, SECRET_ACCESS_KEY};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Where `make test-deps` puts it, below the target folder.
const WEED: &str = "tools/seaweedfs/bin/weed";
/// What SeaweedFS encrypts AES256 objects' keys with; without one it refuses them.
pub(super) const SSE_KEY: &str = "6f1d8f0e3b5a4c7d9e2f1a0b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d";

/// One volume a bucket at a time, as a bucket of a test is small and gone soon.
const MASTER: &str = "[master.volume_growth]\ncopy_1 = 1\ncopy_other = 1\n";

/// What every server is told, beside its ports.
pub(super) const ARGUMENTS: [&str; 20] = [
    "-logtostderr=true",
    "server",
    "-dir=data",
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=1024",
    // The first election after a start on old data waits for this.
    "-master.electionTimeout=1s",
    "-volume.max=1000",
    // By default it takes no object, and does not say why, once a hundredth of the disk is left: on a large disk
    // that is more than all tests write.
    "-volume.minFreeSpace=64MiB",
    "-volume.preStopSeconds=0",
    "-filer",
    "-filer.localSocket=filer.sock",
    "-s3",
    "-s3.localSocket=s3.sock",
    "-s3.config=identities.json",
    "-s3.iam=false",
    // As AWS: a bucket is created by those who mean to.
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
];

/// The program, below the target folder that this test process was built in.
pub(super) fn program() -> io::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let found = test
        .ancestors()
        .map(|folder| folder.join(WEED))
        .find(|weed| weed.exists());
    found.ok_or_else(|| {
        let target = test
            .ancestors()
            .nth(3)
            .unwrap_or(Path::new("target"))
            .join(WEED);
        let message = format!(
            "{} does not exist: `make test-deps` brings it",
            target.display()
        );
        io::Error::other(message)
    })
}

/// Writes the files that the server reads from its folder.
pub(super) fn configure(folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join("master.toml"), MASTER)?;
    std::fs::write(folder.join("identities.json"), identities())
}

/// Who may do what.
fn identities() -> String {
    let identity = |name, id, secret, actions: &[&str]| {
        serde_json::json!({
            "name": name,
            "credentials": [{"accessKey": id, "secretKey": secret}],
            "actions": actions,
        })
    };
    let everything = ["Admin", "Read", "List", "Tagging", "Write"];
    let identities = [
        identity("admin", ACCESS_KEY_ID, SECRET_ACCESS_KEY, &everything),
        identity(
            "reader",
            READER_ACCESS_KEY_ID,
            READER_SECRET_ACCESS_KEY,
            &["Read", "List"],
        ),
    ];
    serde_json::json!({"identities": identities}).to_string()
}
