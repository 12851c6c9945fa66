//! How far a load has come, on standard error: one line that changes on a terminal, one line for each segment otherwise.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{note, resolve};
use crate::measure::soak::SoakEvent;
use crate::model::Qualification;
use crate::store::StoreError;
use crate::units::Seconds;

/// Draws a load's events.
pub struct Progress {
    bar: ProgressBar,
    planned: Seconds,
    visible: bool,
    wrong: u32,
}

impl Progress {
    /// A bar over the planned time, of which some may be done; without a terminal, lines.
    pub fn new(planned: Seconds, done: Seconds, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(whole(planned)), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24} {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_position(whole(done));
        if visible {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        if done.get() > 0.0 {
            note(&format!(
                "wattmark: {} of {} of load are there already",
                resolve::minutes(done),
                resolve::minutes(planned)
            ));
        }
        Self { bar, planned, visible, wrong: 0 }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Shows an event of the load.
    pub fn event(&mut self, event: &SoakEvent<'_>) {
        match event {
            SoakEvent::Phase { phase, round } => self.bar.set_message(format!("round {round}: {phase}")),
            SoakEvent::Window { case, phase, window } => {
                self.bar.inc(0);
                self.bar.set_message(format!(
                    "{phase}: a window of {:.1} s on device {}",
                    window.duration().get(),
                    case.device
                ));
            }
            SoakEvent::WrongOutput { case, phase, detail } => {
                self.wrong += 1;
                self.say(&format!("wattmark: device {}, {phase}: WRONG OUTPUT: {detail}", case.device));
            }
            SoakEvent::Lost { device, reason } => {
                self.say(&format!("wattmark: device {device} was lost ({reason}); the others go on"));
            }
            SoakEvent::SaveFailed(reason) => self.say(&format!(
                "wattmark: a segment could not be saved ({reason}); the load goes on and saving is tried again with the next"
            )),
            SoakEvent::Segment { .. } => {}
        }
    }

    /// Shows that a segment was entered.
    pub fn segment(&mut self, number: u32, done: Seconds, so_far: &Qualification, failure: Option<StoreError>) {
        self.bar.set_position(whole(done));
        if let Some(error) = failure {
            self.say(&format!("wattmark: {error}"));
        }
        if !self.visible {
            let wrong = match self.wrong {
                0 => "no wrong output".to_owned(),
                1 => "1 wrong output".to_owned(),
                count => format!("{count} wrong outputs"),
            };
            note(&format!(
                "segment {number}: {} of {}, {wrong}, so far {}",
                resolve::minutes(done),
                resolve::minutes(self.planned),
                so_far.grade
            ));
        }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }
}

fn whole(time: Seconds) -> u64 {
    time.get().max(0.0).round() as u64
}
