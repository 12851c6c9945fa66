//! The table as a reader gets it: width, marks, gaps, escaped names.

use super::*;
use crate::account::{Site, resolve_site};
use crate::compare::procurement::{ProcurementOptions, procurement};
use crate::compare::testing::{Run, Spec, run};
use crate::model::{Evidence, Scope};

const PRICES: &str = "[cost]\ncurrency = \"CNY\"\ndiscount_rate = 0.08\nlife_years = 4\nutilisation = 0.6\ntariff = 0.5\n\
    [[cost.device]]\nmatch = \"*\"\nprice = 123456789\n";

fn site(tables: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hall.toml"), format!("name = \"Hall\"\ngrid = \"CN-QH\"\npue = 1.2\n{tables}"))
        .unwrap();
    resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap()
}

fn of(runs: &[&Run], tables: &str) -> Procurement {
    let records: Vec<_> = runs.iter().map(|run| (&run.record, &run.result)).collect();
    procurement(&records, &site(tables), &ProcurementOptions::default()).unwrap()
}

const LONG: &str = "NVIDIA GH200 480GB (a | b), a name that is longer than any table is wide, and longer still";

fn measured() -> Run {
    run("Device X", &[Spec { speeds: &[1000.0, 1010.0, 990.0, 1003.0, 997.0], ..Spec::default() }])
}

fn estimated() -> Run {
    run(LONG, &[Spec { evidence: Evidence::Estimated, scope: Scope::WallAc, ..Spec::default() }])
}

fn csv_of(table: &Procurement) -> String {
    let mut out = Vec::new();
    csv(table, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_text_fits_120_columns_whatever_a_device_is_called_and_names_it_in_full_once() {
    let text = text(&of(&[&measured(), &estimated()], PRICES));
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 120, "{widest}:\n{text}");
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains(LONG), "{text}");
    assert!(text.contains("A Device X") && text.contains("B NVIDIA"), "{text}");
}

#[test]
fn an_estimate_is_marked_without_an_interval_and_its_scope_is_numbered() {
    let text = text(&of(&[&measured(), &estimated()], PRICES));
    let row = text.lines().find(|line| line.contains("B NVIDIA")).unwrap();
    assert!(row.contains("≈1.00 TFLOPS/W") && row.contains("—"), "{row}");
    assert!(row.ends_with("alone [2]"), "{row}");
    assert!(text.contains("[1] board; [2] wall AC, estimated"), "{text}");
}

#[test]
fn what_is_missing_is_a_dash_with_its_reason_and_an_empty_field() {
    let mut dark = measured();
    dark.result.cases[0].energy.clear();
    let table = of(&[&measured(), &dark], PRICES);
    let text = text(&table);
    assert!(text.contains("no power reading") && !text.contains(" 0 W"), "{text}");
    let sheet = csv_of(&table);
    let mut rows = ::csv::Reader::from_reader(sheet.as_bytes());
    let heads = rows.headers().unwrap().clone();
    let all: Vec<::csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let cell = |row: usize, head: &str| all[row][heads.iter().position(|own| own == head).unwrap()].to_owned();
    assert_eq!((cell(1, "work_per_j"), cell(1, "year_energy_kwh"), cell(1, "year_money")), Default::default());
    assert!(cell(1, "missing").contains("no power reading") && !cell(1, "rate_per_s").is_empty());
    assert_eq!((cell(0, "scope"), cell(0, "currency"), cell(0, "per")), ("board".into(), "CNY".into(), "EFLOP".into()));
    // 1e9 executions of 2 GFLOP at 2 mJ: 1e12 FLOP/J.
    assert!((cell(0, "work_per_j").parse::<f64>().unwrap() / 1e12 - 1.0).abs() < 1e-9);
}

#[test]
fn every_row_of_the_markdown_has_the_cells_of_its_head_whatever_a_device_is_called() {
    let mut dark = estimated();
    dark.result.cases[0].energy.clear();
    let text = markdown(&of(&[&measured(), &dark], PRICES));
    let bars: Vec<usize> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.replace("\\|", "").matches('|').count())
        .collect();
    // Two tables of a head, a rule and two rows.
    assert_eq!(bars, [12, 12, 12, 12, 13, 13, 13, 13], "{text}");
    assert!(text.contains("(a \\| b)"), "{text}");
}

#[test]
fn of_many_workloads_the_text_lists_the_principal_ones_and_says_where_the_others_are() {
    let names: Vec<String> = (0..12).map(|index| format!("problem-{index}/f32")).collect();
    let specs = || names.iter().map(|name| Spec { variant: name, ..Spec::default() }).collect::<Vec<_>>();
    let table = of(&[&run("Device X", &specs()), &run("Device Y", &specs())], "");
    let text = text(&table);
    assert!(text.contains("6 more common workloads are in the CSV"), "{text}");
    assert_eq!(csv_of(&table).lines().count(), 1 + 24);
    assert!(!text.contains("CNY") && text.contains("no prices"), "{text}");
}

#[test]
fn without_common_work_the_text_says_so() {
    let other = run("Device Y", &[Spec { variant: "gemv/f32", ..Spec::default() }]);
    let table = of(&[&measured(), &other], "");
    assert!(text(&table).contains("no work is common to all these records"));
    assert_eq!(csv_of(&table).lines().count(), 1);
    assert!(markdown(&table).contains("is in A and not in B"));
}

#[test]
fn amounts_have_four_figures_and_thousands_apart() {
    for (value, words) in
        [(0.0, "0"), (0.012_34, "0.0123"), (12.345, "12.3"), (1234.5, "1234"), (1_234_567.0, "1 235 000")]
    {
        assert_eq!(amount(value), words);
    }
}
