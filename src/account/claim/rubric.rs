//! Grades by a rubric that the user supplies: thresholds or straight lines over indicators.
//!
//! None is built in, since the thresholds of the standards are behind paid viewers. What surprises people: an indicator
//! whose input is missing gets no grade, and then there is no total; nothing is guessed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::account::factor::read_table;
use crate::account::{AccountError, Bounds, Job, Section, Site, Subject};

const NUMBER: Bounds = Bounds { low: f64::MIN, high: f64::MAX, above: false, meaning: "a finite number" };

/// How an indicator becomes points or a grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// The first step that the value meets: (limit, grade), with `at_most` or `at_least`.
    Steps {
        /// True for `at_most`, false for `at_least`.
        at_most: bool,
        /// Limits with their grades, best first.
        steps: Vec<(f64, String)>,
    },
    /// `a + b x`, between 0 and a maximum.
    Line {
        /// Points at 0.
        a: f64,
        /// Points for each unit.
        b: f64,
        /// Most points.
        max: f64,
    },
}

/// One indicator of a rubric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indicator {
    /// Key of its input: `pue`, `cue_kg_per_kwh`, `flops_per_watt`, or one of `[claims.site_data]`.
    pub key: String,
    /// Unit of its input.
    pub unit: String,
    /// How it is graded.
    pub scheme: Scheme,
}

/// A rubric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rubric {
    /// Its name.
    pub name: String,
    /// Where its thresholds were read.
    pub source: String,
    /// Work that `flops_per_watt` and `cci_operational_g_per_eflop` are of; the default of a record if it names none.
    pub job: Option<Job>,
    /// Its indicators.
    pub indicators: Vec<Indicator>,
}

/// An input with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// The value, in the indicator's unit.
    pub value: f64,
    /// Measured, declared or estimated, and by what.
    pub origin: String,
}

/// One indicator, graded or waiting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The indicator.
    pub indicator: Indicator,
    /// Its input; `None` if the site must supply it.
    pub input: Option<Input>,
    /// Its grade, for steps.
    pub grade: Option<String>,
    /// Its points, for a line.
    pub points: Option<f64>,
}

/// A graded rubric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Graded {
    /// Name of the rubric.
    pub name: String,
    /// Where its thresholds were read.
    pub source: String,
    /// Its indicators in order.
    pub rows: Vec<Row>,
    /// Sum of the points; `None` unless every indicator has an input and one has points.
    pub total_points: Option<f64>,
}

/// Reads a rubric file.
///
/// # Errors
/// An unreadable file, unknown keys, limits out of order, neither steps nor a line, an indicator named twice.
pub fn read_rubric(path: &Path) -> Result<Rubric, AccountError> {
    let table = read_table("rubric", path)?;
    let section = Section::new(path, Path::new("."), "rubric", &table, &["name", "source", "job", "indicator"])?;
    let keys = ["key", "unit", "grades", "score"];
    let indicators: Vec<Indicator> =
        section.sections("indicator", &keys)?.iter().map(indicator).collect::<Result<_, _>>()?;
    if indicators.is_empty() {
        return Err(section
            .missing("indicator", "write [[indicator]], key = \"pue\", grades = [{ at_most = 1.3, grade = \"A\" }]"));
    }
    for (index, own) in indicators.iter().enumerate() {
        if indicators[..index].iter().any(|other| other.key == own.key) {
            return Err(section.bad("indicator", format!("`{}` is there twice", own.key)));
        }
    }
    Ok(Rubric {
        name: section.required_text("name", "name the rubric")?.to_owned(),
        source: section.required_text("source", "say where its thresholds were read")?.to_owned(),
        job: match section.text("job")? {
            None => None,
            Some(text) => {
                Some(text.parse::<Job>().map_err(|error| {
                    section.bad("job", format!("{error}; write for example job = \"gemm/f16=1e18\""))
                })?)
            }
        },
        indicators,
    })
}

fn indicator(section: &Section<'_>) -> Result<Indicator, AccountError> {
    let key = section.required_text("key", "name the input, such as pue")?.to_owned();
    let unit = section.text("unit")?.unwrap_or_default().to_owned();
    let line = section.section("score", &["a", "b", "max"])?;
    let steps = section.sections("grades", &["at_most", "at_least", "grade"])?;
    let scheme = match (line, steps.is_empty()) {
        (Some(line), true) => Scheme::Line {
            a: line.required("a", NUMBER)?,
            b: line.required("b", NUMBER)?,
            max: line.required("max", Bounds::positive("points, above 0"))?,
        },
        (None, false) => of_steps(section, &steps)?,
        _ => return Err(section.missing("grades` or `score", "give one of them: limits with grades, or a + b x")),
    };
    Ok(Indicator { key, unit, scheme })
}

fn of_steps(section: &Section<'_>, steps: &[Section<'_>]) -> Result<Scheme, AccountError> {
    let at_most = steps[0].has("at_most");
    let name = if at_most { "at_most" } else { "at_least" };
    let mut read: Vec<(f64, String)> = Vec::new();
    for step in steps {
        if step.has("at_most") == step.has("at_least") {
            return Err(step.missing(name, "each grade needs one limit: at_most or at_least"));
        }
        let limit = step.required(name, NUMBER)?;
        if read.last().is_some_and(|(last, _)| if at_most { limit <= *last } else { limit >= *last }) {
            return Err(section.bad("grades", "the limits must stand in order, best grade first"));
        }
        read.push((limit, step.required_text("grade", "name the grade")?.to_owned()));
    }
    Ok(Scheme::Steps { at_most, steps: read })
}

/// Inputs that a record and a site give: PUE, grid intensity, CUE, and FLOPS/W with operational CCI of a subject.
pub fn measured_inputs(site: &Site, subjects: &[Subject]) -> BTreeMap<String, Input> {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    let kilograms = grid.intensity_g_per_kwh.get() / 1e3;
    let mut inputs = BTreeMap::new();
    let mut put = |key: &str, value: f64, origin: String| inputs.insert(key.to_owned(), Input { value, origin });
    let declared = format!("{} PUE: {}", pue.evidence, pue.source);
    put("pue", pue.value, declared.clone());
    put("grid_kg_per_kwh", kilograms, format!("{}: {}", grid.region, grid.publisher));
    put("cue_kg_per_kwh", pue.value * kilograms, format!("PUE × factor, no annual meter; {declared}"));
    if let [subject] = subjects {
        let joules = subject.energy.point.get();
        if let Some(flop) = subject.flop().map(|flop| flop.get()).filter(|flop| *flop > 0.0 && joules > 0.0) {
            let simulated = if subject.simulated { "SIMULATED, " } else { "" };
            let origin = format!(
                "{simulated}{} at the {}, {}, {}, by {}",
                subject.evidence, subject.scope, subject.device, subject.label, subject.case
            );
            put("flops_per_watt", flop / joules, origin.clone());
            // g/EFLOP = J/FLOP × 1e18 / 3.6e6 × PUE × g/kWh.
            let cci = joules / flop * 1e18 / 3.6e6 * pue.value * kilograms * 1e3;
            put("cci_operational_g_per_eflop", cci, format!("{origin}; {declared}"));
        }
    }
    inputs
}

/// Grades a site; `[claims.site_data]` gives what a record cannot, and goes before it.
///
/// # Errors
/// A key of `[claims.site_data]` that the rubric does not have, or a value that is no number.
pub fn grade(site: &Site, rubric: &Rubric, measured: &BTreeMap<String, Input>) -> Result<Graded, AccountError> {
    let mut inputs = measured.clone();
    inputs.extend(site_data(site, rubric)?);
    let rows: Vec<Row> = rubric.indicators.iter().map(|own| row(own, inputs.get(&own.key).cloned())).collect();
    let whole = rows.iter().all(|row| row.input.is_some());
    let points: Vec<f64> = rows.iter().filter_map(|row| row.points).collect();
    let total_points = (whole && !points.is_empty()).then(|| points.iter().sum());
    Ok(Graded { name: rubric.name.clone(), source: rubric.source.clone(), rows, total_points })
}

fn site_data(site: &Site, rubric: &Rubric) -> Result<BTreeMap<String, Input>, AccountError> {
    let known: Vec<&str> = super::KEYS.iter().copied().chain(["claim", "site_data"]).collect();
    let Some(claims) = site.section("claims", &known)? else { return Ok(BTreeMap::new()) };
    let keys: Vec<&str> = rubric.indicators.iter().map(|own| own.key.as_str()).collect();
    let Some(section) = claims.section("site_data", &keys)? else { return Ok(BTreeMap::new()) };
    let mut inputs = BTreeMap::new();
    for key in keys {
        if let Some(value) = section.number(key, NUMBER)? {
            inputs.insert(key.to_owned(), Input { value, origin: "declared by the site file".to_owned() });
        }
    }
    Ok(inputs)
}

fn row(indicator: &Indicator, input: Option<Input>) -> Row {
    let value = input.as_ref().map(|input| input.value);
    let (grade, points) = match (&indicator.scheme, value) {
        (_, None) => (None, None),
        (Scheme::Line { a, b, max }, Some(value)) => (None, Some((a + b * value).clamp(0.0, *max))),
        (Scheme::Steps { at_most, steps }, Some(value)) => {
            let meets = |limit: f64| if *at_most { value <= limit } else { value >= limit };
            let found = steps.iter().find(|(limit, _)| meets(*limit));
            (Some(found.map_or_else(|| "none: no limit is met".to_owned(), |(_, grade)| grade.clone())), None)
        }
    };
    Row { indicator: indicator.clone(), input, grade, points }
}

#[cfg(test)]
mod tests {
    use super::super::testing::site;
    use super::*;
    use crate::account::testing::subject;

    const INVENTED: &str = "name = \"Invented\"\nsource = \"invented for this test\"\n\
        [[indicator]]\nkey = \"pue\"\nscore = { a = 100, b = -50, max = 45 }\n\
        [[indicator]]\nkey = \"flops_per_watt\"\ngrades = [{ at_least = 2e12, grade = \"A\" }, { at_least = 1e12, grade = \"B\" }]\n\
        [[indicator]]\nkey = \"wue_l_per_kwh\"\nscore = { a = 10, b = -2, max = 10 }\n";

    fn read(text: &str) -> Result<Rubric, AccountError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rubric.toml");
        std::fs::write(&path, text).unwrap();
        read_rubric(&path)
    }

    #[test]
    fn what_the_harness_cannot_know_waits_and_there_is_no_total() {
        let site = site("");
        let graded = grade(&site, &read(INVENTED).unwrap(), &measured_inputs(&site, &[subject()])).unwrap();
        // 100 − 50 × 1.2 = 40, below 45; 1e18 FLOP / 1e6 J = 1e12 FLOPS/W: B.
        assert_eq!(graded.rows[0].points, Some(40.0));
        assert_eq!(graded.rows[1].grade.as_deref(), Some("B"));
        assert_eq!((graded.rows[2].input.clone(), graded.total_points), (None, None));
    }

    #[test]
    fn with_every_input_there_is_a_total() {
        let site = site("[claims.site_data]\nwue_l_per_kwh = 1.5");
        let graded = grade(&site, &read(INVENTED).unwrap(), &measured_inputs(&site, &[subject()])).unwrap();
        // 10 − 2 × 1.5 = 7; 40 + 7.
        assert_eq!(graded.total_points, Some(47.0));
    }

    #[test]
    fn cue_and_cci_are_those_worked_by_hand() {
        let inputs = measured_inputs(&site(""), &[subject()]);
        // 1.2 × 0.1796 = 0.21552 kg/kWh; 1 TFLOPS/W: 277.78 × 1.2 × 0.1796 = 59.867 g/EFLOP.
        assert!((inputs["cue_kg_per_kwh"].value - 0.21552).abs() < 1e-9);
        assert!((inputs["cci_operational_g_per_eflop"].value - 59.8667).abs() < 1e-3);
    }

    #[test]
    fn slips_in_a_rubric_or_in_site_data_are_refused() {
        for (text, part) in [
            ("name = \"x\"\nsource = \"y\"", "[[indicator]]"),
            (
                "name = \"x\"\nsource = \"y\"\njob = \"gemm/f16\"\n[[indicator]]\nkey = \"pue\"\nscore = { a = 1, b = 1, max = 1 }",
                "there is no `=`",
            ),
            ("name = \"x\"\nsorce = \"y\"", "did you mean source?"),
            ("name = \"x\"\nsource = \"y\"\n[[indicator]]\nkey = \"pue\"", "a + b x"),
            (
                "name = \"x\"\nsource = \"y\"\n[[indicator]]\nkey = \"pue\"\nscore = { a = nan, b = 1, max = 1 }",
                "finite",
            ),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let site = site("[claims.site_data]\nwue = 1.5");
        let message = grade(&site, &read(INVENTED).unwrap(), &BTreeMap::new()).unwrap_err().to_string();
        assert!(message.contains("claims.site_data.wue") && message.contains("wue_l_per_kwh"), "{message}");
    }
}
