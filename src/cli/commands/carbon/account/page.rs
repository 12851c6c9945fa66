//! The accounts of `wattmark carbon RUN` as a page: one block for each amount of work.
//!
//! What surprises people: two kinds of range are never joined. The 95 % interval is that of the joules; a range goes from
//! the lowest to the highest published figure, has no confidence, and stands as the value itself, so no end is preferred;
//! beside it stands how far the interval moves each end.

use super::remarks::remarks;
use crate::account::embodied::{Band, Embodied};
use crate::account::{Footprint, OtherFactor, Site, Terms};
use crate::cli::subjects::Read;
use crate::cli::text;
use crate::model::Estimate;
use crate::units::{FLOP_PER_EXAFLOP, GramsCo2e};

/// What stands where a figure is not known.
const UNKNOWN: &str = "not known";
/// What stands where no interval or band applies.
const NONE: &str = "–";
/// Width of the table of figures, which is indented.
const WIDTH: u16 = 110;

/// Title, site, contracts.
pub fn head(records: &[Read], site: &Site, site_text: &str, terms: &Terms) -> String {
    let whose = match records {
        [one] => one.record.run_id.clone(),
        many => format!("{} records", many.len()),
    };
    let market = super::remarks::market_text(terms);
    format!("Carbon of {whose} at {}\n\n{site_text}{market}", site.profile.name)
}

/// A block for each account; with the run's name where there are several.
pub fn accounts(accounts: &[Footprint], name_runs: bool) -> String {
    let mut said = Vec::new();
    let mut out = String::new();
    for account in accounts {
        out.push_str(&block(account, name_runs));
        let remarks = remarks(account);
        if remarks == said {
            out.push_str("\n        notes as above\n");
        } else {
            out.push('\n');
            let line = |(label, line): &(&str, String)| text::wrapped(&format!("        {label:<10}"), line);
            out.extend(remarks.iter().map(line));
        }
        said = remarks;
    }
    out
}

fn block(account: &Footprint, name_runs: bool) -> String {
    let subject = &account.subject;
    let kind = match subject.label.as_str() {
        _ if subject.device.contains(" × ") => "Fleet",
        label if label.starts_with("one run of ") => "Program",
        label if label.starts_with("one execution of ") => "Case",
        _ => "Job",
    };
    let run = if name_runs { format!(" [{}]", subject.run_ids.join(", ")) } else { String::new() };
    let mut out = format!("\n{}", text::entry(kind, &format!("{} on {}{run}", subject.label, subject.device)));
    out.push_str(&text::entry("", &energy_text(account)));
    if subject.simulated {
        out.push_str(&text::entry("", "Times and power were scripted: this describes no hardware."));
    }
    out.push('\n');
    let mut rows = text::narrow_table(&["figure", "value", "95 % of joules", "range of", "what it is"], &[1], WIDTH);
    for row in scope_two(account).into_iter().chain(intensities(account)).chain(context(account)) {
        rows.add_row(row.to_vec());
    }
    out.extend(text::lines(&rows).lines().map(|line| format!("        {line}\n")));
    out
}

fn energy_text(account: &Footprint) -> String {
    let subject = &account.subject;
    let about = subject.evidence.mark();
    let power = subject.power().map_or_else(String::new, |power| format!(" at {about}{}", text::si(power.get(), "W")));
    let time = subject.time.as_ref().map_or_else(
        || "its time was not measured".to_owned(),
        |time| format!("{}{power}", text::duration(time.point)),
    );
    let case = if subject.case.is_empty() { String::new() } else { format!("; {}", subject.case) };
    format!(
        "{about}{} = {about}{} at the {} ({}, {}); {time}{case}",
        text::si(subject.energy.point.get(), "J"),
        text::kilowatt_hours(account.energy_kwh.point.get()),
        subject.scope,
        subject.evidence,
        subject.source,
    )
}

/// Figure, value, interval, what a range is of, explanation.
type Row = [String; 5];

fn row(figure: &str, value: String, interval: String, range: String, what: impl Into<String>) -> Row {
    [figure.to_owned(), value, interval, range, what.into()]
}

fn none() -> String {
    NONE.to_owned()
}

/// Location- and market-based, and CUE.
fn scope_two(account: &Footprint) -> Vec<Row> {
    let (location, market) = (&account.location, &account.market);
    let about = account.subject.evidence.mark();
    let (device, facility) = (account.energy_kwh.point, account.facility_energy_kwh.point);
    let with_pue = if device == facility { "" } else { " with PUE" };
    let facility = format!("{about}{}{with_pue}", text::kilowatt_hours(facility.get()));
    let by_location = row(
        "location-based",
        format!("{about}{} {}", text::si(location.carbon.point.get(), "g"), location.gas),
        interval(&location.carbon),
        none(),
        format!("{facility} × {} g/kWh", text::significant(location.intensity_g_per_kwh.get())),
    );
    let by_market = match (&market.carbon, market.intensity_g_per_kwh) {
        (Some(carbon), Some(intensity)) => row(
            "market-based",
            format!("{about}{} {}", text::si(carbon.point.get(), "g"), market.gas()),
            interval(carbon),
            none(),
            format!("× {} g/kWh: {} proven", text::significant(intensity.get()), percent(market.proven_share)),
        ),
        _ => row("market-based", UNKNOWN.to_owned(), none(), none(), "see market below"),
    };
    let cue = format!("{} kg/kWh", text::significant(account.cue.kg_per_kwh));
    vec![by_location, by_market, row("CUE", cue, none(), none(), "PUE × factor, restated")]
}

/// SCI and CCI.
fn intensities(account: &Footprint) -> Vec<Row> {
    let sci = &account.sci;
    let about = account.subject.evidence.mark();
    let per = |grams: GramsCo2e, unit: &str| format!("{about}{}/{unit}", text::si(grams.get(), "g"));
    let unit = &sci.functional_unit.unit;
    let range = figures_behind(&account.embodied);
    let (part, joules) = (sci.operational.point, interval(&sci.operational));
    let mut rows = vec![match &sci.score {
        Some(score) => {
            let what = "(E × I + M) / R, location-based I";
            row("SCI", ends(score, about, unit), offsets(&sci.operational), range.clone(), what)
        }
        None => row("E × I / R", per(part, unit), joules, none(), sci.label),
    }];
    let Some(cci) = &account.cci else {
        rows.push(row("CCI", none(), none(), none(), "see CCI below"));
        return rows;
    };
    let unit = "EFLOP";
    let rate = cci.flop_per_s.map_or_else(String::new, |rate| format!(", {}", text::si(rate.get(), "FLOP/s")));
    let efficiency = format!("at {about}{}{rate}", text::si(cci.tflop_per_j * 1e12, "FLOP/J"));
    let operational = &cci.operational;
    rows.push(row("CCI operational", per(operational.point, unit), interval(operational), none(), efficiency));
    rows.push(match &cci.embodied {
        Some(own) => row("CCI embodied", ends(own, "", unit), none(), range.clone(), terms_text(account)),
        None => row("CCI embodied", UNKNOWN.to_owned(), none(), none(), "see embodied below"),
    });
    rows.push(match &cci.total {
        Some(own) => {
            row("CCI total", ends(own, about, unit), offsets(operational), range.clone(), "operational + embodied")
        }
        None => row("CCI total", UNKNOWN.to_owned(), none(), none(), "missing its embodied part"),
    });
    if let Some(inverse) = &cci.eflop_per_kg {
        let work = |exaflop: f64| text::si(exaflop * FLOP_PER_EXAFLOP, "FLOP");
        let (low, high) = (work(inverse.low), work(inverse.high));
        let value = if inverse.low == inverse.high { low } else { format!("{low} to {high}") };
        let (range, what) = match cci.inverse_is_operational {
            true => (none(), "1 / CCI operational"),
            false => (range, "1 / CCI total"),
        };
        rows.push(row("work per kg", format!("{about}{value}/kg"), none(), range, what));
    }
    rows
}

/// Where embodied equals operational, and how far the region's own factors differ.
fn context(account: &Footprint) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(equal) = &account.equal_intensity_g_per_kwh {
        let (low, high) = (text::si(equal.low.get(), "g"), text::si(equal.high.get(), "g"));
        let value = if equal.is_single() { low } else { format!("{low} to {high}") };
        let value = format!("{}{value}/kWh", account.subject.evidence.mark());
        let range = figures_behind(&account.embodied);
        rows.push(row("equal intensity", value, none(), range, "grid where embodied = operational"));
    }
    if let [lowest, .., highest] = &account.factors[..] {
        let named = |other: &OtherFactor| format!("{} {}", other.factor.region, text::year(&other.factor));
        let ends = |other: &OtherFactor| text::si(other.carbon.get(), "g");
        let about = account.subject.evidence.mark();
        rows.push(row(
            "other factors",
            format!("{about}{} to {}", ends(lowest), ends(highest)),
            none(),
            format!("{} factors", account.factors.len()),
            format!("{} to {}", named(lowest), named(highest)),
        ));
    }
    rows
}

/// Life and utilisation, each with whether anybody stated it.
fn terms_text(account: &Footprint) -> String {
    let word = |assumed: bool| if assumed { "assumed" } else { "stated" };
    let Embodied { life_years, utilisation, .. } = &account.embodied;
    format!(
        "{} y {}, {} in use {}",
        life_years.value,
        word(life_years.assumed),
        percent(utilisation.value),
        word(utilisation.assumed)
    )
}

fn interval(estimate: &Estimate<GramsCo2e>) -> String {
    estimate
        .interval
        .map_or_else(none, |own| format!("{} to {}", text::si(own.low.get(), "g"), text::si(own.high.get(), "g")))
}

/// How far the joules' interval moves each end of a band that holds them: `−51 g to +52 g`.
fn offsets(operational: &Estimate<GramsCo2e>) -> String {
    let point = operational.point;
    operational.interval.map_or_else(none, |own| {
        let (down, up) = (point.get() - own.low.get(), own.high.get() - point.get());
        format!("−{} to +{}", text::si(down, "g"), text::si(up, "g"))
    })
}

/// Both ends of a band per unit, or its one value.
fn ends(own: &Band<GramsCo2e>, about: &str, unit: &str) -> String {
    let (low, high) = (text::si(own.low.get(), "g"), text::si(own.high.get(), "g"));
    if own.is_single() { format!("{about}{low}/{unit}") } else { format!("{about}{low} to {high}/{unit}") }
}

/// How many embodied figures a range spans.
fn figures_behind(embodied: &Embodied) -> String {
    match embodied.devices.iter().map(|device| device.figures.len()).sum() {
        1 => "1 figure".to_owned(),
        count => format!("{count} figures"),
    }
}

/// A share as a percentage with up to two decimals.
pub fn percent(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 100.0)
}
