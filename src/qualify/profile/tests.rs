//! Profiles: learned, written, read back, refused; and a device held against one.

use proptest::prelude::*;

use super::*;
use crate::model::{Evidence, Grade, Phase, Qualification, RunStatus, Scope};
use crate::qualify::testing::*;
use crate::qualify::{Occasion, References, judge};
use crate::units::Seconds;

/// Records of devices, one each, with these rates.
fn records(speeds: &[f64]) -> Vec<Qualification> {
    let of = |(index, speed): (usize, &f64)| qualification(&format!("{:02}", index + 1), &[good(index as u32, *speed)]);
    speeds.iter().enumerate().map(of).collect()
}

fn learned(speeds: &[f64]) -> Profile {
    Profile::learn(&records(speeds)).unwrap()
}

fn refused(records: &[Qualification]) -> String {
    Profile::learn(records).unwrap_err().to_string()
}

const RATE: &str = "arithmetic.rate.mean";

#[test]
fn three_devices_give_the_tables_tolerance_around_their_median() {
    let profile = learned(&[49.9, 50.0, 50.1]);
    assert_eq!((profile.devices, profile.runs, profile.name.as_str()), (3, 3, "accelerator-x"));
    let limit = &profile.limits[RATE];
    // Median 50, sigma 1.4826 x 0.1 = 0.148: warn max(3 % = 1.5, 3 sigma = 0.44), fail max(5 % = 2.5, 5 sigma = 0.74).
    let near = |value: Option<f64>, expected: f64| (value.unwrap() / expected - 1.0).abs() < 3e-5;
    assert!(near(limit.limits.warn_below, 48.5e12) && near(limit.limits.fail_below, 47.5e12), "{limit:?}");
    assert_eq!((limit.limits.warn_above, limit.limits.fail_above), (None, None));
    assert_eq!((limit.median, limit.lowest, limit.highest), (Some(50e12), Some(49.9e12), Some(50.1e12)));
    assert!(near(limit.sigma, 0.148_26e12), "{limit:?}");
    assert_eq!(profile.outputs["memory"].sha256, digest('b'));
    assert!(profile.limits.keys().all(|id| !id.starts_with("ecc") && !id.starts_with("throttle.thermal")));
}

#[test]
fn scattered_devices_widen_the_limits() {
    // Median 50, MAD 3, sigma 4.448: warn 3 sigma = 13.34 below, fail 5 sigma = 22.24 below.
    let limits = learned(&[47.0, 50.0, 53.0]).limits[RATE].limits;
    assert!((limits.warn_below.unwrap() / 1e12 - 36.66).abs() < 0.01, "{limits:?}");
    assert!((limits.fail_below.unwrap() / 1e12 - 27.76).abs() < 0.01, "{limits:?}");
}

#[test]
fn one_device_gives_limits_twice_as_wide_and_says_so() {
    let profile = learned(&[50.0]);
    let limits = profile.limits[RATE].limits;
    assert!((limits.fail_below.unwrap() / 45e12 - 1.0).abs() < 3e-5, "{limits:?}");
    assert!((limits.warn_below.unwrap() / 47e12 - 1.0).abs() < 3e-5, "{limits:?}");
    assert!(profile.rule.contains("2 times as wide because there are few devices"), "{}", profile.rule);
    assert!(profile.to_toml().contains("# Few devices: nothing is known"), "{}", profile.to_toml());
    // Two records of one board are still one device.
    let twice = [qualification("01", &[good(0, 50.0)]), qualification("02", &[good(0, 50.0)])];
    let profile = Profile::learn(&twice).unwrap();
    assert_eq!((profile.devices, profile.runs), (1, 2));
    assert_eq!(Profile::learn(&[twice[0].clone(), twice[0].clone()]).unwrap().runs, 1, "a copy is not another run");
}

#[test]
fn a_profile_survives_being_written_and_read() {
    let profile = learned(&[49.0, 50.0, 51.0]);
    let text = profile.to_toml();
    assert_eq!(Profile::read(&text).unwrap(), profile, "{text}");
    assert!(
        text.starts_with(
            "# Limits for devices named `Accelerator X`, learned from 3 runs of 3 devices known to be good."
        )
    );
    assert!(
        text.contains(
            "# Q10 mean rate: median 50.00 TFLOP/s, 2.97 % between devices\n[limits.\"arithmetic.rate.mean\"]"
        ),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() < 300), "a person reads it");
}

#[test]
fn a_device_is_held_against_the_profile_that_is_given() {
    let verdict =
        |own, profile| judge(&[own], &References { profile: Some(profile), ..References::default() }).remove(0);
    let fine = verdict(good(7, 50.0), learned(&[49.9, 50.0, 50.1]));
    assert_eq!(fine.grade, Grade::Pass);
    let slow = verdict(with(good(7, 50.0), RATE, 30e12), learned(&[49.9, 50.0, 50.1]));
    let found = of(&slow, "Q10");
    assert_eq!(found.grade, Grade::Fail);
    assert!(
        found.detail.contains("the limit of profile accelerator-x (median 50.00 TFLOP/s of 3 devices)"),
        "{}",
        found.detail
    );

    let mut other = learned(&[50.0]);
    other.model = "Accelerator Y".to_owned();
    let misfit = verdict(good(7, 50.0), other);
    let found = of(&misfit, "Q40");
    assert_eq!((misfit.grade, found.grade), (Grade::Inconclusive, Grade::Inconclusive));
    assert!(
        found
            .detail
            .starts_with("Profile accelerator-x is for devices named `Accelerator Y`, and this one is `Accelerator X`"),
        "{}",
        found.detail
    );

    let mut newer = good(7, 50.0);
    newer.device.driver_info = "580".to_owned();
    let found = verdict(with(newer, RATE, 30e12), learned(&[50.0]));
    assert!(of(&found, "Q10").detail.contains("it was learned with another driver: NVIDIA 570.1 (vulkan)"));

    let long = Occasion { measured: Seconds::new(3600.0), planned: Seconds::new(3600.0), ..occasion() };
    let references = References { profile: Some(learned(&[50.0])), occasion: Some(long), ..References::default() };
    let found = judge(&[with(good(7, 50.0), RATE, 30e12)], &references).remove(0);
    assert!(of(&found, "Q10").detail.contains("it was learned from 600 s of load, and this was 3600 s"));

    let mut wrong = good(7, 50.0);
    wrong.outputs[1].seen[0].sha256 = digest('7');
    let found = verdict(wrong, learned(&[50.0]));
    assert_eq!(of(&found, "Q04").grade, Grade::Fail);
    assert!(of(&found, "Q04").detail.contains("Profile accelerator-x has the output bbbbbbbbbbbb"));
}

#[test]
fn a_figure_that_the_profile_lacks_is_inconclusive() {
    let mut profile = learned(&[50.0]);
    profile.limits.remove("memory.rate.mean");
    let device = judge(&[good(7, 50.0)], &References { profile: Some(profile), ..References::default() }).remove(0);
    let found = of(&device, "Q10");
    assert_eq!(found.grade, Grade::Inconclusive);
    assert_eq!(found.detail, "Measured, but no reference that can be compared says what is normal: memory 50.00 TB/s.");
}

#[test]
fn a_counter_that_all_good_devices_told_is_missed() {
    // Memory without error correction: the counter is gone, and that is not the same as no error.
    let profile = learned(&[50.0]);
    assert!(profile.told.contains(&"ecc.uncorrected".to_owned()), "{:?}", profile.told);
    let own = without(good(7, 50.0), "ecc.uncorrected");
    let device = judge(&[own], &References { profile: Some(profile), ..References::default() }).remove(0);
    assert_eq!(device.grade, Grade::Inconclusive);
    assert_eq!(of(&device, "Q30").detail, "Not measured here, although a reference has it: ecc.uncorrected.");
    assert!(why(&edited("\"ecc.uncorrected\"", "\"ecc.uncorected\"")).contains("did you mean ecc.uncorrected"));
}

#[test]
fn bad_records_teach_nothing_and_the_message_names_them() {
    assert_eq!(Profile::learn(&[]), Err(LearnError::Nothing));
    let mut failed = records(&[50.0, 50.0]);
    failed[1] = qualification("02", &[with(good(1, 50.0), "driver.errors", 1.0)]);
    assert!(
        refused(&failed)
            .starts_with("record 02 cannot teach what is normal: device 1 (Accelerator X) is FAIL (Q33 driver errors)")
    );

    let mut incomplete = records(&[50.0]);
    incomplete[0] = qualification("01", &[without(good(0, 50.0), "memory.rate.mean")]);
    assert!(refused(&incomplete).contains("INCONCLUSIVE (Q01 ran to its end)"));

    let mut interrupted = records(&[50.0]);
    interrupted[0].status = RunStatus::Interrupted;
    assert!(refused(&interrupted).contains("it is interrupted; run it to its end"));

    let mut injected = records(&[50.0]);
    injected[0].inject_error = true;
    assert!(refused(&injected).contains("on purpose (--inject-error)"));

    let mut models = records(&[50.0, 50.0]);
    models[1].devices[0].device.name = "Accelerator Y".to_owned();
    assert!(refused(&models).contains("Accelerator X (10de:1234), Accelerator Y (10de:1234)"));

    let mut simulated = records(&[50.0, 50.0]);
    simulated[1].simulated = true;
    assert!(refused(&simulated).contains("mix simulated and real"));

    let mut work = records(&[50.0, 50.0]);
    work[1].devices[0].work[1].case.shape = "m=8,n=8".parse().unwrap();
    assert!(refused(&work).contains(
        "records 01 and 02 are not of the same work: arithmetic phase, shape m=1024 n=1024 here, m=8 n=8 there"
    ));

    let mut scopes = records(&[50.0, 50.0]);
    scopes[1].devices[0].metrics.iter_mut().filter(|m| m.scope.is_some()).for_each(|m| m.scope = Some(Scope::WallAc));
    assert!(refused(&scopes).contains("energy of another scope: wall AC here, board there"), "{}", refused(&scopes));

    let mut digests = records(&[50.0, 50.0]);
    digests[1].devices[0].outputs[1].seen[0].sha256 = digest('3');
    assert!(refused(&digests).contains("different outputs of the arithmetic phase"));

    let odd = refused(&records(&[50.0, 50.1, 49.9, 50.0, 40.0]));
    assert!(
        odd.contains("record 05") && odd.contains("40.00 TFLOP/s, -20.0 % from the median of all (50.00 TFLOP/s)"),
        "{odd}"
    );

    let mut rateless = records(&[50.0]);
    rateless[0].devices[0].metrics.retain(|metric| !metric.id.contains("rate.mean"));
    assert_eq!(Profile::learn(&rateless), Err(LearnError::NoRates));
}

#[test]
fn estimated_energy_gives_no_limit() {
    let mut estimated = records(&[50.0]);
    estimated[0].devices[0]
        .metrics
        .iter_mut()
        .filter(|m| m.evidence.is_some())
        .for_each(|m| m.evidence = Some(Evidence::Estimated));
    let profile = Profile::learn(&estimated).unwrap();
    assert!(profile.limits.keys().all(|id| !id.contains("efficiency")));
    assert!(profile.limits.contains_key(RATE));
}

#[test]
fn every_shipped_profile_is_readable_real_and_names_its_records() {
    assert_eq!(shipped().len(), SHIPPED.len(), "one cannot be read");
    assert!(shipped().iter().all(|profile| !profile.simulated && !profile.records.is_empty()));
}

#[test]
fn a_profile_fits_devices_by_their_name_and_never_mixes_simulated_with_real() {
    let of = |model: &str, simulated| Profile {
        name: "p".to_owned(),
        model: model.to_owned(),
        simulated,
        ..Profile::default()
    };
    let real = device(0);
    assert_eq!(of("Accelerator *", false).fits(&real), Ok(()));
    let why = of("Other", false).fits(&real).unwrap_err();
    assert_eq!(why, "profile p is for devices named `Other`, and this one is `Accelerator X`");
    assert!(of("*", true).fits(&real).unwrap_err().contains("simulated"));
}

#[test]
fn the_profile_in_the_guide_is_a_profile() {
    let guide = include_str!("../../../docs/qualifying-hardware.md");
    let shown = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let profile = Profile::read(shown).unwrap();
    assert_eq!((profile.fits(&device(0)), profile.limits.len()), (Ok(()), 2));
}

/// The text of a learned profile with one line in place of another.
fn edited(old: &str, new: &str) -> String {
    let text = learned(&[50.0]).to_toml();
    assert!(text.contains(old), "{text}");
    text.replacen(old, new, 1)
}

fn why(text: &str) -> String {
    Profile::read(text).unwrap_err().to_string()
}

#[test]
fn a_file_that_is_no_profile_is_refused_with_what_it_is() {
    assert!(why("schema = ").starts_with("it is no TOML: "), "{}", why("schema = "));
    assert!(why("").contains("`schema` must be \"wattmark/profile\", and is absent"));
    assert!(why("schema = \"wattmark/run\"").contains("and is \"wattmark/run\""));
    assert!(why(&edited("version = 1", "version = 2")).contains("version 2 of the format"));
    assert!(why(&edited("version = 1", "version = 0")).contains("`version` is 0, which is refused: it must be 1"));
    assert!(why(&edited("model = \"Accelerator X\"", "")).contains("`model` is missing: give the device's name"));
    assert!(why(&edited("model = ", "modell = ")).contains("unknown key `modell`: did you mean model?"));
}

#[test]
fn missing_and_contradictory_limits_are_refused_with_the_keys() {
    let table = "[limits.\"arithmetic.rate.mean\"]\nunit = \"FLOP/s\"\n";
    let with_limit = |lines: &str| {
        let text = learned(&[50.0]).to_toml();
        let head = text.split("# Q12").next().unwrap().to_owned();
        assert!(!head.contains("[limits"), "the first limit is an efficiency: {head}");
        format!("{head}\n{table}{lines}")
    };
    assert!(Profile::read(&with_limit("fail_below = 4e13")).is_ok());
    assert_eq!(
        why(&with_limit("warn_above = 4e13")),
        "[limits.\"arithmetic.rate.mean\"] has no limit: give fail_below, warn_below or both: lower is worse"
    );
    assert_eq!(
        why(&with_limit("fail_below = 5e13\nwarn_below = 4e13")),
        "[limits.\"arithmetic.rate.mean\"] contradicts itself: fail_below = 50000000000000 lies above warn_below = \
         40000000000000; the order is fail_below, warn_below, warn_above, fail_above, from low to high"
    );
    assert!(why(&with_limit("warn_below = 5e13\nwarn_above = 4e13")).contains("contradicts itself: warn_below"));
    assert!(why(&with_limit("fail_below = nan")).contains("`limits.\"arithmetic.rate.mean\".fail_below` is nan"));
    assert!(why(&with_limit("fail_below = -1")).contains("never negative"));
    assert!(why(&with_limit("fail_below = \"much\"")).contains("it must be a number"));
    assert!(
        why(&with_limit("fail_bellow = 1"))
            .contains("unknown key `limits.\"arithmetic.rate.mean\".fail_bellow`: did you mean fail_below")
    );
    assert!(why(&with_limit("fail_below = 1\nscope = \"bord\"")).contains("did you mean board?"));
    let none = with_limit("").replace(table, "");
    assert!(why(&none).contains("`limits` is missing: give at least one"));
}

#[test]
fn unknown_figures_units_and_phases_are_refused_with_a_suggestion() {
    let renamed = |name: &str| edited("[limits.\"arithmetic.rate.mean\"]", &format!("[limits.{name}]"));
    assert!(
        why(&renamed("\"arithmetic.rate.meen\""))
            .starts_with("`arithmetic.rate.meen` is not judged by any check: did you mean arithmetic.rate.mean")
    );
    assert!(why(&renamed("\"memory.power.mean\"")).contains("is not judged by any check"));
    assert!(
        why(&renamed("arithmetic.rate.mean")).contains("write the figure's name in quotation marks"),
        "{}",
        why(&renamed("arithmetic.rate.mean"))
    );
    assert!(why(&edited("unit = \"K/W\"", "unit = \"W/K\"")).contains("this figure has the unit K/W"));
    assert!(
        why(&edited("unit = \"FLOP/J\"", "unit = \"FLOPS/W\""))
            .contains("this figure has the unit FLOP/J or OP/J or B/J")
    );
    assert!(why(&edited("[work.memory]", "[work.memroy]")).contains("did you mean memory?"));
    assert!(why(&edited("element = \"f32\"", "element = \"f33\"")).contains("no precision is called `f33`"));
    assert!(why(&edited("]\nsha256 = \"", "]\nsha256 = \"xx")).contains("64 hexadecimal digits"));
    let lone = edited("[work.memory]", "[work.steps2]").replace("work.steps2", "outputs.steps");
    assert!(Profile::read(&lone).is_err());
    let share = edited("unit = \"K/W\"", "unit = \"K/W\"\nevidence = \"guessed\"");
    assert!(why(&share).contains("must be one of measured, declared"));
}

#[test]
fn limits_without_the_work_they_hold_for_are_refused() {
    let mut profile = learned(&[50.0]);
    profile.work.remove(Phase::Memory.name());
    assert!(why(&profile.to_toml()).contains("`work.memory` is missing"));
}

proptest! {
    #[test]
    fn every_record_that_was_learned_from_passes_its_own_profile(speeds in prop::collection::vec(49.0f64..51.0, 1..6)) {
        if let Ok(profile) = Profile::learn(&records(&speeds)) {
            prop_assert_eq!(&Profile::read(&profile.to_toml()).unwrap(), &profile);
            for (index, speed) in speeds.iter().enumerate() {
                let references = References { profile: Some(profile.clone()), ..References::default() };
                let device = judge(&[good(index as u32, *speed)], &references).remove(0);
                prop_assert_eq!(device.grade, Grade::Pass, "{:?}", device.checks.first());
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
        let _ = Profile::read(&text);
        let _ = Profile::read(&format!("schema = \"wattmark/profile\"\nversion = 1\n{text}"));
    }
}
