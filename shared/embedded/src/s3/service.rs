//! The calls of S3 that are answered, in its terms. What is not here s3s answers with NotImplemented.

use std::{
    io::{self, SeekFrom},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use futures_util::StreamExt as _;
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    crypto::{Checksum as _, Md5},
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix,
        CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateBucketInput,
        CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput,
        GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input,
        ListObjectsV2Output, MultipartUpload, Object, PutObjectInput, PutObjectOutput,
        StreamingBlob, Timestamp, UploadPartInput, UploadPartOutput,
    },
};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{
    Fault,
    file::{Attributes, Opened},
    hex,
    objects::{Listed, Objects, Query},
    uploads::{Upload, Wanted},
};

/// Between the socket and the disk.
const BUFFER_BYTES: usize = 256 * 1024;
/// Most keys of one answer, as in S3.
const PAGE: usize = 1000;

/// Answers calls out of a directory.
#[derive(Debug)]
pub(super) struct Service {
    objects: Arc<Objects>,
}

impl Service {
    pub(super) fn new(objects: Objects) -> Self {
        let objects = Arc::new(objects);
        Self { objects }
    }

    /// Works on the directory, on a thread that may wait for a disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Objects) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let objects = Arc::clone(&self.objects);
        tokio::task::spawn_blocking(move || work(&objects))
            .await
            .map_err(io::Error::other)?
    }

    /// Writes a body into a file of no name; gives the MD5 of its bytes too. s3s ends a body that is not what was
    /// signed in an error.
    async fn receive(&self, body: Option<StreamingBlob>) -> Result<(NamedTempFile, String), Fault> {
        let file = self.blocking(|objects| Ok(objects.new_file()?)).await?;
        let writer = tokio::fs::File::from_std(file.as_file().try_clone()?);
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, writer);
        let mut md5 = Md5::new();
        let mut chunks = futures_util::stream::iter(body).flatten();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(Fault::Body)?;
            md5.update(&chunk);
            writer.write_all(&chunk).await?;
        }
        writer.flush().await?;
        Ok((file, hex(&md5.finalize())))
    }

    async fn open(&self, bucket: String, key: String) -> Result<Opened, Fault> {
        self.blocking(move |objects| objects.get(&bucket, &key))
            .await
    }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        self.blocking(move |objects| objects.create_bucket(&bucket))
            .await?;
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = request.input.bucket;
        self.blocking(move |objects| objects.bucket(&bucket))
            .await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let limit = input
            .max_keys
            .map_or(PAGE, |keys| usize::try_from(keys).unwrap_or(0));
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: input
                .continuation_token
                .clone()
                .max(input.start_after.clone()),
            limit: limit.min(PAGE),
        };
        let bucket = input.bucket.clone();
        let page = self
            .blocking(move |objects| objects.list(&bucket, &query))
            .await?;
        let last = page.found.last_key_value().map(|(name, _)| name.clone());
        let (mut contents, mut common_prefixes) = (Vec::new(), Vec::new());
        let count = page.found.len();
        for (name, listed) in page.found {
            match listed {
                Some(listed) => contents.push(object(name, listed)),
                None => common_prefixes.push(CommonPrefix { prefix: Some(name) }),
            }
        }
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            key_count: i32::try_from(count).ok(),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(page.is_truncated),
            next_continuation_token: last.filter(|_| page.is_truncated),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let (file, etag) = self.receive(input.body).await?;
        let attributes = Attributes {
            key: input.key,
            etag: etag.clone(),
            content_type: input.content_type,
        };
        let bucket = input.bucket;
        self.blocking(move |objects| objects.put(&bucket, &attributes, file))
            .await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let opened = self.open(input.bucket, input.key).await?;
        let etag = ETag::Strong(opened.attributes.etag);
        if let Some(ETagCondition::ETag(wanted)) = input.if_match
            && !etag.strong_cmp(&wanted)
        {
            return Err(Fault::PreconditionFailed.into());
        }
        let range = match input.range {
            Some(range) => range.check(opened.bytes).map_err(|_| Fault::InvalidRange)?,
            None => 0..opened.bytes,
        };
        let length = range.end - range.start;
        let content_range = input.range.map(|_| {
            let last = range.end - 1;
            format!("bytes {}-{last}/{}", range.start, opened.bytes)
        });
        let mut file = tokio::fs::File::from_std(opened.file);
        file.seek(SeekFrom::Start(range.start))
            .await
            .map_err(Fault::Directory)?;
        let body = ReaderStream::with_capacity(file.take(length), BUFFER_BYTES);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(body)),
            content_length: i64::try_from(length).ok(),
            content_range,
            content_type: opened.attributes.content_type,
            e_tag: Some(etag),
            last_modified: Some(Timestamp::from(opened.modified)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let opened = self.open(input.bucket, input.key).await?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(opened.bytes).ok(),
            content_type: opened.attributes.content_type,
            e_tag: Some(ETag::Strong(opened.attributes.etag)),
            last_modified: Some(Timestamp::from(opened.modified)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        self.blocking(move |objects| objects.delete(&bucket, &key))
            .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let upload = Upload::new(input.bucket.clone(), input.key.clone(), input.content_type);
        let id = self
            .blocking(move |objects| objects.begin_upload(&upload))
            .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id.to_string()),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let id = upload_id(&input.upload_id)?;
        let (file, etag) = self.receive(input.body).await?;
        let (number, md5) = (input.part_number, etag.clone());
        self.blocking(move |objects| objects.put_part(id, number, md5, file))
            .await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput {
            bucket,
            key,
            upload_id: id,
            multipart_upload,
            ..
        } = request.input;
        let id = upload_id(&id)?;
        let parts = multipart_upload.and_then(|upload| upload.parts);
        let wanted: Wanted = parts
            .into_iter()
            .flatten()
            .map(|part| {
                let etag = part.e_tag.map(ETag::into_value);
                (
                    part.part_number.unwrap_or_default(),
                    etag.unwrap_or_default(),
                )
            })
            .collect();
        let wanted = {
            let (bucket, key) = (bucket.clone(), key.clone());
            self.blocking(move |objects| {
                objects.check_parts(&bucket, &key, id, &wanted)?;
                Ok(wanted)
            })
            .await?
        };
        // A large object takes longer to put together than a client waits for the head of an answer.
        let objects = Arc::clone(&self.objects);
        let future = async move {
            let work = move || {
                let etag = objects.complete_upload(&bucket, &key, id, &wanted)?;
                Ok::<_, Fault>((bucket, key, etag))
            };
            let joined = tokio::task::spawn_blocking(work).await;
            let (bucket, key, etag) = joined.map_err(io::Error::other).map_err(Fault::from)??;
            Ok(CompleteMultipartUploadOutput {
                bucket: Some(bucket),
                key: Some(key),
                e_tag: Some(ETag::Strong(etag)),
                ..CompleteMultipartUploadOutput::default()
            })
        };
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            future: Some(Box::pin(future)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let id = upload_id(&input.upload_id)?;
        self.blocking(move |objects| objects.abort_upload(&input.bucket, &input.key, id))
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let ListMultipartUploadsInput { bucket, prefix, .. } = request.input;
        let (within, below) = (bucket.clone(), prefix.clone().unwrap_or_default());
        let uploads = self
            .blocking(move |objects| objects.list_uploads(&within, &below))
            .await?;
        let uploads = uploads.into_iter().map(|(id, upload)| MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(id.to_string()),
            initiated: Some(Timestamp::from(
                UNIX_EPOCH + Duration::from_secs(upload.initiated),
            )),
            ..MultipartUpload::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            prefix,
            // There are as many as there are streams under way, and leftovers of a day.
            is_truncated: Some(false),
            uploads: Some(uploads.collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn upload_id(text: &str) -> Result<Uuid, Fault> {
    Uuid::parse_str(text).map_err(|_| Fault::NoSuchUpload)
}

fn object(key: String, listed: Listed) -> Object {
    Object {
        key: Some(key),
        size: i64::try_from(listed.bytes).ok(),
        e_tag: Some(ETag::Strong(listed.etag)),
        last_modified: Some(Timestamp::from(listed.modified)),
        ..Object::default()
    }
}

/// The one place where a fault gets its code, and with it its HTTP status.
impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        let code = match &fault {
            Fault::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            Fault::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
            Fault::NoSuchKey => S3ErrorCode::NoSuchKey,
            Fault::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            Fault::InvalidPart(_) => S3ErrorCode::InvalidPart,
            Fault::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            Fault::EntityTooSmall(_) => S3ErrorCode::EntityTooSmall,
            Fault::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            Fault::InvalidRange => S3ErrorCode::InvalidRange,
            Fault::Body(_) => S3ErrorCode::IncompleteBody,
            Fault::Directory(_) => S3ErrorCode::InternalError,
        };
        if let Fault::Directory(error) = &fault {
            tracing::error!(%error, "embedded S3 cannot use its directory");
        }
        S3Error::with_message(code, fault.to_string())
    }
}
