//! Prometheus: a real server that scrapes a small exporter of the test's own every second, and a server of the test's own
//! for what a real one does not do at will.
//!
//! The real one runs where WATTMARK_PROMETHEUS names its program, which `make test` sees to; without it the test says that it
//! did not run.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail, and says what it left out"
)]

mod http_support;
mod power_support;
mod prometheus_support;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use http_support::{Answer, Server};
use power_support::{Tree, context, open, values};
use prometheus_support::real;
use serde_json::json;
use wattmark::clock::{Clock, RunClock, WallClock};
use wattmark::model::{Quantity, Scope};
use wattmark::power::{Findings, Sampler};
use wattmark::units::Seconds;

fn open_with(argument: &str) -> Findings {
    let (mut context, _) = context(Tree::empty().root());
    context.argument = Some(argument.to_owned());
    open("prometheus", &context)
}

fn refused(argument: &str) -> String {
    let findings = open_with(argument);
    assert!(findings.sources.is_empty(), "{argument}");
    let obstacle = findings.obstacles.last().unwrap();
    assert!(!obstacle.remedy.is_empty());
    format!("{} -> {}", obstacle.why, obstacle.remedy)
}

// --- a real server

#[test]
fn a_real_server_gives_scraped_watts_and_joules_and_what_died_is_a_gap() {
    let watts = Arc::new(Mutex::new(250.0));
    let (shown, start) = (Arc::clone(&watts), Instant::now());
    let exporter = Server::start(None, move |_| {
        let (watts, joules) = (*shown.lock().unwrap(), 100.0 * start.elapsed().as_secs_f64());
        let text = format!(
            "# TYPE psu_power_watts gauge\npsu_power_watts{{psu=\"a\"}} {watts}\npsu_power_watts{{psu=\"b\"}} 50\n\
             # TYPE psu_energy_joules_total counter\npsu_energy_joules_total {joules}\n"
        );
        Answer::Reply(200, vec![("Content-Type".to_owned(), "text/plain; version=0.0.4".to_owned())], text)
    });
    let Some(prometheus) = real(&exporter) else { return };
    let url = &prometheus.url;

    // What cannot be read is told.
    let said = refused(&format!("{url},metric=psu_power_watts,scope=wall-ac"));
    assert!(said.contains("has 2 series") && said.contains("psu=\"a\"") && said.contains("sum=yes"), "{said}");
    let said = refused(&format!("{url},metric=nothing_watts,scope=wall-ac"));
    assert!(said.contains("has no sample"), "{said}");
    let said = refused(&format!("{url},query=sum(psu_power_watts,interval=1,unit=W,scope=wall-ac"));
    assert!(said.contains("the server says") && said.contains("parse error"), "{said}");

    let arguments = [
        "metric=psu_power_watts,match={psu=\"a\",job=\"rack\"}",
        "metric=psu_power_watts,sum=yes",
        "metric=psu_energy_joules_total",
        "query=sum by (job, instance) (psu_power_watts{psu=~\"a|b\",job=\"rack\"}),interval=1,unit=W",
    ];
    let open = |argument: &&str| {
        let findings = open_with(&format!("{url},{argument},scope=wall-ac"));
        assert_eq!(findings.sources.len(), 1, "{:?}", findings.obstacles);
        findings.sources
    };
    let sources: Vec<_> = arguments.iter().flat_map(open).collect();
    for source in &sources[..3] {
        let period = source.info().channels[0].update_period_s.unwrap().get();
        assert!((period - 1.0).abs() < 0.05, "scraped every second, found {period} s");
    }
    assert_eq!(sources[2].info().channels[0].quantity, Quantity::EnergyCounter);
    let clock = RunClock::Wall(WallClock::start());
    let sampler = Sampler::start(sources, 10.0, &clock);
    clock.sleep(Seconds::new(3.0));
    *watts.lock().unwrap() = 300.0;
    clock.sleep(Seconds::new(4.0));
    exporter.kill();
    clock.sleep(Seconds::new(7.0));
    let traces = sampler.stop();

    let all = |index: usize| traces[index].columns[0].values.clone();
    let (first, last) = (all(0)[0], all(0).iter().flatten().last().copied());
    assert_eq!((first, last), (Some(250.0), Some(300.0)), "{:?}", all(0));
    assert_eq!(all(1)[0], Some(300.0));
    assert_eq!(all(3)[0], Some(300.0));
    let joules: Vec<f64> = all(2).into_iter().flatten().collect();
    let rate = (joules.last().unwrap() - joules[0]) / (joules.len() as f64 - 1.0) * traces[2].requested_hz;
    assert!((60.0..140.0).contains(&rate), "100 W by the counter, found {rate}: {joules:?}");
    for trace in &traces[..3] {
        assert_eq!(trace.columns[0].values.last(), Some(&None), "{trace:?}");
        let gap = trace.gaps.iter().find(|gap| gap.until_ns.is_none()).unwrap();
        assert!(gap.reason.contains("no sample") || gap.reason.contains("repeats its reading"), "{gap:?}");
    }
    assert_eq!(traces[0].source.channels[0].scope, Scope::WallAc);
}

// --- a server of our own

/// Answers each query with scrapes every `step` seconds, the last of them `age` seconds old.
fn fake(step: f64, age: Arc<Mutex<f64>>, value: &'static str) -> Server {
    Server::start(None, move |_| {
        let now = jiff::Timestamp::now();
        let unix = now.as_millisecond() as f64 / 1e3 - *age.lock().unwrap();
        // Scrapes lie on a grid, as those of a real server do.
        let last = (unix / step).floor() * step;
        let samples: Vec<_> = (0..5).rev().map(|back| json!([last - f64::from(back) * step, value])).collect();
        let body = json!({ "status": "success", "data": { "resultType": "matrix", "result": [
            { "metric": { "__name__": "p_watts" }, "values": samples } ] } });
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
        Answer::Reply(200, vec![("Date".to_owned(), date)], body.to_string())
    })
}

#[test]
fn a_slow_scrape_becomes_the_update_period_and_the_last_look_goes_no_further_than_three_of_it() {
    let server = fake(15.0, Arc::default(), "120");
    let findings = open_with(&format!("{},metric=p_watts,scope=board,device=2", server.url()));
    let info = findings.sources[0].info();
    assert_eq!((info.channels[0].update_period_s, info.device), (Some(Seconds::new(15.0)), Some(2)));
    assert!((findings.sources[0].useful_hz().unwrap() - 2.0 / 15.0).abs() < 1e-9);
    assert!(info.note.contains("scraped every 15.000 s"), "{}", info.note);
    let (context, clock) = context(Tree::empty().root());
    let sampler = Sampler::start(findings.sources, 10.0, &context.clock);
    clock.sleep(Seconds::new(15.0));
    assert_eq!(values(&sampler.stop()[0], "power.scraped"), [Some(120.0); 3]);
    assert!(server.seen().last().unwrap().path.ends_with("p_watts%5B45000ms%5D"), "{:?}", server.seen().last());
}

#[test]
fn an_old_sample_is_refused_at_the_start_and_a_repeated_one_turns_into_a_gap() {
    let age = Arc::new(Mutex::new(100.0));
    let server = fake(1.0, Arc::clone(&age), "120");
    let argument = format!("{},metric=p_watts,scope=board", server.url());
    let said = refused(&argument);
    assert!(said.contains("was scraped 10") && said.contains("exporter"), "{said}");
    *age.lock().unwrap() = 0.0;
    let source = open_with(&argument).sources;
    let stuck = jiff::Timestamp::now().as_millisecond() as f64 / 1e3;
    // Whatever the clocks say: the sample's time stands still while ours goes on.
    let (context, clock) = context(Tree::empty().root());
    let sampler = Sampler::start(source, 2.0, &context.clock);
    for _ in 0..20 {
        *age.lock().unwrap() = jiff::Timestamp::now().as_millisecond() as f64 / 1e3 - stuck;
        clock.sleep(Seconds::new(0.5));
    }
    let trace = sampler.stop().remove(0);
    let watts = values(&trace, "power.scraped");
    assert_eq!((watts[0], watts[19]), (Some(120.0), None), "{watts:?}");
    assert!(trace.gaps[0].reason.contains("repeats its reading"), "{:?}", trace.gaps);
}

#[test]
fn numbers_that_are_no_reading_and_answers_that_are_none_are_told() {
    for (value, why) in [("NaN", "NaN: no reading"), ("0", "0: no reading"), ("-4", "-4: no reading")] {
        let server = fake(1.0, Arc::default(), value);
        let said = refused(&format!("{},metric=p_watts,scope=board", server.url()));
        assert!(said.contains(why), "{said}");
    }
    for (answer, why) in [
        ((200, "<html>"), "no answer of Prometheus's query API"),
        ((401, ""), "401: user and password are missing or wrong"),
        ((503, r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#), "query timed out"),
        ((502, "bad gateway"), "status 502"),
    ] {
        let server = Server::start(None, move |_| Answer::Reply(answer.0, Vec::new(), answer.1.to_owned()));
        let said = refused(&format!("{},metric=p_watts,scope=board", server.url()));
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn what_the_numbers_mean_must_be_said_where_it_cannot_be_known() {
    for (options, why) in [
        ("metric=p,scope=board", "say unit=W"),
        ("metric=p,scope=board,unit=hp", "unit `hp` is none of"),
        ("metric=p_watts", "say scope="),
        ("query=p*2,scope=board,unit=W", "say interval=SECONDS"),
        ("scope=board,unit=W", "one of metric=, query= and query_file="),
        ("metric=p,query=p,scope=board,unit=W", "one of metric=, query= and query_file="),
        ("query_file=/nowhere/query,scope=board,unit=W", "cannot read /nowhere/query"),
    ] {
        let said = refused(&format!("http://127.0.0.1:9,{options}"));
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_token_is_sent_as_bearer_and_an_expression_limits_the_lookback() {
    let server = Server::start(None, |_| {
        Answer::json(&json!({ "status": "success", "data": { "resultType": "vector", "result": [
            { "metric": {}, "value": [1.0, "1234.5"] } ] } }))
    });
    let folder = tempfile::tempdir().unwrap();
    let (token, query) = (folder.path().join("token"), folder.path().join("query"));
    std::fs::write(&token, "abc\n").unwrap();
    std::fs::write(&query, "sum(p{a=\"1,2\"})\n").unwrap();
    let argument = format!(
        "{}/prom/,query_file={},interval=15,unit=mW,scope=board,credentials={}",
        server.url(),
        query.display(),
        token.display()
    );
    let findings = open_with(&argument);
    assert!(findings.sources[0].info().note.contains("credentials travel unencrypted"));
    let (context, _) = context(Tree::empty().root());
    let trace = Sampler::start(findings.sources, 1.0, &context.clock).stop().remove(0);
    assert_eq!(values(&trace, "power.scraped"), [Some(1.2345)]);
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.header("authorization"), "Bearer abc");
    assert_eq!(seen.path, "/prom/api/v1/query?query=sum%28p%7Ba%3D%221%2C2%22%7D%29&lookback_delta=45");
}
