//! Host-side costs: integrating a long trace, writing and reading a record, evaluating it, drawing its charts, accounting.

#![allow(clippy::expect_used, clippy::print_stderr, missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use wattmark::account::microgrid::{self, load};
use wattmark::account::schedule::{Limits, Load, schedule};
use wattmark::account::series::Series;
use wattmark::account::{self, Site, resolve_site};
use wattmark::clock::Nanoseconds;
use wattmark::compare;
use wattmark::figure;
use wattmark::measure::result::evaluate;
use wattmark::measure::result::metrics::Tally;
use wattmark::model::{
    Calibration, Channel, ChannelTrace, Check, Estimate, Evidence, FactorMethod, Measurement, Phase, Quantity,
    RunRecord, Scope, Shape, SourceInfo, SourceTrace, StopReason, Sustained, Timing, TimingMethod, Verification,
    Window, WindowKind,
};
use wattmark::power::integrate::window_energies;
use wattmark::store;
use wattmark::units::{Joules, Ratio, Seconds, Watts};

/// A board sensor polled at 50 Hz with instant power and an energy counter.
fn trace(samples: u64) -> SourceTrace {
    let channel = |id: &str, quantity| Channel {
        update_period_s: Some(Seconds::new(0.02)),
        stated_error: Some(Ratio::new(0.05)),
        ..Channel::new(id, quantity, Scope::Board)
    };
    let power = |i: u64| 400.0 + 20.0 * (i as f64 * 0.01).sin();
    let mut joules = 0.0;
    let counter = (0..samples)
        .map(|i| {
            joules += power(i) * 0.02;
            Some(joules)
        })
        .collect();
    SourceTrace {
        source: SourceInfo {
            id: "bench:0".into(),
            kind: "bench".into(),
            device: Some(0),
            evidence: Evidence::Measured,
            note: String::new(),
            channels: vec![channel("power", Quantity::InstantPower), channel("energy", Quantity::EnergyCounter)],
        },
        requested_hz: 50.0,
        t_ns: (0..samples).map(|i| Nanoseconds(i * 20_000_000)).collect(),
        columns: vec![
            ChannelTrace { channel: "power".into(), values: (0..samples).map(|i| Some(power(i))).collect() },
            ChannelTrace { channel: "energy".into(), values: counter },
        ],
        gaps: Vec::new(),
    }
}

/// The shipped golden record, grown to 20 cases of five windows and 100 000 power samples.
fn record() -> RunRecord {
    record_of(20)
}

/// The shipped golden record, grown to these cases of five windows and 5000 power samples each.
fn record_of(cases: u64) -> RunRecord {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/records/v1.0.json");
    let mut record = store::read(golden.as_ref()).expect("the golden record reads").record;
    let pattern = record.measurements[0].clone();
    let check =
        Check { sampled: 256, worst_error_in_bounds: 0.1, max_abs_error: 1e-6, scanned: 1 << 20, ..Check::default() };
    record.measurements = (0..cases)
        .map(|i| Measurement {
            verification: Verification::Passed { before: check.clone(), after: check.clone() },
            calibration: Some(Calibration {
                per_dispatch_s: Seconds::new(1e-3),
                dispatches_per_submission: 100,
                in_flight: 2,
            }),
            timing: Some(Timing {
                method: TimingMethod::DeviceTimestamps,
                timestamp_period_ns: Some(1.0),
                busy_fraction: Some(1.0),
            }),
            windows: (0..5)
                .map(|w| Window {
                    kind: WindowKind::Measure,
                    start_ns: Nanoseconds((i * 5 + w) * 10_000_000_000),
                    end_ns: Nanoseconds((i * 5 + w) * 10_000_000_000 + 9_900_000_000),
                    dispatches: 9900,
                    device_busy_ns: Some(9_900_000_000),
                })
                .collect(),
            stop: Some(StopReason::WindowCap),
            ..pattern.clone()
        })
        .collect();
    record.traces = vec![trace(cases * 5_000)];
    record.plan.cases = record.measurements.iter().map(|m| m.case.clone()).collect();
    record.skips.clear();
    record.provenance.device_details = BTreeMap::new();
    record
}

/// A hundred segments of five minutes of a qualification: five phases in turns, windows of 5 s, traces of 10 Hz.
fn tally(c: &mut Criterion) {
    let mut segment = record_of(5);
    for (turn, (measurement, phase)) in (0u64..).zip(segment.measurements.iter_mut().zip(Phase::ALL)) {
        measurement.windows = (0..12)
            .map(|round| Window {
                kind: WindowKind::Measure,
                start_ns: Nanoseconds((round * 5 + turn) * 5_000_000_000),
                end_ns: Nanoseconds((round * 5 + turn + 1) * 5_000_000_000),
                dispatches: 5000,
                device_busy_ns: None,
            })
            .collect();
        measurement.case.device = segment.devices[0].ordinal;
        let digests = vec!["00".repeat(32); 12];
        measurement.sustained = Some(Sustained { phase, digested_bytes: 1, output_bytes: 1, known: None, digests });
    }
    let mut board = trace(3_000);
    board.requested_hz = 10.0;
    board.t_ns = (0..3_000).map(|poll| Nanoseconds(poll * 100_000_000)).collect();
    board.source.device = Some(segment.devices[0].ordinal);
    segment.traces = vec![board];
    c.bench_function("tally 100 segments of 5 min", |b| {
        b.iter(|| {
            let mut tally = Tally::new();
            (0..100).for_each(|_| tally.add(&segment));
            black_box(tally.findings())
        });
    });
}

fn integration(c: &mut Criterion) {
    let mut group = c.benchmark_group("integrate");
    for (samples, text) in [(1_000_000, "10^6 samples"), (10_000_000, "10^7 samples")] {
        let trace = trace(samples);
        let last = trace.t_ns[trace.t_ns.len() - 1];
        let (from, until) = (Nanoseconds(5_000_000), Nanoseconds(last.0 - 1_000_000_000));
        group.bench_function(text, |b| b.iter(|| black_box(window_energies(&trace, from, until))));
        // The power alone, of a sensor that looks part of the time: the budget then takes a second pass.
        let mut part_time = trace.clone();
        part_time.source.channels.retain(|channel| channel.quantity != Quantity::EnergyCounter);
        for channel in &mut part_time.source.channels {
            channel.averaging_window_s = Some(Seconds::new(0.001));
            channel.update_period_s = Some(Seconds::new(0.02));
        }
        group.bench_function(format!("{text} of a part-time sensor"), |b| {
            b.iter(|| black_box(window_energies(&part_time, from, until)));
        });
        // What stands before the window costs nothing.
        let (from, until) = (Nanoseconds(last.0 - 20_000_000_000), Nanoseconds(last.0 - 10_000_000_000));
        group.bench_function(format!("10 s at the end of {text}"), |b| {
            b.iter(|| black_box(window_energies(&trace, from, until)));
        });
    }
    group.finish();
}

fn records(c: &mut Criterion) {
    let record = record();
    let text = store::to_text(&record).expect("the record serialises");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.json");
    std::fs::write(&path, &text).expect("the record is written");
    c.bench_function("write a record of 20 cases and 100 000 samples", |b| {
        b.iter(|| black_box(store::to_text(&record).expect("the record serialises")));
    });
    c.bench_function("read a record of 20 cases and 100 000 samples", |b| {
        b.iter(|| black_box(store::read(&path).expect("the record reads")));
    });
    c.bench_function("evaluate a record of 20 cases and 100 000 samples", |b| b.iter(|| black_box(evaluate(&record))));
}

fn charts(c: &mut Criterion) {
    let record = record();
    let result = evaluate(&record);
    c.bench_function("draw the charts of a record as SVG", |b| {
        b.iter(|| {
            for figure in figure::standard_figures(&record, &result, None) {
                black_box(figure::svg::render(&figure).expect("the figure is drawn"));
            }
        });
    });
}

/// A site with three generators, a battery and a grid, over a year of 5-minute steps.
fn site() -> Site {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "name = \"bench\"\ngrid = \"CN-QH\"\npue = 1.2\n[microgrid]\nstart = \"2026-01-01T00:00:00Z\"\ndays = 365\n\
                step_s = 300\n[microgrid.solar]\ncapacity_kw = 600\nprofile = \"illustrative\"\n[microgrid.wind]\n\
                capacity_kw = 300\nprofile = \"illustrative\"\n[microgrid.hydro]\ncapacity_kw = 100\n\
                profile = \"illustrative\"\n[microgrid.battery]\ncapacity_kwh = 1500\nc_rate = 0.25\n\
                charge_efficiency = 0.95\ndischarge_efficiency = 0.95\n";
    std::fs::write(folder.path().join("site.toml"), text).expect("the site is written");
    resolve_site(None, None, Some("site.toml"), folder.path()).expect("the site resolves")
}

fn micro_grid(c: &mut Criterion) {
    let site = site();
    c.bench_function("micro-grid, a year of 5-minute steps", |b| {
        b.iter(|| {
            let load = |config: &microgrid::Config| Ok(load::declared(Watts::new(300_000.0), None, &config.horizon));
            black_box(microgrid::of_site(&site, load).expect("the micro-grid runs"))
        });
    });
}

/// The measured power of a record, laid over the year: its interval is stepped through beside it.
fn micro_grid_of_a_trace(c: &mut Criterion) {
    let site = site();
    let record = record();
    let result = evaluate(&record);
    let load = |_: &microgrid::Config| load::measured(&record, &result, &microgrid::Selection::default());
    let account = microgrid::of_site(&site, load).expect("the micro-grid runs");
    assert!(account.bands.is_some(), "the joules have an interval");
    c.bench_function("micro-grid, a year of 5-minute steps of a measured trace", |b| {
        b.iter(|| black_box(microgrid::of_site(&site, load).expect("the micro-grid runs")));
    });
}

/// Reading included: what `wattmark carbon matrix RUN --case '*' --regions all --json` does without printing.
fn carbon_matrix(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.json");
    let record = record_of(100);
    std::fs::write(&path, store::to_text(&record).expect("the record serialises")).expect("the record is written");
    let site = resolve_site(None, Some(1.2), None, folder.path()).expect("the site resolves");
    let catalogue = account::Catalogue::built_in().expect("the catalogue reads");
    let every = account::Choice::Case("*".to_owned());
    let matrix = |record: &RunRecord| {
        let subjects = account::subjects(record, &evaluate(record), &every).expect("every case has joules");
        assert_eq!(subjects.len(), 100);
        let matrix = account::price(&subjects, &site, catalogue, &account::RegionSet::All, None).expect("it is priced");
        serde_json::to_string_pretty(&matrix).expect("the matrix serialises")
    };
    c.bench_function("carbon matrix, 100 cases × all regions", |b| b.iter(|| black_box(matrix(&record))));
    c.bench_function("carbon matrix, 100 cases × all regions, reading the record", |b| {
        b.iter(|| black_box(matrix(&store::read(&path).expect("the record reads").record)));
    });
}

/// Ten years of hourly intensities with a daily and a yearly wave.
fn ten_years() -> Series {
    let value = |hour: u32| {
        let (day, year) = (f64::from(hour % 24) / 24.0, f64::from(hour) / 8766.0);
        300.0 + 120.0 * (day * std::f64::consts::TAU).sin() + 40.0 * (year * std::f64::consts::TAU).cos()
    };
    Series {
        name: "bench".into(),
        sha256: String::new(),
        format: String::new(),
        zone: String::new(),
        start: "2015-01-01T00:00Z".parse().expect("a time"),
        step: Seconds::new(3600.0),
        values: (0..87_660).map(|hour| Some(value(hour))).collect(),
        gas: None,
        method: FactorMethod::Average,
        life_cycle: None,
        faults: Vec::new(),
    }
}

fn when_to_run(c: &mut Criterion) {
    let series = ten_years();
    let load = Load { energy: Estimate::bare(Joules::new(5.76e6), 0), time: Seconds::new(14_400.0), pue: 1.2 };
    for interruptible in [false, true] {
        let limits = Limits { interruptible, ..Limits::default() };
        let name = if interruptible { "interruptible" } else { "in one piece" };
        c.bench_function(&format!("carbon when, ten years hourly, {name}"), |b| {
            b.iter(|| black_box(schedule(&series, &load, limits).expect("a start")));
        });
    }
}

/// Two records of 100 cases: their figures, 200 ratios with bootstrap intervals, and every difference between them.
fn comparison(c: &mut Criterion) {
    let with_shapes = || {
        let mut record = record_of(100);
        for (index, measurement) in record.measurements.iter_mut().enumerate() {
            measurement.case.shape = Shape::new([("m", 64 + index as u64), ("n", 64), ("k", 64)]);
            for (turn, window) in measurement.windows.iter_mut().enumerate() {
                window.dispatches += (index as u64 * 7 + turn as u64 * 13) % 40;
            }
        }
        record
    };
    let (a, mut b) = (with_shapes(), with_shapes());
    b.measurements.iter_mut().flat_map(|one| &mut one.windows).for_each(|window| window.dispatches += 20);
    let options = compare::Options::new(Ratio::new(0.01), site());
    c.bench_function("compare two records of 100 cases", |bencher| {
        bencher.iter(|| {
            let (x, y) = (evaluate(black_box(&a)), evaluate(black_box(&b)));
            let all = compare::compare(&x, &a, &y, &b, &options);
            assert_eq!(all.pairs.len(), 100);
            all
        });
    });
}

criterion_group!(
    benches,
    integration,
    tally,
    records,
    charts,
    micro_grid,
    micro_grid_of_a_trace,
    carbon_matrix,
    when_to_run,
    comparison
);
criterion_main!(benches);
