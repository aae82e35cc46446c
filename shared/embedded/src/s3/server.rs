//! The life of the endpoint: its directory, its listener, and the order in which they end.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::StatusCode, response::Response};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use super::{objects::Objects, service::Service};
use crate::start::{listen, local_address, lock_directory};

/// Well short of what supervisors allow a process that was told to end.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Where an endpoint keeps its objects, where it listens, and who may call.
#[derive(Clone)]
pub struct S3Config {
    /// Created if absent; of one process at a time.
    pub data_dir: PathBuf,
    /// Port 0 takes a free one.
    pub address: SocketAddr,
    /// The one access key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// How long open connections are waited for at the end.
    pub stop_deadline: Duration,
}

impl S3Config {
    /// An endpoint on a free port of the loopback interface, with a key that nobody else knows.
    pub fn on_loopback(data_dir: impl Into<PathBuf>) -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        Self {
            data_dir: data_dir.into(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            access_key_id: random(),
            secret_access_key: random(),
            stop_deadline: STOP_DEADLINE,
        }
    }
}

/// Why an endpoint did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The directory or the port is not to be had.
    #[error(transparent)]
    Start(#[from] crate::NodeError),
    /// The directory cannot be used.
    #[error("open {}", path.display())]
    Open {
        /// The configured directory.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// The listener ended before it was told to.
    #[error("serve S3")]
    Serve(#[source] io::Error),
    /// Its task panicked: a defect.
    #[error("run the S3 endpoint")]
    Panicked(#[source] JoinError),
}

/// An S3 endpoint in this process.
pub struct EmbeddedS3;

impl EmbeddedS3 {
    /// Starts an endpoint; it serves once this returns, until the token is cancelled or [`S3Handle::stop`] is called.
    ///
    /// # Errors
    /// When the directory or the port is not to be had.
    pub async fn start(config: S3Config, token: CancellationToken) -> Result<S3Handle, S3Error> {
        let lock = lock_directory(&config.data_dir)?;
        let objects = Objects::open(&config.data_dir).map_err(|source| S3Error::Open {
            path: config.data_dir.clone(),
            source,
        })?;
        let listener = listen(config.address).await?;
        let address = local_address(&listener, config.address)?;
        let mut builder = S3ServiceBuilder::new(Service::new(objects));
        builder.set_auth(SimpleAuth::from_single(
            config.access_key_id,
            config.secret_access_key,
        ));
        let token = token.child_token();
        let serving = serve(
            listener,
            builder.build(),
            token.clone(),
            config.stop_deadline,
            lock,
        );
        tracing::info!(%address, "embedded S3 serves");
        Ok(S3Handle {
            address,
            token,
            ended: tokio::spawn(serving),
        })
    }
}

/// A running endpoint. Dropping the handle does not stop it.
pub struct S3Handle {
    address: SocketAddr,
    token: CancellationToken,
    ended: JoinHandle<Result<(), S3Error>>,
}

impl S3Handle {
    /// `http://<address>`, for path-style requests.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it and waits until its port and its directory are free.
    ///
    /// # Errors
    /// When the listener had failed.
    pub async fn stop(self) -> Result<(), S3Error> {
        self.token.cancel();
        self.ended.await.map_err(S3Error::Panicked)?
    }
}

async fn serve(
    listener: TcpListener,
    s3: S3Service,
    token: CancellationToken,
    deadline: Duration,
    _lock: File,
) -> Result<(), S3Error> {
    let router = Router::new().fallback(move |request| answer(s3.clone(), request));
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(token.clone().cancelled_owned());
    let late = async {
        token.cancelled().await;
        tokio::time::sleep(deadline).await;
    };
    tokio::select! {
        ended = serving => ended.map_err(S3Error::Serve),
        () = late => {
            tracing::warn!("cut off connections of S3 at the deadline");
            Ok(())
        }
    }
}

async fn answer(s3: S3Service, request: Request) -> Response {
    let called = s3.call(request.map(s3s::Body::http_body_unsync)).await;
    match called {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!(?error, "a request to S3 got no answer");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}
