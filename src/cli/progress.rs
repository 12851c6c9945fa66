//! Progress on standard error: bars on a terminal, nothing when piped.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::measure::run::{Event, Observer};
use crate::model::Plan;

/// Draws a run's events.
pub struct Progress {
    bar: ProgressBar,
    total: usize,
    done: usize,
}

impl Progress {
    /// A bar over the plan's cases; hidden unless `visible`.
    pub fn new(plan: &Plan, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(plan.cases.len() as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed}] {bar:24} {pos}/{len} {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        if visible {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, total: plan.cases.len(), done: 0 }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn step(&mut self) {
        self.done += 1;
        self.bar.set_position(self.done.min(self.total) as u64);
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Device(device) => self.bar.set_message(format!("device {} {}", device.ordinal, device.name)),
            Event::Idle(length) => {
                self.bar.set_message(format!("recording idle power for {:.0} s", length.get().ceil()))
            }
            Event::Building { case } => self.bar.set_message(format!("{}: building", case.label())),
            Event::Verifying { case } => self.bar.set_message(format!("{}: verifying", case.label())),
            Event::Preheating { case } => self.bar.set_message(format!("{}: preheating", case.label())),
            Event::Window { case, number, .. } => {
                self.bar.set_message(format!("{}: window {number} measured", case.label()));
            }
            Event::Measured(_) | Event::Skipped(_) => self.step(),
            Event::SaveFailed(reason) => {
                let text = format!(
                    "wattmark: the record could not be saved ({reason}); measuring goes on and saving is tried again"
                );
                self.bar.suspend(|| super::note(&text));
            }
        }
    }
}
