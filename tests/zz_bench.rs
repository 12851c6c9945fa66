#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout)]
use std::collections::BTreeMap;
use std::time::Instant;
use wattmark::clock::WallClock;
use wattmark::gpu::{Job, Machine, WgpuMachine};
use wattmark::measure::plan::{self, Selection};
use wattmark::verify::ProbePlan;
use wattmark::verify::prepare::{program_of, write_inputs};
use wattmark::workload::problem;

// BENCH="variant shape P=1,Q=2; variant shape ..." ROUNDS=5
#[test]
fn bench() {
    let spec = std::env::var("BENCH").unwrap();
    let rounds: usize = std::env::var("ROUNDS").map_or(5, |r| r.parse().unwrap());
    let verify = std::env::var("VERIFY").is_ok();
    let machine = WgpuMachine::discover(WallClock::start());
    let device = machine.devices().into_iter().next().unwrap();
    let mut open = Vec::new();
    for line in spec.split(';').map(str::trim).filter(|l| !l.is_empty()) {
        let mut parts = line.split_whitespace();
        let (variant, shape) = (parts.next().unwrap(), parts.next().unwrap());
        let shapes = if shape == "-" { vec![] } else { vec![shape.to_owned()] };
        let selection = Selection { kernels: vec![variant.into()], shapes, seed: 1 };
        let mut case = plan::cases(&selection, std::slice::from_ref(&device)).unwrap().remove(0);
        let mut given: BTreeMap<String, u64> = BTreeMap::new();
        for pair in parts.flat_map(|p| p.split(',')) {
            let (name, value) = pair.split_once('=').unwrap();
            given.insert(name.into(), value.parse().unwrap());
        }
        case.params.extend(given);
        let (instance, program) = match program_of(&case, &device) {
            Ok(p) => p,
            Err(s) => {
                println!("SKIP {line}: {}", s.detail);
                continue;
            }
        };
        let mut gpu = machine.open(0).unwrap();
        let start = Instant::now();
        gpu.load(&program).unwrap();
        let load = start.elapsed();
        write_inputs(gpu.as_mut(), &case, &instance).unwrap();
        let run = |gpu: &mut dyn wattmark::gpu::Accelerator, n| {
            let s = Instant::now();
            let t = gpu.submit(&Job::Run { dispatches: n }).unwrap();
            let d = gpu.wait(t).unwrap();
            d.device_ns.map_or(s.elapsed().as_secs_f64(), |ns| ns as f64 * 1e-9) / f64::from(n)
        };
        let first = {
            let t = gpu.submit(&Job::Poison).unwrap();
            gpu.wait(t).unwrap();
            run(gpu.as_mut(), 1)
        };
        let mut note = String::new();
        if verify {
            let p = problem(&case.problem).unwrap();
            let probe = ProbePlan::sample(p, &instance, 200, 3);
            let t = gpu.submit(&Job::Probe { ranges: probe.ranges() }).unwrap();
            let bytes = gpu.wait(t).unwrap().bytes;
            let scan = gpu.scan_poison().unwrap();
            note = match probe.check(&bytes) {
                Ok(c) => format!("ok {:.3} poisoned {}", c.worst_error_in_bounds, scan.poisoned),
                Err(e) => format!("WRONG {e}"),
            };
        }
        println!("{line}: load {:.2} s first {:.1} ms {note}", load.as_secs_f64(), first * 1e3);
        open.push((line.to_owned(), case, gpu, Vec::new()));
    }
    for _ in 0..rounds {
        for (_, _, gpu, times) in &mut open {
            let s = Instant::now();
            let t = gpu.submit(&Job::Run { dispatches: 3 }).unwrap();
            let d = gpu.wait(t).unwrap();
            times.push(d.device_ns.map_or(s.elapsed().as_secs_f64(), |ns| ns as f64 * 1e-9) / 3.0);
        }
    }
    let mut reference = None;
    for (line, case, _, times) in &mut open {
        if times.is_empty() {
            continue;
        }
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0], times[times.len() / 2]);
        let rate = |t: f64| case.work.bytes.get() / t * 1e-9;
        let base: f64 = *reference.get_or_insert(rate(median));
        println!(
            "{line:70} {:8.2} ms median {:7.3} GB/s (best {:7.3}) ratio {:.3}  {:6.2} GFLOP/s",
            median * 1e3,
            rate(median),
            rate(best),
            rate(median) / base,
            case.work.flop.get() / median * 1e-9
        );
    }
}
