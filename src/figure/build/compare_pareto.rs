//! `compare-pareto`: work per joule against throughput of compared devices, one panel for each chosen workload.
//!
//! Further right is faster and further up does more work per joule, so the best corner is at the upper right. What surprises
//! people: only devices whose energy has one scope and one evidence share a front; the others stand in the same panel with
//! their scope written beside them.

use std::collections::BTreeSet;

use super::{SIMULATED, arrow_sentence, bounds, support, whisker_sentence, words};
use crate::compare::procurement::{Procurement, Row, Standing, Workload};
use crate::figure::{
    Axis, DOUBLE_COLUMN_MM, Figure, Guide, GuideKind, Ink, LegendEntry, Marker, Panel, Point, PointPanel, Sign, Table,
};
use crate::model::Evidence;

const COLUMNS: [&str; 18] = [
    "panel",
    "problem",
    "shape",
    "element",
    "record",
    "device",
    "variant",
    "unit",
    "rate_per_s",
    "rate_low_per_s",
    "rate_high_per_s",
    "work_per_j",
    "work_low_per_j",
    "work_high_per_j",
    "power_w",
    "scope",
    "evidence",
    "standing",
];

/// Panels drawn at most; the CSV holds every workload.
const MOST_PANELS: usize = 6;

/// Devices by workload, with lines of equal power and the front.
pub fn compare_pareto(found: &Procurement) -> Figure {
    let chosen = found.principal(MOST_PANELS);
    let mut figure = Figure {
        id: "compare-pareto".to_owned(),
        title: "Work per joule against throughput of the compared devices".to_owned(),
        alt: String::new(),
        caption: String::new(),
        run_ids: found.records.iter().map(|record| record.run_id.clone()).collect(),
        width_mm: DOUBLE_COLUMN_MM,
        legend: Vec::new(),
        panels: Vec::new(),
        key: Vec::new(),
        notes: Vec::new(),
        table: table(found, &chosen),
    };
    let simulated = found.records.iter().any(|record| record.simulated);
    figure.notes.extend(simulated.then(|| SIMULATED.to_owned()));
    let shown: Vec<&Row> = chosen.iter().flat_map(|work| work.complete()).collect();
    if shown.is_empty() {
        let reason = nothing(found);
        figure.panels.push(words("Work per joule against throughput", reason));
        figure.caption = format!("{reason} {}", runs(found));
        figure.alt = format!("No points: {reason}");
        return figure;
    }
    figure.panels = chosen.iter().map(|work| panel(work, found)).collect();
    figure.legend = legend(&shown, found);
    figure.notes.extend(notes(found, &chosen));
    figure.caption = caption(found, &chosen, &shown, &figure.panels);
    figure.alt = alt(&chosen);
    figure
}

fn panel(work: &Workload, found: &Procurement) -> Panel {
    let kinds: BTreeSet<Option<String>> = work.complete().map(Row::scope_words).collect();
    let points: Vec<Point> = work.complete().filter_map(|row| point(work, row, found, kinds.len() > 1)).collect();
    let reach = |at: f64, interval: Option<(f64, f64)>| {
        let (low, high) = interval.unwrap_or((at, at));
        [at, low, high]
    };
    let xs: Vec<f64> = points.iter().flat_map(|point| reach(point.at.0, point.x_interval)).collect();
    let ys: Vec<f64> = points.iter().flat_map(|point| reach(point.at.1, point.y_interval)).collect();
    let counted = work.case.counted_in();
    let x = Axis::around("Throughput", counted.per_second(), xs, 0.25, 2.5);
    let y = Axis::around("Work per joule", counted.per_joule(), ys, 0.25, 2.5);
    let mut guides = equal_power(&x, &y);
    guides.extend(front(work, &x, &y));
    Panel::Points(PointPanel { heading: heading(work), x, y, guides, points })
}

fn heading(work: &Workload) -> String {
    format!(
        "{} {}, {}{}",
        work.case.problem,
        work.case.element,
        super::compact(&work.case.shape),
        work.case.data_note()
    )
}

fn point(work: &Workload, row: &Row, found: &Procurement, mixed: bool) -> Option<Point> {
    let (rate, efficiency) = row.rate_per_s.zip(row.work_per_j)?;
    let scope = row.scope_words().filter(|_| mixed).map(|words| format!(" [{words}]")).unwrap_or_default();
    let several = work.rows.iter().filter(|other| other.record == row.record).count() > 1;
    let ordinal = if several { row.ordinal.to_string() } else { String::new() };
    Some(Point {
        label: format!("{}{ordinal} {}{scope}", row.record, row.device),
        at: (rate.point.get(), efficiency.point.get()),
        x_interval: bounds(&rate),
        y_interval: bounds(&efficiency).filter(|_| row.measured()),
        marker: marker(row, found),
    })
}

/// Shape and colour by record, open unless the energy was measured.
fn marker(row: &Row, found: &Procurement) -> Marker {
    let index = found.records.iter().position(|record| record.letter == row.record).unwrap_or(0);
    Marker::series(index, row.measured())
}

/// Lines of equal power that cross the panel: work per joule is rate over watts.
fn equal_power(x: &Axis, y: &Axis) -> Vec<Guide> {
    let (least, most) = (x.low / y.high, x.high / y.low);
    let (first, last) = (least.log10().floor() as i32, most.log10().ceil() as i32);
    let values = |digits: &[f64]| -> Vec<f64> {
        (first..=last)
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)))
            .filter(|watts| *watts > least * 1.1 && *watts < most / 1.1)
            .collect()
    };
    let sets = [
        values(&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]),
        values(&[1.0, 2.0, 3.0, 5.0, 7.0]),
        values(&[1.0, 2.0, 5.0]),
        values(&[1.0, 3.0]),
        values(&[1.0]),
    ];
    let chosen = sets.into_iter().find(|set| set.len() <= 6).unwrap_or_default();
    chosen
        .into_iter()
        .map(|watts| {
            // Both ends where the line enters and leaves the frame.
            let from = (x.low.max(y.low * watts), y.low.max(x.low / watts));
            let to = (x.high.min(y.high * watts), y.high.min(x.high / watts));
            Guide { kind: GuideKind::Equal, from, to, label: Axis::from_zero("", "W", watts).show(watts, 2) }
        })
        .collect()
}

/// A front for each scope and evidence with two devices or more: from the fastest on it, level to the left of the most
/// efficient. No device of that kind lies above and to the right of it.
fn front(work: &Workload, x: &Axis, y: &Axis) -> Vec<Guide> {
    let kinds: BTreeSet<Option<String>> = work.complete().map(Row::scope_words).collect();
    let mut guides = Vec::new();
    for kind in kinds {
        let on = work.complete().filter(|row| row.standing == Standing::OnFront && row.scope_words() == kind);
        let mut corners: Vec<(f64, f64)> =
            on.filter_map(|row| Some((row.rate_per_s?.point.get(), row.work_per_j?.point.get()))).collect();
        corners.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let (Some(first), Some(last)) = (corners.first().copied(), corners.last().copied()) else { continue };
        let mut path = vec![(x.low, first.1), first];
        for pair in corners.windows(2) {
            path.extend([(pair[0].0, pair[1].1), pair[1]]);
        }
        path.push((last.0, y.low));
        let step =
            |ends: &[(f64, f64)]| Guide { kind: GuideKind::Join, from: ends[0], to: ends[1], label: String::new() };
        guides.extend(path.windows(2).filter(|ends| ends[0] != ends[1]).map(step));
    }
    guides
}

/// A sign for each record, and what an open one means.
fn legend(shown: &[&Row], found: &Procurement) -> Vec<LegendEntry> {
    let mut legend: Vec<LegendEntry> = Vec::new();
    for record in &found.records {
        let own: Vec<&&Row> = shown.iter().filter(|row| row.record == record.letter).collect();
        let Some(first) = own.first() else { continue };
        let names: BTreeSet<&str> = own.iter().map(|row| row.device.as_str()).collect();
        let sign = Sign::Marker(Marker { filled: true, ..marker(first, found) });
        let text = format!("{} {}", record.letter, names.into_iter().collect::<Vec<_>>().join(", "));
        legend.push(LegendEntry { sign, text });
    }
    let unmeasured: BTreeSet<String> =
        shown.iter().filter(|row| !row.measured()).filter_map(|row| Some(row.evidence?.to_string())).collect();
    if !unmeasured.is_empty() {
        let sign = Sign::Marker(Marker { shape: crate::figure::Shape::Circle, ink: Ink::Quiet, filled: false });
        let how = unmeasured.into_iter().collect::<Vec<_>>().join(" or ").to_uppercase();
        legend.push(LegendEntry { sign, text: format!("open: energy {how}, not measured") });
    }
    let scopes: BTreeSet<String> = shown.iter().filter_map(|row| row.scope_words()).collect();
    if let [only] = &scopes.iter().collect::<Vec<_>>()[..] {
        legend.push(LegendEntry { sign: Sign::None, text: format!("Energy: {only}.") });
    }
    let words = "Upper right is best. Stepped line: the front. Grey lines: equal power.";
    legend.push(LegendEntry { sign: Sign::None, text: words.to_owned() });
    legend
}

/// What the picture does not show, inside it: it travels without its caption.
fn notes(found: &Procurement, chosen: &[&Workload]) -> Vec<String> {
    let mut notes = Vec::new();
    let mixed = |work: &Workload| work.complete().map(Row::scope_words).collect::<BTreeSet<_>>().len() > 1;
    if chosen.iter().any(|work| mixed(work)) {
        notes.push(
            "ENERGIES OF DIFFERENT SCOPE OR EVIDENCE stand in one panel: each kind has a front of its own, and heights of \
             different kinds are not comparable."
                .to_owned(),
        );
    }
    let without: Vec<String> = chosen
        .iter()
        .flat_map(|work| {
            work.rows
                .iter()
                .filter(|row| row.work_per_j.is_none())
                .map(|row| format!("{} ({})", row.name(), work.case.problem))
        })
        .collect();
    if !without.is_empty() {
        notes.push(format!("Without rate or energy, not drawn: {}.", without.join(", ")));
    }
    let left = found.workloads.len().saturating_sub(chosen.len());
    if left > 0 {
        let noun = if left == 1 { "workload stands" } else { "workloads stand" };
        notes.push(format!("{left} more common {noun} in the table beside the figure."));
    }
    notes
}

fn nothing(found: &Procurement) -> &'static str {
    if found.workloads.is_empty() {
        "No work is common to all the records."
    } else {
        "No device has both a rate and an energy on work that is common to all the records."
    }
}

fn runs(found: &Procurement) -> String {
    let runs: Vec<String> =
        found.records.iter().map(|record| format!("{} is run {}", record.letter, record.run_id)).collect();
    let simulated = if found.records.iter().any(|record| record.simulated) { SIMULATED } else { "" };
    format!("{}. {simulated}", runs.join(", ")).trim_end().to_owned()
}

fn caption(found: &Procurement, chosen: &[&Workload], shown: &[&Row], panels: &[Panel]) -> String {
    let parts: Vec<_> = shown.iter().filter_map(|row| row.rate_per_s).map(|rate| support(&rate)).collect();
    let work: Vec<_> = shown.iter().filter_map(|row| row.work_per_j).map(|work| support(&work)).collect();
    let whiskers = whisker_sentence(
        &[parts, work].concat(),
        "the mean (throughput horizontal, work per joule vertical)",
        super::ENERGY_METHOD,
    );
    let energy: BTreeSet<String> =
        shown.iter().filter_map(|row| Some(super::scope_words(row.scope?, row.evidence?))).collect();
    let open = if shown.iter().any(|row| row.evidence != Some(Evidence::Measured)) {
        " Open signs: the energy was not measured and has no interval."
    } else {
        ""
    };
    let panels_are = if chosen.len() == 1 {
        "The workload"
    } else {
        "One panel for each workload; of each problem and precision the largest shape"
    };
    format!(
        "Work per joule (FLOP/J is FLOPS/W) against throughput, both axes logarithmic. {panels_are} that all records did, by the \
         fastest paired variant of each device. Grey lines join points of equal power. The stepped line is the front: no device \
         of the same scope and evidence lies above and to the right of it. {whiskers}{}{open} Energy is gross (idle power is not \
         subtracted); scope: {}. {}",
        arrow_sentence(panels),
        energy.into_iter().collect::<Vec<_>>().join("; "),
        runs(found)
    )
}

fn alt(chosen: &[&Workload]) -> String {
    let one = |work: &&Workload| {
        let front: Vec<String> =
            work.complete().filter(|row| row.standing == Standing::OnFront).map(Row::name).collect();
        let front =
            if front.is_empty() { "no front".to_owned() } else { format!("on the front: {}", front.join(", ")) };
        format!("{} {}: {} devices, {front}", work.case.problem, work.case.element, work.complete().count())
    };
    let panels: Vec<String> = chosen.iter().map(one).collect();
    format!("Devices as points of work per joule against throughput, more is better in both. {}.", panels.join("; "))
}

/// Every row of every workload, drawn or not; `panel` counts those that are.
fn table(found: &Procurement, chosen: &[&Workload]) -> Table {
    let mut table = Table::new(&COLUMNS);
    for work in &found.workloads {
        let number = chosen.iter().position(|own| std::ptr::eq(*own, work)).map(|index| (index + 1) as f64);
        for row in &work.rows {
            let rate = row.rate_per_s.as_ref().and_then(bounds);
            let efficiency = row.work_per_j.as_ref().and_then(bounds);
            let word = |text: Option<String>| text.unwrap_or_default();
            table.push(vec![
                number.into(),
                work.case.problem.as_str().into(),
                super::shape_of(&work.case).into(),
                work.case.element.to_string().into(),
                row.record.as_str().into(),
                row.device.as_str().into(),
                row.variant.as_str().into(),
                work.case.counted_in().symbol().into(),
                row.rate_per_s.map(|rate| rate.point.get()).into(),
                rate.map(|(low, _)| low).into(),
                rate.map(|(_, high)| high).into(),
                row.work_per_j.map(|work| work.point.get()).into(),
                efficiency.map(|(low, _)| low).into(),
                efficiency.map(|(_, high)| high).into(),
                row.power.map(|watts| watts.get()).into(),
                word(row.scope.map(|scope| scope.to_string())).into(),
                word(row.evidence.map(|evidence| evidence.to_string())).into(),
                row.standing.word().replace('—', "").into(),
            ]);
        }
    }
    table
}
