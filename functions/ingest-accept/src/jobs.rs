//! The road of a job's request: key, headers, body, parse, publish. Whether it can be served is the job's to say:
//! nothing is asked of Qdrant or the bucket here.

use alioth_broker::{OutgoingMessage, Queue};
use alioth_jobs::{
    ClusterBody, JobId,
    python::{CollectionsBody, HostsBody, RestoreBody},
};
use axum::{body::Body, http::HeaderMap};

use crate::{
    answer::Refusal,
    decode::decode,
    message,
    write::{Acceptor, now_ms, weight},
};

/// Room for four thousand collections of the longest names; a request that says more says `*`.
const LARGEST_BODY_BYTES: usize = 1 << 20;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    BackupCollection,
    BackupStorage,
    RestoreCollection,
    RestoreCluster,
}

impl Job {
    fn queue(self) -> Queue {
        match self {
            Self::BackupCollection | Self::BackupStorage => Queue::Backup,
            Self::RestoreCollection | Self::RestoreCluster => Queue::Restore,
        }
    }

    fn parse(
        self,
        body: &[u8],
        id: JobId,
        traceparent: Option<String>,
    ) -> Result<OutgoingMessage, Refusal> {
        let now = now_ms();
        let message = match self {
            Self::BackupCollection => {
                message::of_job(&CollectionsBody::read(body, id)?, now, traceparent)
            }
            Self::BackupStorage => message::of_job(&HostsBody::read(body, id)?, now, traceparent),
            Self::RestoreCollection => {
                message::of_job(&RestoreBody::read(body, id)?, now, traceparent)
            }
            Self::RestoreCluster => {
                message::of_job(&ClusterBody::read(body, id)?, now, traceparent)
            }
        };
        Ok(message)
    }
}

impl Acceptor {
    /// Takes a job's request from HTTP to its queue.
    ///
    /// # Errors
    /// The refusals of a write, but for those of points and collections; those with a Retry-After are transient.
    ///
    /// # Cancel safety
    /// A request that is dropped while it is being published may be queued.
    pub(crate) async fn request_job(
        &self,
        headers: &HeaderMap,
        job: Job,
        body: Body,
    ) -> Result<JobId, Refusal> {
        self.keys.admit(headers).await?;
        let limit = self.limits.body.min(LARGEST_BODY_BYTES);
        let (encoding, received) = self.receive(headers, body, limit).await?;
        let (job_id, traceparent) = (JobId::new(), message::traceparent(headers));

        let id = job_id.clone();
        let weight = weight(&received.bytes, encoding);
        let enqueued = async {
            let work = move || {
                let received = decode(received, encoding, limit)?;
                let message = job.parse(&received.bytes, id, traceparent)?;
                // Held until the end, as a write's is.
                Ok::<_, Refusal>((message, received))
            };
            let (message, received) = self.cpu.run(weight, work).await??;
            self.metrics.body_bytes.inc_by(received.bytes.len() as u64);
            let bytes = message.body.len() as u64;
            self.publisher.publish(job.queue(), vec![message]).await?;
            self.presence.seen();
            self.metrics.messages.inc();
            self.metrics.message_bytes.inc_by(bytes);
            Ok::<_, Refusal>(())
        };
        let after = self.limits.answer_timeout;
        tokio::time::timeout(after, enqueued)
            .await
            .map_err(|_| Refusal::NotConfirmed { after })??;
        Ok(job_id)
    }
}
