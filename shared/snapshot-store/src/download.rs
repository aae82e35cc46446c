//! Objects as streams that go on where they were after a cut connection. Never gives a byte of another version of
//! the object than it began with.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{Stream, stream};
use sha2::{Digest, Sha256};

use crate::{
    bucket::Bucket,
    error::StoreError,
    fault::{Fault, FaultClass},
    parts::hex,
};

/// The last of a few cuts in a row is waited for this long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// An object's bytes. Ends after all of them, or after an error.
pub struct ObjectStream {
    length: u64,
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>,
}

impl ObjectStream {
    /// The object's whole length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Stream for ObjectStream {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl fmt::Debug for ObjectStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStream")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// What a manifest says of an object.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Opens an object, and compares it with what is expected of it: its length now, its hash at the end.
pub(crate) async fn open(
    bucket: Arc<Bucket>,
    key: String,
    expected: Option<Expected>,
) -> Result<ObjectStream, StoreError> {
    let answer = bucket.get(&key, 0, None).await?;
    let length = answer.content_length().map(u64::try_from);
    let Some(Ok(length)) = length else {
        let fault = Fault::new(FaultClass::Other, "S3 does not say how long it is");
        return Err(StoreError::Get { key, fault });
    };
    if let Some(expected) = &expected
        && expected.bytes != length
    {
        return Err(StoreError::Integrity {
            key,
            what: "length",
            expected: expected.bytes.to_string(),
            found: length.to_string(),
        });
    }
    let reader = Reader {
        bucket,
        key,
        etag: answer.e_tag,
        length,
        offset: 0,
        body: answer.body,
        cuts: 0,
        check: expected.map(|expected| (expected.sha256, Sha256::new())),
    };
    let chunks = stream::try_unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Ok(chunk.map(|chunk| (chunk, reader)))
    });
    Ok(ObjectStream {
        length,
        chunks: Box::pin(chunks),
    })
}

/// An object being read.
struct Reader {
    bucket: Arc<Bucket>,
    key: String,
    etag: Option<String>,
    length: u64,
    /// Bytes given so far.
    offset: u64,
    body: ByteStream,
    /// Cut connections since the last byte.
    cuts: u32,
    /// The hash that is expected, and that of what was given.
    check: Option<(String, Sha256)>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while self.offset < self.length {
            let reason =
                match tokio::time::timeout(self.bucket.idle_timeout, self.body.next()).await {
                    Ok(Some(Ok(chunk))) if chunk.is_empty() => continue,
                    Ok(Some(Ok(chunk))) => return self.give(chunk).map(Some),
                    Ok(Some(Err(error))) => error.to_string(),
                    Ok(None) => "its body ended early".to_owned(),
                    Err(_) => format!("nothing came for {:?}", self.bucket.idle_timeout),
                };
            self.resume(reason).await?;
        }
        self.compare()?;
        Ok(None)
    }

    fn give(&mut self, chunk: Bytes) -> Result<Bytes, StoreError> {
        self.cuts = 0;
        self.offset += chunk.len() as u64;
        if self.offset > self.length {
            return Err(self.failed(FaultClass::Other, "it is longer than S3 said"));
        }
        if let Some((_, hash)) = &mut self.check {
            hash.update(&chunk);
        }
        Ok(chunk)
    }

    /// Asks for the rest, after a pause that grows with every cut in a row.
    async fn resume(&mut self, reason: String) -> Result<(), StoreError> {
        self.cuts += 1;
        if self.cuts >= self.bucket.attempts {
            return Err(self.failed(FaultClass::Transient, reason));
        }
        tracing::warn!(
            key = self.key,
            offset = self.offset,
            reason,
            "object cut off, asking for the rest"
        );
        let doubled = self.bucket.retry_backoff * 2_u32.saturating_pow(self.cuts - 1);
        tokio::time::sleep(doubled.min(LONGEST_PAUSE).mul_f64(fastrand::f64())).await;
        let answer = self
            .bucket
            .get(&self.key, self.offset, self.etag.as_deref())
            .await?;
        let expected = format!("bytes {}-{}/{}", self.offset, self.length - 1, self.length);
        if self.offset > 0 && answer.content_range() != Some(&expected) {
            let found = answer.content_range().unwrap_or("all of it");
            let message = format!("asked for {expected}, S3 sent {found}");
            return Err(self.failed(FaultClass::Other, message));
        }
        self.body = answer.body;
        Ok(())
    }

    fn compare(&mut self) -> Result<(), StoreError> {
        let Some((expected, hash)) = self.check.take() else {
            return Ok(());
        };
        let found = hex(&hash.finalize());
        if found == expected {
            return Ok(());
        }
        Err(StoreError::Integrity {
            key: self.key.clone(),
            what: "SHA-256",
            expected,
            found,
        })
    }

    fn failed(&self, class: FaultClass, message: impl Into<String>) -> StoreError {
        StoreError::Get {
            key: self.key.clone(),
            fault: Fault::new(class, message),
        }
    }
}
