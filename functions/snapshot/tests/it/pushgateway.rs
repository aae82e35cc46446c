//! A Pushgateway of the test's own.

use std::{path::Path, process::Stdio, time::Duration};

use alioth_testkit::{ReservedPort, wait_until};
use tokio::process::{Child, Command};

/// Where Debian's package `prometheus-pushgateway` puts it.
const PROGRAM: &str = "/usr/bin/prometheus-pushgateway";

/// Ended when dropped.
pub(crate) struct Pushgateway {
    port: ReservedPort,
    _child: Child,
}

impl Pushgateway {
    pub(crate) async fn start() -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "no Pushgateway: apt-get install prometheus-pushgateway"
        );
        let port = ReservedPort::new();
        let child = Command::new(PROGRAM)
            .arg(format!("--web.listen-address={}", port.address()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let gateway = Self {
            port,
            _child: child,
        };
        wait_until(Duration::from_secs(20), || async {
            reqwest::get(gateway.url()).await.is_ok()
        })
        .await;
        gateway
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// What Prometheus would scrape.
    pub(crate) async fn metrics(&self) -> String {
        let scraped = reqwest::get(format!("{}/metrics", self.url())).await;
        let scraped = scraped.expect("an answer");
        scraped.text().await.expect("text")
    }
}
