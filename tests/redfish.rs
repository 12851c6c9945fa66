//! Redfish against a service of the test's own over TLS: what is read from which resource, who may connect, and what each
//! fault becomes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod http_support;
mod power_support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use http_support::bmc::{Bmc, Fault, PASSWORD, USER};
use http_support::{Answer, Authority, Papers, Server, self_signed};
use power_support::{Tree, context, open, values};
use serde_json::{Value, json};
use wattmark::clock::{Clock, RunClock, WallClock};
use wattmark::model::{Quantity, Scope, SourceTrace};
use wattmark::power::{Findings, Sampler};
use wattmark::units::Seconds;

const METRICS: &str = "/redfish/v1/Chassis/1U/EnvironmentMetrics";
const SENSOR: &str = "/redfish/v1/Chassis/1U/Sensors/TotalPower";

/// A BMC behind TLS with all that a client needs to be let in.
struct Site {
    bmc: Bmc,
    server: Server,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(bmc: Bmc) -> Self {
        Self::with(bmc, Papers::Right)
    }
    fn with(bmc: Bmc, papers: Papers) -> Self {
        let authority = Authority::new();
        let server = bmc.serve(Some(authority.papers(papers)));
        Self { bmc, server, authority, folder: tempfile::tempdir().unwrap() }
    }
    fn credentials(&self, password: &str) -> PathBuf {
        let path = self.folder.path().join("login");
        std::fs::write(&path, format!("{USER}\n{password}\n")).unwrap();
        close_to_others(&path);
        path
    }
    /// Address, authority and credentials, all right, with further options.
    fn argument(&self, more: &str) -> String {
        let (ca, login) = (self.authority.file.path().display(), self.credentials(PASSWORD));
        format!("{},ca={ca},credentials={}{more}", self.server.url(), login.display())
    }
    fn open(&self, more: &str) -> Findings {
        open_with(&self.argument(more))
    }
    /// Polls every tenth of a second in real time; only then does the end of sampling end the source.
    fn sample_in_real_time(&self, more: &[&str], then: impl FnOnce()) -> Vec<SourceTrace> {
        let clock = RunClock::Wall(WallClock::start());
        let opened = more.iter().map(|more| self.open(&format!(",every=0.1{more}")).sources);
        let sampler = Sampler::start(opened.flatten().collect(), 10.0, &clock);
        std::thread::sleep(Duration::from_millis(500));
        then();
        std::thread::sleep(Duration::from_millis(500));
        sampler.stop()
    }
    /// Polls once a simulated second.
    fn sample(&self, more: &str, seconds: f64) -> SourceTrace {
        let (mut context, clock) = context(Tree::empty().root());
        context.argument = Some(self.argument(more));
        let findings = open("redfish", &context);
        assert!(!findings.sources.is_empty(), "{:?}", findings.obstacles);
        let sampler = Sampler::start(findings.sources, 10.0, &context.clock);
        clock.sleep(Seconds::new(seconds));
        sampler.stop().remove(0)
    }
}

#[cfg(unix)]
fn close_to_others(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
#[cfg(not(unix))]
fn close_to_others(_path: &std::path::Path) {}

fn open_with(argument: &str) -> Findings {
    let (mut context, _) = context(Tree::empty().root());
    context.argument = Some(argument.to_owned());
    open("redfish", &context)
}

/// Reason and remedy of the one obstacle; no source.
fn refused(findings: &Findings) -> String {
    assert!(findings.sources.is_empty(), "{:?}", findings.sources.iter().map(|s| s.info().clone()).collect::<Vec<_>>());
    let obstacle = findings.obstacles.last().unwrap();
    assert!(!obstacle.remedy.is_empty());
    let said = format!("{obstacle:?}");
    assert!(!said.contains(PASSWORD), "{said}");
    format!("{} -> {}", obstacle.why, obstacle.remedy)
}

// --- what is read

#[test]
fn environment_metrics_come_first_and_the_watts_are_called_host_dc() {
    let site = Site::new(Bmc::rack_server());
    let trace = site.sample("", 3.0);
    assert_eq!(values(&trace, "power.redfish"), [Some(374.0); 4]);
    let channel = &trace.source.channels[0];
    assert_eq!((channel.scope, channel.quantity), (Scope::HostDc, Quantity::AveragedPower));
    assert_eq!((channel.update_period_s, trace.requested_hz), (Some(Seconds::new(1.0)), 1.0));
    assert_eq!(trace.source.id, format!("redfish:{}:1U", site.server.authority()));
    assert!(trace.source.note.contains("direct-current side is assumed"), "{}", trace.source.note);
    // Steps of a kilowatt-hour take hours: such a counter is not read.
    assert_eq!(trace.source.channels.len(), 1);
    assert_eq!(site.server.connections(), 1, "the connection is kept alive");
    assert!(!format!("{trace:?}").contains(PASSWORD));
}

#[test]
fn a_fine_energy_counter_is_read_in_joules_and_a_reset_is_a_gap() {
    let site = Site::new(Bmc::rack_server());
    site.bmc.change(METRICS, "/EnergykWh/Reading", json!(10.123_456));
    let (mut context, clock) = context(Tree::empty().root());
    context.argument = Some(site.argument(",scope=wall-ac"));
    let sampler = Sampler::start(open("redfish", &context).sources, 1.0, &context.clock);
    for reading in [10.123_556, 0.000_01] {
        site.bmc.change(METRICS, "/EnergykWh/Reading", json!(reading));
        clock.sleep(Seconds::new(1.0));
    }
    let trace = sampler.stop().remove(0);
    let energy = values(&trace, "energy.redfish");
    assert!((energy[1].unwrap() - energy[0].unwrap() - 360.0).abs() < 1e-3, "{energy:?}");
    assert_eq!(energy[2], None);
    assert_eq!(trace.source.channels[1].scope, Scope::WallAc);
    assert!(trace.source.note.contains("as the user declared"));
}

#[test]
fn the_supplies_that_are_there_are_added_up_once_each_and_their_side_follows_the_scope() {
    for (more, watts, scope) in
        [("", 377.5, Scope::WallAc), (",scope=wall-ac", 377.5, Scope::WallAc), (",scope=host-dc", 353.5, Scope::HostDc)]
    {
        let trace = Site::new(Bmc::rack_server()).sample(&format!(",from=supplies{more}"), 0.0);
        assert_eq!(values(&trace, "power.redfish"), [Some(watts)], "{more}");
        assert_eq!(trace.source.channels[0].scope, scope);
        assert!(trace.source.note.contains("of 2 power supplies"), "{}", trace.source.note);
        // The supplies' counters count what goes in.
        assert_eq!(trace.source.channels.len(), if scope == Scope::WallAc { 2 } else { 1 });
    }
}

#[test]
fn without_the_newer_resources_the_legacy_one_is_read_but_never_its_average() {
    let bmc = Bmc::rack_server();
    bmc.remove(METRICS);
    bmc.remove("/redfish/v1/Chassis/1U/PowerSubsystem");
    let trace = Site::new(bmc).sample("", 0.0);
    assert_eq!(values(&trace, "power.redfish"), [Some(344.0)]);
    assert!(trace.source.note.contains("System Input Power"), "{}", trace.source.note);
}

#[test]
fn a_sensor_with_a_time_of_its_own_gives_interval_accuracy_and_staleness() {
    let site = Site::new(Bmc::rack_server());
    site.bmc.put(
        SENSOR,
        json!({
            "@odata.type": "#Sensor.v1_6_0.Sensor", "Reading": 380, "ReadingTime": "2019-08-13T04:14:33+06:00",
            "SensingInterval": "PT2S", "Accuracy": 2,
        }),
    );
    let trace = site.sample("", 40.0);
    let channel = &trace.source.channels[0];
    assert_eq!(channel.update_period_s, Some(Seconds::new(2.0)));
    assert!((channel.stated_error.unwrap().get() - 0.02).abs() < 1e-9);
    let watts = values(&trace, "power.redfish");
    // Fresh at first although its clock is years off, then a repeated reading.
    assert_eq!((watts[0], watts[30], watts[31]), (Some(380.0), Some(380.0), None));
    assert!(trace.gaps[0].reason.contains("repeats its reading"), "{:?}", trace.gaps);
}

#[test]
fn a_processor_named_by_its_path_is_a_board_and_takes_a_device() {
    let bmc = Bmc::rack_server();
    let gpu = "/redfish/v1/Systems/HGX_Baseboard_0/Processors/GPU_SXM_1";
    bmc.put(gpu, json!({ "@odata.type": "#Processor.v1_20_0.Processor", "Id": "GPU_SXM_1" }));
    bmc.put(&format!("{gpu}/EnvironmentMetrics"), json!({ "PowerWatts": { "Reading": 512.25 } }));
    let site = Site::new(bmc);
    let (ca, login) = (site.authority.file.path().display(), site.credentials(PASSWORD));
    let options = format!("ca={ca},credentials={},device=1", login.display());
    let findings = open_with(&format!("{}{gpu}/EnvironmentMetrics,{options}", site.server.url()));
    let info = findings.sources[0].info();
    assert_eq!((info.device, info.channels[0].scope), (Some(1), Scope::Board));
    assert!(info.id.ends_with(":GPU_SXM_1"), "{}", info.id);
}

// --- several chassis

#[test]
fn a_chassis_inside_another_is_never_counted_beside_it() {
    let bmc = Bmc::rack_server();
    let inside =
        json!({ "ChassisType": "Module", "Links": { "ContainedBy": { "@odata.id": "/redfish/v1/Chassis/1U" } } });
    bmc.add_metered_chassis("HGX_Chassis_0", 300.0, inside);
    let site = Site::new(bmc);
    assert_eq!(values(&site.sample("", 0.0), "power.redfish"), [Some(374.0)]);
    let module = site.sample(",chassis=HGX_Chassis_0", 0.0);
    assert_eq!(values(&module, "power.redfish"), [Some(300.0)]);
    assert_eq!(module.source.channels[0].scope, Scope::Module);
    // An outer chassis without a reading leaves the inner one.
    for path in [METRICS, "/redfish/v1/Chassis/1U/PowerSubsystem", "/redfish/v1/Chassis/1U/Power"] {
        site.bmc.remove(path);
    }
    assert!(site.sample("", 0.0).source.id.ends_with(":HGX_Chassis_0"));
}

#[test]
fn chassis_side_by_side_are_listed_and_the_user_chooses() {
    let bmc = Bmc::rack_server();
    bmc.add_metered_chassis("Sled2", 210.0, json!({ "ChassisType": "Sled" }));
    let site = Site::new(bmc);
    let said = refused(&site.open(""));
    assert_eq!((site.bmc.made_sessions(), site.bmc.open_sessions()), (1, 0), "a failed start logs out");
    assert!(said.contains("1U (374 W), Sled2 (210 W)") && said.contains("choose one with chassis=1U"), "{said}");
    assert_eq!(values(&site.sample(",chassis=Sled2", 0.0), "power.redfish"), [Some(210.0)]);
    let said = refused(&site.open(",chassis=Sled3"));
    assert!(said.contains("there is no chassis `Sled3`; there are: 1U, Sled2"), "{said}");
}

// --- who may connect

#[test]
fn a_session_is_opened_once_and_closed_at_the_end() {
    let site = Site::new(Bmc::rack_server());
    let traces = site.sample_in_real_time(&[""], || {});
    assert!(values(&traces[0], "power.redfish").len() >= 3);
    assert_eq!((site.bmc.made_sessions(), site.bmc.open_sessions()), (1, 0));
    assert!(site.server.seen().iter().all(|seen| seen.header("authorization").is_empty()));
}

#[test]
fn a_session_that_ran_out_is_opened_again_within_the_same_poll() {
    let site = Site::new(Bmc::rack_server());
    let traces = site.sample_in_real_time(&[""], || site.bmc.fail(Fault::ForgetSessions));
    assert!(values(&traces[0], "power.redfish").iter().all(|watts| *watts == Some(374.0)), "{traces:?}");
    assert_eq!((site.bmc.made_sessions(), site.bmc.open_sessions()), (2, 0));
}

#[test]
fn without_a_free_session_each_request_logs_in_and_the_note_says_so() {
    let site = Site::new(Bmc::rack_server());
    site.bmc.fail(Fault::NoSessionLeft);
    let trace = site.sample("", 1.0);
    assert_eq!(values(&trace, "power.redfish"), [Some(374.0); 2]);
    assert!(trace.source.note.contains("503 Base.1.16.SessionLimitExceeded"), "{}", trace.source.note);
    let basic = site.sample(",auth=basic", 1.0);
    assert!(!basic.source.note.contains("session") && site.bmc.made_sessions() == 0);
}

#[test]
fn a_wrong_password_and_none_at_all_are_told_with_the_remedy() {
    let site = Site::new(Bmc::rack_server());
    let login = site.credentials("wrong-password-9");
    let ca = site.authority.file.path().display().to_string();
    for more in [format!(",credentials={}", login.display()), String::new()] {
        let said = refused(&open_with(&format!("{},ca={ca}{more}", site.server.url())));
        assert!(said.contains("401: user and password are missing or wrong"), "{said}");
        assert!(said.contains("WATTMARK_REDFISH_PASSWORD") && said.contains("credentials=FILE"), "{said}");
        assert!(!said.contains("wrong-password-9"));
    }
}

#[test]
fn an_unknown_authority_is_refused_with_both_remedies_and_either_helps() {
    let bmc = Bmc::rack_server();
    bmc.0.lock().unwrap().open_to_all = true;
    let site = Site::new(bmc);
    let url = site.server.url();
    let said = refused(&open_with(&url));
    assert!(said.contains("signed by no known authority"), "{said}");
    assert!(said.contains("ca=FILE") && said.contains("insecure=yes") && said.contains("--insecure"), "{said}");
    let foreign = Authority::new();
    let said = refused(&open_with(&format!("{url},ca={}", foreign.file.path().display())));
    assert!(said.contains("signed by no known authority"), "{said}");
    let right = open_with(&format!("{url},ca={}", site.authority.file.path().display()));
    assert!(!right.sources[0].info().note.contains("not checked"));
    let insecure = open_with(&format!("{url},insecure=yes"));
    assert!(insecure.sources[0].info().note.contains("certificate not checked"));
}

#[test]
fn a_certificate_that_vouches_for_itself_can_be_named_unless_it_is_an_authoritys() {
    for (is_authority, accepted) in [(false, true), (true, false)] {
        let bmc = Bmc::rack_server();
        bmc.0.lock().unwrap().open_to_all = true;
        let (tls, pem) = self_signed(is_authority);
        let server = bmc.serve(Some(tls));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bmc.pem");
        std::fs::write(&file, pem).unwrap();
        let findings = open_with(&format!("{},ca={}", server.url(), file.display()));
        if accepted {
            assert_eq!(findings.sources.len(), 1, "{:?}", findings.obstacles);
        } else {
            let said = refused(&findings);
            assert!(said.contains("an authority's certificate as its own") && said.contains("insecure=yes"), "{said}");
        }
    }
}

#[test]
fn an_expired_certificate_and_one_for_another_name_are_called_that() {
    for (papers, why) in
        [(Papers::Expired, "the certificate has expired"), (Papers::OtherName, "made out to another name")]
    {
        let said = refused(&Site::with(Bmc::rack_server(), papers).open(""));
        assert!(said.contains(why) && said.contains("insecure=yes"), "{said}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let site = Site::new(Bmc::rack_server());
    let url = site.server.url();
    let nothing = site.folder.path().join("nothing");
    for (option, why) in [("ca", "cannot read ca="), ("credentials", "cannot read")] {
        let said = refused(&open_with(&format!("{url},{option}={}", nothing.display())));
        assert!(said.contains(why), "{said}");
    }
    let login = site.credentials(PASSWORD);
    let said = refused(&open_with(&format!("{url},ca={}", login.display())));
    assert!(said.contains("holds no certificate in PEM form"), "{said}");
}

// --- faults at the start

#[test]
fn each_fault_at_the_start_is_an_obstacle_within_the_time_limit() {
    for (fault, why) in [
        (Fault::Hang, "no whole answer within 0.5 s"),
        (Fault::Half, "the answer broke off"),
        (Fault::Error500, "status 500"),
    ] {
        let site = Site::new(Bmc::rack_server());
        site.bmc.fail(fault);
        let start = Instant::now();
        let said = refused(&site.open(",timeout=0.5"));
        assert!(said.contains(why), "{fault:?}: {said}");
        assert!(start.elapsed() < Duration::from_secs(5), "{fault:?} took {:?}", start.elapsed());
    }
}

#[test]
fn a_reading_that_is_no_number_is_told_and_one_in_quotes_is_read() {
    for (reading, expected) in [
        (json!("374"), Ok(374.0)),
        (json!(null), Err("is null")),
        (json!("374 W"), Err("is the text `374 W`")),
        (json!(0), Err("0 W, which nothing that runs draws")),
        (json!(-1), Err("-1 W")),
    ] {
        let site = Site::new(Bmc::rack_server());
        site.bmc.change(METRICS, "/PowerWatts/Reading", reading.clone());
        match expected {
            Ok(watts) => assert_eq!(values(&site.sample(",from=environment", 0.0), "power.redfish"), [Some(watts)]),
            Err(why) => {
                let said = refused(&site.open(",from=environment"));
                assert!(said.contains(why), "{reading}: {said}");
            }
        }
    }
    // Without the restriction the next resource stands in.
    let site = Site::new(Bmc::rack_server());
    site.bmc.change(METRICS, "/PowerWatts/Reading", Value::Null);
    assert_eq!(values(&site.sample("", 0.0), "power.redfish"), [Some(377.5)]);
}

#[test]
fn a_supply_without_a_reading_leaves_no_partial_sum() {
    let site = Site::new(Bmc::rack_server());
    let metrics = "/redfish/v1/Chassis/1U/PowerSubsystem/PowerSupplies/Bay2/Metrics";
    site.bmc.change(metrics, "/InputPowerWatts/Reading", Value::Null);
    let said = refused(&site.open(",from=supplies"));
    assert!(said.contains("Bay2/Metrics: InputPowerWatts.Reading is null"), "{said}");
}

#[test]
fn a_link_that_leads_nowhere_and_a_service_that_is_none_are_told() {
    let site = Site::new(Bmc::rack_server());
    site.bmc.remove("/redfish/v1/Chassis");
    assert!(refused(&site.open("")).contains("/redfish/v1/Chassis: the server answered with status 404"));
    let server = Server::start(None, |_| Answer::Reply(200, Vec::new(), "<html>hello</html>".to_owned()));
    assert!(refused(&open_with(&server.url())).contains("the answer is not JSON"));
    let server = Server::start(None, |_| Answer::json(&json!({"hello": 1})));
    assert!(refused(&open_with(&server.url())).contains("not as a Redfish service root"));
    server.kill();
    assert!(refused(&open_with(&server.url())).contains("no connection"));
}

#[test]
fn a_redirect_is_followed_at_home_and_never_with_credentials_to_another_host() {
    let bmc = Bmc::rack_server();
    bmc.0.lock().unwrap().open_to_all = true;
    let inner = bmc.serve(None);
    let target = inner.url();
    let moved = move |to: String| Answer::Reply(308, vec![("Location".to_owned(), to)], String::new());
    let other = Server::start(None, move |seen| moved(format!("{target}{}", seen.path)));
    let said = refused(&open_with(&other.url()));
    assert!(said.contains(&format!("redirects to {}", inner.url())), "{said}");
    assert_eq!(inner.seen().len(), 0);
    let tree = bmc.clone();
    let home = Server::start(None, move |seen| match seen.path.strip_prefix("/new") {
        Some(path) => Answer::json(&tree.0.lock().unwrap().tree[path]),
        None => Answer::Reply(307, vec![("Location".to_owned(), format!("/new{}", seen.path))], String::new()),
    });
    assert_eq!(open_with(&home.url()).sources.len(), 1);
}

// --- faults in mid-run

#[test]
fn each_fault_in_mid_run_is_a_gap_with_its_reason_and_readings_go_on_afterwards() {
    for (fault, why) in [
        (Fault::Hang, "no whole answer within 0.3 s"),
        (Fault::Half, "the answer broke off"),
        (Fault::Error500, "status 500"),
    ] {
        let site = Site::new(Bmc::rack_server());
        let (mut context, clock) = context(Tree::empty().root());
        context.argument = Some(site.argument(",timeout=0.3"));
        let sampler = Sampler::start(open("redfish", &context).sources, 1.0, &context.clock);
        site.bmc.fail(fault);
        clock.sleep(Seconds::new(1.0));
        site.bmc.fail(Fault::None);
        clock.sleep(Seconds::new(1.0));
        let trace = sampler.stop().remove(0);
        assert_eq!(values(&trace, "power.redfish"), [Some(374.0), None, Some(374.0)], "{fault:?}");
        assert!(trace.gaps[0].reason.contains(why), "{fault:?}: {:?}", trace.gaps);
        assert!(trace.gaps[0].until_ns.is_some());
    }
}

#[test]
fn a_server_that_hangs_holds_up_the_end_of_sampling_by_two_seconds_at_most() {
    let site = Site::new(Bmc::rack_server());
    let start = Instant::now();
    let traces = site.sample_in_real_time(&[",timeout=60"], || site.bmc.fail(Fault::Hang));
    // Logging in and a second of sampling come before.
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
    assert!(values(&traces[0], "power.redfish").contains(&Some(374.0)));
}

#[test]
fn a_reading_that_turns_null_is_a_gap_and_not_a_zero() {
    let site = Site::new(Bmc::rack_server());
    let (mut context, clock) = context(Tree::empty().root());
    context.argument = Some(site.argument(""));
    let sampler = Sampler::start(open("redfish", &context).sources, 1.0, &context.clock);
    site.bmc.change(METRICS, "/PowerWatts/Reading", Value::Null);
    clock.sleep(Seconds::new(1.0));
    let trace = sampler.stop().remove(0);
    assert_eq!(values(&trace, "power.redfish"), [Some(374.0), None]);
    assert!(trace.gaps[0].reason.contains("PowerWatts.Reading is null"), "{:?}", trace.gaps);
}

#[test]
fn a_server_that_dies_in_mid_run_leaves_an_open_gap() {
    let site = Site::new(Bmc::rack_server());
    let (mut context, clock) = context(Tree::empty().root());
    context.argument = Some(site.argument(""));
    let sampler = Sampler::start(open("redfish", &context).sources, 1.0, &context.clock);
    site.server.kill();
    clock.sleep(Seconds::new(3.0));
    let trace = sampler.stop().remove(0);
    assert_eq!(values(&trace, "power.redfish"), [Some(374.0), None, None, None]);
    assert_eq!((trace.gaps.len(), trace.gaps[0].until_ns), (1, None));
    assert!(trace.gaps[0].reason.contains("no connection"), "{:?}", trace.gaps);
}

#[test]
fn several_sources_share_one_bmc() {
    let site = Site::new(Bmc::rack_server());
    let traces = site.sample_in_real_time(&[",from=supplies", ",from=supplies,scope=host-dc", ",from=power"], || {});
    let watts: Vec<Option<f64>> = traces.iter().map(|trace| values(trace, "power.redfish")[1]).collect();
    assert_eq!(watts, [Some(377.5), Some(353.5), Some(344.0)]);
    assert_eq!(site.bmc.open_sessions(), 0);
}
