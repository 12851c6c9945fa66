//! Tuning as the commands ask for it: flags, the cache's place, and the step between a plan and its run.
//!
//! What surprises people: a simulation neither reads nor writes the user's own cache, and does not tune by itself, so that
//! every run of a script stays the same; naming a cache with WATTMARK_CACHE, or `--tune`, makes it behave like a machine.

use crate::cli::bench::{self, TestBench};
use crate::cli::profiles::ProfileArgs;
use crate::cli::resolve::{self, Resolved};
use crate::cli::{Console, Failure};
use crate::measure::plan;
use crate::model::{Case, Objective, Preset, SourceInfo, Tuning};
use crate::power::Sampler;
use crate::tune::{self, Cache, Freedom, Mode, Options, Setup};
use crate::units::Seconds;

/// Longest time for one case where nothing else is said.
const BUDGET: Seconds = Seconds::new(60.0);
/// Heading of the flags.
const HEADING: &str = "Tuning";

/// Flags of `wattmark run` that choose variants and parameters.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TuningArgs {
    /// Tune what the cache does not hold before it runs (standard and publication do so by themselves).
    #[arg(long, help_heading = HEADING)]
    pub tune: bool,
    /// Run untuned defaults: neither tune nor use the cache.
    #[arg(long, conflicts_with_all = ["tune", "retune"], help_heading = HEADING)]
    pub no_tune: bool,
    /// Tune everything again, whatever the cache holds.
    #[arg(long, help_heading = HEADING)]
    pub retune: bool,
    /// Longest tuning of one case; default: 60s.
    #[arg(long, value_name = "TIME", help_heading = HEADING)]
    pub tune_budget: Option<String>,
    /// What tuning looks for: speed, or efficiency (work per joule; needs a power reading).
    #[arg(long, value_name = "OBJECTIVE", help_heading = HEADING)]
    pub objective: Option<Objective>,
}

impl TuningArgs {
    /// What a run does about tuning; `None` if nothing.
    fn mode(&self, preset: Preset, simulated: bool) -> Option<Mode> {
        let by_itself = !simulated || std::env::var_os("WATTMARK_CACHE").is_some();
        match (self.no_tune, self.retune, self.tune) {
            (true, ..) => None,
            (_, true, _) => Some(Mode::Always),
            (_, _, true) => Some(Mode::AtFirstUse),
            _ if !by_itself => None,
            _ if preset == Preset::Quick => Some(Mode::CacheOnly),
            _ => Some(Mode::AtFirstUse),
        }
    }

    /// Longest time for one case.
    fn budget(&self) -> anyhow::Result<Seconds> {
        let Some(text) = &self.tune_budget else { return Ok(BUDGET) };
        let budget = resolve::duration("--tune-budget", text)?;
        if budget.get() == 0.0 {
            return Err(Failure::usage("--tune-budget is 0: leave tuning out with --no-tune").into());
        }
        Ok(budget)
    }
}

/// What a tuning needs beside its cases.
pub struct Tuner<'a> {
    /// The flags.
    pub args: &'a TuningArgs,
    /// Devices and clock.
    pub bench: &'a TestBench,
    /// Folder below which sensors are read.
    pub sensor_root: &'a std::path::Path,
    /// What calibrations found of the sensors.
    pub profiles: &'a ProfileArgs,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Tuner<'_> {
    /// Finds every mistake in the flags before anything is made or measured: a budget that cannot be read, and an
    /// objective for which no power reading exists.
    pub fn check(&self, resolved: &Resolved, sources: &[SourceInfo]) -> anyhow::Result<()> {
        self.args.budget()?;
        if self.args.objective != Some(Objective::Efficiency) {
            return Ok(());
        }
        let blind = |device: &&crate::model::Device| {
            let used = resolved.plan.cases.iter().any(|case| case.device == device.ordinal);
            used && !sources.iter().any(|source| tune::tells_energy(source, device))
        };
        match resolved.devices.iter().find(blind) {
            None => Ok(()),
            Some(device) => Err(Failure::usage(format!(
                "--objective efficiency needs a measured or estimated power reading of {}, and there is none (declared \
                 watts cannot tell two kernels apart); see `wattmark doctor`, or tune for speed",
                device.name
            ))
            .into()),
        }
    }

    /// Tunes the cases of a plan as its preset and the flags ask for. The plan then holds what will run.
    pub fn settle_plan(&self, resolved: &mut Resolved, console: &Console) -> anyhow::Result<Vec<Tuning>> {
        let simulated = self.bench.machine().is_simulated();
        let Some(mode) = self.args.mode(resolved.plan.preset, simulated) else { return Ok(Vec::new()) };
        let named = resolved.plan.origins.contains_key("kernel");
        let mut cases: Vec<(Case, Freedom)> = resolved
            .plan
            .cases
            .iter()
            .map(|case| {
                // Two variants that stand side by side are compared, so that neither may become the other.
                let rivals = resolved.plan.cases.iter().filter(|other| rivals(case, other)).count();
                let free = !named && rivals == 1;
                (case.clone(), if free { Freedom::AnyVariant } else { Freedom::OwnVariant })
            })
            .collect();
        let tunings = self.settle(resolved, &mut cases, mode, console)?;
        if mode == Mode::CacheOnly && tunings.len() < cases.len() {
            console.note(&format!(
                "{} of {} cases run with untuned defaults: `wattmark tune` finds better ones and keeps them, and --no-tune \
                 takes defaults without a word",
                cases.len() - tunings.len(),
                cases.len()
            ));
        }
        resolved.plan.cases = cases.into_iter().map(|(case, _)| case).collect();
        resolved.plan.expected_s = plan::expected_duration(&resolved.plan.settings, &resolved.plan.cases);
        Ok(tunings)
    }

    /// Tunes cases: from the cache or afresh.
    pub fn settle(
        &self,
        resolved: &Resolved,
        cases: &mut [(Case, Freedom)],
        mode: Mode,
        console: &Console,
    ) -> anyhow::Result<Vec<Tuning>> {
        let objective = self.args.objective.unwrap_or_default();
        let options = Options { mode, budget: self.args.budget()?, objective };
        let mut cache = self.open_cache(console);
        // The run's own sampler starts later, so that its record does not hold the readings of the tuning.
        let sampler = if objective == Objective::Efficiency && mode != Mode::CacheOnly {
            let sources = bench::open_power(resolved, self.bench, self.sensor_root, self.profiles)?.sources;
            let clock = self.bench.machine().clock();
            Some(Sampler::start(sources, resolved.plan.settings.sampler_hz, &clock))
        } else {
            None
        };
        let mut setup = Setup {
            machine: self.bench.machine(),
            sampler: sampler.as_ref(),
            interrupted: self.interrupted,
            cache: cache.as_mut(),
            utc_now: &|| bench::rfc3339(self.bench.utc_now()),
            say: &mut |line| console.note(line),
        };
        let tunings = tune::settle(&mut setup, cases, &options);
        if let Some(sampler) = sampler {
            sampler.stop();
        }
        Ok(tunings)
    }

    /// The cache, if there is a place for it; what is wrong with its file is said here, once.
    fn open_cache(&self, console: &Console) -> Option<Cache> {
        if self.bench.machine().is_simulated() && std::env::var_os("WATTMARK_CACHE").is_none() {
            return None;
        }
        let folder = tune::folder(|name| std::env::var_os(name))?;
        let (cache, note) = Cache::open(&folder);
        if let Some(note) = note {
            console.note(&note);
        }
        Some(cache)
    }
}

/// True if two cases compute the same on the same device.
fn rivals(a: &Case, b: &Case) -> bool {
    a.device == b.device && a.same_work(b)
}
