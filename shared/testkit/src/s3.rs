//! A private S3 per test process: SeaweedFS, with credentials, on ports of its own. Nothing of the machine's is
//! shared, nothing is left behind.

mod weed;

use crate::{
    port::ReservedPort,
    process::{BoundDir, signal, spawn_bound},
    shared::Shared,
    wait::wait_until,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    process::Child,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A start takes 3 s on two idle cores, most of it pauses of its own.
const START_DEADLINE: Duration = Duration::from_secs(180);
/// Between two looks while it starts.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// It takes 15 s over a stop in good order.
const STOP_DEADLINE: Duration = Duration::from_secs(90);

/// Of who may do everything.
pub const ACCESS_KEY_ID: &str = "AKIATESTKITADMIN";
/// Its secret.
pub const SECRET_ACCESS_KEY: &str = "testkit-admin-secret";
/// Of who may list and read only.
pub const READER_ACCESS_KEY_ID: &str = "AKIATESTKITREADER";
/// Its secret.
pub const READER_SECRET_ACCESS_KEY: &str = "testkit-reader-secret";

/// A private S3, stopped and its data removed when dropped or when the process ends. Path style only.
#[derive(Debug)]
pub struct S3 {
    s3: ReservedPort,
    filer: ReservedPort,
    /// Of its other parts, which talk to each other.
    others: [ReservedPort; 6],
    weed: Mutex<Option<Child>>,
    // Goes after the process.
    dir: BoundDir,
}

impl S3 {
    /// Starts one and waits until it takes objects.
    ///
    /// # Panics
    /// When SeaweedFS is not installed or does not start, with the end of its log.
    pub async fn start() -> Self {
        let server = match Self::lay_out() {
            Ok(server) => server,
            Err(error) => panic!("cannot prepare an S3: {error}"),
        };
        server.start_again().await;
        server
    }

    /// The one all tests of this process share; for tests that leave it running.
    ///
    /// # Panics
    /// As [`S3::start`].
    pub async fn shared() -> &'static Self {
        static SHARED: Shared<S3> = Shared::new();
        SHARED.get(Self::start()).await
    }

    /// Where S3 is served, across restarts.
    pub fn address(&self) -> SocketAddr {
        self.s3.address()
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where files go in and out with neither signatures nor parts; buckets lie below `/buckets/`.
    pub fn filer_url(&self) -> String {
        format!("http://{}", self.filer.address())
    }

    /// A new, empty bucket of the caller's own.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn bucket(&self) -> String {
        let name = Self::bucket_name();
        let path = format!("/buckets/{name}/");
        match self.ask_filer(Method::POST, &path, Bytes::new()).await {
            Ok(status) if status.is_success() => name,
            failed => panic!("cannot make bucket {name}: {failed:?}"),
        }
    }

    /// The name of a bucket that does not exist.
    pub fn bucket_name() -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("test-{}-{number}", std::process::id())
    }

    /// What a process needs in its environment to be the one who may do everything.
    pub fn environment() -> [(&'static str, &'static str); 2] {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ]
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn kill(&self) {
        self.end("KILL").await;
    }

    /// Stops it in good order, which takes it 15 s; data and ports stay.
    ///
    /// # Panics
    /// When it is not running or does not stop.
    pub async fn stop(&self) {
        self.end("TERM").await;
    }

    /// Starts it again on the same data and ports, and waits until it takes objects.
    ///
    /// # Panics
    /// When it does not, with the end of its log.
    pub async fn start_again(&self) {
        let started = weed::program().and_then(|weed| {
            let log = std::fs::File::create(self.log())?;
            let errors = log.try_clone()?;
            spawn_bound(&weed, |command| {
                command
                    .env_clear()
                    .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                    .env("HOME", self.dir.path())
                    .env("WEED_S3_SSE_KEY", weed::SSE_KEY)
                    .current_dir(self.dir.path())
                    .args(self.arguments())
                    .stdout(log)
                    .stderr(errors);
            })
        });
        match started {
            Ok(child) => *lock(&self.weed) = Some(child),
            Err(error) => panic!("cannot start SeaweedFS: {error}"),
        }
        let ready = async {
            while !self.takes_objects().await {
                self.assert_running();
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(START_DEADLINE, ready).await.is_err() {
            let tail = self.end_of_log();
            panic!("SeaweedFS takes no objects within {START_DEADLINE:?}:\n{tail}");
        }
    }

    fn arguments(&self) -> Vec<String> {
        let names = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port.grpc",
            "s3.port.grpc",
        ];
        let ports = names.iter().zip(&self.others);
        let ports = ports.chain([(&"s3.port", &self.s3), (&"filer.port", &self.filer)]);
        let ports = ports.map(|(name, port)| format!("-{name}={}", port.number()));
        weed::ARGUMENTS
            .into_iter()
            .map(str::to_owned)
            .chain(ports)
            .collect()
    }

    fn lay_out() -> io::Result<Self> {
        let dir = BoundDir::new("alioth-s3-")?;
        std::fs::create_dir(dir.path().join("data"))?;
        weed::configure(dir.path())?;
        Ok(Self {
            s3: ReservedPort::new(),
            filer: ReservedPort::new(),
            others: std::array::from_fn(|_| ReservedPort::new()),
            weed: Mutex::new(None),
            dir,
        })
    }

    /// Its parts come up one after the other: the filer's answer tells of the volumes, S3's refusal of itself.
    async fn takes_objects(&self) -> bool {
        let stored = self.ask_filer(Method::PUT, "/ready", Bytes::from_static(b"ready"));
        if !stored.await.is_ok_and(|status| status.is_success()) {
            return false;
        }
        let endpoint = self.endpoint();
        let unsigned = ask(Method::GET, &endpoint, Bytes::new());
        unsigned
            .await
            .is_ok_and(|status| status == StatusCode::FORBIDDEN)
    }

    async fn ask_filer(&self, method: Method, path: &str, body: Bytes) -> io::Result<StatusCode> {
        ask(
            method,
            &format!("http://{}{path}", self.filer.address()),
            body,
        )
        .await
    }

    async fn end(&self, name: &str) {
        {
            let weed = lock(&self.weed);
            let Some(child) = weed.as_ref() else {
                panic!("SeaweedFS is not running")
            };
            if let Err(error) = signal(child, name) {
                panic!("cannot signal SeaweedFS: {error}");
            }
        }
        wait_until(STOP_DEADLINE, || async {
            let mut weed = lock(&self.weed);
            let ended = weed
                .as_mut()
                .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                *weed = None;
            }
            ended
        })
        .await;
    }

    fn assert_running(&self) {
        let ended = lock(&self.weed)
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten());
        let Some(status) = ended else { return };
        let tail = self.end_of_log();
        panic!("SeaweedFS ended while starting ({status}):\n{tail}");
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("weed.log")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(mut child) = lock(&self.weed).take() {
            // It takes too long over anything gentler, and nobody reads its data again.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn ask(method: Method, url: &str, body: Bytes) -> io::Result<StatusCode> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .body(Full::<Bytes>::from(body));
    let request = request.map_err(io::Error::other)?;
    let answer = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request);
    match tokio::time::timeout(Duration::from_secs(5), answer).await {
        Ok(Ok(answer)) => Ok(answer.status()),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(late) => Err(io::Error::other(late)),
    }
}

fn lock(weed: &Mutex<Option<Child>>) -> MutexGuard<'_, Option<Child>> {
    weed.lock().unwrap_or_else(PoisonError::into_inner)
}
