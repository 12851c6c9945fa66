//! The load itself, as the commands call it. STAND-IN until the engine of sustained load is merged: ordinary runs one after the
//! other, whose outputs are verified and not digested.

use crate::measure::plan::{self, Selection};
use crate::measure::run::{self, Event, Observer, Setup};
use crate::measure::soak::{SoakEvent, SoakPlan, SoakSetup};
use crate::model::{Case, Device, Phase};
use crate::units::Seconds;

/// The work of each phase on each device.
pub fn work(devices: &[Device], seed: u64) -> Vec<(Phase, Case)> {
    let kernels =
        [(Phase::Integer, "fma/chains-i32"), (Phase::Arithmetic, "gemm/tiled-f32"), (Phase::Memory, "memory-triad")];
    let cases = kernels.iter().flat_map(|(phase, kernel)| {
        let selection = Selection { kernels: vec![(*kernel).to_owned()], seed, ..Selection::default() };
        plan::cases(&selection, devices).unwrap_or_default().into_iter().map(|case| (*phase, case))
    });
    cases.collect()
}

struct Quiet;

impl Observer for Quiet {
    fn event(&mut self, _event: &Event<'_>) {}
}

/// Runs the load.
pub fn run(setup: &mut SoakSetup<'_>, plan: &SoakPlan) {
    let mut done = plan.done.get();
    let mut number = 1;
    while done < plan.duration.get() && !(setup.interrupted)() {
        let mut record = (setup.segment)(number);
        record.plan.settings.windows_min = 3;
        record.plan.settings.windows_max = 3;
        record.plan.settings.idle_s = Seconds::new(0.0);
        record.plan.settings.preheat_min_s = Seconds::new(0.0);
        record.plan.settings.preheat_max_s = Seconds::new(0.0);
        record.plan.settings.window_s = Seconds::new(plan.segment.get() / 9.0);
        let mut save = |_: &crate::model::RunRecord| Ok(());
        let mut run = Setup {
            machine: setup.machine,
            sampler: setup.sampler,
            interrupted: setup.interrupted,
            observer: &mut Quiet,
            save: &mut save,
        };
        run::execute(&mut run, &mut record);
        for measurement in &mut record.measurements {
            let phase = plan.work.iter().find(|(_, case)| *case == measurement.case).map(|(phase, _)| *phase);
            measurement.sustained = phase.map(|phase| crate::model::Sustained {
                phase,
                digested_bytes: 0,
                output_bytes: 1,
                known: None,
                digests: Vec::new(),
            });
        }
        if let Err(error) = (setup.save)(number, &record) {
            (setup.observer)(&SoakEvent::SaveFailed(&error));
        }
        done += plan.segment.get();
        (setup.observer)(&SoakEvent::Segment { number, done: Seconds::new(done) });
        number += 1;
    }
}
