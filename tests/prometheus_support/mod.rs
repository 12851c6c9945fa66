//! A real Prometheus server over an exporter of the test's own.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::http_support::Server;

/// A Prometheus process that ends with the test.
pub struct Prometheus {
    child: Child,
    pub url: String,
    _data: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program that the environment names, over an exporter; `None`, and a word about it, without one.
pub fn real(exporter: &Server) -> Option<Prometheus> {
    let Some(program) = std::env::var_os("WATTMARK_PROMETHEUS") else {
        eprintln!(
            "NOT RUN: set WATTMARK_PROMETHEUS to the program `prometheus` to run this test against a real server"
        );
        return None;
    };
    let data = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = data.path().join("prometheus.yml");
    let text = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: rack\n    static_configs:\n      - targets: ['{}']\n",
        exporter.authority()
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new(program)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(data.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let prometheus = Prometheus { child, url: format!("http://127.0.0.1:{port}"), _data: data };
    let start = Instant::now();
    // Three scrapes, so that their interval shows.
    while exporter.count("GET", "/metrics") < 4 {
        assert!(start.elapsed() < Duration::from_secs(60), "no scrapes within a minute");
        std::thread::sleep(Duration::from_millis(200));
    }
    Some(prometheus)
}
