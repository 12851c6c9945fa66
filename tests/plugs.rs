//! Shelly and Tasmota plugs: servers of the test's own that answer as the makers' documents show.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod http_support;
mod power_support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use http_support::{Answer, Seen, Server};
use power_support::{Tree, context, open, values};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wattmark::clock::Clock;
use wattmark::model::{Scope, SourceTrace};
use wattmark::power::{Findings, Sampler};
use wattmark::units::Seconds;

const PASSWORD: &str = "hunter2&+ü";

fn open_with(kind: &str, argument: &str) -> Findings {
    let (mut context, _) = context(Tree::empty().root());
    context.argument = Some(argument.to_owned());
    open(kind, &context)
}

fn refused(kind: &str, argument: &str) -> String {
    let findings = open_with(kind, argument);
    assert!(findings.sources.is_empty(), "{argument}");
    let obstacle = findings.obstacles.last().unwrap();
    let said = format!("{} -> {}", obstacle.why, obstacle.remedy);
    assert!(!obstacle.remedy.is_empty() && !said.contains("hunter2"), "{said}");
    said
}

/// Polls each simulated second, and changes something after each.
fn sample(findings: Findings, seconds: u32, mut change: impl FnMut(u32)) -> SourceTrace {
    assert_eq!(findings.sources.len(), 1, "{:?}", findings.obstacles);
    let (context, clock) = context(Tree::empty().root());
    let sampler = Sampler::start(findings.sources, 10.0, &context.clock);
    for second in 1..=seconds {
        change(second);
        clock.sleep(Seconds::new(1.0));
    }
    sampler.stop().remove(0)
}

fn credentials(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("login");
    std::fs::write(&path, format!("admin\n{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(",credentials={}", path.display())
}

// --- Shelly

/// A device of generation 2 or later with the status of its one component.
fn shelly(component: &'static str, status: Arc<Mutex<Value>>) -> Server {
    Server::start(None, move |seen| match seen.path.as_str() {
        "/shelly" => Answer::json(&json!({ "id": "shellyplugus-1", "mac": "A8", "model": "SNPL-00116US", "gen": 2 })),
        path if path == format!("/rpc/{component}.GetStatus?id=0") => Answer::json(&status.lock().unwrap()),
        _ => Answer::status(404),
    })
}

fn status(apower: f64, total_wh: f64) -> Value {
    json!({ "id": 0, "output": true, "apower": apower, "voltage": 229.9, "aenergy": { "total": total_wh } })
}

#[test]
fn a_second_generation_shelly_gives_watts_and_its_watt_hours_in_joules() {
    for component in ["Switch", "PM1"] {
        let now = Arc::new(Mutex::new(status(180.5, 1000.001)));
        let server = shelly(component, Arc::clone(&now));
        let findings = open_with("shelly", &server.authority());
        let trace =
            sample(findings, 2, |second| *now.lock().unwrap() = status(181.5, 1000.001 + 0.05 * f64::from(second)));
        assert_eq!(values(&trace, "power.plug"), [Some(180.5), Some(181.5), Some(181.5)]);
        let joules = values(&trace, "energy.plug");
        assert!((joules[2].unwrap() - joules[0].unwrap() - 360.0).abs() < 1e-3, "{joules:?}");
        assert_eq!((trace.source.device, trace.source.channels[0].scope), (None, Scope::WallAc));
        assert_eq!(trace.requested_hz, 1.0);
        assert!(trace.source.note.contains("SNPL-00116US"), "{}", trace.source.note);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_first_generation_shelly_counts_in_watt_minutes_which_is_too_coarse_at_low_power() {
    for (watts, counted) in [(61.2, true), (12.5, false)] {
        let server = Server::start(None, move |seen| match seen.path.as_str() {
            "/shelly" => Answer::json(&json!({ "type": "SHPLG-S", "mac": "7C", "auth": false, "num_meters": 1 })),
            "/status" => Answer::json(&json!({ "meters": [{ "power": watts, "is_valid": true, "total": 1777 }] })),
            _ => Answer::status(404),
        });
        let trace = sample(open_with("shelly", &server.authority()), 0, |_| {});
        assert_eq!(values(&trace, "power.plug"), [Some(watts)]);
        assert_eq!(trace.column("energy.plug").is_some(), counted, "{}", trace.source.note);
        if counted {
            assert_eq!(values(&trace, "energy.plug"), [Some(1777.0 * 60.0)]);
        }
    }
}

/// Lets in who answers the challenge as RFC 7616 wants, with a nonce that runs out after three requests.
fn guarded(seen: &Seen, served: &Mutex<u32>) -> Option<Answer> {
    let mut served = served.lock().unwrap();
    let nonce = format!("nonce{}", *served / 3);
    let header = seen.header("authorization");
    let field = |name: &str| {
        let rest = header.split_once(&format!("{name}="))?.1;
        Some(rest.split(',').next()?.trim().trim_matches('"').to_owned())
    };
    let hash = |text: String| Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let ha1 = hash(format!("admin:shelly-1:{PASSWORD}"));
    let ha2 = hash(format!("{}:{}", seen.method, seen.path));
    let expected = (|| {
        let (nc, own) = (field("nc")?, field("cnonce")?);
        Some(hash(format!("{ha1}:{nonce}:{nc}:{own}:auth:{ha2}")))
    })();
    if expected.is_some() && field("response") == expected {
        *served += 1;
        return None;
    }
    let challenge = format!("Digest qop=\"auth\", realm=\"shelly-1\", nonce=\"{nonce}\", algorithm=SHA-256");
    Some(Answer::Reply(401, vec![("WWW-Authenticate".to_owned(), challenge)], String::new()))
}

#[test]
fn a_shelly_with_a_password_is_answered_by_digest_also_after_its_nonce_ran_out() {
    let served = Arc::new(Mutex::new(0));
    let server = Server::start(None, move |seen| {
        if seen.path == "/shelly" {
            return Answer::json(&json!({ "mac": "A8", "gen": 3, "auth_en": true }));
        }
        guarded(seen, &served).unwrap_or_else(|| Answer::json(&status(100.0, 5.123)))
    });
    let said = refused("shelly", &server.authority());
    assert!(said.contains("401") && said.contains("WATTMARK_SHELLY_PASSWORD"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let login = credentials(folder.path());
    let trace = sample(open_with("shelly", &format!("{}{login}", server.authority())), 8, |_| {});
    assert_eq!(values(&trace, "power.plug"), [Some(100.0); 9]);
    assert!(server.seen().iter().all(|seen| !seen.header("authorization").contains("hunter2")));
    std::fs::write(folder.path().join("login"), "admin:wrong").unwrap();
    assert!(refused("shelly", &format!("{}{login}", server.authority())).contains("missing or wrong"));
}

#[test]
fn a_plug_that_feeds_nothing_is_an_obstacle_at_the_start_and_a_gap_later() {
    let now = Arc::new(Mutex::new(status(0.0, 5.0)));
    let server = shelly("Switch", Arc::clone(&now));
    let said = refused("shelly", &server.authority());
    assert!(said.contains("says 0 W") && said.contains("plug the machine into it"), "{said}");
    *now.lock().unwrap() = status(50.0, 5.123);
    let findings = open_with("shelly", &server.authority());
    let trace = sample(findings, 1, |_| *now.lock().unwrap() = status(0.0, 5.123));
    assert_eq!(values(&trace, "power.plug"), [Some(50.0), None]);
    assert!(trace.gaps[0].reason.contains("0 W"), "{:?}", trace.gaps);
}

#[test]
fn a_device_that_is_no_shelly_and_one_without_a_meter_are_told() {
    let other = Server::start(None, |_| Answer::json(&json!({ "hello": 1 })));
    assert!(refused("shelly", &other.authority()).contains("not like a Shelly device"));
    let lamp = shelly("Light", Arc::new(Mutex::new(json!({}))));
    let said = refused("shelly", &lamp.authority());
    assert!(said.contains("neither Switch:0 nor PM1:0") && said.contains("id=N"), "{said}");
    assert!(refused("shelly", &format!("{},id=first", lamp.authority())).contains("id `first`"));
}

// --- Tasmota

fn sensors(time: &str, power: &Value, total_kwh: f64) -> Value {
    json!({ "StatusSNS": { "Time": time, "ENERGY": { "Total": total_kwh, "Power": power, "Voltage": 230 } } })
}

#[test]
fn a_tasmota_plug_gives_watts_and_a_fine_counter_in_joules() {
    let now = Arc::new(Mutex::new(sensors("2026-01-01T00:00:00", &json!(400), 12.345_67)));
    let shown = Arc::clone(&now);
    let server = Server::start(None, move |_| Answer::json(&shown.lock().unwrap()));
    let trace = sample(open_with("tasmota", &server.authority()), 2, |second| {
        let time = format!("2026-01-01T00:00:0{second}");
        *now.lock().unwrap() = sensors(&time, &json!(410), 12.345_67 + 1e-4 * f64::from(second));
    });
    assert_eq!(values(&trace, "power.plug"), [Some(400.0), Some(410.0), Some(410.0)]);
    let joules = values(&trace, "energy.plug");
    assert!((joules[2].unwrap() - joules[0].unwrap() - 720.0).abs() < 1e-3, "{joules:?}");
    assert_eq!(server.seen()[0].path, "/cm?cmnd=Status%208");
}

#[test]
fn a_counter_of_whole_watt_hours_is_left_out_and_the_note_says_why() {
    let server = Server::start(None, |_| Answer::json(&sensors("2026-01-01T00:00:00", &json!(100), 12.345)));
    let trace = sample(open_with("tasmota", &server.authority()), 0, |_| {});
    assert_eq!(trace.columns.len(), 1);
    assert!(trace.source.note.contains("moves by 3600 J at a time"), "{}", trace.source.note);
}

#[test]
fn a_plug_whose_clock_stands_still_goes_stale() {
    let server = Server::start(None, |_| Answer::json(&sensors("2026-01-01T00:00:00", &json!(100), 12.345)));
    let trace = sample(open_with("tasmota", &server.authority()), 12, |_| {});
    let watts = values(&trace, "power.plug");
    assert_eq!((watts[10], watts[11]), (Some(100.0), None));
}

#[test]
fn the_password_of_a_tasmota_plug_is_sent_in_its_query_and_shown_nowhere() {
    let server = Server::start(None, |seen| {
        // The name and the password as a browser would encode them.
        if seen.path == "/cm?user=admin&password=hunter2%26%2B%C3%BC&cmnd=Status%208" {
            return Answer::json(&sensors("2026-01-01T00:00:00", &json!(100), 12.345));
        }
        Answer::Reply(401, Vec::new(), json!({ "WARNING": "Need user=<username>&password=<password>" }).to_string())
    });
    assert!(refused("tasmota", &server.authority()).contains("WATTMARK_TASMOTA_PASSWORD"));
    let folder = tempfile::tempdir().unwrap();
    let argument = format!("{}{}", server.authority(), credentials(folder.path()));
    let trace = sample(open_with("tasmota", &argument), 1, |_| server.kill());
    assert_eq!(values(&trace, "power.plug"), [Some(100.0), None]);
    let kept = format!("{trace:?}");
    assert!(!kept.contains("hunter2") && kept.contains("credentials travel unencrypted"), "{kept}");
}

#[test]
fn an_older_firmware_that_refuses_with_success_is_understood_and_channels_are_chosen() {
    let server =
        Server::start(None, |_| Answer::json(&json!({ "WARNING": "Need user=<username>&password=<password>" })));
    assert!(refused("tasmota", &server.authority()).contains("the user is admin"));
    let server = Server::start(None, |_| Answer::json(&sensors("2026-01-01T00:00:00", &json!([10, 20]), 1.0)));
    assert!(refused("tasmota", &server.authority()).contains("it meters 2 channels -> choose one with id=0"));
    let trace = sample(open_with("tasmota", &format!("{},id=1", server.authority())), 0, |_| {});
    assert_eq!(values(&trace, "power.plug"), [Some(20.0)]);
    let server = Server::start(None, |_| Answer::json(&json!({ "StatusSNS": { "Time": "x" } })));
    assert!(refused("tasmota", &server.authority()).contains("no StatusSNS.ENERGY"));
}
