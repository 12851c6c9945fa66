//! Tuning on scripted devices: who wins, who is refused, what the cache is believed, and what the record says of it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use wattmark::model::{Objective, RunRecord, TrialOutcome, Tuning, TuningOrigin};
use wattmark::store;

/// Defaults run at 1 TFLOP/s; `gemm/tiled-f32` is twice as fast with ROWS = 16, three times as fast with COLS = 3, and six
/// times with both. `FAULTS` stands for more rates and for the device's faults.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
driver_info = "1.0"
[[device.rates]]
variant = "gemm/tiled-f32"
params = { ROWS = 16, COLS = 3 }
flop_per_s = 6e12
[[device.rates]]
variant = "gemm/tiled-f32"
params = { ROWS = 16, COLS = 2 }
flop_per_s = 2e12
[[device.rates]]
variant = "gemm/tiled-f32"
params = { COLS = 3 }
flop_per_s = 3e12
[[device.rates]]
variant = "*"
flop_per_s = 1e12
FAULTS
[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 50.0
counter = true
stated_error = 0.0
[[power.busy]]
variant = "gemm/shared-f32"
watts = 100.0
[[power.busy]]
variant = "*"
watts = 250.0
"#;

const SHAPE: [&str; 2] = ["--shape", "m=n=k=256"];

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(faults: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.script(&SCRIPT.replace("FAULTS", faults));
        bench
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn script(&self, text: &str) {
        std::fs::write(self.path().join("script.toml"), text).unwrap();
    }
    fn cache(&self) -> PathBuf {
        self.path().join("cache").join("tune-v1.json")
    }
    fn call(&self, args: &[&str]) -> Output {
        Command::cargo_bin("wattmark")
            .unwrap()
            .current_dir(self.path())
            .env("WATTMARK_CACHE", "cache")
            .args(args)
            .args(["--simulate", "script.toml"])
            .args(SHAPE)
            .output()
            .unwrap()
    }
    /// Runs `wattmark tune`, which must succeed, and reads what it says.
    fn tune(&self, args: &[&str]) -> (Vec<Tuning>, String) {
        let output = self.call(&[&["tune", "--json"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (serde_json::from_slice(&output.stdout).unwrap(), text(&output.stderr))
    }
    /// Runs `wattmark run`, which must succeed, and reads its record.
    fn run(&self, args: &[&str]) -> (RunRecord, String, String) {
        let output = self.call(&[&["run", "--no-figures", "--no-ceilings"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let mut runs: Vec<PathBuf> =
            std::fs::read_dir(self.path().join("results")).unwrap().map(|entry| entry.unwrap().path()).collect();
        runs.sort_by_key(|run| std::fs::metadata(run).unwrap().modified().unwrap());
        let record = store::read(&runs.pop().unwrap().join("run.json")).unwrap().record;
        (record, text(&output.stdout), text(&output.stderr))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn near(got: f64, want: f64) -> bool {
    (got / want - 1.0).abs() < 1e-6
}

fn failures(tuning: &Tuning) -> Vec<(&str, &str)> {
    let failed = tuning.trials.iter().filter_map(|trial| match &trial.outcome {
        TrialOutcome::Failed { message } => Some((trial.choice.variant.as_str(), message.as_str())),
        _ => None,
    });
    failed.collect()
}

#[test]
fn the_fastest_combination_is_found_and_its_gain_comes_from_one_comparison() {
    let bench = Bench::new("");
    let (tunings, _) = bench.tune(&["gemm/tiled-f32"]);
    let [tuning] = tunings.as_slice() else { panic!("{tunings:?}") };
    // Neither the default (ROWS = 8, COLS = 2) nor any single move runs at 6 TFLOP/s.
    assert_eq!((tuning.default.params["ROWS"], tuning.default.params["COLS"]), (8, 2));
    assert_eq!((tuning.chosen.params["ROWS"], tuning.chosen.params["COLS"]), (16, 3));
    assert!(near(tuning.gain().unwrap().ratio, 6.0), "{:?}", tuning.gain());
    // 2 · 256³ FLOP at 6e12 and at 1e12 FLOP/s, five turns each.
    let work = 2.0 * 256f64.powi(3);
    for (choice, rate) in [(&tuning.chosen, 6e12), (&tuning.default, 1e12)] {
        let times = &tuning.finalist(choice).unwrap().times_s;
        assert_eq!(times.len(), 5);
        // Device times are whole nanoseconds of a whole submission.
        assert!(times.iter().all(|time| (time.get() * rate / work - 1.0).abs() < 1e-3), "{times:?}");
    }
    assert!(!tuning.others().is_empty() && tuning.failed() == 0);
    assert_eq!(tuning.origin, TuningOrigin::Fresh);
}

#[test]
fn a_problem_may_change_its_variant_and_a_kernel_may_not() {
    let bench = Bench::new("[[device.rates]]\nvariant = \"gemm/shared-f32\"\nflop_per_s = 9e12\n");
    let (free, _) = bench.tune(&["gemm"]);
    let f32: Vec<&Tuning> = free.iter().filter(|tuning| tuning.element.name() == "f32").collect();
    assert_eq!(f32.len(), 1, "one case stands for all variants of a precision");
    assert_eq!(f32[0].chosen.variant, "gemm/shared-f32");
    let (fixed, _) = bench.tune(&["gemm/tiled-f32"]);
    assert_eq!(fixed[0].chosen.variant, "gemm/tiled-f32");
    assert!(fixed[0].trials.iter().all(|trial| trial.choice.variant == "gemm/tiled-f32"));
}

#[test]
fn a_fast_variant_that_computes_wrong_results_is_refused_and_on_record() {
    let faults = "[[device.rates]]\nvariant = \"gemm/shared-f32\"\nflop_per_s = 9e12\n\
                  [[device.faults]]\nkind = \"wrong-output\"\nvariant = \"gemm/shared-f32\"\n";
    let bench = Bench::new(faults);
    let (tunings, _) = bench.tune(&["gemm"]);
    let tuning = tunings.iter().find(|tuning| tuning.element.name() == "f32").unwrap();
    assert_ne!(tuning.chosen.variant, "gemm/shared-f32");
    let failed = failures(tuning);
    assert!(failed.iter().all(|(variant, _)| *variant == "gemm/shared-f32") && !failed.is_empty(), "{failed:?}");
    assert!(failed[0].1.contains("sampled outputs are wrong"), "{}", failed[0].1);
    let output = bench.call(&["tune", "gemm", "--retune"]);
    let printed = text(&output.stdout);
    assert!(printed.contains("failed  gemm/shared-f32") && printed.contains("1 failed"), "{printed}");
}

#[test]
fn a_variant_that_goes_wrong_only_under_load_is_refused_too() {
    // The checks before timing take two runs, on a small shape and on the timed one.
    let faults = "[[device.faults]]\nkind = \"wrong-output\"\nvariant = \"gemm/tiled-f32\"\nafter_runs = 2\n";
    let bench = Bench::new(faults);
    let output = bench.call(&["tune", "gemm/tiled-f32"]);
    assert_eq!(output.status.code(), Some(4), "no candidate is right: {}", text(&output.stdout));
    assert!(text(&output.stderr).contains("no candidate"), "{}", text(&output.stderr));
    assert!(!bench.cache().exists(), "nothing is kept of it");
}

#[test]
fn outputs_that_are_never_written_and_shaders_that_do_not_compile_fail_with_their_message() {
    for (kind, message) in [("unwritten-output", "never written"), ("compile-error", "does not compile")] {
        let bench = Bench::new(&format!("[[device.faults]]\nkind = \"{kind}\"\nvariant = \"gemm/naive-f32\"\n"));
        let (tunings, _) = bench.tune(&["gemm"]);
        let tuning = tunings.iter().find(|tuning| tuning.element.name() == "f32").unwrap();
        let failed = failures(tuning);
        assert!(
            failed.iter().any(|(variant, said)| *variant == "gemm/naive-f32" && said.contains(message)),
            "{failed:?}"
        );
        assert_eq!(tuning.chosen.variant, "gemm/tiled-f32");
    }
}

#[test]
fn a_device_that_is_lost_under_a_candidate_is_opened_again_for_the_next() {
    let faults = "[[device.faults]]\nkind = \"lost\"\nvariant = \"gemm/naive-f32\"\ntimes = 1\n";
    let bench = Bench::new(faults);
    let (tunings, _) = bench.tune(&["gemm"]);
    let tuning = tunings.iter().find(|tuning| tuning.element.name() == "f32").unwrap();
    let lost = failures(tuning);
    assert!(lost.len() == 1 && lost[0].1.contains("lost"), "{lost:?}");
    assert_eq!(tuning.chosen.variant, "gemm/tiled-f32");
}

#[test]
fn a_second_run_takes_the_choice_from_the_cache_and_names_its_date() {
    let bench = Bench::new("");
    let (first, printed, _) = bench.run(&["--kernel", "gemm/tiled-f32", "--tune"]);
    let tuned = &first.tunings[0];
    assert_eq!((tuned.origin, first.measurements[0].case.params["ROWS"]), (TuningOrigin::Fresh, 16));
    assert_eq!(first.plan.cases[0], first.measurements[0].case, "the plan holds what ran");
    assert!(printed.contains("COLS=3 ROWS=16, 6.00 x default"), "{printed}");

    // Quick reads the cache by itself.
    let (second, printed, said) = bench.run(&["--kernel", "gemm/tiled-f32"]);
    let cached = &second.tunings[0];
    assert_eq!((cached.origin, &cached.date, &cached.chosen), (TuningOrigin::Cache, &tuned.date, &tuned.chosen));
    assert_eq!(second.measurements[0].case.params, first.measurements[0].case.params);
    assert!(!said.contains("tuning gemm") && printed.contains(", cached 2026-01-01"), "{said}{printed}");
    let rate = |record: &RunRecord| wattmark::measure::result::evaluate(record).cases[0].flop_rate.unwrap().point.get();
    assert!(near(rate(&second), 6e12), "{}", rate(&second));
}

#[test]
fn quick_says_once_that_it_ran_untuned_and_standard_tunes_by_itself() {
    let bench = Bench::new("");
    let (quick, _, said) = bench.run(&["--kernel", "gemm/tiled-f32"]);
    assert!(quick.tunings.is_empty() && quick.measurements[0].case.params["ROWS"] == 8);
    assert_eq!(said.matches("1 of 1 cases run with untuned defaults").count(), 1, "{said}");
    let (standard, ..) = bench.run(&["--kernel", "gemm/tiled-f32", "--preset", "standard"]);
    assert_eq!(standard.tunings[0].origin, TuningOrigin::Fresh);
    let untuned = ["--kernel", "gemm/tiled-f32", "--preset", "standard", "--no-tune"];
    let (plain, _, said) = bench.run(&untuned);
    assert!(plain.tunings.is_empty() && plain.measurements[0].case.params["ROWS"] == 8);
    assert!(!said.contains("tun"), "{said}");
}

#[test]
fn retuning_forgets_what_the_cache_holds() {
    let bench = Bench::new("");
    bench.tune(&["gemm/tiled-f32"]);
    // The device changed without saying so; only --retune can know.
    bench.script(&SCRIPT.replace("FAULTS", "").replace("6e12", "0.5e12"));
    let (cached, _) = bench.tune(&["gemm/tiled-f32"]);
    assert_eq!((cached[0].origin, cached[0].chosen.params["ROWS"]), (TuningOrigin::Cache, 16));
    let (fresh, _) = bench.tune(&["gemm/tiled-f32", "--retune"]);
    assert_eq!((fresh[0].origin, fresh[0].chosen.params["ROWS"]), (TuningOrigin::Fresh, 8));
    assert_eq!(fresh[0].chosen.params["COLS"], 3);
    let (kept, _) = bench.tune(&["gemm/tiled-f32"]);
    assert_eq!((kept[0].origin, &kept[0].chosen), (TuningOrigin::Cache, &fresh[0].chosen));
}

#[test]
fn an_empty_cut_off_or_foreign_cache_is_ignored_said_once_and_replaced() {
    let bench = Bench::new("");
    bench.tune(&["gemm/tiled-f32"]);
    let whole = std::fs::read_to_string(bench.cache()).unwrap();
    for (spoiled, reason) in [
        (String::new(), "is ignored: it is empty"),
        (whole[..whole.len() / 2].to_owned(), "is ignored: it is cut off"),
        ("not JSON".to_owned(), "is ignored: it is cut off or no tuning cache"),
        (whole.replace("\"version\": 1", "\"version\": 99"), "is ignored: it is wattmark/tune version 99"),
    ] {
        std::fs::write(bench.cache(), &spoiled).unwrap();
        let (tunings, said) = bench.tune(&["gemm/tiled-f32", "gemv/rows-f32", "--shape", "m=k=256"][..1]);
        assert_eq!(said.matches("is ignored").count(), 1, "{said}");
        assert!(said.contains(reason), "{said}");
        assert_eq!(tunings[0].origin, TuningOrigin::Fresh);
        let (again, said) = bench.tune(&["gemm/tiled-f32"]);
        assert_eq!(again[0].origin, TuningOrigin::Cache, "the file was replaced");
        assert!(!said.contains("ignored"), "{said}");
    }
}

#[test]
fn a_poisoned_entry_is_never_believed() {
    let bench = Bench::new("");
    bench.tune(&["gemm/tiled-f32"]);
    let whole = std::fs::read_to_string(bench.cache()).unwrap();
    let poison = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut file: serde_json::Value = serde_json::from_str(&whole).unwrap();
        change(&mut file["entries"][0]["tuning"]);
        std::fs::write(bench.cache(), file.to_string()).unwrap();
    };
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let changes: [(Change<'_>, &str); 7] = [
        (&|tuning| tuning["chosen"]["variant"] = "gemm/nothing".into(), "no kernel matches"),
        (&|tuning| tuning["chosen"]["variant"] = "softmax/rows-f32".into(), "does not compute gemm"),
        (&|tuning| tuning["chosen"]["variant"] = "gemm/naive-f32".into(), "has changed since"),
        (&|tuning| tuning["chosen"]["params"]["ROWS"] = 1_000_000.into(), "the candidates are"),
        (&|tuning| tuning["chosen"]["params"]["EVIL"] = 1.into(), "are not those of gemm/tiled-f32"),
        (&|tuning| tuning["chosen"]["shader_sha256"] = "00".into(), "the shader of gemm/tiled-f32 has changed since"),
        (&|tuning| tuning["finalists"][0]["times_s"][0] = (-1.0).into(), "times or energies that cannot be"),
    ];
    for (change, reason) in changes {
        poison(change);
        let (record, _, said) = bench.run(&["--kernel", "gemm/tiled-f32"]);
        assert!(said.contains("is ignored") && said.contains(reason), "{reason}: {said}");
        assert!(record.tunings.is_empty() && record.measurements[0].case.params["ROWS"] == 8);
    }
    // An entry that is no tuning at all spoils only itself.
    poison(&|tuning| *tuning = 3.into());
    let (_, _, said) = bench.run(&["--kernel", "gemm/tiled-f32"]);
    assert!(said.contains("1 of 1 entries") && said.contains("untuned defaults"), "{said}");
}

#[test]
fn another_driver_shape_or_objective_is_another_entry() {
    let bench = Bench::new("");
    bench.tune(&["gemm/tiled-f32"]);
    let origin = |args: &[&str]| bench.tune(args).0[0].origin;
    assert_eq!(origin(&["gemm/tiled-f32"]), TuningOrigin::Cache);
    assert_eq!(origin(&["gemm/tiled-f32", "--data", "zeros"]), TuningOrigin::Fresh);
    assert_eq!(origin(&["gemm/tiled-f32", "--objective", "efficiency"]), TuningOrigin::Fresh);
    assert_eq!(origin(&["gemm"]), TuningOrigin::Fresh);
    bench.script(&SCRIPT.replace("FAULTS", "").replace("driver_info = \"1.0\"", "driver_info = \"1.1\""));
    assert_eq!(origin(&["gemm/tiled-f32"]), TuningOrigin::Fresh);
    bench.script(&SCRIPT.replace("FAULTS", ""));
    assert_eq!(origin(&["gemm/tiled-f32"]), TuningOrigin::Cache, "the older driver's entry is still there");
}

#[test]
fn efficiency_takes_another_winner_than_speed_and_needs_a_power_reading() {
    // tiled at its best: 6 TFLOP/s at 250 W, 24 GFLOP/J. shared at its best: 4 TFLOP/s at 100 W, 40 GFLOP/J.
    let rates = "[[device.rates]]\nvariant = \"gemm/shared-f32\"\nparams = { BK = 8 }\nflop_per_s = 4e12\n";
    let bench = Bench::new(rates);
    let f32 = |tunings: Vec<Tuning>| tunings.into_iter().find(|tuning| tuning.element.name() == "f32").unwrap();
    let speed = f32(bench.tune(&["gemm"]).0);
    assert_eq!(speed.chosen.variant, "gemm/tiled-f32");
    let frugal = f32(bench.tune(&["gemm", "--objective", "efficiency"]).0);
    assert_eq!((frugal.objective, frugal.chosen.variant.as_str()), (Objective::Efficiency, "gemm/shared-f32"));
    let chosen = frugal.finalist(&frugal.chosen).unwrap();
    let energy = 2.0 * 256f64.powi(3) / 40e9;
    assert!(chosen.energies_j.len() >= 2);
    assert!(chosen.energies_j.iter().all(|joules| near(joules.get(), energy)), "{:?} {energy}", chosen.energies_j);

    for power in ["none", "estimate"] {
        let output = bench.call(&["run", "--kernel", "gemm", "--tune", "--objective", "efficiency", "--power", power]);
        assert_eq!(output.status.code(), Some(2), "{power}");
        assert!(!bench.path().join("results").exists(), "nothing was measured");
    }
    let output = bench.call(&["tune", "gemm", "--objective", "efficiency", "--power", "none"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("needs a measured or estimated power reading of Simulated Accelerator"), "{said}");
}

#[test]
fn the_budget_ends_a_search_and_says_so() {
    // A turn takes about 80 ms of scripted time, four submissions of 20 ms: the default is tried whatever the budget, and
    // little beyond it fits.
    let bench = Bench::new("");
    let (tunings, _) = bench.tune(&["gemm/tiled-f32", "--tune-budget", "0.05"]);
    let tuning = &tunings[0];
    assert!(tuning.untried > 0 && tuning.trials.len() < 5, "{} tried", tuning.trials.len());
    assert!(tuning.notes.iter().any(|note| note.contains("the budget of 0.05 s was over")), "{:?}", tuning.notes);
    for budget in ["0", "soon"] {
        let output = bench.call(&["tune", "gemm", "--tune-budget", budget]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("--tune-budget"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_software_adapter_is_tuned_with_few_candidates() {
    let bench = Bench::new("");
    bench.script(&SCRIPT.replace("FAULTS", "").replace("driver_info", "kind = \"software\"\ndriver_info"));
    let (tunings, _) = bench.tune(&["gemm"]);
    assert!(tunings.iter().all(|tuning| tuning.trials.len() <= 6));
    assert!(tunings.iter().any(|tuning| tuning.untried > 0));
}

#[test]
fn two_tunings_of_one_simulation_are_equal() {
    let (first, second) = (Bench::new(""), Bench::new(""));
    assert_eq!(first.tune(&["gemm"]).0, second.tune(&["gemm"]).0);
}

#[test]
fn a_simulation_without_a_cache_of_its_own_leaves_the_users_alone() {
    let bench = Bench::new("");
    let home = bench.path().join("home");
    let run = |args: &[&str]| {
        let mut command = Command::cargo_bin("wattmark").unwrap();
        command.env_remove("WATTMARK_CACHE").env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache"));
        command.current_dir(bench.path()).args(args).args(["--simulate", "script.toml"]).args(SHAPE);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let said = run(&["run", "--no-figures", "--kernel", "gemm/tiled-f32"]);
    assert!(!said.contains("tun"), "{said}");
    run(&["tune", "gemm/tiled-f32"]);
    assert!(!home.exists());
}

#[test]
fn what_a_device_cannot_run_is_not_tuned_and_no_failure() {
    let bench = Bench::new("");
    bench.script(&SCRIPT.replace("FAULTS", "").replace("driver_info", "features = [\"timestamps\"]\ndriver_info"));
    let output = Command::cargo_bin("wattmark")
        .unwrap()
        .current_dir(bench.path())
        .env("WATTMARK_CACHE", "cache")
        .args(["tune", "gemv/rows-f16", "--shape", "m=k=256", "--json", "--simulate", "script.toml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("is not tuned: gemv/rows-f16 needs f16"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), "[]");
}
