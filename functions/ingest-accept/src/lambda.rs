//! Ingest-accept as an AWS Lambda function: one invocation is one request to the router, and its answer the
//! invocation's result. A request is never a failed invocation, whatever is in it.

mod config;
mod event;
mod reply;

use std::time::{Duration, SystemTime};

use axum::{extract::Request, response::Response};
use tower::ServiceExt;

pub use self::{config::LambdaConfig, event::Event, reply::Reply};
use crate::{
    Function,
    answer::Refusal,
    reply::{Family, refused},
};

/// What is left of an invocation's time when its answer is given up, to send another.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

impl Function {
    /// Answers one invocation, before its deadline.
    pub async fn invoke(&self, event: Event, deadline: SystemTime, config: &LambdaConfig) -> Reply {
        let shape = event.shape();
        let path = event.path(&config.base_path);
        let response = match event.into_request(&path) {
            Ok(request) => self.within(time_left(deadline), request).await,
            Err(refusal) => refused(&refusal, Family::of(&path), Duration::ZERO),
        };
        Reply::new(shape, response).await
    }

    /// Answers in the invocation's time: after it Lambda answers for itself, with a failure of the gateway's.
    async fn within(&self, time_left: Option<Duration>, request: Request) -> Response {
        let family = Family::of(request.uri().path());
        let Some(after) = time_left else {
            return self.answer(request).await;
        };
        match tokio::time::timeout(after, self.answer(request)).await {
            Ok(response) => response,
            Err(_) => refused(&Refusal::NotConfirmed { after }, family, after),
        }
    }

    async fn answer(&self, request: Request) -> Response {
        // Nobody follows the connection while the process is suspended.
        match request.uri().path() {
            "/readyz" => self.warm_up().await,
            _ => self.connected.set(self.app.publisher.is_ready()),
        }
        match self.router().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// `None` when there is no deadline to keep: emulators give one long past.
fn time_left(deadline: SystemTime) -> Option<Duration> {
    let left = deadline.duration_since(SystemTime::now()).ok()?;
    Some(left.saturating_sub(DEADLINE_MARGIN))
}

#[cfg(test)]
mod tests;
