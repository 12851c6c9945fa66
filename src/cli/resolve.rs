//! From what was typed to what it means: arguments, environment and configuration become a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::account::{self, Job, Site};
use crate::cli::bench::TestBench;
use crate::cli::commands::run::Args;
use crate::cli::config::{self, FileConfig};
use crate::cli::{Console, Failure, accounting, sensors};
use crate::kernel;
use crate::measure::plan::{self, Selection};
use crate::measure::{presets, suite};
use crate::model::{AccountRequest, DataPattern, Device, Origin, Plan, PowerRequest, Preset, Settings};
use crate::power;
use crate::units::Seconds;

/// Default seed: any fixed number makes runs repeatable; this one spells the year of the first release.
const DEFAULT_SEED: u64 = 2026;

/// Everything a run needs.
pub struct Resolved {
    /// What will be done.
    pub plan: Plan,
    /// Devices that take part.
    pub devices: Vec<Device>,
    /// Where it will be accounted.
    pub site: Site,
    /// The amount of work whose joules and grams are named at the end.
    pub job: Job,
    /// Where records go.
    pub results: PathBuf,
    /// Whether to hide host name and serials.
    pub redact: bool,
}

/// Notes where values come from while it merges flag, environment, file and default.
struct Merge {
    file: FileConfig,
    origins: BTreeMap<String, Origin>,
}

impl Merge {
    /// Flag (or its environment variable) before file.
    fn pick<T: Clone>(&mut self, name: &str, flag: Option<&T>, file: Option<T>) -> Option<T> {
        if let Some(value) = flag {
            let typed =
                std::env::args().any(|arg| arg == format!("--{name}") || arg.starts_with(&format!("--{name}=")));
            self.origins.insert(name.to_owned(), if typed { Origin::Flag } else { Origin::Environment });
            return Some(value.clone());
        }
        if file.is_some() {
            self.origins.insert(name.to_owned(), Origin::Config);
        }
        file
    }

    /// How a message names an option: as the flag, or as the key of the configuration file it came from.
    fn named(&self, name: &str) -> String {
        match self.origins.get(name) {
            Some(Origin::Config) => format!("`{}` of the configuration file", name.replace('-', "_")),
            _ => format!("--{name}"),
        }
    }

    fn pick_list(&mut self, name: &str, flag: &[String], file: Option<Vec<String>>) -> Vec<String> {
        let flag = (!flag.is_empty()).then(|| flag.to_vec());
        self.pick(name, flag.as_ref(), file).unwrap_or_default()
    }
}

/// Resolves a run; every mistake in arguments is found here, before anything is measured.
pub fn resolve(args: &Args, bench: &TestBench, console: &mut Console) -> anyhow::Result<Resolved> {
    resolve_for(args, Purpose::Kernels, bench, console)
}

/// Resolves a run of all probes, launches and transfers.
pub fn resolve_ceilings(args: &Args, bench: &TestBench, console: &mut Console) -> anyhow::Result<Resolved> {
    resolve_for(args, Purpose::Ceilings, bench, console)
}

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The selected kernels, and the probes that set their ceilings.
    Kernels,
    /// Everything that probes can tell of a device.
    Ceilings,
}

fn resolve_for(args: &Args, purpose: Purpose, bench: &TestBench, console: &mut Console) -> anyhow::Result<Resolved> {
    let loaded = config::load(args.config.as_deref()).map_err(|error| Failure::usage(error.to_string()))?;
    let config_file = loaded.as_ref().map(|(path, _)| path.display().to_string());
    if let Some(path) = &config_file {
        console.note(&format!("configuration: {path}"));
    }
    let file = loaded.map(|(_, file)| file).unwrap_or_default();
    let mut merge = Merge { file, origins: BTreeMap::new() };
    let file_preset = merge.file.preset;
    let preset = merge.pick("preset", args.preset.as_ref(), file_preset).unwrap_or(Preset::Quick);
    let settings = settings(args, &mut merge, preset)?;
    let account = account_request(args, &mut merge);
    let catalogue = args.site.catalogue()?;
    let (grid, named) = (account.grid.as_deref(), account.site.as_deref());
    let site = account::resolve_site_in(&catalogue, grid, account.pue, named, base_dir())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let job = args.job.clone().unwrap_or_default();
    let power = power_request(args, &mut merge)?;
    let chosen = (merge.file.kernel.clone(), merge.file.shape.clone());
    let (kernels, shapes) = if purpose == Purpose::Kernels { chosen } else { (None, None) };
    let file_seed = merge.file.seed;
    let selection = Selection {
        kernels: merge.pick_list("kernel", &args.kernel, kernels),
        shapes: merge.pick_list("shape", &args.shape, shapes),
        patterns: patterns(args, &mut merge)?,
        seed: merge.pick("seed", args.seed.as_ref(), file_seed).unwrap_or(DEFAULT_SEED),
    };
    let wanted = merge.file.device.clone();
    let wanted = merge.pick_list("device", &args.device, wanted);
    let devices = select_devices(&wanted, bench, console)?;
    let cases = match purpose {
        Purpose::Ceilings => suite::ceilings(&devices, selection.seed),
        Purpose::Kernels => {
            let cases = plan::cases(&selection, &devices).map_err(|error| Failure::usage(error.to_string()))?;
            if args.no_ceilings { cases } else { suite::with_ceilings(cases, &devices, selection.seed) }
        }
    };
    if args.job.is_some() && !cases.iter().any(|case| job.is_done_by(case)) {
        let why = "none of the selected kernels does this work; `wattmark list` shows the problems";
        return Err(Failure::usage(format!("--job is {job}: {why}")).into());
    }
    let results = merge.file.results.clone();
    let results = merge.pick("results", args.results.as_ref(), results).unwrap_or_else(|| PathBuf::from("results"));
    let redact = args.redact || merge.file.redact.unwrap_or(false);
    let expected_s = plan::expected_duration(&settings, &cases);
    let plan = Plan {
        preset,
        settings,
        origins: merge.origins,
        config_file,
        power,
        account,
        seed: selection.seed,
        cases,
        link: purpose == Purpose::Ceilings,
        expected_s,
        inject_error: args.inject_error,
        user_shaders: kernel::user_shaders().to_vec(),
    };
    Ok(Resolved { plan, devices, site, job, results, redact })
}

fn settings(args: &Args, merge: &mut Merge, preset: Preset) -> anyhow::Result<Settings> {
    let mut settings = presets::settings(preset);
    let durations = [
        ("idle", &args.idle, merge.file.idle.clone()),
        ("preheat-min", &args.preheat_min, merge.file.preheat_min.clone()),
        ("preheat-max", &args.preheat_max, merge.file.preheat_max.clone()),
        ("window", &args.window, merge.file.window.clone()),
        ("submission", &args.submission, merge.file.submission.clone()),
    ];
    for (name, flag, file) in durations {
        let Some(text) = merge.pick(name, flag.as_ref(), file) else { continue };
        let value = duration(&merge.named(name), &text)?;
        if matches!(name, "window" | "submission") && value.get() == 0.0 {
            return Err(Failure::usage(format!("{} is `{text}`: it must be longer than 0 s", merge.named(name))).into());
        }
        match name {
            "idle" => settings.idle_s = value,
            "preheat-min" => settings.preheat_min_s = value,
            "preheat-max" => settings.preheat_max_s = value,
            "window" => settings.window_s = value,
            _ => settings.submission_s = value,
        }
    }
    if settings.preheat_max_s.get() < settings.preheat_min_s.get() {
        if merge.origins.contains_key("preheat-max") {
            let (most, least) = (merge.named("preheat-max"), settings.preheat_min_s);
            return Err(Failure::usage(format!("{most} is below the least preheat time of {least}")).into());
        }
        settings.preheat_max_s = settings.preheat_min_s;
    }
    let file_windows = merge.file.windows;
    if let Some(windows) = merge.pick("windows", args.windows.as_ref(), file_windows) {
        if windows == 0 {
            let name = merge.named("windows");
            return Err(Failure::usage(format!("{name} is 0: at least one window must be measured")).into());
        }
        settings.windows_max = windows;
        settings.windows_min = settings.windows_min.min(windows);
    }
    let file_hz = merge.file.sampler_hz;
    if let Some(hz) = merge.pick("sampler-hz", args.sampler_hz.as_ref(), file_hz) {
        if !(hz > 0.0 && hz <= 1000.0) {
            let name = merge.named("sampler-hz");
            return Err(Failure::usage(format!("{name} is {hz}: it must be above 0 and at most 1000")).into());
        }
        settings.sampler_hz = hz;
    }
    Ok(settings)
}

/// Reads `30s`, `1m 30s`, `500ms` or a bare number of seconds.
pub fn duration(name: &str, text: &str) -> anyhow::Result<Seconds> {
    duration_up_to(name, text, 86_400.0)
}

/// The same, of `most` seconds at most.
pub fn duration_up_to(name: &str, text: &str, most: f64) -> anyhow::Result<Seconds> {
    let bad =
        || Failure::usage(format!("{name} is `{text}`: give a time such as 30s, 500ms, 1m 30s or a number of seconds"));
    let seconds = match text.trim().parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => text.parse::<jiff::SignedDuration>().map_err(|_| bad())?.as_secs_f64(),
    };
    if seconds.is_finite() && (0.0..=most).contains(&seconds) { Ok(Seconds::new(seconds)) } else { Err(bad().into()) }
}

/// The data patterns, each once; none where nothing was said.
fn patterns(args: &Args, merge: &mut Merge) -> anyhow::Result<Vec<DataPattern>> {
    let file = merge.file.data.clone();
    let flag: Vec<String> = args.data.iter().map(ToString::to_string).collect();
    let mut patterns = Vec::new();
    for word in merge.pick_list("data", &flag, file) {
        let pattern: DataPattern =
            word.parse().map_err(|why| Failure::usage(format!("{}: {why}", merge.named("data"))))?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

fn account_request(args: &Args, merge: &mut Merge) -> AccountRequest {
    let (grid, pue) = (merge.file.grid.clone(), merge.file.pue);
    let site = merge.file.site.as_ref().map(|path| path.display().to_string());
    AccountRequest {
        grid: merge.pick("grid", args.site.grid.as_ref(), grid),
        pue: merge.pick("pue", args.site.pue.as_ref(), pue),
        site: merge.pick("site", args.site.site.as_ref(), site),
    }
}

fn power_request(args: &Args, merge: &mut Merge) -> anyhow::Result<PowerRequest> {
    let (power, watts) = (merge.file.power.as_ref().map(|list| list.join(",")), merge.file.assume_watts);
    let text = merge.pick("power", args.power.as_ref(), power);
    let watts = merge.pick("assume-watts", args.assume_watts.as_ref(), watts);
    let request = sensors::request(text.as_deref(), watts, &merge.named("assume-watts"))?;
    Ok(if args.insecure { power::accepting_any_certificate(request) } else { request })
}

/// The devices that were asked for; by default every hardware GPU, else the software adapter.
pub fn select_devices(wanted: &[String], bench: &TestBench, console: &Console) -> anyhow::Result<Vec<Device>> {
    let all = bench.machine().devices();
    if all.is_empty() {
        return Err(Failure::no_device(
            "no adapter was found. Install a Vulkan driver (Debian and Ubuntu: `sudo apt-get install mesa-vulkan-drivers` \
             for the software adapter), then run `wattmark doctor`",
        )
        .into());
    }
    if wanted.iter().any(|word| word == "all") {
        return Ok(all);
    }
    if wanted.is_empty() {
        let hardware: Vec<Device> = all.iter().filter(|device| !device.is_software()).cloned().collect();
        if !hardware.is_empty() {
            return Ok(hardware);
        }
        let software: Vec<Device> = all.into_iter().filter(Device::is_software).take(1).collect();
        for device in &software {
            console.note(&format!(
                "no hardware GPU was found: running on the software adapter {} (the CPU). Its figures say nothing of a GPU",
                device.name
            ));
        }
        return Ok(software);
    }
    let mut picked = Vec::new();
    for word in wanted {
        let device = word.parse::<u32>().ok().and_then(|n| all.iter().find(|device| device.ordinal == n));
        let Some(device) = device else {
            let known: Vec<String> = all.iter().map(|d| format!("{} ({})", d.ordinal, d.name)).collect();
            return Err(
                Failure::usage(format!("there is no device `{word}`: the devices are {}", known.join(", "))).into()
            );
        };
        if !picked.iter().any(|known: &Device| known.ordinal == device.ordinal) {
            picked.push(device.clone());
        }
    }
    Ok(picked)
}

/// Prints a plan for `--dry-run`.
pub fn print_plan(resolved: &Resolved, console: &mut Console) -> anyhow::Result<()> {
    let plan = &resolved.plan;
    let s = &plan.settings;
    let out = &mut console.out;
    writeln!(out, "preset      {}", plan.preset)?;
    writeln!(out, "devices     {}", join(resolved.devices.iter().map(|d| format!("{} {}", d.ordinal, d.name))))?;
    writeln!(out, "power       {}", power_text(&plan.power))?;
    writeln!(out, "site        {}", account_text(&resolved.site))?;
    writeln!(out, "results     {}", resolved.results.display())?;
    writeln!(
        out,
        "protocol    idle {} s twice, preheat {} to {} s, {} to {} windows of {} s, sampler {} Hz{}",
        s.idle_s.get(),
        s.preheat_min_s.get(),
        s.preheat_max_s.get(),
        s.windows_min,
        s.windows_max,
        s.window_s.get(),
        s.sampler_hz,
        if s.interleaved { ", interleaved, random gaps" } else { "" }
    )?;
    writeln!(out, "            windows grow to 20 sensor updates and 10 averaging windows, except under quick")?;
    if !plan.origins.is_empty() {
        let origins = plan.origins.iter().map(|(name, origin)| format!("{name} ({})", origin_text(*origin)));
        writeln!(out, "set by      {}", join(origins))?;
    }
    if plan.link {
        writeln!(out, "link        launches and transfers of each device, after its cases")?;
    }
    writeln!(out, "cases       {}", plan.cases.len())?;
    for case in &plan.cases {
        writeln!(out, "  device {}  {:<28} {}{}", case.device, case.variant, case.shape, case.data_note())?;
    }
    writeln!(out, "expected    about {} after the pipelines are built", minutes(plan.expected_s))?;
    Ok(())
}

fn account_text(site: &Site) -> String {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    format!(
        "{}: {} g {}/kWh ({}), PUE {} {}",
        site.profile.name,
        grid.intensity_g_per_kwh.get(),
        grid.gas,
        grid.region,
        pue.value,
        accounting::pue_word(site)
    )
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn power_text(request: &PowerRequest) -> String {
    match request {
        PowerRequest::Auto { assume_watts: Some(watts) } => format!("auto; {watts} declared where no sensor answers"),
        PowerRequest::Auto { assume_watts: None } => "auto; an estimate only where no sensor answers".to_owned(),
        PowerRequest::Only { kinds, .. } => kinds.join(", "),
        PowerRequest::None => "none".to_owned(),
    }
}

fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Flag => "flag",
        Origin::Environment => "environment",
        Origin::Config => "configuration file",
        Origin::Preset => "preset",
        Origin::Default => "default",
    }
}

/// A duration for people: seconds below two minutes, minutes below two hours, hours beyond.
pub fn minutes(time: Seconds) -> String {
    match time.get() {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Where a path given on the command line is looked up: next to the current folder.
pub fn base_dir() -> &'static Path {
    Path::new(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_units() {
        assert_eq!(duration("idle", "30s").unwrap(), Seconds::new(30.0));
        assert_eq!(duration("idle", "0.5").unwrap(), Seconds::new(0.5));
        assert_eq!(duration("idle", "500ms").unwrap(), Seconds::new(0.5));
        assert_eq!(duration("idle", "1m 30s").unwrap(), Seconds::new(90.0));
        for text in ["", "soon", "-3", "nan", "inf", "1e9"] {
            assert!(duration("idle", text).is_err(), "{text}");
        }
    }
}
