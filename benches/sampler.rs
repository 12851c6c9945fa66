//! What sampling costs: lateness of polls, processor time, and memory. `cargo bench --bench sampler`.
//!
//! Not criterion: these are shares of a core and quantiles over a stretch of time, not times of a call. What surprises
//! people: on a busy machine lateness is that of the operating system's scheduler, so the load is printed with it.

#![allow(clippy::print_stdout, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::time::Instant;

use wattmark::clock::{Clock, Nanoseconds, RunClock, SimulatedClock, WallClock};
use wattmark::measure::live::Live;
use wattmark::power::sources::{rapl, scripted};
use wattmark::power::{PowerScript, PowerSource, ProbeContext, Sampler};
use wattmark::units::{Seconds, Watts};

fn main() {
    println!(
        "load of the machine: {}",
        std::fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".into()).trim()
    );
    println!("{:<52} {:>9} {:>9} {:>9} {:>8} {:>9}", "", "p50", "p99", "largest", "skipped", "of a core");
    cadence("1 file-backed source at 1 kHz, 10 s", 1, 1000.0, 10.0);
    cadence("20 file-backed sources at 10 Hz, 20 s", 20, 10.0, 20.0);
    day();
}

fn context(root: &Path, clock: RunClock) -> ProbeContext {
    ProbeContext { root: root.to_owned(), devices: vec![], assume_watts: None, argument: None, clock, activity: None }
}

/// A source that reads the energy file of one package below a folder of its own.
fn file_source(folder: &Path, clock: &RunClock) -> Box<dyn PowerSource> {
    let domain = folder.join("sys/class/powercap/intel-rapl:0");
    std::fs::create_dir_all(&domain).expect("a folder");
    for (name, text) in [("name", "package-0"), ("energy_uj", "123456789"), ("max_energy_range_uj", "262143328850")] {
        std::fs::write(domain.join(name), text).expect("a file");
    }
    (rapl::PROBE.open)(&context(folder, clock.clone())).sources.remove(0)
}

fn cadence(title: &str, sources: usize, hz: f64, seconds: f64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clock = RunClock::Wall(WallClock::start());
    let sources = (0..sources).map(|i| file_source(&folder.path().join(i.to_string()), &clock)).collect();
    let before = processor_time();
    let (began, origin) = (Instant::now(), clock.now());
    let sampler = Sampler::start(sources, hz, &clock);
    clock.sleep(Seconds::new(seconds));
    let skipped: u64 = sampler.skipped_ticks().iter().sum();
    let spent = before.zip(processor_time()).map(|(before, after)| (after - before) / began.elapsed().as_secs_f64());
    let period = 1e9 / hz;
    let mut late: Vec<f64> = Vec::new();
    for trace in sampler.stop() {
        // Ticks count from the start of the sampler; the time that starting takes counts as lateness, too.
        late.extend(trace.t_ns.iter().map(|t| (t.0 - origin.0) as f64 % period / 1e6));
    }
    // A tick that passed without a poll was late by a period or more.
    late.extend((0..skipped).map(|_| period / 1e6));
    late.sort_by(f64::total_cmp);
    let quantile = |q: f64| late[((late.len() - 1) as f64 * q) as usize];
    let share = spent.map_or("unknown".to_owned(), |share| format!("{:.2} %", share * 100.0));
    println!(
        "{title:<52} {:>6.3} ms {:>6.3} ms {:>6.3} ms {skipped:>8} {share:>9}",
        quantile(0.5),
        quantile(0.99),
        quantile(1.0)
    );
}

/// Processor seconds of all threads of this process, to the nanosecond, on Linux.
fn processor_time() -> Option<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let ran = |path: &Path| -> Option<f64> {
        std::fs::read_to_string(path.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    Some(tasks.filter_map(|task| ran(&task.ok()?.path())).sum::<f64>() / 1e9)
}

/// A day of a live view of 20 sources at 10 Hz, drawn every second, on a clock that jumps: what memory it takes.
fn day() {
    let clock = SimulatedClock::new();
    let run_clock = RunClock::Simulated(clock.clone());
    let scripts: Vec<PowerScript> = (0..20).map(|i| PowerScript::steady(Watts::new(100.0 + f64::from(i)))).collect();
    let findings = scripted::open_scripts(&scripts, &context(Path::new("/"), run_clock.clone()));
    let began = Instant::now();
    let sampler = Sampler::watch(findings.sources, 10.0, &run_clock, Seconds::new(100.0));
    let mut live = Live::default();
    for second in 1..=86_400_u64 {
        clock.sleep(Seconds::new(1.0));
        let reach = Nanoseconds(second.saturating_sub(100) * 1_000_000_000);
        live.update(&sampler.traces_since(reach), clock.now());
    }
    let kept: usize = sampler.traces().iter().map(|trace| trace.t_ns.len()).sum();
    let energy: f64 = live.powers().iter().map(|power| power.energy.get()).sum();
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned();
    println!(
        "24 h of 20 sources at 10 Hz (simulated in {:.0} s): {kept} polls kept, {:.4} of the energy counted, peak memory {peak}",
        began.elapsed().as_secs_f64(),
        energy / (86_400.0 * (20.0 * 100.0 + 190.0))
    );
}
