//! The whole program with sources over HTTP: what a run keeps of them, what it prints, and that no secret stands in either.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod http_support;

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_support::bmc::{Bmc, PASSWORD, USER};
use http_support::{Answer, Authority, Papers, Server};
use serde_json::json;
use wattmark::model::{PowerRequest, RunRecord, Scope, WarningCode};
use wattmark::store;

/// One simulated device; its sensors are replaced by what `--power` names.
const SCRIPT: &str = "[[device]]\nname = \"Simulated\"\n[[device.rates]]\nvariant = \"*\"\nflop_per_s = 1e12\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
        Self(folder)
    }
    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        assert_cmd::Command::cargo_bin("wattmark")
            .unwrap()
            .current_dir(self.0.path())
            .args(["run", "--no-ceilings", "--simulate", "script.toml", "--kernel", "gemm/naive-f32", "--no-figures"])
            .args(args)
            // Whatever a library may log, it must hold no secret.
            .env("RUST_LOG", "trace")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }
    fn record(&self) -> RunRecord {
        let run = std::fs::read_dir(self.0.path().join("results")).unwrap().next().unwrap().unwrap();
        store::read(&run.path()).unwrap().record
    }
    fn has_results(&self) -> bool {
        self.0.path().join("results").exists()
    }
    /// Panics if a text stands in anything that the program printed or wrote.
    fn assert_hides(&self, secret: &str, output: &Output) {
        let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!printed.contains(secret), "{printed}");
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    assert!(!holds(&path, secret), "{} holds the secret", path.display());
                }
            }
        }
    }
}

fn holds(path: &Path, secret: &str) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_keeps_the_readings_and_the_wish_to_trust_but_neither_password_nor_token() {
    let bmc = Bmc::rack_server();
    let server = bmc.serve(Some(Authority::new().papers(Papers::Right)));
    let folder = Folder::new();
    let source = format!("redfish:{},from=supplies", server.url());
    let variables = [("WATTMARK_REDFISH_USER", USER), ("WATTMARK_REDFISH_PASSWORD", PASSWORD)];
    let output = folder.run(&["--power", &source, "--insecure"], &variables);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let record = folder.record();
    let PowerRequest::Only { kinds, .. } = &record.plan.power else { panic!("{:?}", record.plan.power) };
    assert_eq!(*kinds, [format!("{source},insecure=yes")]);
    let trace = &record.traces[0];
    assert_eq!((trace.source.kind.as_str(), trace.source.channels[0].scope), ("redfish", Scope::WallAc));
    assert!(trace.source.note.contains("certificate not checked"), "{}", trace.source.note);
    assert!(trace.columns[0].values.contains(&Some(377.5)));
    assert!(server.seen().iter().any(|seen| seen.header("x-auth-token") == "token-1"));
    for secret in [PASSWORD, "token-1", "b3BlcmF0b3I6"] {
        folder.assert_hides(secret, &output);
    }
}

#[test]
fn a_dry_run_prints_the_sources_without_asking_them_or_reading_secrets() {
    let bmc = Bmc::rack_server();
    let server = bmc.serve(None);
    let folder = Folder::new();
    let source = format!(
        "redfish:{},credentials=nowhere,prometheus:{},query=sum by (a, b) (x),scope=board",
        server.url(),
        server.url()
    );
    let output =
        folder.run(&["--power", &source, "--insecure", "--dry-run"], &[("WATTMARK_REDFISH_PASSWORD", PASSWORD)]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.contains(&format!("redfish:{},credentials=nowhere,insecure=yes, prometheus:", server.url())),
        "{printed}"
    );
    assert_eq!((server.connections(), folder.has_results()), (0, false));
    folder.assert_hides(PASSWORD, &output);
}

#[test]
fn a_password_on_the_command_line_ends_it_before_anything_is_written() {
    for source in ["redfish:https://root:hunter2@bmc.example", "tasmota:10.0.0.9,password=hunter2"] {
        let folder = Folder::new();
        let output = folder.run(&["--power", source], &[]);
        assert_eq!((output.status.code(), folder.has_results()), (Some(2), false));
        assert!(said(&output).contains("credentials=FILE"), "{}", said(&output));
        folder.assert_hides("hunter2", &output);
    }
    // Also in the configuration file, which is the user's own and stays as it is.
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("wattmark.toml"), "power = [\"redfish:https://root:hunter2@bmc\"]\n").unwrap();
    let output = folder.run(&[], &[]);
    assert_eq!((output.status.code(), folder.has_results()), (Some(2), false));
    assert!(!said(&output).contains("hunter2"), "{}", said(&output));
}

#[test]
fn a_refused_login_ends_it_with_the_remedy_and_without_a_record() {
    let bmc = Bmc::rack_server();
    let server = bmc.serve(None);
    let folder = Folder::new();
    let variables = [("WATTMARK_REDFISH_USER", USER), ("WATTMARK_REDFISH_PASSWORD", "not-the-password")];
    let output = folder.run(&["--power", &format!("redfish:{}", server.url())], &variables);
    assert_eq!((output.status.code(), folder.has_results()), (Some(2), false));
    assert!(said(&output).contains("401: user and password are missing or wrong"), "{}", said(&output));
    folder.assert_hides("not-the-password", &output);
    let nothing = Folder::new().run(&["--power", "redfish"], &[]);
    assert!(said(&nothing).contains("say which, --power redfish:…"), "{}", said(&nothing));
}

#[test]
fn a_file_of_credentials_that_others_can_read_is_told_and_used() {
    use std::os::unix::fs::PermissionsExt;
    let bmc = Bmc::rack_server();
    let server = bmc.serve(None);
    let (folder, elsewhere) = (Folder::new(), tempfile::tempdir().unwrap());
    let login = elsewhere.path().join("login");
    std::fs::write(&login, format!("{USER}:{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&login, std::fs::Permissions::from_mode(0o644)).unwrap();
    let source = format!("redfish:{},credentials={}", server.url(), login.display());
    let output = folder.run(&["--power", &source], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains(&format!("chmod 600 {}", login.display())), "{}", said(&output));
    assert!(folder.record().traces[0].source.note.contains("credentials travel unencrypted"));
    folder.assert_hides(PASSWORD, &output);
}

#[test]
fn a_server_that_dies_in_mid_run_leaves_a_gap_and_the_run_goes_on() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(None, move |seen| match seen.path.as_str() {
        "/shelly" => Answer::json(&json!({ "mac": "A8", "gen": 2 })),
        _ if asked.fetch_add(1, Ordering::SeqCst) > 4 => Answer::Close,
        _ => Answer::json(&json!({ "apower": 180.5, "aenergy": { "total": 5.123 } })),
    });
    let folder = Folder::new();
    let output = folder.run(&["--power", &format!("shelly:{},every=0.1", server.authority())], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let record = folder.record();
    let trace = &record.traces[0];
    assert!(trace.columns[0].values.iter().flatten().all(|watts| *watts == 180.5));
    let gap = trace.gaps.iter().find(|gap| gap.until_ns.is_none()).unwrap();
    assert!(gap.reason.contains("the answer broke off"), "{gap:?}");
    assert!(!record.measurements[0].windows.is_empty());
}

#[test]
fn a_scrape_every_fifteen_seconds_warns_of_windows_that_are_too_short() {
    let server = Server::start(None, |_| {
        let now = jiff::Timestamp::now().as_millisecond() as f64 / 1e3;
        let samples: Vec<_> = (0..5).rev().map(|back| json!([now - f64::from(back) * 15.0, "180"])).collect();
        Answer::json(&json!({ "status": "success", "data": { "resultType": "matrix", "result": [
            { "metric": { "__name__": "rack_watts" }, "values": samples } ] } }))
    });
    let folder = Folder::new();
    let source = format!("prometheus:{},metric=rack_watts,scope=wall-ac", server.url());
    let output = folder.run(&["--power", &source, "--preset", "quick"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let record = folder.record();
    let too_short = |warning: &&wattmark::model::Warning| warning.code == WarningCode::WindowTooShort;
    let warning = record.measurements[0].warnings.iter().find(too_short).unwrap();
    assert!(warning.text.contains("300 s needed"), "{}", warning.text);
}
