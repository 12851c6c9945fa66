//! Where ticks stand on a time axis of hours, days, months or years, and what they say.
//!
//! What surprises people: time is read from the text that stands in the figure (`2022-03-01 00:00 UTC`); a start that
//! is no such text counts hours from zero instead.

/// A tick: seconds since the start, its label, and the date below it where a day begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub at_s: f64,
    pub label: String,
    pub date: Option<String>,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: f64 = 86_400.0;
/// Steps of clock ticks in seconds.
const CLOCK: [f64; 10] = [60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 10_800.0, 14_400.0, 21_600.0, 43_200.0];

#[derive(Debug, Clone, Copy, PartialEq)]
struct Date {
    year: i64,
    month: usize,
    day: usize,
}

impl Date {
    fn next(self) -> Self {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match (self.day < days, self.month < 12) {
            (true, _) => Self { day: self.day + 1, ..self },
            (false, true) => Self { month: self.month + 1, day: 1, ..self },
            (false, false) => Self { year: self.year + 1, month: 1, day: 1 },
        }
    }
    fn words(self) -> String {
        format!("{} {}", self.day, MONTHS[self.month - 1])
    }
}

/// Date and seconds of the day of a text that begins `2022-03-01 00:00`.
fn read(from: &str) -> Option<(Date, f64)> {
    let number = |range: std::ops::Range<usize>| from.get(range)?.parse::<usize>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    fits.then(|| (Date { year: year as i64, month, day }, (hour * 3600 + minute * 60) as f64))
}

/// At most about `most` marks over `length_s` seconds from an instant.
pub(super) fn marks(from: &str, length_s: f64, most: usize) -> Vec<Mark> {
    let most = most.max(2) as f64;
    let Some((date, second)) = read(from) else { return hours(length_s, most) };
    if let Some(step) = CLOCK.iter().find(|step| length_s / **step <= most) {
        return clock(date, second, length_s, *step);
    }
    let days = days(date, second, length_s);
    let of_day = |(at_s, date): &(f64, Date)| Mark { at_s: *at_s, label: date.words(), date: None };
    for every in [1, 2, 7, 14] {
        if days.len() as f64 / f64::from(every) <= most {
            return days.iter().step_by(every as usize).map(of_day).collect();
        }
    }
    let months: Vec<(f64, Date)> = days.into_iter().filter(|(_, date)| date.day == 1).collect();
    let every = [1, 3, 6, 12].into_iter().find(|every| months.len() as f64 / *every as f64 <= most).unwrap_or(12);
    let of_month = |(at_s, date): &(f64, Date)| Mark {
        at_s: *at_s,
        label: MONTHS[date.month - 1].to_owned(),
        date: (date.month == 1).then(|| date.year.to_string()),
    };
    months.iter().filter(|(_, date)| (date.month - 1) % every == 0).map(of_month).collect()
}

/// Midnights within the axis.
fn days(mut date: Date, second: f64, length_s: f64) -> Vec<(f64, Date)> {
    let mut at = -second;
    let mut days = Vec::new();
    while at <= length_s * (1.0 + 1e-9) {
        if at >= 0.0 {
            days.push((at, date));
        }
        (at, date) = (at + DAY, date.next());
    }
    days
}

fn clock(mut date: Date, second: f64, length_s: f64, step: f64) -> Vec<Mark> {
    let mut marks = Vec::new();
    let per_day = (DAY / step).round() as usize;
    let mut midnight = -second;
    while midnight <= length_s {
        for index in 0..per_day {
            let of_day = index as f64 * step;
            let at_s = midnight + of_day;
            if at_s >= -1e-6 && at_s <= length_s * (1.0 + 1e-9) {
                let minutes = (of_day / 60.0).round() as usize;
                let label = format!("{:02}:{:02}", minutes / 60, minutes % 60);
                marks.push(Mark { at_s, label, date: (index == 0).then(|| date.words()) });
            }
        }
        (midnight, date) = (midnight + DAY, date.next());
    }
    marks
}

/// Hours since the start, where the start is not known.
fn hours(length_s: f64, most: f64) -> Vec<Mark> {
    let wanted = (length_s / 3600.0 / most).max(1.0 / 60.0);
    let decade = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].iter().map(|m| m * decade).find(|s| *s >= wanted).unwrap_or(wanted);
    let count = (length_s / 3600.0 / step + 1e-9) as usize;
    (0..=count)
        .map(|index| {
            let hours = index as f64 * step;
            // The shortest form of a round number: `5 h`, `0.5 h`.
            Mark { at_s: hours * 3600.0, label: format!("{} h", (hours * 1e3).round() / 1e3), date: None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, length_s: f64, most: usize) -> Vec<String> {
        marks(from, length_s, most).into_iter().map(|mark| mark.label).collect()
    }

    #[test]
    fn a_day_is_told_in_hours_and_names_its_dates_at_midnight() {
        let marks = marks("2022-02-28 12:00 UTC", DAY, 6);
        let labels: Vec<&str> = marks.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(labels, ["12:00", "16:00", "20:00", "00:00", "04:00", "08:00", "12:00"]);
        // 12 h after noon a new day begins: 2022 is no leap year, so it is 1 March.
        assert_eq!((marks[3].at_s, marks[3].date.as_deref()), (43_200.0, Some("1 Mar")));
    }

    #[test]
    fn a_week_is_told_in_days_and_a_year_in_months() {
        assert_eq!(labels("2024-02-27 00:00 UTC", 4.0 * DAY, 5), ["27 Feb", "28 Feb", "29 Feb", "1 Mar", "2 Mar"]);
        assert_eq!(labels("2022-01-01 00:00 UTC", 365.0 * DAY, 14).len(), 13);
        assert_eq!(labels("2022-01-01 00:00 UTC", 364.0 * DAY, 5), ["Jan", "Apr", "Jul", "Oct"]);
    }

    #[test]
    fn an_unknown_start_counts_hours() {
        assert_eq!(labels("synthetic", DAY, 5), ["0 h", "5 h", "10 h", "15 h", "20 h"]);
    }
}
