//! Sends batches to an Alioth, waits as it is told, and finds out which points are refused.

use std::time::{Duration, Instant};

use reqwest::{StatusCode, header};

use super::rows::{BadRow, Row};

/// First wait when no Retry-After is given; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// One Alioth (or anything else with Qdrant's upsert route).
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    points_url: String,
    api_key: Option<String>,
    give_up_after: Duration,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Points that were accepted.
    pub(crate) accepted: u64,
    /// Points that were refused, with the server's reason.
    pub(crate) rejected: Vec<BadRow>,
    /// Times it was told, or had, to wait.
    pub(crate) waits: u64,
}

impl Sent {
    /// Adds another batch's outcome.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected.extend(other.rejected);
        self.waits += other.waits;
    }
}

/// Why loading cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// No answer but "later" for too long.
    #[error("gave up after {after:?} without progress: {last}")]
    GaveUp { after: Duration, last: String },
    /// An answer that no other batch would change: no such collection, wrong key.
    #[error("{status}: {reason}")]
    Refused { status: StatusCode, reason: String },
}

/// What one answer means for the batch it answers.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    /// Some point is at fault.
    BadBatch(String),
    Later(String, Option<Duration>),
    Hopeless(StatusCode, String),
}

/// A client of Alioth's HTTP.
pub(crate) fn http_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    // An error says that the process has a provider already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    reqwest::Client::builder().timeout(timeout).build()
}

impl Client {
    pub(crate) fn new(
        base_url: &str,
        collection: &str,
        api_key: Option<String>,
        timeout: Duration,
        give_up_after: Duration,
    ) -> anyhow::Result<Self> {
        let mut url = reqwest::Url::parse(base_url)?;
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("{base_url} cannot be a base address"))?
            .pop_if_empty()
            .extend(["collections", collection, "points"]);
        Ok(Self {
            http: http_client(timeout)?,
            points_url: url.into(),
            api_key,
            give_up_after,
        })
    }

    /// Sends a batch; halves what is refused until the points at fault are alone.
    ///
    /// # Errors
    /// When no progress is made for the configured time, or the answer would be the same for every batch.
    pub(crate) async fn send(&self, batch: Vec<Row>) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.send_until_answered(&part, &mut sent.waits).await? {
                None => sent.accepted += part.len() as u64,
                Some(reason) if part.len() == 1 => {
                    sent.rejected.extend(part.into_iter().map(|row| BadRow {
                        number: row.number,
                        reason: reason.clone(),
                    }));
                }
                Some(_) => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
            }
        }
        Ok(sent)
    }

    /// Repeats a request until the answer is about the batch: `None` accepted, `Some` refused.
    async fn send_until_answered(
        &self,
        part: &[Row],
        waits: &mut u64,
    ) -> Result<Option<String>, SendError> {
        let body = body(part);
        let started = Instant::now();
        let mut backoff = FIRST_WAIT;
        loop {
            let (last, told) = match self.send_once(body.clone()).await {
                Verdict::Accepted => return Ok(None),
                Verdict::BadBatch(reason) => return Ok(Some(reason)),
                Verdict::Hopeless(status, reason) => {
                    return Err(SendError::Refused { status, reason });
                }
                Verdict::Later(last, told) => (last, told),
            };
            let wait = told.unwrap_or(backoff);
            if started.elapsed() + wait > self.give_up_after {
                return Err(SendError::GaveUp {
                    after: self.give_up_after,
                    last,
                });
            }
            tracing::debug!(reason = last, ?wait, "waiting before the next try");
            *waits += 1;
            tokio::time::sleep(wait).await;
            backoff = (backoff * 2).min(LONGEST_WAIT);
        }
    }

    async fn send_once(&self, body: String) -> Verdict {
        let mut request = self
            .http
            .put(&self.points_url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(key) = &self.api_key {
            request = request.header("api-key", key);
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                let retry_after = retry_after(response.headers());
                let text = response.text().await.unwrap_or_default();
                judge(status, retry_after, &text)
            }
            Err(error) => Verdict::Later(format!("{:#}", anyhow::Error::from(error)), None),
        }
    }
}

fn body(part: &[Row]) -> String {
    let size = part.iter().map(|row| row.json.len() + 1).sum::<usize>();
    let mut body = String::with_capacity(size + 16);
    body.push_str("{\"points\":[");
    for (index, row) in part.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&row.json);
    }
    body.push_str("]}");
    body
}

fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

fn judge(status: StatusCode, retry_after: Option<Duration>, text: &str) -> Verdict {
    let reason = || reason_of(text);
    match status {
        _ if status.is_success() => Verdict::Accepted,
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Verdict::BadBatch(reason()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Verdict::Later(reason(), retry_after)
        }
        _ if status.is_server_error() => Verdict::Later(reason(), retry_after),
        _ => Verdict::Hopeless(status, reason()),
    }
}

/// Takes the message out of Qdrant's error body; anything else stays as it is.
fn reason_of(text: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    match body["status"]["error"].as_str() {
        Some(message) => message.to_owned(),
        None => text.chars().take(300).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_what_can_be_done_about_them() {
        let error = r#"{"status":{"error":"point 3: bad"},"time":0.0,"result":null}"#;
        let bad = Verdict::BadBatch("point 3: bad".to_owned());
        assert_eq!(judge(StatusCode::OK, None, ""), Verdict::Accepted);
        assert_eq!(judge(StatusCode::UNPROCESSABLE_ENTITY, None, error), bad);
        let wait = Some(Duration::from_secs(3));
        assert_eq!(
            judge(StatusCode::TOO_MANY_REQUESTS, wait, "full"),
            Verdict::Later("full".to_owned(), wait)
        );
        assert_eq!(
            judge(StatusCode::SERVICE_UNAVAILABLE, None, "away"),
            Verdict::Later("away".to_owned(), None)
        );
        assert_eq!(
            judge(StatusCode::NOT_FOUND, None, "no"),
            Verdict::Hopeless(StatusCode::NOT_FOUND, "no".to_owned())
        );
    }

    #[test]
    fn collection_names_are_percent_encoded() {
        let client =
            Client::new("http://h:1/base/", "a/b ü", None, FIRST_WAIT, FIRST_WAIT).unwrap();
        assert_eq!(
            client.points_url,
            "http://h:1/base/collections/a%2Fb%20%C3%BC/points"
        );
    }
}
