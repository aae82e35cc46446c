//! `ALIOTH_S3_*`.

use std::time::Duration;

use alioth_config::{ByteSize, Secret, Section, Span};
use serde::Deserialize;

use crate::keys::{ObjectKey, encode};

/// S3's least size of a part that is not the last, and the largest that memory is a bound for.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART_SIZES: std::ops::RangeInclusive<ByteSize> = ByteSize::mib(5)..=ByteSize::mib(512);

/// Leaves room in a key's 1024 bytes for the longest name of a collection, 255 bytes, each encoded as three.
const LONGEST_PREFIX_BYTES: usize = 150;

/// Classes an object has to be restored from before it can be read, which manifests must not be in.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>
const ARCHIVE_CLASSES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// Where snapshots are kept and how they are written. Credentials come from the SDK's own chain, never from here.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct S3Config {
    /// The bucket's name. Empty: none is configured.
    pub bucket: String,
    /// Put before every key of ours, as `backups/`. Not before what the Python Alioth wrote.
    pub prefix: String,
    /// `http[s]://host[:port]` of another S3 than AWS's. Empty: AWS.
    pub endpoint: String,
    /// Empty: by the SDK's chain; with an endpoint, `AWS_REGION` or `us-east-1`.
    pub region: String,
    /// The bucket in the path instead of the host name. Unset: as soon as there is an endpoint.
    pub path_style: Option<bool>,
    /// The cluster's name in keys.
    pub cluster: String,
    /// Creates the bucket when it does not exist.
    pub create_bucket: bool,
    /// Server-side encryption asked for with every write.
    pub sse: Sse,
    /// The KMS key for `aws:kms`. Empty: the account's default key.
    pub kms_key_id: String,
    /// Storage class asked for with every write. Empty: the bucket's default.
    pub storage_class: String,
    /// Bytes of one part of an upload; an object has 10,000 at most.
    pub part_size: ByteSize,
    /// For the TCP and TLS handshakes together.
    pub connect_timeout: Span,
    /// For one attempt of a call, up to the head of its answer: with an upload, all of a part's bytes.
    pub timeout: Span,
    /// How long an object's body may give nothing before it is asked for again.
    pub idle_timeout: Span,
    /// Attempts of one call, the first included.
    pub attempts: u32,
    /// Longest pause before the second attempt; doubles with each further one.
    pub retry_backoff: Span,
}

/// Server-side encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Sse {
    /// The bucket's default.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Keys that S3 manages.
    #[serde(rename = "AES256")]
    Aes256,
    /// Keys in KMS.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// Whose name calls are signed with.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The SDK's chain: environment, profile, web identity (IRSA), container, instance role.
    Chain,
    /// One key pair: an endpoint of this very process, and tests.
    Static {
        /// The access key's id.
        access_key_id: String,
        /// Its secret.
        secret_access_key: Secret,
    },
}

impl S3Config {
    /// 78 GiB a shard at most, and 24 MiB of buffers an upload: see `upload.rs`.
    const PART_SIZE: ByteSize = ByteSize::mib(8);
    const CONNECT_TIMEOUT: Span = Span(Duration::from_secs(5));
    /// A part within it wants 1.1 Mbit/s.
    const TIMEOUT: Span = Span(Duration::from_secs(60));
    const IDLE_TIMEOUT: Span = Span(Duration::from_secs(30));
    /// With the backoff below, an S3 that is away for 15 s on average is waited for.
    const ATTEMPTS: u32 = 6;
    /// What AWS's SDKs begin with in standard mode.
    const RETRY_BACKOFF: Span = Span(Duration::from_secs(1));

    /// What every key of ours begins with: empty, or ending in `/`.
    pub(crate) fn key_prefix(&self) -> String {
        match self.prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    pub(crate) fn is_path_style(&self) -> bool {
        self.path_style.unwrap_or(!self.endpoint.is_empty())
    }

    fn name_problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let prefix = self.key_prefix();
        if prefix.is_empty() != self.prefix.is_empty() {
            problems.push(("PREFIX", "is nothing but slashes".to_owned()));
        }
        if !prefix.is_empty() && prefix.trim_end_matches('/').parse::<ObjectKey>().is_err() {
            let message = "must be a path without empty segments, . or ..";
            problems.push(("PREFIX", message.to_owned()));
        }
        if self.cluster.is_empty() {
            problems.push(("CLUSTER", "is empty".to_owned()));
        }
        if prefix.len() + encode(&self.cluster).len() > LONGEST_PREFIX_BYTES {
            let message = format!("is, with the prefix, longer than {LONGEST_PREFIX_BYTES} bytes");
            problems.push(("CLUSTER", message));
        }
        let scheme = ["http://", "https://"].map(|scheme| self.endpoint.strip_prefix(scheme));
        let host = scheme.into_iter().flatten().next();
        if !self.endpoint.is_empty() && host.is_none_or(str::is_empty) {
            problems.push((
                "ENDPOINT",
                "wants http:// or https:// and a host".to_owned(),
            ));
        }
        if host.is_some_and(|host| host.contains(['@', '?', '#', ' '])) {
            let message = "must hold a host and port alone; credentials come from the SDK's chain";
            problems.push(("ENDPOINT", message.to_owned()));
        }
        problems
    }
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            prefix: String::new(),
            endpoint: String::new(),
            region: String::new(),
            path_style: None,
            cluster: "default".to_owned(),
            create_bucket: false,
            sse: Sse::None,
            kms_key_id: String::new(),
            storage_class: String::new(),
            part_size: Self::PART_SIZE,
            connect_timeout: Self::CONNECT_TIMEOUT,
            timeout: Self::TIMEOUT,
            idle_timeout: Self::IDLE_TIMEOUT,
            attempts: Self::ATTEMPTS,
            retry_backoff: Self::RETRY_BACKOFF,
        }
    }
}

impl Section for S3Config {
    const PREFIX: &'static str = "ALIOTH_S3_";

    /// An empty bucket is no problem here: whether S3 is needed is the main's to say.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = self.name_problems();
        if !self.kms_key_id.is_empty() && self.sse != Sse::Kms {
            problems.push(("KMS_KEY_ID", "wants ALIOTH_S3_SSE=aws:kms".to_owned()));
        }
        if ARCHIVE_CLASSES.contains(&self.storage_class.as_str()) {
            let message = "is an archive: a manifest could not be read; let the bucket's lifecycle move shards";
            problems.push(("STORAGE_CLASS", message.to_owned()));
        }
        if !PART_SIZES.contains(&self.part_size) {
            problems.push(("PART_SIZE", "must be between 5MiB and 512MiB".to_owned()));
        }
        let spans = [
            ("CONNECT_TIMEOUT", self.connect_timeout),
            ("TIMEOUT", self.timeout),
            ("IDLE_TIMEOUT", self.idle_timeout),
            ("RETRY_BACKOFF", self.retry_backoff),
        ];
        for (field, span) in spans {
            if span.0.is_zero() {
                problems.push((field, "must be above zero".to_owned()));
            }
        }
        if self.attempts == 0 {
            problems.push(("ATTEMPTS", "must be above zero".to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_config::{Loader, undocumented, variable_names};

    fn load(pairs: &[(&str, &str)]) -> Result<S3Config, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (format!("ALIOTH_S3_{name}"), (*value).to_owned()));
        let mut loader = Loader::new(pairs);
        let config = loader.section();
        loader
            .finish()
            .map(|()| config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn readme_documents_every_variable() {
        let readme = include_str!("../README.md");
        assert_eq!(undocumented::<S3Config>(readme), Vec::<String>::new());
        let rows = readme.matches("| `ALIOTH_S3_").count();
        assert_eq!(
            rows,
            variable_names::<S3Config>().len(),
            "a row without a field"
        );
    }

    #[test]
    fn values_are_read() {
        let config = load(&[
            ("BUCKET", "snapshots"),
            ("PREFIX", "backups/alioth"),
            ("ENDPOINT", "http://minio:9000"),
            ("SSE", "aws:kms"),
            ("KMS_KEY_ID", "alias/snapshots"),
            ("STORAGE_CLASS", "STANDARD_IA"),
            ("PART_SIZE", "16MiB"),
            ("CREATE_BUCKET", "true"),
        ])
        .unwrap();
        assert_eq!(config.key_prefix(), "backups/alioth/");
        assert!(config.is_path_style() && config.create_bucket);
        assert_eq!(config.sse, Sse::Kms);
        let virtual_hosted = load(&[("ENDPOINT", "https://s3.example"), ("PATH_STYLE", "false")]);
        assert!(!virtual_hosted.unwrap().is_path_style());
        assert!(!load(&[]).unwrap().is_path_style());
        assert_eq!(load(&[("PREFIX", "a/")]).unwrap().key_prefix(), "a/");
    }

    #[test]
    fn every_problem_is_told() {
        let rows = [
            ("PREFIX", "/"),
            ("PREFIX", "a/../b"),
            ("CLUSTER", &*"é".repeat(100)),
            ("ENDPOINT", "minio:9000"),
            ("ENDPOINT", "https://"),
            ("ENDPOINT", "http://key:hunter2@minio"),
            ("SSE", "yes"),
            ("KMS_KEY_ID", "alias/a"),
            ("STORAGE_CLASS", "DEEP_ARCHIVE"),
            ("PART_SIZE", "4MiB"),
            ("TIMEOUT", "0s"),
            ("ATTEMPTS", "0"),
        ];
        for (field, value) in rows {
            let problems = load(&[(field, value)]).unwrap_err();
            assert!(
                problems.contains(&format!("ALIOTH_S3_{field}: ")),
                "{problems}"
            );
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }
}
