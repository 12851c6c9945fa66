//! Every kernel against its ceiling, in one run: GEMM against the multiply-add probe, triad against a native triad on all
//! threads, GEMV, RMSNorm and softmax against the read probe, odd GEMM shapes against an aligned one.
//!
//! What surprises people: the cases take turns, round by round, and a ratio is the median of the rounds' own ratios, so that
//! other work on the machine slows both sides alike. Arrays of the memory cases are four times the last-level cache.

use std::time::Instant;

use wattmark::gpu::{Accelerator, Job, Machine, WgpuMachine};
use wattmark::measure::plan::{Selection, cases};
use wattmark::model::{Case, Device, ElementType};
use wattmark::verify::ProbePlan;
use wattmark::verify::prepare::{program_of, write_inputs};
use wattmark::workload;

/// Turns that each case takes.
const ROUNDS: usize = 9;
/// Seconds that a turn lasts, about.
const TURN_S: f64 = 0.1;
/// Bytes of the last-level cache where the system does not tell.
const USUAL_CACHE: u64 = 32 << 20;
/// GEMM shapes that no tile divides.
const ODD: [&str; 7] = [
    "m=n=k=1023",
    "m=1000,n=37,k=4099",
    "m=1000,n=4099,k=37",
    "m=37,n=1000,k=4099",
    "m=37,n=4099,k=1000",
    "m=4099,n=37,k=1000",
    "m=4099,n=1000,k=37",
];

/// Runs something a number of times and says how many seconds that took.
type Turn = Box<dyn FnMut(u64) -> f64>;

/// One case that takes turns.
struct Runner {
    label: String,
    unit: &'static str,
    work: f64,
    count: u64,
    turn: Turn,
    rates: Vec<f64>,
}

impl Runner {
    fn new(label: String, unit: &'static str, work: f64, mut turn: Turn) -> Self {
        let once = turn(1).max(1e-6);
        Self { label, unit, work, count: (TURN_S / once).clamp(1.0, 1000.0) as u64, turn, rates: Vec::new() }
    }
    fn take_turn(&mut self) {
        let time = (self.turn)(self.count);
        self.rates.push(self.work * self.count as f64 / time / 1e9);
    }
    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }
    /// Prints the rate and its share of `ceiling`, with the range over the rounds.
    fn print(&self, ceiling: &Self) {
        let shares: Vec<f64> = self.rates.iter().zip(&ceiling.rates).map(|(own, top)| 100.0 * own / top).collect();
        let (low, high) = shares.iter().fold((f64::MAX, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
        println!(
            "{:44} {:8.2} {}  {:5.1} % [{low:.1} .. {high:.1}] of {}",
            self.label,
            self.rate(),
            self.unit,
            median(shares),
            ceiling.label
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Loads a case on a device of its own and checks one execution. `None`, with the reason printed, if it cannot run.
fn open(machine: &WgpuMachine, device: &Device, case: &Case) -> Option<Runner> {
    let opened = || -> Result<Box<dyn Accelerator>, String> {
        let (instance, program) = program_of(case, device).map_err(|skip| skip.detail)?;
        let problem = workload::problem(&case.problem).ok_or("unknown problem")?;
        let mut accelerator = machine.open(device.ordinal).map_err(|error| error.to_string())?;
        let fail = |error: wattmark::gpu::GpuError| error.to_string();
        accelerator.load(&program).map_err(fail)?;
        write_inputs(accelerator.as_mut(), case, &instance).map_err(fail)?;
        let probe = ProbePlan::sample(problem, &instance, 256, 1);
        let mut output = Vec::new();
        for job in [Job::Poison, Job::Run { dispatches: 1 }, Job::Probe { ranges: probe.ranges() }] {
            let ticket = accelerator.submit(&job).map_err(fail)?;
            output = accelerator.wait(ticket).map_err(fail)?.bytes;
        }
        probe.check(&output).map_err(|mismatch| mismatch.to_string())?;
        Ok(accelerator)
    };
    match opened() {
        Ok(mut accelerator) => {
            // Only these two are held against the arithmetic probe; the others against memory, by their counted bytes.
            let (work, unit) = match case.problem.as_str() {
                "fma" | "gemm" => (case.work.flop.get(), "GFLOP/s"),
                _ => (case.work.bytes.get(), "GB/s"),
            };
            let turn = move |count| super::execute(accelerator.as_mut(), count).as_secs_f64();
            Some(Runner::new(case.label(), unit, work, Box::new(turn)))
        }
        Err(reason) => {
            println!("{} is not measured: {reason}", case.label());
            None
        }
    }
}

/// Runners of every f32 variant that a pattern names, at one shape.
fn runners(machine: &WgpuMachine, device: &Device, kernel: &str, shape: &str) -> Vec<Runner> {
    let selection =
        Selection { kernels: vec![kernel.to_owned()], shapes: vec![shape.to_owned()], seed: 1, patterns: Vec::new() };
    let cases = cases(&selection, std::slice::from_ref(device)).expect("the selection is sound");
    let measured = cases.iter().filter(|case| case.element == ElementType::F32 && case.variant != "gemm/naive-f32");
    measured.filter_map(|case| open(machine, device, case)).collect()
}

/// Bytes of the last-level cache.
fn last_level_cache() -> u64 {
    let size = |index: u32| {
        let text = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size")).ok()?;
        text.trim().strip_suffix('K')?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    (0..8).filter_map(size).max().unwrap_or(USUAL_CACHE)
}

/// a = b + 0.4 c in Rust on every thread, over arrays that were written before.
fn native_triad(n: usize) -> Runner {
    let mut a = vec![1.0_f32; n];
    let b: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let c: Vec<f32> = (0..n).map(|i| 0.5 * i as f32).collect();
    let share = n.div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
    let turn = move |count| {
        let start = Instant::now();
        for _ in 0..count {
            std::thread::scope(|scope| {
                for ((a, b), c) in a.chunks_mut(share).zip(b.chunks(share)).zip(c.chunks(share)) {
                    scope.spawn(move || {
                        for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
                            *a = *b + 0.4 * *c;
                        }
                    });
                }
            });
            std::hint::black_box(&a);
        }
        start.elapsed().as_secs_f64()
    };
    Runner::new(format!("native triad n={n}"), "GB/s", 12.0 * n as f64, Box::new(turn))
}

/// Lets all runners take turns.
fn race(runners: &mut [&mut Runner]) {
    for _ in 0..ROUNDS {
        for runner in runners.iter_mut() {
            runner.take_turn();
        }
    }
}

/// Prints the shares of `measured` in the fastest of `ceilings`.
fn compare(title: &str, mut ceilings: Vec<Runner>, mut measured: Vec<Runner>) {
    race(&mut ceilings.iter_mut().chain(&mut measured).collect::<Vec<_>>());
    println!("{title}");
    let Some(top) = ceilings.iter().max_by(|a, b| a.rate().total_cmp(&b.rate())) else { return };
    for runner in ceilings.iter().chain(&measured) {
        runner.print(top);
    }
}

/// Measures and prints all ratios of the first device.
pub fn print(machine: &WgpuMachine, device: &Device) {
    let open = |kernel: &str, shape: &str| runners(machine, device, kernel, shape);
    let aligned = "m=n=k=1024";
    compare("GEMM against the multiply-add probe", open("fma", "n=262144,steps=4096"), open("gemm", aligned));
    // Arrays of n 4-byte elements, four times the cache.
    let n = last_level_cache().next_multiple_of(1 << 20);
    if cfg!(debug_assertions) {
        println!("the native triad is not measured: this build is not optimised");
    } else if device.is_software() {
        compare(
            "triad against a native one on all threads",
            vec![native_triad(n as usize)],
            open("memory-triad", &format!("n={n}")),
        );
    }
    let rows = n / 1024;
    let mut readers = open("gemv", &format!("m={},k=4096", rows / 4));
    for kernel in ["rmsnorm", "softmax"] {
        readers.extend(open(kernel, &format!("rows={rows},cols=1024")));
    }
    // 32 streams: an adapter on the CPU reads long runs of memory well, and short ones far apart badly.
    let read = open("memory-read", &format!("n={n},lanes={}", n / 32));
    compare("bytes as counted, against the read probe", read, readers);
    let odd = ODD.iter().flat_map(|shape| open("gemm/subgroup-f32", shape)).collect();
    compare("odd shapes against an aligned one", open("gemm/subgroup-f32", aligned), odd);
}
