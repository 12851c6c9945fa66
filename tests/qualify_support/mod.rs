//! A folder with a script of devices, and `wattmark qualify` in it.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use wattmark::model::Qualification;
use wattmark::store;

/// One sound device on a board that draws 650 W of 700. It plays a software adapter, whose work is small: the right outputs of
/// a GPU's take a debug build half a minute.
pub const GOOD: &str = r#"
[[device]]
name = "Simulated H100"
kind = "software"
pci = "0000:19:00.0"
features = ["f16", "f64", "i64", "subgroup", "timestamps"]
[[device.rates]]
variant = "*"
flop_per_s = 4e13

[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 70.0
counter = true
stated_error = 0.05
temperature_c = 35.0
kelvin_per_watt = 0.05
power_limit_w = 700.0
[[power.busy]]
variant = "*"
watts = 650.0
"#;

/// Two devices of one model.
pub const PAIR: &str = r#"
[[device]]
name = "Simulated H100"
kind = "software"
pci = "0000:19:00.0"
[[device.rates]]
variant = "*"
flop_per_s = 4e13

[[device]]
name = "Simulated H100"
kind = "software"
pci = "0000:3b:00.0"
[[device.rates]]
variant = "*"
flop_per_s = 4e13
"#;

/// A folder to work in.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(script: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.script(script);
        bench
    }
    /// Puts other devices in place of those there were.
    pub fn script(&self, script: &str) {
        std::fs::write(self.path().join("script.toml"), script).unwrap();
    }
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
        for variable in ["WATTMARK_RESULTS", "WATTMARK_CACHE", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "COLUMNS"] {
            command.env_remove(variable);
        }
        command.current_dir(self.path()).args(args).output().unwrap()
    }
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
        for variable in ["WATTMARK_RESULTS", "WATTMARK_CACHE", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "COLUMNS"] {
            command.env_remove(variable);
        }
        command.current_dir(self.path()).args(["qualify", "--simulate", "script.toml"]).args(args);
        command
    }
    pub fn qualify(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
    /// Names of the folders of results.
    pub fn folders(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join("results")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
    /// The only folder of results, relative to the bench.
    pub fn folder(&self) -> String {
        let folders = self.folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        format!("results/{}", folders[0])
    }
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(self.folder()).join(name)
    }
    /// The only qualification.
    pub fn only(&self) -> Qualification {
        store::read_qualification(&self.path().join(self.folder())).unwrap().qualification
    }
    /// How many segments lie in the only folder; 0 before there is one.
    pub fn segments(&self) -> usize {
        if self.folders().is_empty() {
            return 0;
        }
        let files = std::fs::read_dir(self.path().join(self.folder())).unwrap();
        files
            .filter(|file| store::segment_number(&file.as_ref().unwrap().file_name().to_string_lossy()).is_some())
            .count()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}
