//! The cases and metered programs of one record as `wattmark carbon RUN` prints them, operational carbon alone.
//!
//! What surprises people: these rows carry no embodied share; it depends on time and life, and stands in the accounts below.

use crate::account::{CarbonTable, CommandCarbon, Site};
use crate::cli::accounting::device_name;
use crate::cli::{programs, text};
use crate::model::{Evidence, RunRecord};
use crate::report::named_case;

/// Scope, then one row for each case or program.
pub fn render(record: &RunRecord, site: &Site, table: &CarbonTable, commands: &[CommandCarbon]) -> String {
    let mut out = String::new();
    if record.measurements.is_empty() && !commands.is_empty() {
        let scope =
            "operational carbon of the gross energy within each row's scope times PUE; embodied carbon stands below";
        out.push_str(&text::entry("Scope", scope));
    } else {
        out.push_str(&scope_text(record, table));
    }
    out.push('\n');
    if !commands.is_empty() {
        out.push_str(&programs::carbon_table(site, commands));
    } else if table.rows.is_empty() {
        out.push_str("No case of this record has an energy, so there is no carbon to state.\n");
    }
    if !table.rows.is_empty() {
        out.push_str(&case_table(record, site, table));
    }
    out
}

/// The cases without a figure, and why; nothing if there is none.
pub fn left_out(table: &CarbonTable) -> String {
    let mut out = String::new();
    if !table.left_out.is_empty() {
        out.push_str("\nWithout a figure:\n");
        for left in &table.left_out {
            out.push_str(&format!("  device {} {}: {}\n", left.case.device, named_case(&left.case), left.reason));
        }
    }
    out
}

fn scope_text(record: &RunRecord, table: &CarbonTable) -> String {
    let mut kinds: Vec<String> =
        table.rows.iter().map(|row| format!("{} {} ({})", row.evidence, row.scope, row.source)).collect();
    kinds.sort();
    kinds.dedup();
    let energy = if kinds.is_empty() { "none".to_owned() } else { kinds.join("; ") };
    let mut out = text::entry(
        "Scope",
        &format!(
            "operational carbon of the gross energy within each case's scope times PUE: {energy}. Embodied carbon \
             stands below; nothing else outside the scope is included except by the PUE."
        ),
    );
    if table.rows.iter().any(|row| row.evidence != Evidence::Measured) {
        out.push_str(&text::entry(
            "",
            "Estimated or declared energy gives estimated or declared carbon: no interval is given.",
        ));
    }
    if record.simulated {
        out.push_str(&text::entry("", "Times and power of this record were scripted: it describes no hardware."));
    }
    out
}

fn case_table(record: &RunRecord, site: &Site, table: &CarbonTable) -> String {
    let mut out = String::new();
    let gas = site.profile.grid.gas;
    let mut devices: Vec<u32> = table.rows.iter().map(|row| row.case.device).collect();
    devices.sort_unstable();
    devices.dedup();
    for device in devices {
        out.push_str(&format!("Device {device}: {}\n", device_name(record, device)));
        let carbon = format!("{gas}/unit");
        let each = format!("{gas}/execution");
        let header = ["case", "unit", "energy/unit", carbon.as_str(), "95 %", "n", each.as_str(), "scope", "evidence"];
        let mut rows = text::table(&header, &[2, 3, 4, 5, 6]);
        for row in table.rows.iter().filter(|row| row.case.device == device) {
            rows.add_row(vec![
                named_case(&row.case),
                row.per.to_string(),
                text::si(row.energy_per_unit.point.get(), "J"),
                text::si(row.carbon_per_unit.point.get(), "g"),
                text::spread(&row.carbon_per_unit),
                row.energy_per_unit.n.to_string(),
                text::si(row.carbon_per_execution.point.get(), "g"),
                row.scope.to_string(),
                row.evidence.to_string(),
            ]);
        }
        out.push_str(&text::lines(&rows));
    }
    out
}
