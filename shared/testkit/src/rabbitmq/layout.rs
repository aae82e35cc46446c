//! A node's ports, files and environment: nothing of the machine's own is read, nothing is listened on elsewhere.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::tls::Authority;
use crate::{port::ReservedPort, process};

/// Where Debian keeps RabbitMQ's own scripts; those in `/usr/sbin` change to the user `rabbitmq`.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";
/// The only name a node's certificate is good for.
const TLS_NAME: &str = "localhost";

/// What a node brings beyond plain AMQP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// Nothing: the quickest start.
    None,
    /// The management plugin and its HTTP API.
    Management,
    /// A second listener, with TLS and a certificate of an authority of its own.
    Tls,
}

/// Where a node listens with TLS.
#[derive(Debug)]
pub struct TlsListener {
    port: ReservedPort,
    ca_file: PathBuf,
}

/// Everything of a node but its processes.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) name: String,
    pub(super) amqp: ReservedPort,
    pub(super) tls: Option<TlsListener>,
    pub(super) management: Option<ReservedPort>,
    distribution: ReservedPort,
    epmd_port: ReservedPort,
    pub(super) dir: process::BoundDir,
}

impl TlsListener {
    /// `amqps://guest:guest@<host>:<port>/%2f`; only with the host `localhost` is the certificate good.
    pub fn url(&self, host: &str) -> String {
        format!("amqps://guest:guest@{host}:{}/%2f", self.port.number())
    }

    /// The authority's certificate, PEM.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }
}

impl Layout {
    /// Makes the directory with all that the node reads.
    pub(super) fn new(extra: Extra) -> io::Result<Self> {
        let dir = process::BoundDir::new("alioth-rabbitmq-")?;
        std::fs::create_dir(dir.path().join("log"))?;
        std::fs::create_dir(dir.path().join("data"))?;
        let amqp = ReservedPort::new();
        let mut lines = vec![
            format!("listeners.tcp.default = {}", amqp.address()),
            // Alarms block publishers; a small or full CI machine must not trip them by itself.
            "vm_memory_high_watermark.relative = 0.9".to_owned(),
            "disk_free_limit.absolute = 1MB".to_owned(),
            // The default of 512 MB is kept on disk by every node.
            "raft.wal_max_size_bytes = 64000000".to_owned(),
        ];
        let (mut management, mut tls, mut plugins) = (None, None, "[].");
        match extra {
            Extra::None => {}
            Extra::Management => {
                let port = management.insert(ReservedPort::new());
                plugins = "[rabbitmq_management].";
                lines.push("management.tcp.ip = 127.0.0.1".to_owned());
                lines.push(format!("management.tcp.port = {}", port.number()));
            }
            Extra::Tls => {
                let listener = tls.insert(lay_out_tls(dir.path())?);
                lines.extend(tls_lines(listener, dir.path()));
            }
        }
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text);
        write("enabled_plugins", plugins)?;
        write("rabbitmq.conf", &(lines.join("\n") + "\n"))?;
        write("empty", "")?;
        Ok(Self {
            name: format!("alioth-test-{}@127.0.0.1", amqp.number()),
            amqp,
            tls,
            management,
            distribution: ReservedPort::new(),
            epmd_port: ReservedPort::new(),
            dir,
        })
    }

    /// Starts the port mapper: left to itself the node would start a daemon that outlives it.
    pub(super) fn start_epmd(&self) -> io::Result<Child> {
        process::spawn_bound(&find("epmd")?, |command| {
            command.args([
                "-address",
                "127.0.0.1",
                "-port",
                &self.epmd_port.number().to_string(),
            ]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
        })
    }

    /// Of the node and of the command-line tools.
    pub(super) fn environment(&self, command: &mut Command) {
        let path = |name: &str| self.dir.path().join(name);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8");
        command.env("HOME", self.dir.path());
        command
            .env("ERL_EPMD_PORT", self.epmd_port.number().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_USE_LONGNAME", "true");
        command.env("RABBITMQ_DIST_PORT", self.distribution.number().to_string());
        // The default range has room for eleven command-line tools on the whole machine.
        command
            .env("RABBITMQ_CTL_DIST_PORT_MIN", "20000")
            .env("RABBITMQ_CTL_DIST_PORT_MAX", "30000");
        command.env("RABBITMQ_CONF_ENV_FILE", path("empty"));
        command.env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"));
        command.env("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"));
        command.env("RABBITMQ_GENERATED_CONFIG_DIR", path("data"));
        command
            .env("RABBITMQ_MNESIA_BASE", path("data"))
            .env("RABBITMQ_LOG_BASE", path("log"));
        command.env("RABBITMQ_LOGS", path("log/node.log"));
        command.env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        );
    }
}

/// One of RabbitMQ's own scripts.
pub(super) fn script(name: &str) -> io::Result<PathBuf> {
    let script = Path::new(SCRIPTS).join(name);
    if script.exists() {
        Ok(script)
    } else {
        Err(io::Error::other(format!(
            "{} does not exist",
            script.display()
        )))
    }
}

fn lay_out_tls(dir: &Path) -> io::Result<TlsListener> {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(TLS_NAME);
    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, authority.pem())?;
    std::fs::write(dir.join("server.pem"), certificate)?;
    std::fs::write(dir.join("server.key"), key)?;
    Ok(TlsListener {
        port: ReservedPort::new(),
        ca_file,
    })
}

fn tls_lines(listener: &TlsListener, dir: &Path) -> [String; 6] {
    let option =
        |name: &str, file: &str| format!("ssl_options.{name} = {}", dir.join(file).display());
    [
        format!("listeners.ssl.default = {}", listener.port.address()),
        option("cacertfile", "ca.pem"),
        option("certfile", "server.pem"),
        option("keyfile", "server.key"),
        // Clients show no certificate of their own.
        "ssl_options.verify = verify_none".to_owned(),
        "ssl_options.fail_if_no_peer_cert = false".to_owned(),
    ]
}

fn find(program: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.exists());
    found.ok_or_else(|| {
        io::Error::other(format!(
            "{program} is not installed (Debian package rabbitmq-server brings it)"
        ))
    })
}
