//! Every problem on every data pattern, on this machine's adapter: the checks must pass what is right, and not only for
//! random data; and each pattern is a case of its own in plans, records and tables.
//!
//! What surprises people: one variant per problem and precision runs here, the preferred one; all of them run on
//! normal data in `kernels_on_adapter`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use wattmark::clock::WallClock;
use wattmark::gpu::{Accelerator, Job, Machine, WgpuMachine};
use wattmark::kernel::{self, Variant};
use wattmark::measure::plan::{self, Selection};
use wattmark::model::{DataPattern, Device, ElementType, SkipReason};
use wattmark::verify::prepare::{program_of, write_inputs};
use wattmark::verify::{ProbePlan, WholeCheck};
use wattmark::workload::problem;

const SEED: u64 = 77;

/// Small extents of axes by name; a problem takes those it has. Odd, so that guards run.
const EXTENTS: &[(&str, u64)] = &[
    ("n", 131),
    ("m", 67),
    ("k", 256),
    ("steps", 32),
    ("lanes", 33),
    ("rows", 19),
    ("cols", 259),
    ("heads", 4),
    ("kv_heads", 2),
    ("seq", 37),
    ("context", 133),
    ("dim", 32),
    ("tokens", 9),
    ("d", 65),
    ("f", 71),
    ("batch", 2),
    ("channels", 5),
    ("height", 13),
    ("width", 11),
    ("filters", 7),
    ("kernel", 3),
    ("vocab", 97),
];

/// `--shape` texts for a problem: its own axes that are listed above, the others as they are by default.
fn shape(id: &str) -> Vec<String> {
    if id == "matrix-fma" {
        // Accumulators come in groups of 16.
        return vec!["n=48,steps=32".to_owned()];
    }
    let axes = problem(id).unwrap().axes();
    let own = EXTENTS.iter().filter(|(axis, _)| axes.iter().any(|known| known.name == *axis));
    own.map(|(axis, extent)| format!("{axis}={extent}")).collect()
}

/// One variant of each problem and precision: the preferred one.
fn variants(device: &Device) -> Vec<&'static Variant> {
    let mut best: BTreeMap<(&str, ElementType), &Variant> = BTreeMap::new();
    for variant in kernel::variants() {
        let slot = best.entry((&variant.problem, variant.element)).or_insert(variant);
        if variant.preference(device) > slot.preference(device) {
            *slot = variant;
        }
    }
    best.into_values().collect()
}

fn verified(gpu: &mut dyn Accelerator, variant: &str, pattern: DataPattern) -> Result<(), String> {
    let id = variant.split('/').next().unwrap();
    let device = gpu.device().clone();
    let (kernels, shapes) = (vec![variant.to_owned()], shape(id));
    let selection = Selection { kernels, shapes, seed: SEED, patterns: vec![pattern] };
    let case = plan::cases(&selection, std::slice::from_ref(&device)).map_err(|error| error.to_string())?.remove(0);
    let (instance, program) = match program_of(&case, &device) {
        Ok(ready) => ready,
        Err(skip) if skip.reason == SkipReason::MissingFeature || skip.detail.contains("half precision") => {
            eprintln!("  {variant} did not run: {}", skip.detail);
            return Ok(());
        }
        Err(skip) => return Err(skip.detail),
    };
    let problem = problem(id).unwrap();
    let probe = ProbePlan::sample(problem, &instance, 256, SEED);
    let whole = WholeCheck::new(problem, &instance, SEED, None, true);
    let mut run = || {
        gpu.load(&program)?;
        write_inputs(gpu, &case, &instance)?;
        for job in [Job::Poison, Job::Run { dispatches: 1 }] {
            let ticket = gpu.submit(&job)?;
            gpu.wait(ticket)?;
        }
        let ticket = gpu.submit(&Job::Probe { ranges: probe.ranges() })?;
        let bytes = gpu.wait(ticket)?.bytes;
        let mut reading = whole.reading();
        gpu.read_outputs(&mut |tensor, offset, bytes| reading.add(tensor, offset, bytes))?;
        Ok((bytes, reading.judge()))
    };
    let (bytes, judged) = run().map_err(|error: wattmark::gpu::GpuError| error.to_string())?;
    probe.check(&bytes).map_err(|mismatch| mismatch.to_string())?;
    judged.map(drop)
}

#[test]
fn every_problem_is_right_on_every_pattern() {
    let machine = WgpuMachine::discover(WallClock::start());
    let devices = machine.devices();
    assert!(!devices.is_empty(), "no Vulkan adapter on this machine: install mesa-vulkan-drivers");
    let mut wrong = Vec::new();
    let mut gpu = machine.open(devices[0].ordinal).unwrap();
    for variant in variants(&devices[0]) {
        for pattern in DataPattern::ALL {
            if let Err(why) = verified(gpu.as_mut(), &variant.id, pattern) {
                wrong.push(format!("{} {pattern}: {why}", variant.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const SCRIPT: &str =
    "[[device]]\nname = \"Simulated Accelerator\"\n[[device.rates]]\nvariant = \"*\"\nseconds_per_dispatch = 1e-3\n";

fn wattmark(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with a script, where a run with these arguments has left its record below `results`.
fn ran(args: &[&str], config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    std::fs::write(folder.path().join("wattmark.toml"), config).unwrap();
    let kernel = ["--kernel", "gemm/naive-f32", "--shape", "m=n=k=32"];
    let fixed = ["run", "--simulate", "script.toml", "--no-ceilings", "--no-figures"];
    let output = wattmark(folder.path(), &[&fixed[..], &kernel, args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::write(folder.path().join("table.txt"), &output.stdout).unwrap();
    folder
}

fn record_path(folder: &Path) -> String {
    let run = std::fs::read_dir(folder.join("results")).unwrap().next().unwrap().unwrap();
    run.path().join("run.json").display().to_string()
}

#[test]
fn each_pattern_is_a_case_of_its_own_and_named_where_it_is_not_the_usual_one() {
    let folder = ran(&["--data", "zeros,normal,zeros,constant"], "");
    let record = wattmark::store::read(Path::new(&record_path(folder.path()))).unwrap().record;
    let patterns: Vec<DataPattern> = record.measurements.iter().map(|measurement| measurement.case.pattern).collect();
    assert_eq!(patterns, [DataPattern::Zeros, DataPattern::Normal, DataPattern::Constant]);
    assert!(record.measurements.iter().all(wattmark::model::Measurement::verified));
    let table = std::fs::read_to_string(folder.path().join("table.txt")).unwrap();
    assert!(table.contains("k=m=n=32 zeros") && table.contains("k=m=n=32 constant"), "{table}");
    assert!(!table.contains("32 normal"), "{table}");
    let exported = wattmark(folder.path(), &["export", &record_path(folder.path()), "--format", "csv"]);
    let csv = text(&exported.stdout);
    assert!(csv.starts_with("run,device,problem,variant,shape,element,data,metric"), "{}{csv}", text(&exported.stderr));
    assert!(csv.contains(",f32,zeros,flop_rate,") && csv.contains(",f32,normal,flop_rate,"), "{csv}");
    let dry = ["run", "--simulate", "script.toml", "--kernel", "gemm/naive-f32", "--data", "sparse", "--dry-run"];
    let plan = text(&wattmark(folder.path(), &dry).stdout);
    assert!(plan.contains(" sparse\n") && plan.contains("data (flag)"), "{plan}");
}

#[test]
fn the_configuration_chooses_patterns_too_and_a_flag_wins() {
    let patterns = |args: &[&str]| {
        let folder = ran(args, "data = [\"uniform\", \"sparse\"]\n");
        let record = wattmark::store::read(Path::new(&record_path(folder.path()))).unwrap().record;
        record.plan.cases.iter().map(|case| case.pattern).collect::<Vec<_>>()
    };
    assert_eq!(patterns(&[]), [DataPattern::Uniform, DataPattern::Sparse]);
    assert_eq!(patterns(&["--data", "zeros"]), [DataPattern::Zeros]);
}

#[test]
fn cases_of_different_patterns_are_never_compared() {
    let (zeros, both) = (ran(&["--data", "zeros"], ""), ran(&["--data", "normal,zeros"], ""));
    let output = wattmark(zeros.path(), &["compare", &record_path(zeros.path()), &record_path(both.path())]);
    let said = text(&output.stdout);
    assert!(said.contains("speed 1 same"), "{said}");
    assert!(said.contains("k=m=n=32 zeros") && said.contains("gemm/naive-f32 k=m=n=32: the other run"), "{said}");
    let normal = ran(&[], "");
    let output = wattmark(zeros.path(), &["compare", &record_path(zeros.path()), &record_path(normal.path())]);
    assert!(text(&output.stdout).contains("No case of A has a partner in B."), "{}", text(&output.stdout));
}
