//! The fleet as Markdown, for a ticket or a page.
//!
//! What surprises people: every cell is escaped, for names of nodes and labels come from outside.

use super::table::{grades, group_name, node, number, origin, scatter, shown, value, why};
use crate::fleet::Fleet;

/// All tables.
pub fn render(fleet: &Fleet, top: usize) -> String {
    let mut out = format!(
        "# Fleet\n\n{} records of {} nodes, {} devices; {} off; {} files unreadable.\n",
        fleet.records,
        fleet.nodes,
        fleet.devices,
        fleet.off.len(),
        fleet.unreadable.len()
    );
    for note in &fleet.notes {
        out.push_str(&format!("\n{}\n", cell(note)));
    }
    let off = fleet.off.iter().take(top);
    let off = off
        .map(|device| vec![node(device, fleet), number(device, fleet), device.severity.word().to_owned(), why(device)]);
    out.push_str(&table("Devices that are off", &["node", "device", "what", "why"], off.collect()));
    if let Some(by) = &fleet.by {
        let places = fleet.places.iter().map(|place| {
            let together: Vec<&str> = place.reasons.iter().map(|reason| reason.text.as_str()).collect();
            vec![place.name.clone(), place.devices.to_string(), place.off.to_string(), together.join("; ")]
        });
        out.push_str(&table(&format!("By {by}"), &["place", "devices", "off", "together"], places.collect()));
    }
    let groups = fleet.groups.iter().filter(|group| group.devices > 0);
    let groups =
        groups.map(|group| vec![group_name(group), group.devices.to_string(), group.off.to_string(), grades(group)]);
    out.push_str(&table("Groups", &["group", "devices", "off", "own verdicts"], groups.collect()));
    let metrics = shown(fleet).into_iter().map(|metric| {
        let group = fleet.groups.get(metric.group).map_or_else(String::new, |group| group.model.clone());
        let numbers = [metric.median, metric.range.0, metric.range.1].map(|number| value(number, &metric.unit));
        let [median, low, high] = numbers;
        let n = metric.n.to_string();
        vec![
            group,
            metric.id.clone(),
            origin(metric),
            n,
            median,
            scatter(metric),
            low,
            high,
            metric.outliers.to_string(),
        ]
    });
    let header = ["group", "metric", "energy", "n", "median", "scatter", "lowest", "highest", "off"];
    out.push_str(&table("Metrics", &header, metrics.collect()));
    let files = fleet.unreadable.iter().map(|file| vec![file.path.clone(), file.why.clone()]);
    out.push_str(&table("Unreadable", &["file", "why"], files.collect()));
    out
}

fn table(title: &str, header: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rule = header.iter().map(|_| "---").collect::<Vec<_>>().join(" | ");
    let mut out = format!(
        "\n## {}\n\n| {} |\n| {rule} |\n",
        cell(title),
        header.iter().map(|name| cell(name)).collect::<Vec<_>>().join(" | ")
    );
    for row in rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// A text that Markdown leaves as it is.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' => out.extend(['\\', letter]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
