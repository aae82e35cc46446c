//! The real `bootstrap`, called by an emulator of its own. Each environment is a process; the first comes with the
//! emulator, others may join it.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use alioth_testkit::{ProcessUsage, ReservedPort};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::{DEADLINE, Http};

/// Whether `/metrics` is one of its routes.
pub(crate) const HAS_METRICS: bool = false;
/// Whether replies of any size arrive. The emulator (1.9.2) confirms a reply before it has read it, and is not woken to
/// read what is left: above 16 KiB it waits for the runtime's next request on the same connection, and answers 500
/// when that is closed instead. Lambda itself reads a reply first; `src/lambda/tests.rs` asks for large ones.
pub(crate) const CARRIES_LARGE_REPLIES: bool = false;

/// The function, and the binary of the project that the emulator is started in.
pub(crate) const FUNCTION: &str = "bootstrap";
/// Where `make test-deps` puts the emulator, below the target folder.
const EMULATOR: &str = "tools/cargo-lambda/bin/cargo-lambda";

/// The emulator and one environment; killed when dropped.
pub(crate) struct Process {
    environment: Environment,
    emulator: Emulator,
    settings: Vec<(String, String)>,
}

/// One process that takes invocations.
pub(crate) struct Environment {
    child: Child,
    /// A file, for a pipe that nobody reads fills up and stops the process.
    output: File,
}

struct Emulator {
    _child: Child,
    port: ReservedPort,
    /// A project of one binary, which is all that the emulator wants of one.
    _project: TempDir,
}

impl Process {
    /// Starts both, the function with these settings and no others.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let emulator = Emulator::start();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings: Vec<_> = settings.iter().map(owned).collect();
        Self {
            environment: Environment::start(emulator.port.address(), &settings),
            emulator,
            settings,
        }
    }

    /// A client of the function's URL.
    pub(crate) fn http(&self) -> Http {
        Http::function(self.emulator.port.address(), FUNCTION)
    }

    /// A further environment of the same function.
    pub(crate) fn another(&self) -> Environment {
        Environment::start(self.emulator.port.address(), &self.settings)
    }

    /// The same function with no environment yet, at an emulator that no former one has asked for events.
    pub(crate) fn anew(&self) -> impl FnOnce() -> Self + use<> {
        let (emulator, settings) = (Emulator::start(), self.settings.clone());
        move || Self {
            environment: Environment::start(emulator.port.address(), &settings),
            emulator,
            settings,
        }
    }

    /// Invokes it with an event, as `cargo lambda invoke` does.
    pub(crate) async fn invoke(
        &self,
        event: &std::path::Path,
    ) -> Result<serde_json::Value, String> {
        let address = self.emulator.port.address();
        let output = Command::new(emulator_program())
            .args(["lambda", "invoke", FUNCTION, "--data-file"])
            .arg(event)
            .args(["--invoke-address", &address.ip().to_string()])
            .args(["--invoke-port", &address.port().to_string()])
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    }

    pub(crate) fn usage(&self) -> ProcessUsage {
        self.environment.usage()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.environment.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, name: &str) {
        self.environment.signal(name);
    }

    pub(crate) fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }
}

impl Environment {
    fn start(emulator: SocketAddr, settings: &[(String, String)]) -> Self {
        let output = tempfile::tempfile().unwrap();
        let child = Command::new(program())
            .env_clear()
            .env(
                "AWS_LAMBDA_RUNTIME_API",
                format!("http://{emulator}/.rt/{FUNCTION}"),
            )
            .env("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bootstrap")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "tests")
            .env("ALIOTH_LOG_LEVEL", "info")
            .envs(settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, output }
    }

    pub(crate) fn usage(&self) -> ProcessUsage {
        ProcessUsage(self.child.id().unwrap())
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = std::process::Command::new("kill")
            .args(["-s", name, &pid])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; its exit code, and what it printed.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, String) {
        let waited = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        (waited.unwrap().unwrap().code(), self.output())
    }

    /// What it has printed so far.
    pub(crate) fn output(&mut self) -> String {
        let mut output = String::new();
        self.output.rewind().unwrap();
        self.output.read_to_string(&mut output).unwrap();
        output
    }
}

impl Emulator {
    fn start() -> Self {
        let (port, project) = (ReservedPort::new(), tempfile::tempdir().unwrap());
        let manifest =
            format!("[package]\nname = \"{FUNCTION}\"\nedition = \"2024\"\n[workspace]\n");
        std::fs::create_dir(project.path().join("src")).unwrap();
        std::fs::write(project.path().join("src/main.rs"), "fn main() {}\n").unwrap();
        std::fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
        let log = File::create(project.path().join("emulator.log")).unwrap();
        let mut child = Command::new(emulator_program())
            .args(["lambda", "watch", "--only-lambda-apis", "--ignore-changes"])
            .args(["--invoke-address", &port.address().ip().to_string()])
            .args(["--invoke-port", &port.number().to_string()])
            .current_dir(project.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        // The runtime gives up when nobody answers, so it is started when somebody does.
        while TcpStream::connect(port.address()).is_err() {
            let log = || std::fs::read_to_string(project.path().join("emulator.log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "{}", log());
            assert!(begun.elapsed() < DEADLINE, "{}", log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Self {
            _child: child,
            port,
            _project: project,
        }
    }
}

/// Built with this test.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_bootstrap"))
}

fn emulator_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let found = test
        .ancestors()
        .map(|folder| folder.join(EMULATOR))
        .find(|program| program.exists());
    found.expect("the emulator does not exist: `make test-deps` brings it")
}
