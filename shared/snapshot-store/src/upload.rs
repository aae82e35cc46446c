//! Streams of unknown length into S3, part by part. Keeps three parts in memory, whatever the length: one being
//! filled and two being sent, or all three being sent. Leaves nothing behind of a stream that failed, except when
//! S3 itself is away: what is left then, [`SnapshotStore::abort_leftovers`](crate::SnapshotStore) finds.

use std::{error::Error, sync::Arc, time::Duration};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use futures_util::Stream;
use tokio::task::JoinSet;

use crate::{
    bucket::{Bucket, Content},
    error::{PutError, StoreError},
    fault::{Fault, FaultClass},
    parts::Parts,
    store::Stored,
};

/// Buffers of one upload, each of a part's size. They are used again and again: freed and allocated anew they would
/// stay behind, in part, in every thread's arena.
const PARTS_IN_MEMORY: usize = 3;
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MOST_PARTS: i32 = 10_000;
/// An upload that failed waits this long at most for its abort before it says so.
pub(crate) const ABORT_DEADLINE: Duration = Duration::from_secs(10);

/// Stores a stream under a key.
pub(crate) async fn put<S, E>(
    bucket: &Arc<Bucket>,
    key: String,
    stream: S,
) -> Result<Stored, PutError<E>>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Error + Send + Sync + 'static,
{
    let mut parts = Parts::new(stream, bucket.part_size);
    if let Err(source) = parts.fill().await {
        return Err(PutError::Source { key, source });
    }
    if parts.ended {
        bucket.put(&key, parts.take(), Content::Octets).await?;
        return Ok(parts.stored());
    }
    let mut upload = Upload::create(Arc::clone(bucket), key).await?;
    let mut sending = JoinSet::new();
    match upload.send_all(&mut parts, &mut sending).await {
        Ok(sent) => {
            upload.complete(sent, parts.bytes).await?;
            Ok(parts.stored())
        }
        Err(error) => {
            // A part that arrived after the abort would stay.
            sending.shutdown().await;
            upload.abort().await;
            Err(error)
        }
    }
}

/// A multipart upload; dropped before it is complete, it is aborted in the background.
struct Upload {
    bucket: Arc<Bucket>,
    key: String,
    /// Gone once the upload has ended, either way.
    id: Option<String>,
}

/// What completes the upload, and the part's buffer.
type Sent = Result<(CompletedPart, Bytes), StoreError>;

impl Upload {
    async fn create(bucket: Arc<Bucket>, key: String) -> Result<Self, StoreError> {
        let create = bucket
            .client
            .create_multipart_upload()
            .bucket(&bucket.name)
            .key(&key);
        let create = create
            .content_type(Content::Octets.media_type())
            .set_server_side_encryption(bucket.sse.clone())
            .set_ssekms_key_id(bucket.kms_key_id.clone())
            .set_storage_class(bucket.storage_class.clone());
        let fault = match create.send().await {
            Ok(answer) => match answer.upload_id {
                Some(id) => {
                    let id = Some(id);
                    return Ok(Self { bucket, key, id });
                }
                None => Fault::new(FaultClass::Other, "S3 gave no upload id"),
            },
            Err(error) => Fault::of(error),
        };
        Err(StoreError::Put { key, fault })
    }

    /// Sends every part, the one filled already first.
    async fn send_all<S, E>(
        &mut self,
        parts: &mut Parts<S>,
        sending: &mut JoinSet<Sent>,
    ) -> Result<Vec<CompletedPart>, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Error + Send + Sync + 'static,
    {
        let mut sent = Vec::new();
        let mut number = 1;
        sending.spawn(self.send(number, parts.take())?);
        loop {
            tokio::select! {
                biased;
                Some(part) = sending.join_next(), if !sending.is_empty() => {
                    let (part, buffer) = part.unwrap_or_else(|panic| Err(self.lost(&panic)))?;
                    parts.give_back(buffer);
                    sent.push(part);
                }
                filled = parts.fill(), if !parts.ended && sending.len() < PARTS_IN_MEMORY => {
                    filled.map_err(|source| PutError::Source { key: self.key.clone(), source })?;
                    if !parts.part.is_empty() {
                        number += 1;
                        sending.spawn(self.send(number, parts.take())?);
                    }
                }
                else => break,
            }
        }
        sent.sort_by_key(CompletedPart::part_number);
        Ok(sent)
    }

    /// Sends one part. Its bytes stay in memory until S3 has them, for every attempt to send.
    fn send(
        &self,
        number: i32,
        part: Bytes,
    ) -> Result<impl Future<Output = Sent> + Send + 'static + use<>, StoreError> {
        if number > MOST_PARTS {
            let limit = u64::from(MOST_PARTS.unsigned_abs()) * self.bucket.part_size as u64;
            let key = self.key.clone();
            return Err(StoreError::TooLong { key, limit });
        }
        let (bucket, key) = (Arc::clone(&self.bucket), self.key.clone());
        let send = bucket.client.upload_part().bucket(&bucket.name).key(&key);
        let send = send.set_upload_id(self.id.clone()).part_number(number);
        Ok(async move {
            let answer = match send.body(ByteStream::from(part.clone())).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let fault = Fault::of(error);
                    return Err(StoreError::Put { key, fault });
                }
            };
            let completed = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag)
                .set_checksum_crc32(answer.checksum_crc32)
                .set_checksum_crc32_c(answer.checksum_crc32_c)
                .set_checksum_crc64_nvme(answer.checksum_crc64_nvme)
                .build();
            Ok((completed, part))
        })
    }

    fn lost(&self, panic: &tokio::task::JoinError) -> StoreError {
        StoreError::Put {
            key: self.key.clone(),
            fault: Fault::new(FaultClass::Other, format!("a part's task ended: {panic}")),
        }
    }

    /// Makes the parts an object of that many bytes.
    async fn complete(mut self, sent: Vec<CompletedPart>, bytes: u64) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(sent))
            .build();
        let client = &self.bucket.client;
        let complete = client.complete_multipart_upload().bucket(&self.bucket.name);
        let complete = complete.key(&self.key).set_upload_id(self.id.clone());
        let Err(error) = complete.multipart_upload(parts).send().await else {
            self.id = None;
            return Ok(());
        };
        let fault = Fault::of(error);
        // S3 had completed it, its answer was lost, and the next attempt found no upload any more.
        if fault.code.as_deref() == Some("NoSuchUpload")
            && self.bucket.length(&self.key).await? == Some(bytes)
        {
            self.id = None;
            return Ok(());
        }
        self.abort().await;
        let key = std::mem::take(&mut self.key);
        Err(StoreError::Put { key, fault })
    }

    /// Frees what the parts hold; logged when S3 does not let it.
    async fn abort(&mut self) {
        if let Some(id) = self.id.take() {
            abort(&self.bucket, &self.key, &id).await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        // Outside a runtime there is nobody to abort it: the leftover is found by its age.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (bucket, key) = (Arc::clone(&self.bucket), std::mem::take(&mut self.key));
            let aborts = bucket.aborts.clone();
            aborts.spawn_on(async move { abort(&bucket, &key, &id).await }, &runtime);
        }
    }
}

async fn abort(bucket: &Bucket, key: &str, id: &str) {
    match tokio::time::timeout(ABORT_DEADLINE, bucket.abort(key, id)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "upload not aborted, its parts stay until leftovers are pruned")
        }
        Err(_) => tracing::warn!(
            key,
            "upload not aborted in time, its parts stay until leftovers are pruned"
        ),
    }
}

impl Bucket {
    /// Ends a multipart upload and frees its parts; one that has ended is ended.
    pub(crate) async fn abort(&self, key: &str, upload: &str) -> Result<(), StoreError> {
        let abort = self.client.abort_multipart_upload().bucket(&self.name);
        let Err(error) = abort.key(key).upload_id(upload).send().await else {
            return Ok(());
        };
        let fault = Fault::of(error);
        if fault.code.as_deref() == Some("NoSuchUpload") {
            return Ok(());
        }
        Err(StoreError::Abort {
            key: key.to_owned(),
            fault,
        })
    }
}

#[cfg(test)]
mod tests;
