//! One bucket and the calls to it that a single request answers. Knows nothing of snapshots.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::SdkError,
    operation::get_object::GetObjectOutput,
    primitives::ByteStream,
    types::{
        BucketLocationConstraint, CreateBucketConfiguration, ServerSideEncryption, StorageClass,
    },
};
use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use crate::{
    config::{S3Config, Sse},
    error::StoreError,
    fault::{Fault, FaultClass},
};

/// The bucket, and how objects in it are to be written and read.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) part_size: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) attempts: u32,
    pub(crate) retry_backoff: Duration,
    pub(crate) sse: Option<ServerSideEncryption>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) storage_class: Option<StorageClass>,
    /// Aborts of uploads that were dropped.
    pub(crate) aborts: TaskTracker,
}

/// What an object's body is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Octets,
    Json,
}

impl Content {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Octets => "application/octet-stream",
            Self::Json => "application/json",
        }
    }
}

/// An object in a listing.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) last_modified: Timestamp,
}

impl Bucket {
    pub(crate) fn new(client: Client, config: &S3Config) -> Self {
        let given = |value: &String| (!value.is_empty()).then(|| value.clone());
        Self {
            client,
            name: config.bucket.clone(),
            part_size: config.part_size.as_usize(),
            idle_timeout: config.idle_timeout.0,
            attempts: config.attempts,
            retry_backoff: config.retry_backoff.0,
            sse: match config.sse {
                Sse::None => None,
                Sse::Aes256 => Some(ServerSideEncryption::Aes256),
                Sse::Kms => Some(ServerSideEncryption::AwsKms),
            },
            kms_key_id: given(&config.kms_key_id),
            storage_class: given(&config.storage_class).map(|class| class.as_str().into()),
            aborts: TaskTracker::new(),
        }
    }

    /// Lists one key below a prefix: an answer to that says why not, which one to `HeadBucket` cannot.
    pub(crate) async fn check(&self, prefix: &str) -> Result<(), StoreError> {
        let list = self.client.list_objects_v2().bucket(&self.name);
        match list.prefix(prefix).max_keys(1).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::Bucket {
                bucket: self.name.clone(),
                fault: Fault::of(error),
            }),
        }
    }

    /// Creates the bucket in the client's region. One that is there already, of ours, will do.
    pub(crate) async fn create(&self) -> Result<(), StoreError> {
        let region = self.client.config().region().map(AsRef::as_ref);
        // The one region that must not be named.
        let place = region
            .filter(|region| *region != "us-east-1")
            .map(|region| {
                CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(region))
                    .build()
            });
        let create = self.client.create_bucket().bucket(&self.name);
        match create.set_create_bucket_configuration(place).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_bucket_already_owned_by_you() => {
                Ok(())
            }
            Err(error) => Err(StoreError::CreateBucket {
                bucket: self.name.clone(),
                fault: Fault::of(error),
            }),
        }
    }

    /// Writes an object in one request.
    pub(crate) async fn put(
        &self,
        key: &str,
        body: Bytes,
        content: Content,
    ) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(key);
        let put = put
            .body(ByteStream::from(body))
            .content_type(content.media_type())
            .set_server_side_encryption(self.sse.clone())
            .set_ssekms_key_id(self.kms_key_id.clone())
            .set_storage_class(self.storage_class.clone());
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::Put {
                key: key.to_owned(),
                fault: Fault::of(error),
            }),
        }
    }

    /// Asks for an object, from `offset` on and only if it is still the one with that ETag.
    pub(crate) async fn get(
        &self,
        key: &str,
        offset: u64,
        etag: Option<&str>,
    ) -> Result<GetObjectOutput, StoreError> {
        let get = self.client.get_object().bucket(&self.name).key(key);
        let range = (offset > 0).then(|| format!("bytes={offset}-"));
        let get = get.set_range(range).set_if_match(etag.map(str::to_owned));
        get.send().await.map_err(|error| StoreError::Get {
            key: key.to_owned(),
            fault: Fault::of(error),
        })
    }

    /// Reads a small object whole; `None` when it is not there.
    pub(crate) async fn get_small(
        &self,
        key: &str,
        limit: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        let failed = |class, message: String| StoreError::Get {
            key: key.to_owned(),
            fault: Fault::new(class, message),
        };
        let answer = match self.get(key, 0, None).await {
            Ok(answer) => answer,
            Err(error) if error.class() == FaultClass::MissingKey => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = answer.content_length().map(u64::try_from);
        if !matches!(length, Some(Ok(length)) if length <= limit) {
            let message = format!("it is longer than {limit} bytes");
            return Err(failed(FaultClass::Other, message));
        }
        match tokio::time::timeout(self.idle_timeout, answer.body.collect()).await {
            Ok(Ok(body)) => Ok(Some(body.into_bytes())),
            Ok(Err(error)) => Err(failed(FaultClass::Transient, error.to_string())),
            Err(_) => Err(failed(
                FaultClass::Transient,
                "its body did not come in time".to_owned(),
            )),
        }
    }

    /// An object's length; `None` when it is not there.
    pub(crate) async fn length(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let head = self.client.head_object().bucket(&self.name).key(key);
        let fault = match head.send().await {
            Ok(answer) => {
                let length = answer.content_length().map(u64::try_from);
                match length {
                    Some(Ok(length)) => return Ok(Some(length)),
                    _ => Fault::new(FaultClass::Other, "S3 does not say how long it is"),
                }
            }
            Err(error) => Fault::of(error),
        };
        match fault.class {
            FaultClass::MissingKey => Ok(None),
            _ => Err(StoreError::Get {
                key: key.to_owned(),
                fault,
            }),
        }
    }

    /// Deletes an object; one that is not there is deleted. One by one: deleting many in a request wants a
    /// checksum that not every S3 knows.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.name).key(key);
        let Err(error) = delete.send().await else {
            return Ok(());
        };
        let fault = Fault::of(error);
        match fault.class {
            FaultClass::MissingKey => Ok(()),
            _ => Err(StoreError::Delete {
                key: key.to_owned(),
                fault,
            }),
        }
    }

    /// Hands every object below a prefix to `each`, in the order of keys.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        mut each: impl FnMut(Entry),
    ) -> Result<(), StoreError> {
        let failed = |fault| StoreError::List {
            prefix: prefix.to_owned(),
            fault,
        };
        let mut token = None;
        loop {
            let list = self.client.list_objects_v2().bucket(&self.name);
            let page = list
                .prefix(prefix)
                .set_continuation_token(token.take())
                .send()
                .await
                .map_err(|error| failed(Fault::of(error)))?;
            for object in page.contents() {
                let modified = object.last_modified().and_then(|time| {
                    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
                    Timestamp::new(time.secs(), nanoseconds).ok()
                });
                let bytes = object.size().map(u64::try_from);
                let (Some(key), Some(Ok(bytes)), Some(last_modified)) =
                    (object.key(), bytes, modified)
                else {
                    let message = "an object is listed without key, size or time";
                    return Err(failed(Fault::new(FaultClass::Other, message)));
                };
                each(Entry {
                    key: key.to_owned(),
                    bytes,
                    last_modified,
                });
            }
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(());
            }
        }
    }
}
