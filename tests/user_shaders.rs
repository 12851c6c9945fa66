//! Kernels of the user's own through the binary, on this machine's adapter: right ones are measured, wrong ones refused, broken
//! ones told and left out.
//!
//! What surprises people: most of these kernels are wrong on purpose, and some of them only in one element that no sample sees.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use wattmark::model::{Check, RunRecord, SkipReason, Verification};
use wattmark::store;

/// The least of a protocol: one window of 30 ms.
const BRIEF: &[&str] = &[
    "--idle",
    "0",
    "--preheat-min",
    "0",
    "--window",
    "30ms",
    "--windows",
    "1",
    "--submission",
    "15ms",
    "--power",
    "none",
    "--no-figures",
    "--device",
    "0",
];

/// A manifest for one dot product per invocation.
const MANIFEST: &str = r#"
problem = "gemm"
element = "f32"
summary = "one dot product per invocation"
entry = "main"
workgroup = ["8", "8", "1"]
grid = ["ceil_div(n, 8)", "ceil_div(m, 8)", "1"]
loop_iterations = "k"
"#;

/// Its shader; `VALUE` is what it stores of `sum`.
const SHADER: &str = r#"
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * {{ n }}u + id.x;
    if (id.y >= {{ m }}u || id.x >= {{ n }}u) { return; }
    var sum = 0.0;
    for (var i = 0u; i < {{ k }}u; i++) {
        sum = fma(a[id.y * {{ k }}u + i], b[i * {{ n }}u + id.x], sum);
    }
    c[at] = VALUE;
}
"#;

fn shader(value: &str) -> String {
    SHADER.replace("VALUE", value)
}

fn full(manifest: &str) -> String {
    manifest.replacen("entry =", "scrutiny = \"full\"\nentry =", 1)
}

/// A folder with these files below `mine/`.
fn desk(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    for (name, contents) in files {
        let path = folder.path().join("mine").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }
    folder
}

fn wattmark(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).args(args).output().unwrap()
}

fn run(folder: &Path, args: &[&str]) -> Output {
    wattmark(folder, &[&["run", "--shaders", "mine"], BRIEF, args].concat())
}

fn record(folder: &Path) -> RunRecord {
    let run = std::fs::read_dir(folder.join("results")).unwrap().next().unwrap().unwrap();
    store::read(&run.path().join("run.json")).unwrap().record
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn verification(record: &RunRecord, variant: &str) -> Verification {
    let found = record.measurements.iter().find(|measurement| measurement.case.variant == variant);
    found.unwrap_or_else(|| panic!("{variant} was not measured: {:?}", record.skips)).verification.clone()
}

fn passed(record: &RunRecord, variant: &str) -> Check {
    match verification(record, variant) {
        Verification::Passed { after, .. } => after,
        Verification::Failed { detail, .. } => panic!("{variant}: {detail}"),
    }
}

fn refused(record: &RunRecord, variant: &str) -> String {
    match verification(record, variant) {
        Verification::Failed { detail, when } => format!("{when}: {detail}"),
        Verification::Passed { .. } => panic!("{variant} passed"),
    }
}

#[test]
fn a_right_kernel_is_measured_and_a_wrong_one_beside_it_is_refused() {
    let (right, wrong) = (shader("sum"), shader("select(sum, sum + 1.0, at == 4000u)"));
    let desk = desk(&[
        ("gemm/right.wgsl", &right),
        ("gemm/right.toml", MANIFEST),
        ("gemm/wrong.wgsl", &wrong),
        ("gemm/wrong.toml", MANIFEST),
    ]);
    let kernels = ["--kernel", "gemm/right,gemm/wrong", "--shape", "m=n=k=67,1", "--no-ceilings"];
    let output = run(desk.path(), &kernels);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("WRONG OUTPUT before the load: no figures."), "{}", text(&output.stdout));
    let record = record(desk.path());
    let check = passed(&record, "gemm/right");
    let product = check.product.unwrap();
    assert_eq!((product.rows, product.columns, product.trials, check.scanned), (67, 0, 8, 67 * 67));
    let why = refused(&record, "gemm/wrong");
    assert!(why.starts_with("before the load: row 59 of c is wrong"), "{why}");
    // Where the shape has no such element, the same kernel is right.
    assert_eq!(record.measurements.iter().filter(|measurement| measurement.verified()).count(), 3);
    let own = record.plan.user_shaders.iter().find(|own| own.variant == "gemm/right").unwrap();
    assert!(own.path.ends_with("gemm/right.wgsl") && own.sha256 == record.measurements[0].case.shader_sha256);
}

#[test]
fn a_kernel_checked_in_full_is_compared_in_every_element_and_refused_for_one_of_twice_its_size() {
    let (right, wrong) = (shader("sum"), shader("select(sum, 2.0 * sum, at == 654321u)"));
    let triad = include_str!("../shaders/memory-triad/direct-f32.wgsl");
    let doubled = triad.replace("= value{{ p }};", "= value{{ p }} * select(1.0, 2.0, at{{ p }} == 11111u);");
    assert_ne!(triad, doubled);
    let triad_manifest = full(include_str!("../shaders/memory-triad/direct-f32.toml"));
    let attention = include_str!("../shaders/attention-prefill/online-f32.wgsl");
    let attention_manifest = full(include_str!("../shaders/attention-prefill/online-f32.toml"));
    let manifest = full(MANIFEST);
    let desk = desk(&[
        ("gemm/right.wgsl", &right),
        ("gemm/right.toml", &manifest),
        ("gemm/doubled.wgsl", &wrong),
        ("gemm/doubled.toml", &manifest),
        ("memory-triad/doubled.wgsl", &doubled),
        ("memory-triad/doubled.toml", &triad_manifest),
        ("memory-triad/doubled-unseen.wgsl", &doubled),
        ("memory-triad/doubled-unseen.toml", include_str!("../shaders/memory-triad/direct-f32.toml")),
        ("attention-prefill/full.wgsl", attention),
        ("attention-prefill/full.toml", &attention_manifest),
    ]);
    let kernels = "gemm/right,gemm/doubled,memory-triad/doubled*,attention-prefill/full";
    let output = run(desk.path(), &["--kernel", kernels, "--shape", "n=99991,m=k=13,heads=3,kv_heads=1,seq=37,dim=33"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let record = record(desk.path());
    let check = passed(&record, "gemm/right");
    let (product, compared) = (check.product.unwrap(), check.compared.unwrap());
    assert_eq!((product.rows, product.columns, compared.elements), (13, 99_991, 13 * 99_991));
    assert!(compared.against.starts_with("gemm/") && compared.against.ends_with("on the same device"));
    assert!(compared.worst_error_in_limits < 0.5, "{compared:?}");
    let why = refused(&record, "gemm/doubled");
    assert!(why.starts_with("before the load: row "), "{why}");
    let why = refused(&record, "memory-triad/doubled");
    assert!(why.contains("a[11111] is ") && why.ends_with("; 1 of 99991 elements differ"), "{why}");
    // Samples alone do not see it: this is what the full check is for.
    assert!(passed(&record, "memory-triad/doubled-unseen").compared.is_none());
    let compared = passed(&record, "attention-prefill/full").compared.unwrap();
    assert_eq!(compared.elements, 3 * 37 * 33);
    let said = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("every element of 2 cases against a trusted result"), "{said}");
    assert!(said.contains("1 in columns too"), "{said}");
}

#[test]
fn whatever_is_wrong_with_a_kernels_files_is_told_and_the_run_goes_on() {
    let right = shader("sum");
    let limit = MANIFEST.replace("[\"8\", \"8\", \"1\"]", "[\"2048\", \"64\", \"1\"]");
    let key = format!("{MANIFEST}colour = \"red\"\n");
    let f16 = MANIFEST.replace("\"f32\"", "\"q4_0\"");
    let desk = desk(&[
        ("gemm/right.wgsl", &right),
        ("gemm/right.toml", MANIFEST),
        ("gemm/half.wgsl", &right),
        ("gemm/key.wgsl", &right),
        ("gemm/key.toml", &key),
        ("gemm/naive-f32.wgsl", &right),
        ("gemm/naive-f32.toml", MANIFEST),
        ("gemm/limit.wgsl", &right),
        ("gemm/limit.toml", &limit),
        ("gemm/syntax.wgsl", "fn main( {"),
        ("gemm/syntax.toml", MANIFEST),
        ("gemm/type.wgsl", &right.replace("var sum = 0.0;", "var sum = 0u;")),
        ("gemm/type.toml", MANIFEST),
        ("gemm/precision.wgsl", &right),
        ("gemm/precision.toml", &f16),
        ("gem/lost.wgsl", &right),
        ("gem/lost.toml", MANIFEST),
    ]);
    let kernels = "gemm/half,gemm/key,gemm/right,gemm/limit,gemm/syntax,gemm/type,gemm/precision";
    let output = run(desk.path(), &["--kernel", kernels, "--shape", "m=7,n=5,k=3"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for words in [
        "kernel gemm/half cannot be used: half a pair",
        "no half.toml beside it",
        "kernel gemm/key cannot be used: ",
        "colour",
        "kernel gemm/naive-f32 cannot be used: there is a kernel of this name already",
        "kernel gem/lost cannot be used: no problem is called `gem`",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let record = record(desk.path());
    passed(&record, "gemm/right");
    let skip = |variant: &str| record.skips.iter().find(|skip| skip.case.variant == variant).unwrap();
    assert_eq!(skip("gemm/limit").reason, SkipReason::TooLarge);
    assert!(skip("gemm/limit").detail.contains("needs 2048 invocations"), "{}", skip("gemm/limit").detail);
    for variant in ["gemm/syntax", "gemm/type", "gemm/precision"] {
        assert_eq!(skip(variant).reason, SkipReason::CompileError, "{}", skip(variant).detail);
    }
    assert!(skip("gemm/type").detail.contains("does not compile"), "{}", skip("gemm/type").detail);
    assert!(skip("gemm/precision").detail.contains("q4_0"), "{}", skip("gemm/precision").detail);
    assert_eq!(record.warnings.iter().filter(|warning| warning.text.contains("cannot be used")).count(), 4);
    assert_eq!(record.plan.user_shaders.iter().filter(|own| own.broken.is_some()).count(), 4);
}

#[test]
fn a_folder_that_is_not_there_and_a_selection_of_broken_kernels_alone_are_refused() {
    let desk = desk(&[("gemm/half.wgsl", "")]);
    let missing = wattmark(desk.path(), &["run", "--shaders", "nowhere"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("nowhere") && text(&missing.stderr).contains("No such file"));
    let broken = run(desk.path(), &["--kernel", "gemm/half"]);
    assert_eq!(broken.status.code(), Some(2), "{}", text(&broken.stderr));
    assert!(text(&broken.stderr).contains("gemm/half is broken: half a pair"), "{}", text(&broken.stderr));
    assert!(!desk.path().join("results").exists());
}

#[test]
fn a_list_shows_the_users_kernels_and_what_is_wrong_with_them() {
    let desk =
        desk(&[("gemm/right.wgsl", &shader("sum")), ("gemm/right.toml", MANIFEST), ("gemm/half.toml", MANIFEST)]);
    let output = wattmark(desk.path(), &["list", "gemm", "--shaders", "mine"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("gemm/right"), "{}", text(&output.stdout));
    let told = text(&output.stderr);
    assert_eq!(told.matches("kernel gemm/half").count(), 1, "{told}");
}
