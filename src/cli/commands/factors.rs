//! `wattmark factors`: show grid emission factors with their full identity.
//!
//! A pattern that fits one region prints its card; any other a table with one line a factor, whose sources are numbered
//! below it.

use std::io::Write;

use crate::account::{self, Entry, factor_for, search};
use crate::cli::text;
use crate::cli::{Console, Exit, Failure};
use crate::model::GridFactor;

/// Arguments of `wattmark factors`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Region code or part of a name (`CN-QH`, `CN-QH@2022`, `US-*`, `korea`); all factors without it.
    pub pattern: Option<String>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let found = search(args.pattern.as_deref()).map_err(|error| Failure::usage(error.to_string()))?;
    if found.is_empty() {
        let pattern = args.pattern.as_deref().unwrap_or_default();
        let error = factor_for(pattern).err().map_or_else(|| "no factor".to_owned(), |error| error.to_string());
        return Err(Failure::usage(error).into());
    }
    if args.json {
        let factors: Vec<&GridFactor> = found.iter().map(|entry| &entry.factor).collect();
        writeln!(console.out, "{}", serde_json::to_string_pretty(&factors)?)?;
        return Ok(Exit::Ok);
    }
    let region = &found[0].factor.region;
    if args.pattern.is_some() && found.iter().all(|entry| entry.factor.region == *region) {
        let newest = found.iter().max_by_key(|entry| entry.factor.year).unwrap_or(&found[0]);
        write!(console.out, "{}", card(&newest.factor, &newest.aliases)?)?;
    } else {
        write!(console.out, "{}", listing(&found))?;
    }
    Ok(Exit::Ok)
}

/// Everything there is to know about one factor.
fn card(factor: &GridFactor, aliases: &[String]) -> anyhow::Result<String> {
    let grams = factor.intensity_g_per_kwh.get();
    let mut out = format!("{}  {}\n\n", factor.region, factor.name);
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&text::wrapped(&format!("  {label:<12}"), value));
        }
    };
    line("intensity", &format!("{grams} g{gas}/kWh ({} kg{gas}/kWh)", rounded(grams / 1e3), gas = factor.gas));
    line("year", &text::year(factor));
    line("basis", &factor.basis.to_string());
    line("method", &factor.method.to_string());
    line("life cycle", text::upstream(factor));
    line("publisher", &factor.publisher);
    line("licence", &factor.licence);
    line("note", &factor.note);
    line("also called", &aliases.join(", "));
    let others = account::spread(factor)?;
    let others: Vec<String> = others.into_iter().filter(|other| *other != factor).map(text::short_factor).collect();
    line("also held", &others.join("; "));
    line(
        "use it with",
        &format!("--grid {}{}", factor.region, factor.year.map(|y| format!("@{y}")).unwrap_or_default()),
    );
    Ok(out)
}

/// A number without the noise of binary fractions.
fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// One line a factor, sources numbered below.
fn listing(found: &[&Entry]) -> String {
    let mut sorted: Vec<&GridFactor> = found.iter().map(|entry| &entry.factor).collect();
    sorted.sort_by(|a, b| a.region.cmp(&b.region).then(b.year.cmp(&a.year)));
    let header = ["code", "name", "g/kWh", "gas", "year", "basis", "method", "upstream", "source"];
    let mut table = text::table(&header, &[2]);
    let mut sources: Vec<(&str, &str)> = Vec::new();
    let mut single = false;
    for factor in &sorted {
        let source = (factor.publisher.as_str(), factor.licence.as_str());
        let number = sources.iter().position(|own| *own == source).unwrap_or_else(|| {
            sources.push(source);
            sources.len() - 1
        });
        let mark = if factor.note.contains("single source") { "*" } else { "" };
        single |= !mark.is_empty();
        table.add_row(vec![
            factor.region.clone(),
            factor.name.chars().take(44).collect(),
            format!("{:.1}", factor.intensity_g_per_kwh.get()),
            factor.gas.to_string(),
            format!("{}{mark}", text::year(factor)),
            factor.basis.to_string(),
            factor.method.to_string(),
            match factor.life_cycle {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unstated",
            }
            .to_owned(),
            format!("[{}]", number + 1),
        ]);
    }
    let mut out = text::lines(&table);
    out.push('\n');
    for (index, (publisher, licence)) in sources.iter().enumerate() {
        out.push_str(&text::entry(&format!("[{}]", index + 1), &format!("{publisher}; {licence}")));
    }
    if single {
        out.push_str(&text::entry("*", "read from a single secondary copy, not cross-checked"));
    }
    out.push_str(&format!("{} factors; `wattmark factors CODE` prints one with its notes\n", sorted.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_shows_the_whole_identity_and_the_other_figures_of_the_region() {
        let found = search(Some("CN-QH")).unwrap();
        let newest = found.iter().max_by_key(|entry| entry.factor.year).unwrap();
        let text = card(&newest.factor, &newest.aliases).unwrap();
        for part in [
            "179.6 gCO2/kWh (0.1796 kgCO2/kWh)",
            "2023",
            "consumption",
            "average",
            "without upstream",
            "Announcement 2025 No.47",
            "government-published",
            "青海",
            "132.6 gCO2/kWh (CN-QH 2021, consumption); 156.7",
        ] {
            assert!(text.contains(part), "{part} not in\n{text}");
        }
    }

    #[test]
    fn every_line_of_the_whole_list_fits_120_columns_and_names_its_source() {
        let found = search(None).unwrap();
        let text = listing(&found);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 120, "{widest}");
        assert!(text.contains("[1]") && text.contains("CC BY 4.0") && text.contains("public domain"));
        assert!(text.contains("2021*"), "single-source years are marked");
        assert_eq!(text.lines().filter(|line| line.starts_with("US-")).count(), 27);
    }
}
