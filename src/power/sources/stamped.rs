//! Readings that bring stamps of their own (a meter's file, a program's lines): kept in order, dealt out when their time
//! has come, and a tally of what had to be left out.
//!
//! No format is known here. What surprises people: a reading is dropped only if its stamp repeats or steps back, and each
//! such drop is counted; what [`Tally::note`] says ends up in the source's note and from there among the run's warnings.

use std::collections::VecDeque;

use crate::power::LEFT_OUT;

/// Age that a reading may have, in periods of its source, before it counts as missing.
const STALE_PERIODS: f64 = 3.0;
/// Age in seconds at which a reading is stale while the period is not yet known.
const STALE_UNKNOWN_S: f64 = 3.0;
/// Steps from which the period is taken: enough for a median, few enough to keep sorted.
const STEPS: usize = 257;

/// Why a reading was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It could not be read.
    Malformed,
    /// Its stamp is that of the reading before it.
    Duplicate,
    /// Its stamp is earlier than that of the reading before it.
    Unordered,
    /// Its stamp lies in the future.
    Ahead,
    /// Nobody asked for it.
    Unknown,
}

impl Fault {
    const ALL: [Self; 5] = [Self::Malformed, Self::Duplicate, Self::Unordered, Self::Ahead, Self::Unknown];

    fn words(self) -> &'static str {
        match self {
            Self::Malformed => "unreadable",
            Self::Duplicate => "with a duplicate stamp",
            Self::Unordered => "with a stamp that steps back",
            Self::Ahead => "with a stamp in the future",
            Self::Unknown => "of a name that came after the start",
        }
    }
}

/// Counts of what was left out, with the first case of each kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [u64; 5],
    first: [Option<String>; 5],
    changed: bool,
}

impl Tally {
    /// Counts a line; `why` is asked for the first of its kind alone.
    pub(crate) fn add(&mut self, fault: Fault, line: u64, why: impl FnOnce() -> String) {
        let kind = fault as usize;
        self.counts[kind] += 1;
        self.first[kind].get_or_insert_with(|| format!("line {line}: {}", why()));
        self.changed = true;
    }

    /// True once after each change.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// `base`, and behind [`LEFT_OUT`] the counts, if there are any.
    pub(crate) fn note(&self, base: &str) -> String {
        Self::note_all(base, &[self])
    }

    /// `base`, and behind [`LEFT_OUT`] the counts of several tallies, if there are any.
    pub(crate) fn note_all(base: &str, tallies: &[&Self]) -> String {
        let mut parts = Vec::new();
        for tally in tallies {
            for fault in Fault::ALL {
                if let Some(first) = &tally.first[fault as usize] {
                    parts.push(format!("{} {} (first: {first})", tally.counts[fault as usize], fault.words()));
                }
            }
        }
        if parts.is_empty() { base.to_owned() } else { format!("{base}{LEFT_OUT}{}", parts.join(", ")) }
    }
}

/// Readings in order of their stamps, in seconds on the run's clock.
#[derive(Debug)]
pub(crate) struct Timeline<T> {
    /// Readings whose time has not come.
    ahead: VecDeque<(f64, T)>,
    current: Option<(f64, T)>,
    last_s: Option<f64>,
    /// Sorted.
    steps: Vec<f64>,
    declared_period_s: Option<f64>,
}

impl<T: Copy> Timeline<T> {
    /// An empty one; a declared period stands, otherwise it is the median of the steps.
    pub(crate) fn new(declared_period_s: Option<f64>) -> Self {
        Self { ahead: VecDeque::new(), current: None, last_s: None, steps: Vec::new(), declared_period_s }
    }

    /// Takes a reading, or says why not and by how many seconds its stamp misses the one before it.
    pub(crate) fn append(&mut self, at_s: f64, reading: T) -> Result<(), (Fault, f64)> {
        if let Some(last) = self.last_s {
            let step = at_s - last;
            if step <= 0.0 {
                return Err((if step == 0.0 { Fault::Duplicate } else { Fault::Unordered }, last - at_s));
            }
            if self.steps.len() < STEPS {
                self.steps.insert(self.steps.partition_point(|known| *known < step), step);
            }
        }
        self.last_s = Some(at_s);
        self.ahead.push_back((at_s, reading));
        Ok(())
    }

    /// Moves on to an instant.
    pub(crate) fn advance(&mut self, now_s: f64) {
        while self.ahead.front().is_some_and(|(at, _)| *at <= now_s) {
            self.current = self.ahead.pop_front();
        }
    }

    /// The last reading whose time has come, unless it is too old.
    pub(crate) fn fresh(&self, now_s: f64) -> Option<T> {
        self.current.filter(|(at, _)| now_s - at <= self.patience_s()).map(|(_, reading)| reading)
    }

    /// Why there is no fresh reading.
    pub(crate) fn absence(&self, now_s: f64) -> String {
        match (self.current, self.ahead.front()) {
            (None, None) => "there is no reading yet".to_owned(),
            (None, Some((at, _))) => format!("the first reading is of {at:.1} s, {:.1} s from now", at - now_s),
            (Some((at, _)), next) => {
                let next = next.map_or_else(String::new, |(at, _)| format!(", and the next is of {at:.1} s"));
                format!(
                    "no new reading for {:.1} s, where {:.1} s are the most that is bridged{next}",
                    now_s - at,
                    self.patience_s()
                )
            }
        }
    }

    /// Time between two readings in seconds: as declared, else the median step.
    pub(crate) fn period_s(&self) -> Option<f64> {
        self.declared_period_s.or_else(|| self.steps.get(self.steps.len() / 2).copied())
    }

    /// True if no reading waits for its time.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.ahead.is_empty()
    }

    /// All readings that wait for their time.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = T> {
        self.ahead.iter().map(|(_, reading)| *reading)
    }

    fn patience_s(&self) -> f64 {
        self.period_s().map_or(STALE_UNKNOWN_S, |period| STALE_PERIODS * period)
    }
}

/// A number as people and meters write it; `comma` where a comma may stand for the decimal point.
pub(crate) fn number(text: &str, comma: bool) -> Result<f64, String> {
    let has_comma = text.contains(',');
    let value = if has_comma && comma && !text.contains('.') && text.matches(',').count() == 1 {
        text.replace(',', ".").parse::<f64>()
    } else {
        text.parse::<f64>()
    };
    match value {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("`{text}` is not a finite number")),
        Err(_) if has_comma => Err(format!("`{text}` has a decimal comma or thousands separators; write 1234.5")),
        Err(_) => Err(format!("`{text}` is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_dealt_out_when_their_time_has_come_and_grow_stale() {
        let mut line = Timeline::new(None);
        for at in [1.0, 2.0, 3.0] {
            line.append(at, at * 10.0).unwrap();
        }
        assert!(line.absence(0.5).contains("the first reading is of 1.0 s, 0.5 s from now"), "{}", line.absence(0.5));
        line.advance(2.5);
        assert_eq!((line.fresh(2.5), line.period_s()), (Some(20.0), Some(1.0)));
        line.advance(7.0);
        assert_eq!(line.fresh(6.0), Some(30.0));
        assert_eq!(line.fresh(6.1), None);
        assert!(line.absence(7.0).contains("no new reading for 4.0 s, where 3.0 s"), "{}", line.absence(7.0));
    }

    #[test]
    fn one_hasty_reading_does_not_make_a_fast_meter() {
        let mut line = Timeline::new(None);
        for at in [0.0, 30.0, 30.001, 60.0, 90.0, 120.0] {
            line.append(at, ()).unwrap();
        }
        assert_eq!(line.period_s(), Some(30.0));
        assert_eq!(Timeline::<()>::new(Some(5.0)).period_s(), Some(5.0));
    }

    #[test]
    fn stamps_that_repeat_or_step_back_are_refused_and_counted_with_the_first_of_each() {
        let mut line = Timeline::new(None);
        let mut tally = Tally::default();
        for (number, at) in [1.0, 2.0, 2.0, 1.5, 2.0, 3.0].into_iter().enumerate() {
            if let Err((fault, by)) = line.append(at, ()) {
                tally.add(fault, number as u64 + 1, || format!("by {by} s"));
            }
        }
        assert!(tally.take_changed() && !tally.take_changed());
        assert_eq!(
            tally.note("a meter"),
            format!(
                "a meter{LEFT_OUT}2 with a duplicate stamp (first: line 3: by 0 s), 1 with a stamp that steps back \
                 (first: line 4: by 0.5 s)"
            )
        );
        assert_eq!(Tally::default().note("a meter"), "a meter");
    }

    #[test]
    fn a_decimal_comma_is_read_where_it_may_stand_and_named_where_not() {
        assert_eq!(number("12,5", true), Ok(12.5));
        assert_eq!(number("12.5", true), Ok(12.5));
        assert!(number("12,5", false).unwrap_err().contains("decimal comma"));
        assert!(number("1.234,5", true).unwrap_err().contains("thousands"));
        assert!(number("NaN", false).unwrap_err().contains("not a finite number"));
        assert!(number("-inf", false).unwrap_err().contains("not a finite number"));
        assert!(number("n/a", false).unwrap_err().contains("not a number"));
    }
}
