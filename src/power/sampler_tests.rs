//! Tests of the sampler: cadence, gaps, sources that fail or vanish.

use std::collections::VecDeque;

use super::*;
use crate::clock::{SimulatedClock, WallClock};
use crate::model::{Channel, Evidence, Quantity, Scope};

/// Answers polls from a list; then repeats its last value.
struct Fake {
    info: SourceInfo,
    answers: VecDeque<Result<Vec<Option<f64>>, PollError>>,
    useful_hz: Option<f64>,
    hang: Duration,
}

fn fake(answers: Vec<Result<Vec<Option<f64>>, PollError>>) -> Fake {
    let channel = |id: &str, quantity| Channel::new(id, quantity, Scope::Board);
    let info = SourceInfo {
        id: "fake".to_owned(),
        kind: "fake".to_owned(),
        device: None,
        evidence: Evidence::Measured,
        note: String::new(),
        channels: vec![channel("p", Quantity::InstantPower), channel("t", Quantity::Temperature)],
    };
    Fake { info, answers: answers.into(), useful_hz: None, hang: Duration::ZERO }
}

impl PowerSource for Fake {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn useful_hz(&self) -> Option<f64> {
        self.useful_hz
    }
    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        std::thread::sleep(self.hang);
        match self.answers.pop_front() {
            Some(Ok(answer)) => values.copy_from_slice(&answer),
            Some(Err(error)) => return Err(error),
            None => values.copy_from_slice(&[Some(1.0), Some(2.0)]),
        }
        Ok(())
    }
}

fn simulate(source: Fake, hz: f64, seconds: f64) -> SourceTrace {
    let clock = SimulatedClock::new();
    let sampler = Sampler::start(vec![Box::new(source)], hz, &RunClock::Simulated(clock.clone()));
    clock.sleep(Seconds::new(seconds));
    sampler.stop().remove(0)
}

#[test]
fn polls_lie_on_a_grid_from_the_start_and_do_not_drift() {
    let trace = simulate(fake(vec![]), 3.0, 100.0);
    assert_eq!(trace.t_ns.len(), 301);
    assert_eq!((trace.t_ns[0], trace.t_ns[300]), (Nanoseconds(0), Nanoseconds(100_000_000_000)));
    assert!(trace.gaps.is_empty());
}

#[test]
fn a_source_is_never_polled_beyond_its_useful_cadence() {
    let trace = simulate(Fake { useful_hz: Some(5.0), ..fake(vec![]) }, 50.0, 2.0);
    assert_eq!((trace.t_ns.len(), trace.requested_hz), (11, 5.0));
}

#[test]
fn missing_and_failed_readings_are_gaps_with_their_own_reasons() {
    let good = || Ok(vec![Some(1.0), Some(2.0)]);
    let trace = simulate(
        fake(vec![
            good(),
            Ok(vec![None, Some(2.0)]),
            Ok(vec![Some(f64::NAN), Some(2.0)]),
            good(),
            Err(PollError::Transient("busy".to_owned())),
            good(),
        ]),
        1.0,
        6.0,
    );
    let column = |index: usize| trace.columns[index].values[..6].to_vec();
    assert_eq!(column(0), [Some(1.0), None, None, Some(1.0), None, Some(1.0)]);
    assert_eq!(column(1), [Some(2.0), Some(2.0), Some(2.0), Some(2.0), None, Some(2.0)]);
    let gaps: Vec<_> = trace
        .gaps
        .iter()
        .map(|g| (g.channel.as_deref(), g.from_ns.0 / 1_000_000_000, g.until_ns.map(|t| t.0 / 1_000_000_000)))
        .collect();
    assert_eq!(gaps, [(Some("p"), 0, Some(3)), (None, 3, Some(5))]);
    assert_eq!(trace.gaps[1].reason, "busy");
}

#[test]
fn a_source_that_is_gone_is_not_polled_again_while_others_go_on() {
    let clock = SimulatedClock::new();
    let dying = fake(vec![Ok(vec![Some(1.0), None]), Err(PollError::Gone("unplugged".to_owned()))]);
    let sampler =
        Sampler::start(vec![Box::new(dying), Box::new(fake(vec![]))], 1.0, &RunClock::Simulated(clock.clone()));
    clock.sleep(Seconds::new(5.0));
    let traces = sampler.stop();
    assert_eq!((traces[0].t_ns.len(), traces[1].t_ns.len()), (1, 6));
    let gap = traces[0].gaps.iter().find(|gap| gap.channel.is_none()).unwrap();
    assert_eq!((gap.until_ns, gap.reason.as_str()), (None, "unplugged"));
}

#[test]
fn a_view_since_an_instant_holds_only_later_polls() {
    let clock = SimulatedClock::new();
    let sampler = Sampler::start(vec![Box::new(fake(vec![]))], 1.0, &RunClock::Simulated(clock.clone()));
    clock.sleep(Seconds::new(10.0));
    let view = sampler.traces_since(Nanoseconds(7_000_000_000)).remove(0);
    assert_eq!((view.t_ns.len(), view.columns[1].values.len()), (4, 4));
    assert_eq!(sampler.traces()[0].t_ns.len(), 11);
}

#[test]
fn nothing_is_polled_after_the_sampler_is_dropped() {
    let clock = SimulatedClock::new();
    let sampler = Sampler::start(vec![Box::new(fake(vec![]))], 1.0, &RunClock::Simulated(clock.clone()));
    let buffer = Arc::clone(&sampler.taps[0]);
    drop(sampler);
    clock.sleep(Seconds::new(10.0));
    assert_eq!(lock(&buffer).trace.t_ns.len(), 1);
}

#[test]
fn on_the_wall_clock_instants_increase_and_the_cadence_is_about_what_was_asked_for() {
    let clock = RunClock::Wall(WallClock::start());
    let sampler = Sampler::start(vec![Box::new(fake(vec![]))], 100.0, &clock);
    clock.sleep(Seconds::new(0.5));
    let trace = sampler.stop().remove(0);
    assert!(trace.t_ns.windows(2).all(|pair| pair[0] < pair[1]));
    assert!((20..=51).contains(&trace.t_ns.len()), "{} polls in 0.5 s at 100 Hz", trace.t_ns.len());
}

#[test]
fn a_sampler_that_is_late_says_so_counts_the_skipped_ticks_and_keeps_its_grid() {
    let clock = RunClock::Wall(WallClock::start());
    let slow = Fake { hang: Duration::from_millis(60), ..fake(vec![]) };
    let sampler = Sampler::start(vec![Box::new(slow)], 100.0, &clock);
    clock.sleep(Seconds::new(0.4));
    assert!(sampler.skipped_ticks()[0] >= 10);
    let trace = sampler.stop().remove(0);
    assert!(trace.gaps.iter().any(|gap| gap.channel.is_none() && gap.reason.contains("late")), "{:?}", trace.gaps);
}

#[test]
fn stopping_does_not_wait_for_the_next_tick() {
    let clock = RunClock::Wall(WallClock::start());
    let sampler = Sampler::start(vec![Box::new(fake(vec![]))], 0.01, &clock);
    clock.sleep(Seconds::new(0.02));
    let before = std::time::Instant::now();
    assert_eq!(sampler.stop()[0].t_ns.len(), 1);
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_watching_sampler_forgets_what_is_older_than_it_keeps_but_never_an_open_gap() {
    let clock = SimulatedClock::new();
    // The second channel never answers; the first fails now and then.
    let answers = (0..1000).map(|i| Ok(vec![(i % 10 != 0).then_some(1.0), None])).collect();
    let sampler =
        Sampler::watch(vec![Box::new(fake(answers))], 1.0, &RunClock::Simulated(clock.clone()), Seconds::new(60.0));
    clock.sleep(Seconds::new(900.0));
    let trace = sampler.stop().remove(0);
    let (polls, gaps) = (trace.t_ns.len(), trace.gaps.len());
    assert!((60..=125).contains(&polls), "{polls} polls are kept");
    assert_eq!(*trace.t_ns.last().unwrap(), Nanoseconds(900_000_000_000));
    assert!(trace.columns.iter().all(|column| column.values.len() == polls));
    assert!(gaps <= 15, "{gaps} gaps are kept");
    let forever = trace.gaps.iter().find(|gap| gap.channel.as_deref() == Some("t")).unwrap();
    assert_eq!((forever.from_ns, forever.until_ns), (Nanoseconds(0), None));
    // The gaps of the first channel are still closed by its next reading, under their moved places.
    let closed: Vec<_> = trace.gaps.iter().filter(|gap| gap.channel.as_deref() == Some("p")).collect();
    assert!(closed.iter().rev().skip(1).all(|gap| gap.until_ns.unwrap().0 - gap.from_ns.0 == 2_000_000_000));
}

#[test]
fn a_sensor_that_hangs_is_named_while_it_hangs_and_others_go_on() {
    let clock = RunClock::Wall(WallClock::start());
    let hanging = Fake { hang: Duration::from_secs(30), ..fake(vec![]) };
    let sampler = Sampler::start(vec![Box::new(hanging), Box::new(fake(vec![]))], 50.0, &clock);
    clock.sleep(Seconds::new(2.2));
    let traces = sampler.traces();
    assert!(traces[0].gaps.iter().any(|gap| gap.until_ns.is_none() && gap.reason.contains("hangs")));
    assert!(traces[0].t_ns.is_empty() && traces[1].t_ns.len() > 50);
    assert!(traces[1].gaps.iter().all(|gap| !gap.reason.contains("hangs")));
    // The hanging thread is left behind.
    std::mem::forget(sampler);
}

#[test]
fn a_sampler_that_is_told_to_forget_keeps_bounded_polls_and_the_last_value_of_each_channel() {
    let clock = SimulatedClock::new();
    // The second channel answers once in ten polls, as a counter that is read rarely.
    let answers = (0..10_000).map(|i| Ok(vec![Some(1.0), (i % 10 == 0).then_some(f64::from(i))])).collect();
    let sampler = Sampler::start(vec![Box::new(fake(answers))], 1.0, &RunClock::Simulated(clock.clone()));
    let mut most = (0, 0);
    for segment in 1..=50_u64 {
        clock.sleep(Seconds::new(100.0));
        let trace = sampler.traces().remove(0);
        most = (most.0.max(trace.t_ns.len()), most.1.max(trace.gaps.len()));
        sampler.forget_before(Nanoseconds((100 * segment - 5) * 1_000_000_000));
        let kept = sampler.traces().remove(0);
        // Polls at 90 s to 100 s of each hundred: 90 is the last before 95 at which the second channel answered.
        let first = Nanoseconds((100 * segment - 10) * 1_000_000_000);
        assert_eq!((kept.t_ns[0], kept.t_ns.len()), (first, 11));
        assert!(kept.columns.iter().all(|column| column.values.len() == 11 && column.values[0].is_some()));
    }
    assert!(most.0 <= 111 && most.1 <= 13, "{most:?}");
    sampler.forget_before(Nanoseconds(u64::MAX));
    assert!(sampler.traces()[0].t_ns.len() <= 11, "only what holds last values stays");
}
