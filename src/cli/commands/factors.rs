//! `wattmark factors`: show grid emission factors with their full identity.
//!
//! A pattern that fits one region prints its card, every figure held for it, and how far they lie apart; any other a table
//! with one line a factor, whose sources are numbered below it. What surprises people: generation sources (`solar`,
//! `coal`) have a card too, but are no regions and stand in no list of them.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::account::{Catalogue, Entry, Mixture, alike, source_factors};
use crate::cli::accounting::usage;
use crate::cli::text;
use crate::cli::{Console, Exit};
use crate::model::GridFactor;

/// Arguments of `wattmark factors`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Region code or part of a name (`CN-QH`, `CN-QH@2022`, `US-*`, `korea`), or a generation source (`solar`); all regions
    /// without it.
    pub pattern: Option<String>,
    /// Your own grid factors beside the built-in ones: a CSV or TOML file. Repeatable.
    #[arg(long = "factors", value_name = "FILE")]
    pub factors: Vec<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::with_files(&args.factors, Path::new(".")).map_err(usage)?;
    let pattern = args.pattern.as_deref();
    let mut found = catalogue.search(pattern);
    // An exact region comes first, then a source: `gas` is not a part of Madagascar.
    let source = source_of(pattern)?.filter(|_| pattern.is_some_and(|text| catalogue.entry(text).is_err()));
    if let Some(source) = source {
        found = vec![source];
    }
    if found.is_empty() {
        catalogue.entry(pattern.unwrap_or_default()).map_err(usage)?;
    }
    if args.json {
        let factors: Vec<&GridFactor> = found.iter().map(|entry| &entry.factor).collect();
        writeln!(console.out, "{}", serde_json::to_string_pretty(&factors)?)?;
        return Ok(Exit::Ok);
    }
    let one = found.first().filter(|first| found.iter().all(|entry| entry.factor.region == first.factor.region));
    match (one, pattern) {
        (Some(_), Some(_)) if source.is_some() => write!(console.out, "{}", source_card(found[0])?)?,
        (Some(first), Some(text)) => {
            let chosen = catalogue.entry(text).unwrap_or(first);
            let beside = match catalogue.entry(text) {
                Ok(_) => catalogue.beside(text),
                Err(_) => Some(format!("no region is called `{text}`: this is the only one whose code or name has it")),
            };
            write!(console.out, "{}", region(&catalogue, chosen, beside.as_deref()))?;
        }
        _ => write!(console.out, "{}", listing(&found))?,
    }
    Ok(Exit::Ok)
}

/// The generation source of exactly this name.
fn source_of(pattern: Option<&str>) -> anyhow::Result<Option<&'static Entry>> {
    let all = source_factors().map_err(usage)?;
    Ok(pattern.and_then(|text| all.iter().find(|entry| entry.is_called(text.trim()))))
}

/// The card of a region, every figure held for it, and their spread.
fn region(catalogue: &Catalogue, chosen: &Entry, beside: Option<&str>) -> String {
    let factor = &chosen.factor;
    let mut out = card(chosen);
    let year = factor.year.map(|year| format!("@{year}")).unwrap_or_default();
    out.push_str(&line("use it with", &format!("--grid {}{}{year}", own_prefix(chosen), factor.region)));
    out.push_str(&line("note", beside.unwrap_or_default()));
    let held = catalogue.spread(factor);
    let around = catalogue.around(factor);
    let shown: Vec<&Entry> = entries_of(catalogue, held.iter().chain(&around).copied());
    out.push_str("\nFigures held for it, and for what it lies in:\n");
    out.push_str(&table_of(&shown));
    out.push_str(&spread_text(factor, &held));
    out
}

/// The entries of some factors of the catalogue.
fn entries_of<'a>(catalogue: &'a Catalogue, factors: impl Iterator<Item = &'a GridFactor>) -> Vec<&'a Entry> {
    factors.filter_map(|one| catalogue.entries().iter().find(|entry| std::ptr::eq(&entry.factor, one))).collect()
}

/// How far the figures of one place lie apart: all of them, and those that count the same thing as the one shown.
fn spread_text(factor: &GridFactor, held: &[&GridFactor]) -> String {
    let range = |figures: &[&GridFactor]| match figures {
        [] => "no figure".to_owned(),
        [one] => format!("{} g/kWh, a single figure", rounded(one.intensity_g_per_kwh.get())),
        [low, .., high] => {
            let (low, high) = (low.intensity_g_per_kwh.get(), high.intensity_g_per_kwh.get());
            let ratio = if low > 0.0 { format!(", ratio {:.2}", high / low) } else { String::new() };
            format!("{} to {} g/kWh{ratio}, {} figures", rounded(low), rounded(high), figures.len())
        }
    };
    let like: Vec<&GridFactor> = held.iter().filter(|own| alike(own, factor)).copied().collect();
    let mut out = text::entry("Spread", &format!("{}: {}", place_codes(held), range(held)));
    let identity = format!("{}, {}, {}, {}", factor.gas, factor.basis, factor.method, text::upstream(factor));
    out.push_str(&text::entry("", &format!("like for like ({identity}): {}", range(&like))));
    // One publisher's announcements of several years differ after the first comma.
    let house = |own: &GridFactor| own.publisher.split(',').next().map(str::to_owned);
    if held.iter().all(|own| house(own) == house(factor)) {
        out.push_str(&text::entry("", "one publisher only: the figures of others may lie outside this range"));
    }
    out
}

fn place_codes(held: &[&GridFactor]) -> String {
    let mut codes: Vec<&str> = held.iter().map(|factor| factor.region.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.join(", ")
}

fn own_prefix(entry: &Entry) -> &'static str {
    if entry.file.is_some() { "user:" } else { "" }
}

fn line(label: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { text::wrapped(&format!("  {label:<12}"), value) }
}

/// Everything there is to know about one factor.
fn card(entry: &Entry) -> String {
    let factor = &entry.factor;
    let grams = factor.intensity_g_per_kwh.get();
    let kilograms = rounded(grams / 1e3);
    let file = entry.file.as_ref().map(|file| format!("{} (your own)", file.display())).unwrap_or_default();
    let mut out = format!("{}  {}\n\n", factor.region, factor.name);
    for (label, value) in [
        ("intensity", format!("{grams} g{gas}/kWh ({kilograms} kg{gas}/kWh)", gas = factor.gas)),
        ("gas", gas_words(factor)),
        ("year", text::year(factor)),
        ("basis", factor.basis.to_string()),
        ("method", factor.method.to_string()),
        ("life cycle", text::upstream(factor).to_owned()),
        ("publisher", factor.publisher.clone()),
        ("licence", factor.licence.clone()),
        ("file", file),
        ("note", factor.note.clone()),
        ("also called", entry.aliases.join(", ")),
    ] {
        out.push_str(&line(label, &value));
    }
    out
}

fn gas_words(factor: &GridFactor) -> String {
    match factor.gas {
        crate::model::Gas::Co2 => "CO2 only",
        crate::model::Gas::Co2e => "CO2e: all greenhouse gases as CO2 equivalents",
    }
    .to_owned()
}

/// The card of a generation source, with the others.
fn source_card(entry: &Entry) -> anyhow::Result<String> {
    let mut out = card(entry);
    let others: Vec<String> = (source_factors().map_err(usage)?.iter())
        .map(|own| format!("{} {}", own.factor.region, own.factor.intensity_g_per_kwh.get()))
        .collect();
    out.push_str(&line("sources", &format!("{} g CO2e/kWh", others.join(", "))));
    out.push_str(&line("use", "a generation source is no region: no grid's average, and not taken by --grid"));
    Ok(out)
}

/// A number without the noise of binary fractions.
fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// One line a factor, sources numbered below.
fn listing(found: &[&Entry]) -> String {
    let mut sorted: Vec<&Entry> = found.to_vec();
    sorted.sort_by(|a, b| a.factor.region.cmp(&b.factor.region).then(b.factor.year.cmp(&a.factor.year)));
    let mut out = table_of(&sorted);
    out.push_str(&format!("{} factors; `wattmark factors CODE` prints one with its notes\n", sorted.len()));
    out
}

/// A table of factors in their order, marks at the rows that count another thing than most, and the sources below it.
fn table_of(entries: &[&Entry]) -> String {
    let factors: Vec<&GridFactor> = entries.iter().map(|entry| &entry.factor).collect();
    let mixture = Mixture::of(&factors);
    let header = ["code", "name", "g/kWh", "gas", "year", "basis", "method", "upstream", "source", ""];
    let mut table = text::table(&header, &[2]);
    let mut sources: Vec<(&str, &str)> = Vec::new();
    let mut single = false;
    for (index, entry) in entries.iter().enumerate() {
        let factor = &entry.factor;
        let source = (factor.publisher.as_str(), factor.licence.as_str());
        let number = sources.iter().position(|own| *own == source).unwrap_or_else(|| {
            sources.push(source);
            sources.len() - 1
        });
        // 2021 says "single source"; of later years the grids, the residual and the fossil figure have one copy, too.
        let once = factor.note.contains("single source") || factor.note.contains("one secondary copy");
        let mark = if once { "*" } else { "" };
        single |= !mark.is_empty();
        table.add_row(vec![
            format!("{}{}", own_prefix(entry), factor.region),
            text::cut(&factor.name, 38),
            format!("{:.1}", factor.intensity_g_per_kwh.get()),
            factor.gas.to_string(),
            format!("{}{mark}", factor.year.map_or_else(|| "unstated".to_owned(), |year| year.to_string())),
            factor.basis.to_string(),
            factor.method.to_string(),
            match factor.life_cycle {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unstated",
            }
            .to_owned(),
            format!("[{}]", number + 1),
            if mixture.mark(index).is_empty() { "" } else { "≠" }.to_owned(),
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
    if let Some(sentence) = mixture.sentence {
        out.push_str(&text::entry("≠", &format!("{sentence}; marked rows differ from most of this table")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_shows_the_whole_identity_and_the_other_figures_of_the_region() {
        let catalogue = Catalogue::built_in().unwrap();
        let text = region(catalogue, catalogue.entry("CN-QH").unwrap(), None);
        for part in [
            "179.6 gCO2/kWh (0.1796 kgCO2/kWh)",
            "2023",
            "consumption",
            "average",
            "without upstream",
            "Announcement 2025 No.47",
            "government-published",
            "青海",
            "CN-QH: 132.6 to 179.6 g/kWh, ratio 1.35, 3 figures",
            "like for like (CO2, consumption, average, without upstream): 132.6 to 179.6",
            "one publisher only",
            "CN-residual",
            "the factors do not count the same thing",
        ] {
            assert!(text.contains(part), "{part} not in\n{text}");
        }
    }

    #[test]
    fn every_line_of_the_whole_list_fits_120_columns_and_names_its_source() {
        let found = Catalogue::built_in().unwrap().search(None);
        let text = listing(&found);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 120, "{widest}");
        assert!(text.contains("[1]") && text.contains("CC BY 4.0") && text.contains("public domain"));
        assert!(text.contains("2021*"), "single-source years are marked");
        assert_eq!(text.lines().filter(|line| line.starts_with("US-")).count(), 27);
    }

    #[test]
    fn figures_read_from_one_copy_alone_are_marked_whatever_their_year() {
        let catalogue = Catalogue::built_in().unwrap();
        let text = region(catalogue, catalogue.entry("CN-QH").unwrap(), None);
        let row = |code: &str, year: &str| text.lines().any(|line| line.starts_with(code) && line.contains(year));
        assert!(row("CN-residual ", "2023*") && row("CN-QH ", "2021*") && !row("CN-QH ", "2023*"), "{text}");
    }

    #[test]
    fn a_country_with_two_publishers_shows_both_spreads() {
        let catalogue = Catalogue::built_in().unwrap();
        let text = region(catalogue, catalogue.entry("CN").unwrap(), None);
        // 609.6 / 530.6 = 1.149; 536.6 / 530.6 = 1.011.
        assert!(text.contains("CHN, CN, CN-residual: 530.6 to 609.6 g/kWh, ratio 1.15, 4 figures"), "{text}");
        assert!(text.contains("530.6 to 536.6 g/kWh, ratio 1.01, 2 figures"), "{text}");
        assert!(text.contains("CN-fossil") && text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn rows_that_count_another_thing_are_marked_in_the_list() {
        let text = listing(&Catalogue::built_in().unwrap().search(None));
        let row = |code: &str| text.lines().find(|line| line.starts_with(code)).unwrap();
        assert!(row("CN-QH").ends_with('≠') && row("US-CAMX").ends_with('≠') && !row("FRA").ends_with('≠'), "{text}");
    }
}
