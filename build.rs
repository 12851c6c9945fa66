//! Build facts and embedded shaders.
//!
//! Walks `shaders/<problem>/<name>.{wgsl,toml}` and `shaders/parts/*.wgsl` into tables that `src/kernel` includes, and
//! exports what the build knows about itself as `WATTMARK_*` variables. What surprises people: every `WATTMARK_*` variable may be absent (a
//! build outside a checkout has no commit), so readers use `option_env!`.

#![allow(clippy::print_stdout, reason = "a build script speaks to cargo on standard output")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Folder of what several shaders include.
const PARTS: &str = "parts";

/// Folders and files whose changes make a build different.
const INPUTS: [&str; 5] = ["build.rs", "Cargo.toml", "Cargo.lock", "src", "shaders"];

fn main() -> ExitCode {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    export_build_facts(&root);
    let shaders = root.join("shaders");
    let table = read_pairs(&shaders).and_then(|pairs| write_table(&pairs)).and_then(|()| write_parts(&shaders));
    match table {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

/// The two files of one variant.
#[derive(Default)]
struct Pair {
    wgsl: Option<PathBuf>,
    toml: Option<PathBuf>,
}

/// Every pair below `shaders/`, by (problem, name); a half pair or a stray file is an error that names it.
fn read_pairs(shaders: &Path) -> Result<BTreeMap<(String, String), Pair>, String> {
    let mut pairs: BTreeMap<(String, String), Pair> = BTreeMap::new();
    for problem in entries(shaders)? {
        if !problem.is_dir() {
            return Err(format!("{}: expected a folder named after a problem", problem.display()));
        }
        if problem.ends_with(PARTS) {
            continue;
        }
        for file in entries(&problem)? {
            let extension = file.extension().and_then(|text| text.to_str()).unwrap_or_default();
            let pair = pairs.entry((text_of(problem.file_name()), text_of(file.file_stem()))).or_default();
            match extension {
                "wgsl" => pair.wgsl = Some(file),
                "toml" => pair.toml = Some(file),
                _ => return Err(format!("{}: a variant is one .wgsl and one .toml file", file.display())),
            }
        }
    }
    for ((problem, name), pair) in &pairs {
        let (present, missing) = match (&pair.wgsl, &pair.toml) {
            (Some(wgsl), None) => (wgsl, "toml"),
            (None, Some(toml)) => (toml, "wgsl"),
            _ => continue,
        };
        return Err(format!(
            "variant {problem}/{name} is half a pair: {} has no {name}.{missing} beside it; add it or remove both",
            present.display()
        ));
    }
    Ok(pairs)
}

/// Paths in a folder in order of name, hidden files left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failure = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if !text_of(path.file_name()).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text_of(name: Option<&std::ffi::OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes the table that `src/kernel/embedded.rs` includes.
fn write_table(pairs: &BTreeMap<(String, String), Pair>) -> Result<(), String> {
    let mut source = String::from("&[\n");
    for ((problem, name), pair) in pairs {
        let (Some(wgsl), Some(toml)) = (&pair.wgsl, &pair.toml) else { continue };
        source.push_str(&format!(
            "    Pair {{ problem: {problem:?}, name: {name:?}, wgsl: include_str!({:?}), manifest: include_str!({:?}) }},\n",
            wgsl.display().to_string(),
            toml.display().to_string()
        ));
    }
    source.push_str("]\n");
    let path = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("shaders.rs");
    fs::write(&path, source).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Writes the table of shared parts; anything but WGSL there is an error that names it.
fn write_parts(shaders: &Path) -> Result<(), String> {
    let folder = shaders.join(PARTS);
    let mut source = String::from("&[\n");
    for file in if folder.is_dir() { entries(&folder)? } else { Vec::new() } {
        if file.extension().and_then(|text| text.to_str()) != Some("wgsl") {
            return Err(format!("{}: a shared part is a .wgsl file", file.display()));
        }
        let name = text_of(file.file_name());
        source.push_str(&format!("    ({name:?}, include_str!({:?})),\n", file.display().to_string()));
    }
    source.push_str("]\n");
    let path = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("parts.rs");
    fs::write(&path, source).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn export_build_facts(root: &Path) {
    export("WATTMARK_PROFILE", std::env::var("PROFILE").ok());
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    export("WATTMARK_RUSTC", output_of(Command::new(rustc).arg("--version")));
    export("WATTMARK_WGPU", locked_version(root, "wgpu"));
    export("WATTMARK_NAGA", locked_version(root, "naga"));
    // A copy of the sources inside somebody else's repository must not report that repository's commit.
    let top = git(root, &["rev-parse", "--show-toplevel"]).and_then(|top| fs::canonicalize(top).ok());
    if top.is_none() || top != fs::canonicalize(root).ok() {
        return;
    }
    export("WATTMARK_COMMIT", git(root, &["rev-parse", "HEAD"]));
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(INPUTS);
    export("WATTMARK_DIRTY", git(root, &status).map(|changes| (!changes.is_empty()).to_string()));
    watch_commit(root);
}

/// Rebuilds when the commit changes. In a linked worktree `.git` is a file, so git itself says where things are.
fn watch_commit(root: &Path) {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref());
    for path in names.filter_map(|name| git(root, &["rev-parse", "--git-path", name])) {
        let path = root.join(path);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

fn export(name: &str, value: Option<String>) {
    if let Some(value) = value {
        println!("cargo::rustc-env={name}={value}");
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    output_of(Command::new("git").arg("-C").arg(root).args(arguments))
}

/// Trimmed standard output of a command; `None` if it cannot be started or fails.
fn output_of(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Version of a package in `Cargo.lock`.
fn locked_version(root: &Path, package: &str) -> Option<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).ok()?;
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?;
    Some(version.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}
