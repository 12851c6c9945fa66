//! Profiles: the mean over a step keeps energy, and what cannot be is refused with its line.

use super::*;
use crate::units::Seconds;

fn horizon(start: &str, steps: usize, step: f64) -> Horizon {
    Horizon { start: start.parse().unwrap(), steps, step: Seconds::new(step) }
}

fn generator(profile: &str, capacity_kw: Option<f64>) -> Generator {
    Generator {
        kind: Kind::Solar,
        capacity_kw,
        profile: profile.to_owned(),
        column: None,
        life_cycle_g_per_kwh: 41.0,
        life_cycle_source: String::new(),
    }
}

fn read_text(text: &str, capacity_kw: Option<f64>, horizon: &Horizon) -> Result<Vec<f64>, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.csv"), text).unwrap();
    let read = read(&generator("p.csv", capacity_kw), horizon, folder.path(), "site x [microgrid.solar]");
    read.map(|profile| profile.kw).map_err(|error| error.to_string())
}

const HOURS: &str = "time,value\n2026-01-01T00:00:00Z,0.2\n2026-01-01T01:00:00Z,0.8\n2026-01-01T02:00:00Z,0.5\n";

#[test]
fn a_value_holds_for_its_step_and_a_longer_step_takes_the_mean() {
    let half_hours = horizon("2026-01-01T00:00:00Z", 6, 1800.0);
    assert_eq!(read_text(HOURS, Some(10.0), &half_hours).unwrap(), [2.0, 2.0, 8.0, 8.0, 5.0, 5.0]);
    // From 00:30: half an hour at 0.2 and one hour at 0.8 is (0.1 + 0.8)/1.5 = 0.6.
    let odd = horizon("2026-01-01T00:30:00Z", 1, 5400.0);
    assert!((read_text(HOURS, Some(10.0), &odd).unwrap()[0] - 6.0).abs() < 1e-9);
    let shifted = HOURS.replace("T00:00:00Z", "T08:00:00+08:00").replace("value", "kw");
    assert_eq!(read_text(&shifted, None, &horizon("2026-01-01T00:00:00Z", 1, 3600.0)).unwrap(), [0.2]);
}

#[test]
fn a_profile_that_does_not_cover_the_horizon_says_what_it_covers() {
    for start in ["2026-01-01T01:00:00Z", "2025-12-31T23:00:00Z"] {
        let message = read_text(HOURS, Some(1.0), &horizon(start, 3, 3600.0)).unwrap_err();
        assert!(message.contains("it covers 2026-01-01T00:00:00Z to 2026-01-01T03:00:00Z"), "{message}");
    }
}

#[test]
fn values_and_steps_that_cannot_be_are_refused_with_their_line() {
    let one = horizon("2026-01-01T00:00:00Z", 1, 3600.0);
    for bad in ["NaN", "", "-0.1", "1.5", "inf", "x"] {
        let message = read_text(&HOURS.replace("0.8", bad), Some(1.0), &one).unwrap_err();
        assert!(message.contains("line 3") && message.contains("from 0 to 1"), "{bad}: {message}");
    }
    for (text, part) in [
        (HOURS.replace("T01", "T00"), "steps of a profile must be equal"),
        (HOURS.replace("T02:00:00Z", "T02:30:00Z"), "steps of a profile must be equal"),
        (HOURS.replace("T00:00:00Z", "T00:00:00"), "no instant with a zone"),
        ("time,value\n".to_owned(), "it has 0 values"),
        (String::new(), "header"),
        (HOURS.replace("time,value", "time,north,south").replace("Z,", "Z,0,"), "choose one with `column`"),
    ] {
        let message = read_text(&text, Some(1.0), &one).unwrap_err();
        assert!(message.contains(part), "{part} not in {message}");
    }
    assert!(read_text(HOURS, None, &one).unwrap_err().contains("`capacity_kw` is missing"));
    let kilowatts = HOURS.replace("value", "kw");
    assert!(read_text(&kilowatts, Some(0.5), &one).unwrap_err().contains("0.8 kW is above the capacity of 0.5 kW"));
}

#[test]
fn the_illustrative_year_is_a_share_of_its_own_maximum_and_wraps_over_the_years() {
    let year = horizon("2026-01-01T00:00:00Z", 8760, 3600.0);
    let place = "site x [microgrid.solar]";
    for kind in Kind::ALL {
        let own = Generator { kind, ..generator(ILLUSTRATIVE, Some(100.0)) };
        let profile = read(&own, &year, Path::new("."), place).unwrap();
        let most = profile.kw.iter().copied().fold(0.0, f64::max);
        assert!(profile.illustrative && profile.kw.iter().all(|kw| *kw >= 0.0), "{kind:?}");
        assert!((most - 100.0).abs() < 1e-9, "{kind:?} {most}");
    }
    // New Year's Eve goes over into the first hours of the example: 1367 MWh in its first hour, 13713 MWh at most.
    let own = generator(ILLUSTRATIVE, Some(13713.0));
    let turn = read(&own, &horizon("2026-12-31T23:00:00Z", 2, 3600.0), Path::new("."), place).unwrap();
    assert!((turn.kw[0] - 2163.0).abs() < 1e-6 && (turn.kw[1] - 1367.0).abs() < 1e-6, "{:?}", turn.kw);
}
