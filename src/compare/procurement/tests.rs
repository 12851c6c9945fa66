//! Figures worked by hand, and everything that is not a figure: no energy, estimates, other scopes, nothing in common.

use super::*;
use crate::account::resolve_site;
use crate::compare::testing::{Run, Spec, run};
use crate::model::Device;

const PRICES: &str = "[cost]\ncurrency = \"CNY\"\ndiscount_rate = 0.08\nlife_years = 4\nutilisation = 0.6\ntariff = 0.5\n\
    carbon_price_per_t = 75\nmaintenance_per_year = 2000\n\
    [[cost.device]]\nmatch = \"Device X\"\nprice = 100000\n[[cost.device]]\nmatch = \"Device Y\"\nprice = 60000\n";

fn site(tables: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hall.toml"), format!("grid = \"CN-QH\"\npue = 1.2\n{tables}")).unwrap();
    resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap()
}

fn of(runs: &[&Run], tables: &str) -> Procurement {
    let records: Vec<_> = runs.iter().map(|run| (&run.record, &run.result)).collect();
    procurement(&records, &site(tables), &ProcurementOptions::default()).unwrap()
}

/// 1000 executions of 2 GFLOP a second at 0.1 J each: 2 TFLOP/s at 100 W.
fn slow() -> Run {
    run("Device X", &[Spec { joules: &[0.1; 5], ..Spec::default() }])
}

/// Twice as fast at 1.5 times the power: 4 TFLOP/s at 150 W, 0.075 J each.
const QUICK: Spec<'_> = Spec {
    variant: "gemm/tiled-f32",
    speeds: &[2000.0; 5],
    joules: &[0.075; 5],
    scope: Scope::Board,
    evidence: Evidence::Measured,
    gain: 0.0,
};

fn quick() -> Run {
    run("Device Y", &[QUICK])
}

fn near(found: f64, expected: f64) -> bool {
    (found / expected - 1.0).abs() < 1e-6
}

#[test]
fn a_device_twice_as_fast_at_one_and_a_half_times_the_power_is_accounted_as_worked_by_hand() {
    let found = of(&[&slow(), &quick()], PRICES);
    let work = &found.workloads[0];
    let (x, y) = (&work.rows[0], &work.rows[1]);
    assert_eq!((x.name().as_str(), y.name().as_str()), ("A Device X", "B Device Y"));
    // 2e12 and 4e12 FLOP/s over 100 and 150 W: 2e10 and 2.666 667e10 FLOP/J; 1e18 FLOP take 5e7 and 3.75e7 J.
    assert!(near(x.work_per_j.unwrap().point.get(), 2e10) && near(y.work_per_j.unwrap().point.get(), 2.666_666_67e10));
    assert!(near(x.power.unwrap().get(), 100.0) && near(y.power.unwrap().get(), 150.0));
    let joules = |row: &Row| row.energy_per_unit.unwrap().point.get();
    assert!(near(joules(x), 5e7) && near(joules(y), 3.75e7));
    // 5e7 J are 13.888 889 kWh; × 1.2 × 179.6 g = 2993.333 g; of Y three quarters of it.
    let grams = |row: &Row| row.operational_per_unit.unwrap().point.get();
    assert!(near(grams(x), 2_993.333_333) && near(grams(y), 2245.0));
    // One X does 2e12 × 3600 × 8760 × 0.6 = 3.784 32e19 FLOP a year; half a Y does the same.
    assert!(near(work.work_per_year.unwrap(), 3.784_32e19));
    assert_eq!(work.set_by.as_deref(), Some("A Device X"));
    let devices = |row: &Row| row.devices.map(|own| (own.fraction.point.get(), own.whole)).unwrap();
    assert!(near(devices(x).0, 1.0) && near(devices(y).0, 0.5) && (devices(x).1, devices(y).1) == (1.0, 1.0));
    // 100 W × 5256 h × 1.2 = 630.72 kWh; 150 W × 2628 h × 1.2 = 473.04 kWh.
    let year = |row: &Row| row.year.clone().unwrap();
    assert!(near(year(x).energy.point.get(), 630.72) && near(year(y).energy.point.get(), 473.04));
    // Grams × 179.6: 113 277.312 and 84 957.984.
    assert!(near(year(x).operational.point.get(), 113_277.312) && near(year(y).operational.point.get(), 84_957.984));
    // Electricity and its carbon: 630.72 × 0.5 + 0.113 277 t × 75 = 323.855 8; 473.04 × 0.5 + 0.084 958 × 75 = 242.891 8.
    // X: 100 000 × 0.301 920 8 + 2000 + 323.855 8 = 32 515.936 2. Y: (60 000 × 0.301 920 8 + 2000) / 2 + 242.891 8
    // = 10 300.516 0; bought whole 20 115.248 2 + 242.891 8 = 20 358.140 1.
    assert!(near(year(x).money.unwrap().point.get(), 32_515.936_2));
    assert!(near(year(y).money.unwrap().point.get(), 10_300.516_0));
    assert!(near(year(y).money_of_whole.unwrap().get(), 20_358.140_1));
    assert_eq!(y.standing, Standing::OnFront);
    assert_eq!(x.standing, Standing::Beaten { by: vec!["B Device Y".to_owned()] });
}

#[test]
fn a_reference_of_eight_devices_needs_eight_times_as_much() {
    let (slow, quick) = (slow(), quick());
    let records = [(&slow.record, &slow.result), (&quick.record, &quick.result)];
    let found = procurement(&records, &site(PRICES), &ProcurementOptions { devices: 8 }).unwrap();
    let devices: Vec<f64> = found.workloads[0].rows.iter().map(|row| row.devices.unwrap().whole).collect();
    assert_eq!(devices, [8.0, 4.0]);
    assert!(near(found.workloads[0].rows[0].year.as_ref().unwrap().energy.point.get(), 8.0 * 630.72));
}

#[test]
fn a_device_without_energy_keeps_its_rate_and_has_reasons_in_place_of_the_rest() {
    let mut dark = quick();
    dark.result.cases[0].energy.clear();
    let found = of(&[&slow(), &dark], PRICES);
    let row = &found.workloads[0].rows[1];
    assert!(near(row.rate_per_s.unwrap().point.get(), 4e12) && near(row.devices.unwrap().fraction.point.get(), 0.5));
    assert!(row.work_per_j.is_none() && row.energy_per_unit.is_none() && row.year.is_none());
    assert!(row.missing[0].contains("no power reading"), "{:?}", row.missing);
    assert_eq!((&row.standing, &found.workloads[0].rows[0].standing), (&Standing::NotRanked, &Standing::Alone));
}

#[test]
fn outputs_that_were_wrong_give_no_figure_and_the_next_device_sets_the_work() {
    let mut wrong = slow();
    wrong.result.cases[0].verified = false;
    let found = of(&[&wrong, &quick()], PRICES);
    let work = &found.workloads[0];
    assert!(work.rows[0].rate_per_s.is_none() && work.rows[0].missing[0].contains("outputs were wrong"));
    assert!(work.rows[0].scope.is_none() && work.rows[0].devices.is_none());
    assert_eq!(work.set_by.as_deref(), Some("B Device Y"));
}

#[test]
fn estimated_energy_has_no_interval_and_is_not_ranked_against_measured() {
    let estimated = run("Device Y", &[Spec { evidence: Evidence::Estimated, ..QUICK }]);
    let found = of(&[&slow(), &estimated], PRICES);
    let (x, y) = (&found.workloads[0].rows[0], &found.workloads[0].rows[1]);
    assert!(x.work_per_j.unwrap().interval.is_some() && y.work_per_j.unwrap().interval.is_none());
    assert!(y.energy_per_unit.unwrap().interval.is_none() && y.operational_per_unit.unwrap().interval.is_none());
    let year = y.year.as_ref().unwrap();
    assert!(year.energy.interval.is_none() && year.money.unwrap().interval.is_none());
    assert_eq!((&x.standing, &y.standing), (&Standing::Alone, &Standing::Alone));
    assert!(found.notes.iter().any(|note| note.starts_with('≈')), "{:?}", found.notes);
    assert_eq!(y.scope_words().as_deref(), Some("board, estimated"));
}

#[test]
fn energies_of_different_scopes_are_named_and_not_ranked_unless_one_scope_is_shared() {
    let wall = run("Device Y", &[Spec { scope: Scope::WallAc, ..QUICK }]);
    let found = of(&[&slow(), &wall], PRICES);
    assert!(found.workloads[0].rows.iter().all(|row| row.standing == Standing::Alone));
    assert!(found.notes.iter().any(|note| note.contains("SCOPES OR EVIDENCE DIFFER")), "{:?}", found.notes);
    // Y was read at the wall and at the board: the board stands, as X's does.
    let mut both = wall;
    both.result.cases[0].energy.extend(quick().result.cases[0].energy.clone());
    let found = of(&[&slow(), &both], PRICES);
    assert!(found.workloads[0].rows.iter().all(|row| row.scope == Some(Scope::Board)));
    assert_eq!(found.workloads[0].rows[1].standing, Standing::OnFront);
}

#[test]
fn a_device_that_is_better_by_the_points_alone_settles_nothing() {
    // Means 1000 and 1010 a second; windows spread by 100: the intervals overlap.
    let spread = |speeds| Spec { speeds, joules: &[0.1; 5], ..Spec::default() };
    let one = run("Device X", &[spread(&[900.0, 950.0, 1000.0, 1050.0, 1100.0])]);
    let other = run("Device Y", &[Spec { joules: &[0.09; 5], ..spread(&[910.0, 960.0, 1010.0, 1060.0, 1110.0]) }]);
    let found = of(&[&one, &other], PRICES);
    assert_eq!(found.workloads[0].rows[0].standing, Standing::NotSettled { by: vec!["B Device Y".to_owned()] });
    // Faster, but with less work per joule: neither beats the other.
    let thirsty = run("Device Y", &[Spec { joules: &[0.2; 5], ..QUICK }]);
    let found = of(&[&slow(), &thirsty], PRICES);
    assert!(found.workloads[0].rows.iter().all(|row| row.standing == Standing::OnFront));
}

#[test]
fn a_second_currency_is_refused_by_name() {
    let mixed = PRICES.replace("price = 60000", "price = 60000\ncurrency = \"USD\"");
    let (one, other) = (slow(), quick());
    let records = [(&one.record, &one.result), (&other.record, &other.result)];
    let message = procurement(&records, &site(&mixed), &ProcurementOptions::default()).unwrap_err().to_string();
    assert!(message.contains("in CNY") && message.contains("in USD"), "{message}");
}

#[test]
fn a_device_without_a_price_has_energy_money_and_no_whole_amount() {
    let nameless = run("Device Z", &[QUICK]);
    let found = of(&[&slow(), &nameless], PRICES);
    let row = &found.workloads[0].rows[1];
    let year = row.year.as_ref().unwrap();
    assert!(year.money.is_none() && near(year.energy_money.unwrap().point.get(), 242.891_848_8));
    assert!(row.missing.iter().any(|reason| reason.contains("match = \"Device Z\"")), "{:?}", row.missing);
}

#[test]
fn without_prices_energy_and_carbon_stand_and_the_utilisation_is_said_to_be_assumed() {
    let found = of(&[&slow(), &quick()], "");
    assert_eq!((found.terms.currency.as_deref(), found.terms.utilisation), (None, 1.0));
    let year = found.workloads[0].rows[0].year.as_ref().unwrap();
    // 100 W × 8760 h × 1.2 = 1051.2 kWh.
    assert!(near(year.energy.point.get(), 1051.2) && year.money.is_none() && year.energy_money.is_none());
    assert!(found.notes[0].contains("assumed"), "{:?}", found.notes);
}

#[test]
fn work_that_one_record_lacks_is_left_out_and_named() {
    let gemv = Spec { variant: "gemv/f32", ..QUICK };
    let both = run("Device X", &[Spec { joules: &[0.1; 5], ..Spec::default() }, gemv]);
    let found = of(&[&both, &quick(), &slow()], PRICES);
    assert_eq!((found.workloads.len(), found.workloads[0].rows.len()), (1, 3));
    let left = &found.left_out[0];
    assert_eq!(
        (left.case.problem.as_str(), &left.done_by[..], &left.missing_in[..]),
        ("gemv", &["A".to_owned()][..], &["B".to_owned(), "C".to_owned()][..])
    );
}

#[test]
fn records_without_common_work_say_so_and_have_no_rows() {
    let other = run("Device Y", &[Spec { variant: "gemv/f32", ..QUICK }]);
    let found = of(&[&slow(), &other], PRICES);
    assert!(found.workloads.is_empty() && found.left_out.len() == 2);
    assert!(found.notes[0].starts_with("no work is common"), "{:?}", found.notes);
    assert!(of(&[], PRICES).workloads.is_empty());
}

#[test]
fn a_device_stands_with_the_fastest_of_its_paired_variants() {
    let naive = |speeds, joules| Spec { variant: "gemm/naive-f32", speeds, joules, ..Spec::default() };
    let one = run("Device X", &[naive(&[500.0; 5], &[0.3; 5]), Spec { joules: &[0.1; 5], ..Spec::default() }]);
    let other = run("Device Y", &[naive(&[3000.0; 5], &[0.05; 5]), QUICK]);
    let found = of(&[&one, &other], PRICES);
    let variants: Vec<&str> = found.workloads[0].rows.iter().map(|row| row.variant.as_str()).collect();
    assert_eq!(variants, ["gemm/tiled-f32", "gemm/naive-f32"]);
    assert!(found.notes.iter().any(|note| note.contains("fastest of its paired variants")));
}

#[test]
fn a_buyer_sees_products_before_other_work() {
    let names = ["softmax/f32", "gemv/f32", "gemm/tiled-f32", "attention-decode/f32"];
    let specs = || names.map(|variant| Spec { variant, ..QUICK });
    let found = of(&[&run("Device X", &specs()), &run("Device Y", &specs())], PRICES);
    let problems = |most| found.principal(most).iter().map(|work| work.case.problem.clone()).collect::<Vec<_>>();
    assert_eq!(problems(3), ["gemm", "gemv", "attention-decode"]);
    assert_eq!(problems(6).len(), 4);
}

#[test]
fn every_device_of_a_record_has_a_row_and_the_first_sets_the_work() {
    let two = |name: &str| {
        let mut run = run(name, &[Spec { joules: &[0.1; 5], ..Spec::default() }, QUICK]);
        run.result.cases[1].case.device = 1;
        let second = Device { ordinal: 1, ..run.record.devices[0].clone() };
        run.record.devices.push(second);
        run
    };
    let found = of(&[&two("Device X"), &two("Device Y")], PRICES);
    let rows: Vec<(&str, u32)> = found.workloads[0].rows.iter().map(|row| (row.record.as_str(), row.ordinal)).collect();
    assert_eq!(rows, [("A", 0), ("A", 1), ("B", 0), ("B", 1)]);
    let fractions: Vec<f64> =
        found.workloads[0].rows.iter().map(|row| row.devices.unwrap().fraction.point.get()).collect();
    assert!(near(fractions[0], 1.0) && near(fractions[1], 0.5) && near(fractions[2], 1.0), "{fractions:?}");
}
