//! One run under five meters at once, through the binary: each in its own scope, side by side in one record.
//!
//! The BMC simulator and the Prometheus server are real, and are asked where the environment names them, which `make test`
//! sees to; without one of them the test says that it did not run. The Redfish service is the test's own, over TLS.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail, and says what it left out"
)]

mod http_support;
mod ipmi_support;
mod prometheus_support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use http_support::bmc::{Bmc as Redfish, PASSWORD, USER};
use http_support::{Answer, Authority, Papers, Server};
use wattmark::measure::result::evaluate;
use wattmark::model::Scope;
use wattmark::store;

/// A board that draws 250 W whatever happens.
const BOARD: &str = "[[power]]\ndevice = 0\nscope = \"board\"\nidle_w = 250.0\nupdate_period_s = 0.1\ncounter = true\n";

/// A wall meter of 500 W for two minutes.
fn wall(folder: &Path) -> String {
    let mut text = "time,watts\n".to_owned();
    for second in 0..120 {
        writeln!(text, "{second},500").unwrap();
    }
    let file = folder.join("meter.csv");
    std::fs::write(&file, text).unwrap();
    format!("csv:{}", file.display())
}

fn exporter() -> Server {
    let text = "# TYPE rack_power_watts gauge\nrack_power_watts 612.5\n";
    let kind = ("Content-Type".to_owned(), "text/plain; version=0.0.4".to_owned());
    Server::start(None, move |_| Answer::Reply(200, vec![kind.clone()], text.to_owned()))
}

#[test]
fn a_board_a_bmc_a_redfish_service_a_database_and_a_meter_stand_side_by_side() {
    let Some(bmc) = ipmi_support::Bmc::start(true, false) else { return };
    let exporter = exporter();
    let Some(prometheus) = prometheus_support::real(&exporter) else { return };
    let redfish = Redfish::rack_server().serve(Some(Authority::new().papers(Papers::Right)));
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("board.toml");
    std::fs::write(&script, BOARD).unwrap();
    let power = [
        format!("scripted:{}", script.display()),
        format!("ipmi:{}", bmc.argument(",every=0.5")),
        format!("redfish:{},from=supplies,every=0.5,insecure=yes", redfish.url()),
        format!("prometheus:{},metric=rack_power_watts,scope=wall-ac", prometheus.url),
        wall(folder.path()),
    ];
    let results = folder.path().join("results");
    let out = Command::new(env!("CARGO_BIN_EXE_wattmark"))
        .args([
            "run",
            "--kernel",
            "fma/chains-f32",
            "--preset",
            "quick",
            "--no-ceilings",
            "--no-figures",
            "--device",
            "0",
        ])
        .args(["--idle", "1s", "--window", "2s", "--windows", "3", "--power", &power.join(",")])
        .args(["--results", results.to_str().unwrap()])
        .current_dir(folder.path())
        .env("WATTMARK_REDFISH_USER", USER)
        .env("WATTMARK_REDFISH_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    let run = std::fs::read_dir(&results).unwrap().next().unwrap().unwrap().path();
    let record = store::read(&run).unwrap().record;
    let kinds: Vec<&str> = record.traces.iter().map(|trace| trace.source.kind.as_str()).collect();
    assert_eq!(kinds, ["scripted", "ipmi", "redfish", "prometheus", "csv"]);

    // Joules of the case over its windows: the watts that each meter showed, times the same time.
    let result = evaluate(&record);
    let case = &result.cases[0];
    let time: f64 = record.measurements[0].measured().map(|window| window.duration().get()).sum();
    let truth = BTreeMap::from([
        ("scripted", (Scope::Board, 250.0)),
        ("ipmi", (Scope::HostDc, 214.0)),
        ("redfish", (Scope::WallAc, 377.5)),
        ("prometheus", (Scope::WallAc, 612.5)),
        ("csv", (Scope::WallAc, 500.0)),
    ]);
    for (kind, (scope, watts)) in truth {
        let energy =
            case.energy.iter().find(|energy| energy.source.starts_with(kind)).unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(energy.scope, scope, "{kind}");
        let joules: f64 = energy.window_energy.iter().map(|joules| joules.get()).sum();
        // A counter is read between its ticks, and a late poll widens the bracket of a tick: the record says by how much.
        // Gauges and files hold the same watts all the time, whenever they are read.
        let budget = &energy.uncertainty;
        let read = budget.edge.standard.hypot(budget.sampling.standard);
        assert!(read < 0.02, "{kind}: {budget:?}");
        let off = (joules / (watts * time) - 1.0).abs();
        assert!(off < 1e-3_f64.max(4.0 * read), "{kind}: {joules} J in {time} s, {budget:?}");
    }
    let shown = Command::new(env!("CARGO_BIN_EXE_wattmark")).args(["show", "--sources"]).arg(&run).output().unwrap();
    let table = String::from_utf8_lossy(&shown.stdout).into_owned();
    eprintln!("{table}");
    for word in ["board", "host DC", "wall AC", "ipmi:", "redfish:", "prometheus:", "csv:"] {
        assert!(table.contains(word), "{word} in\n{table}");
    }
    assert!(!format!("{said}{table}").contains(PASSWORD));
}
