//! The ceilings as text for a terminal: a table of units, a table of memory by size, and lines for launches and transfers.
//!
//! What surprises people: a row without a figure keeps its place among the others and says why, from the column of the
//! first figure on.

use super::ceilings::{CeilingRow, DeviceCeilings, Finding, ceilings};
use super::number::{MISSING, scaled, significant};
use super::sheet::{ESTIMATED_MARK, WRONG_OUTPUT};
use super::table::wrapped;
use crate::measure::result::{LinkResult, RunResult, TransferResult};
use crate::model::{RunRecord, TransferPath};
use crate::units::BytesPerSecond;

/// Blanks between two columns.
const GAP: usize = 2;
/// Width from which intervals have a column.
const WITH_INTERVALS: usize = 110;
/// Width from which the probes' names have a column.
const WITH_PROBES: usize = 84;

/// The ceilings of every device of a record, as wide as `width` columns.
pub fn ceilings_text(record: &RunRecord, result: &RunResult, width: usize) -> String {
    let mut text = format!("run       {}, preset {}\n", record.run_id, record.plan.preset);
    if record.simulated {
        text.push_str("simulated times and power are scripted; no hardware was measured\n");
    }
    for device in ceilings(record, result) {
        text.push_str(&format!("\n{}\ndevice    {}, {}\n", device.name, device.device, device.identity));
        text.push_str(&power_line(&device));
        text.push('\n');
        text.push_str(&units(&device, width));
        text.push_str(&memory(&device));
        text.push_str(&link_text(&device));
    }
    text
}

/// Lines of cells, columns aligned; the first `left` columns to the left, the others to the right.
pub(super) struct Columns {
    pub(super) left: usize,
    pub(super) lines: Vec<(Vec<String>, Option<String>)>,
}

impl Columns {
    pub(super) fn cells(&mut self, cells: Vec<String>) {
        self.lines.push((cells, None));
    }
    /// A line whose text runs from behind its cells to the edge.
    pub(super) fn note(&mut self, cells: Vec<String>, note: String) {
        self.lines.push((cells, Some(note)));
    }
    pub(super) fn text(&self, width: usize) -> String {
        let count = self.lines.iter().map(|(cells, _)| cells.len()).max().unwrap_or(0);
        let widest = |column: usize| {
            self.lines.iter().filter_map(|(cells, _)| cells.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..count).map(|column| widest(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for (index, (cells, note)) in self.lines.iter().enumerate() {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let room = widths[column];
                if column < self.left { format!("{cell:<room$}") } else { format!("{cell:>room$}") }
            });
            let line = padded.collect::<Vec<_>>().join(&" ".repeat(GAP));
            match note {
                None => text.push_str(line.trim_end()),
                Some(note) => {
                    let indent = line.chars().count() + GAP;
                    let parts = wrapped(note, width.saturating_sub(indent).max(24));
                    text.push_str(&format!("{line}{}", " ".repeat(GAP)));
                    text.push_str(&parts.join(&format!("\n{}", " ".repeat(indent))));
                }
            }
            text.push('\n');
            if index == 0 {
                let full = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
                text.push_str(&"─".repeat(full.min(width)));
                text.push('\n');
            }
        }
        text
    }
}

fn power_line(device: &DeviceCeilings) -> String {
    let known = device.units.iter().find_map(|row| match &row.finding {
        Finding::Verified { scope: Some(scope), evidence: Some(evidence), .. } => Some((scope, evidence)),
        _ => None,
    });
    match known {
        Some((scope, evidence)) if evidence == "measured" => {
            format!("power     {scope} scope, measured; gross: idle power is not subtracted\n")
        }
        Some((scope, evidence)) => {
            format!(
                "power     {scope} scope, {evidence}, not measured ({ESTIMATED_MARK}); gross: idle power is not subtracted\n"
            )
        }
        None => "power     no source: there are no watts in this table\n".to_owned(),
    }
}

fn units(device: &DeviceCeilings, width: usize) -> String {
    let (probes, intervals) = (width >= WITH_PROBES, width >= WITH_INTERVALS);
    let named = |row: &CeilingRow| {
        let size = row.array_bytes.map(|bytes| format!(", arrays of {}", binary(bytes))).unwrap_or_default();
        let mut cells = vec![format!("{}{size}", row.unit), row.precision.clone()];
        if probes {
            cells.push(row.probe.clone());
        }
        cells
    };
    let mut head = vec!["unit", "precision"];
    head.extend(probes.then_some("probe"));
    let mut table = Columns { left: head.len(), lines: Vec::new() };
    head.push("rate");
    head.extend(intervals.then_some("±95%"));
    head.extend(["power", "rate per watt", "outputs"]);
    table.cells(head.into_iter().map(str::to_owned).collect());
    for row in &device.units {
        let mut cells = named(row);
        match &row.finding {
            Finding::Verified { rate, rate_interval, power_w, per_joule, evidence, .. } => {
                let mark = if evidence.as_deref().is_some_and(|word| word != "measured") { ESTIMATED_MARK } else { "" };
                let per_joule_unit = row.rate_unit.replace("/s", "/J");
                let half = rate_interval.map(|(low, high)| super::percent((high - low) / 2.0 / rate));
                cells.push(scaled(*rate, row.rate_unit));
                cells.extend(intervals.then(|| half.unwrap_or_else(|| MISSING.to_owned())));
                cells.push(power_w.map_or(MISSING.to_owned(), |watts| format!("{mark}{} W", significant(watts))));
                cells.push(
                    per_joule.map_or(MISSING.to_owned(), |value| format!("{mark}{}", scaled(value, &per_joule_unit))),
                );
                cells.push("verified".to_owned());
                table.cells(cells);
            }
            Finding::Wrong { reason } => table.note(cells, format!("{WRONG_OUTPUT}: no rate. {reason}")),
            Finding::Skipped { reason } => table.note(cells, format!("skipped: {reason}")),
            Finding::NotExposed { reason } => table.note(cells, format!("not exposed: {reason}")),
        }
    }
    table.text(width)
}

/// Bytes with a binary prefix, as sizes of arrays are powers of two: `64 KiB`.
fn binary(bytes: f64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fitting = units.into_iter().find(|(_, size)| bytes >= *size as f64);
    fitting.map_or(format!("{bytes} B"), |(unit, size)| {
        format!("{} {unit}", (bytes / size as f64 * 100.0).round() / 100.0)
    })
}

/// Rate of a probe's row.
fn rate(row: &CeilingRow) -> Option<f64> {
    if let Finding::Verified { rate, .. } = row.finding { Some(rate) } else { None }
}

fn memory(device: &DeviceCeilings) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    let mut sizes: Vec<f64> = Vec::new();
    for row in &device.memory {
        if !kinds.contains(&row.unit.as_str()) {
            kinds.push(&row.unit);
        }
        sizes.extend(row.array_bytes.filter(|bytes| !sizes.contains(bytes)));
    }
    sizes.sort_by(f64::total_cmp);
    if sizes.len() < 2 {
        return String::new();
    }
    let at = |kind: &str, size: f64| {
        device.memory.iter().find(|row| row.unit == kind && row.array_bytes == Some(size)).and_then(rate)
    };
    let mut table = Columns { left: 0, lines: Vec::new() };
    let heads = kinds.iter().map(|kind| format!("{} GB/s", kind.trim_start_matches("memory ")));
    table.cells(["one array".to_owned()].into_iter().chain(heads).collect());
    for size in &sizes {
        let cells = kinds.iter().map(|kind| at(kind, *size).map_or(MISSING.to_owned(), |rate| significant(rate / 1e9)));
        table.cells([binary(*size)].into_iter().chain(cells).collect());
    }
    let mut text = format!(
        "\nmemory by size of one array (compulsory traffic over wall time, launches included)\n{}",
        table.text(usize::MAX)
    );
    for kind in kinds {
        let rates: Vec<(f64, f64)> = sizes.iter().filter_map(|size| Some((*size, at(kind, *size)?))).collect();
        let falls = rates.windows(2).map(|two| (two[0], two[1], two[0].1 / two[1].1));
        if let Some(((size, high), (next, low), _)) =
            falls.max_by(|a, b| a.2.total_cmp(&b.2)).filter(|(_, _, ratio)| *ratio >= STEP)
        {
            text.push_str(&format!(
                "largest step of {}: {} at {} to {} at {}\n",
                kind.trim_start_matches("memory "),
                scaled(high, "B/s"),
                binary(size),
                scaled(low, "B/s"),
                binary(next)
            ));
        }
    }
    text
}

/// Fall of the rate from one size to the next that is called a step.
const STEP: f64 = 1.3;

fn link_text(device: &DeviceCeilings) -> String {
    let Some(link) = &device.link else { return String::new() };
    let mut text = String::from("\nbetween host and device (medians on the host's clock, no watts)\n");
    let time = |seconds: f64| scaled(seconds, "s");
    text.push_str(&match (link.round_trip, link.per_dispatch) {
        (Some(round), Some(each)) => format!(
            "launch    {} for a submission of one empty dispatch, waited for; {} for each further dispatch (n = {})\n",
            time(round.get()),
            time(each.get()),
            link.repetitions
        ),
        (Some(round), None) => format!(
            "launch    {} for a submission of one empty dispatch, waited for; further ones cost less than the noise (n = {})\n",
            time(round.get()),
            link.repetitions
        ),
        _ => "launch    not measured\n".to_owned(),
    });
    text.push_str(&transfers(link));
    if let Some(failure) = &device.link_failure {
        text.push_str(&format!("incomplete: {failure}\n"));
    }
    text
}

fn transfers(link: &LinkResult) -> String {
    let mut sizes: Vec<u64> = link.transfers.iter().map(|transfer| transfer.bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.is_empty() {
        return String::new();
    }
    let mut table = Columns { left: 0, lines: Vec::new() };
    let heads = TransferPath::ALL.map(|path| format!("{path} GB/s"));
    table.cells([vec!["transfer".to_owned()], heads.to_vec()].concat());
    for size in sizes {
        let cell = |path: TransferPath| {
            let found = |transfer: &&TransferResult| transfer.path == path && transfer.bytes == size;
            let rate = link.transfers.iter().find(found).and_then(|transfer| transfer.rate);
            rate.map_or(MISSING.to_owned(), |rate: BytesPerSecond| significant(rate.get() / 1e9))
        };
        table.cells([vec![binary(size as f64)], TransferPath::ALL.map(cell).to_vec()].concat());
    }
    let verdict = if link.intact {
        "every byte that came back was the one that was sent\n"
    } else {
        "BYTES CAME BACK WRONG: those transfers have no rate\n"
    };
    table.text(usize::MAX) + verdict
}
