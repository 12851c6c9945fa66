//! What `wattmark carbon when` prints and draws. Nothing is computed here but stretches for the eye.
//!
//! What surprises people: the chart shows at most about two weeks around the windows, never years.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Plan;
use crate::account::Site;
use crate::account::schedule::{Placed, signal_meaning};
use crate::account::series::Series;
use crate::cli::accounting::pue_word;
use crate::cli::text;
use crate::figure::{ChartSource, ChosenWindow, WhenChart};
use crate::model::Evidence;

/// Longest stretch of a chart in seconds: two weeks.
const CHART_S: f64 = 14.0 * 86_400.0;

/// The page.
pub fn render(series: &Series, site: &Site, plans: &[Plan], zone: Option<&TimeZone>) -> String {
    let mut out = format!("When to run, by {}\n\n", series.name);
    let life = match series.life_cycle {
        Some(true) => ", with upstream",
        Some(false) => ", without upstream",
        None => ", upstream unstated",
    };
    let known = series.values.iter().flatten().count();
    let zone_words = match series.zone.as_str() {
        "" => "; zone unstated".to_owned(),
        // A plain column is named by the form already.
        zone if series.format.ends_with(zone) => String::new(),
        zone => format!("; {zone}"),
    };
    let about = format!(
        "{}{zone_words}; {} steps of {} min from {}, {known} with a value; {}{life}",
        series.format,
        series.values.len(),
        series.step.get() / 60.0,
        moment(series.start, None),
        series.gas.map_or_else(|| "gas unstated".to_owned(), |gas| gas.to_string()),
    );
    out += &text::entry("Series", &about);
    out += &text::entry("", &format!("sha256 {}", series.sha256));
    out += &text::entry("Signal", signal_meaning(series.method));
    for fault in &series.faults {
        out += &text::entry("Fault", fault);
    }
    out += &text::entry("PUE", &format!("{} {}", site.profile.pue.value, pue_word(site)));
    for plan in plans {
        out.push('\n');
        out += &one(series, plan, zone);
    }
    out
}

fn one(series: &Series, plan: &Plan, zone: Option<&TimeZone>) -> String {
    let found = &plan.schedule;
    let mark = plan.evidence.mark();
    let load = format!(
        "{}: {mark}{} over {:.4} h, {} ({})",
        plan.label,
        text::si(found.load.energy.point.get(), "J"),
        found.load.time.get() / 3600.0,
        plan.scope,
        plan.evidence
    );
    let mut out = text::entry("Load", &load);
    if plan.simulated {
        out += &text::entry("", "Times and power of this record were scripted: it describes no hardware.");
    }
    let range = format!(
        "released {}, done by {}: {} starts, {} not allowed for a step without a value",
        moment(found.release, zone),
        moment(found.end, zone),
        found.starts,
        found.refused_starts
    );
    out += &text::entry("Starts", &range);
    let gas = series.gas.map_or_else(|| "carbon".to_owned(), |gas| gas.to_string());
    let mut header = vec!["rule", "start (UTC)"];
    header.extend(zone.map(|_| "start (local)"));
    header.extend(["parts", "g/kWh", gas.as_str(), "95 %", "against now", "against mean"]);
    let first = header.len() - 6;
    let mut table = text::table(&header, &(first..first + 6).collect::<Vec<_>>());
    let placed = [found.now.as_ref(), Some(&found.best), found.interrupted.as_ref(), Some(&found.worst)];
    for placed in placed.into_iter().flatten() {
        table.add_row(row(placed, mark, zone));
    }
    let mut mean = vec!["mean of all starts".to_owned(), String::new()];
    mean.extend(zone.map(|_| String::new()));
    let grams = format!("{mark}{}", text::si(found.mean.point.get(), "g"));
    mean.extend([String::new(), String::new(), grams, text::spread(&found.mean), String::new(), String::new()]);
    table.add_row(mean);
    out += &text::lines(&table);
    for row in &found.sensitivity {
        let base = if found.now.is_some() { "run now" } else { "the mean of all starts" };
        let words = if row.error > 0.0 {
            format!(
                "{}, forecast errors of {:.0} %: saves {:.1} % against {base} (20 seeds: {:.1} to {:.1} %)",
                row.rule,
                row.error * 100.0,
                row.mean * 100.0,
                row.low * 100.0,
                row.high * 100.0
            )
        } else {
            format!("{}, forecast without error: saves {:.1} % against {base}", row.rule, row.mean * 100.0)
        };
        out += &text::entry("Saving", &words);
    }
    let noise =
        "errors are independent normal noise on each step; those of real forecasts last for hours and cost more";
    out += &text::entry("", noise);
    if let Some(study) = &plan.study {
        let words = format!(
            "over all {} releases of the series, done within {} h: the best start saves {:.1} % against starting at once, the \
             worst costs {:.1} % more (hindsight: every release knows what comes)",
            study.releases,
            study.within.get() / 3600.0,
            study.mean_saving * 100.0,
            study.mean_penalty * 100.0
        );
        out += &text::entry("Study", &words);
    }
    for note in &found.notes {
        out += &text::entry("Note", note);
    }
    if plan.evidence != Evidence::Measured {
        out += &text::entry("Note", &format!("the energy is {}: no interval is given", plan.evidence));
    }
    out
}

fn row(placed: &Placed, mark: &str, zone: Option<&TimeZone>) -> Vec<String> {
    let start = placed.stretches.first().map(|stretch| stretch.start);
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{:+.1} %", value * 100.0));
    let mut cells = vec![placed.rule.to_owned(), start.map_or_else(String::new, |start| moment(start, None))];
    cells.extend(zone.map(|zone| start.map_or_else(String::new, |start| moment(start, Some(zone)))));
    cells.extend([
        placed.stretches.len().to_string(),
        format!("{:.1}", placed.mean_g_per_kwh),
        format!("{mark}{}", text::si(placed.carbon.point.get(), "g")),
        text::spread(&placed.carbon),
        percent(placed.against_now),
        percent(Some(placed.against_mean)),
    ]);
    cells
}

/// `2022-06-01 03:00Z`, or with the zone's offset.
fn moment(instant: Timestamp, zone: Option<&TimeZone>) -> String {
    match zone {
        Some(zone) => instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M%:z").to_string(),
        None => instant.strftime("%Y-%m-%d %H:%MZ").to_string(),
    }
}

/// The chart: from release to deadline, or the two weeks around the best window where that is long.
pub fn chart(series: &Series, site: &Site, plan: &Plan) -> WhenChart {
    let found = &plan.schedule;
    let step = series.step.get();
    let index = |instant: Timestamp| {
        let seconds = (instant.as_nanosecond() - series.start.as_nanosecond()) as f64 / 1e9;
        (seconds / step).clamp(0.0, series.values.len() as f64)
    };
    let (mut from, mut to) = (index(found.release).floor() as usize, index(found.end).ceil() as usize);
    let most = (CHART_S / step).ceil() as usize;
    if to - from > most {
        let best = found.best.stretches.first().map_or(from, |stretch| index(stretch.start) as usize);
        from = best.saturating_sub(most / 2).clamp(from, to - most);
        to = from + most;
    }
    let offset = |instant: Timestamp| (index(instant) - from as f64) * step;
    let placed = [Some(&found.best), found.interrupted.as_ref(), found.now.as_ref(), Some(&found.worst)];
    let window = |placed: &Placed| ChosenWindow {
        name: placed.rule.to_owned(),
        stretches_s: placed
            .stretches
            .iter()
            .map(|stretch| (offset(stretch.start), offset(stretch.end)))
            .filter(|(start, end)| *start >= 0.0 && *end <= (to - from) as f64 * step + 1e-6)
            .collect(),
        grams: placed.carbon.point.get(),
    };
    let declared = if plan.evidence == Evidence::Declared { "DECLARED".to_owned() } else { plan.evidence.to_string() };
    WhenChart {
        source: ChartSource {
            run_ids: plan.run_ids.clone(),
            simulated: plan.simulated,
            subject: plan.label.clone(),
            energy: format!("{}, {declared}", plan.scope),
            evidence: vec![plan.evidence],
            basis: vec![
                format!("PUE {} ({}).", site.profile.pue.value, site.profile.name),
                format!("Series: {}, sha256 {}.", series.format, series.sha256.get(..12).unwrap_or_default()),
                format!("It is {}.", signal_meaning(series.method)),
            ],
        },
        series: if series.zone.is_empty() { series.name.clone() } else { format!("{}, {}", series.zone, series.name) },
        unit: series.gas.map_or_else(|| "g/kWh".to_owned(), |gas| format!("g {gas}/kWh")),
        from: series.time_of(from).strftime("%Y-%m-%d %H:%M UTC").to_string(),
        step_s: step,
        values: series.values.get(from..to).unwrap_or_default().to_vec(),
        windows: placed.into_iter().flatten().map(window).filter(|window| !window.stretches_s.is_empty()).collect(),
        mean_grams: Some(found.mean.point.get()),
    }
}
