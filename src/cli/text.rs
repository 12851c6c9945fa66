//! Numbers and tables as the accounting commands print them. Records as tables are in the `report` room.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::model::{Estimate, GridFactor};
use crate::units::{Quantity, Seconds};

/// Widest line of a table.
const WIDTH: u16 = 118;

/// A table with horizontal rules, no wider than a terminal of 120 columns; `right` are the columns with numbers.
pub fn table(header: &[&str], right: &[usize]) -> Table {
    narrow_table(header, right, WIDTH)
}

/// The same, no wider than `width`.
pub fn narrow_table(header: &[&str], right: &[usize], width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width);
    table.set_header(header.to_vec());
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text without trailing spaces, ending with a newline.
pub fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number with three significant digits and a decimal prefix before its unit: `49.9 g`, `1.25 TFLOP/s`.
pub fn si(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 17] = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q", ""];
    if value == 0.0 || !value.is_finite() {
        return format!("{value} {unit}");
    }
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    let thousands = ((rounded.abs().log10() + 1e-9).floor() / 3.0).floor().clamp(-5.0, 10.0);
    let scaled = rounded / 1000f64.powf(thousands);
    let digits = if scaled.abs() >= 99.95 {
        0
    } else if scaled.abs() >= 9.995 {
        1
    } else {
        2
    };
    let prefix = PREFIXES.get((thousands + 5.0) as usize).copied().unwrap_or("");
    format!("{scaled:.digits$} {prefix}{unit}")
}

/// Four significant digits without trailing zeros.
pub fn significant(value: f64) -> String {
    format!("{value:.3e}").parse::<f64>().unwrap_or(value).to_string()
}

/// Energy with its unit: four decimals, or a power of ten where those would say nothing.
pub fn kilowatt_hours(value: f64) -> String {
    if value >= 0.01 { format!("{value:.4} kWh") } else { format!("{value:.3e} kWh") }
}

/// A length of time in the largest unit that leaves a number above 1: `6.6 h`.
pub fn duration(time: Seconds) -> String {
    let units = [(86_400.0, "days"), (3600.0, "h"), (60.0, "min")];
    match units.iter().find(|(length, _)| time.get() >= *length) {
        Some((length, unit)) => format!("{:.1} {unit}", time.get() / length),
        None => si(time.get(), "s"),
    }
}

/// The relative half-width of an interval as `±2.0 %`, or a dash where there is none.
pub fn spread<Q: Quantity>(estimate: &Estimate<Q>) -> String {
    match estimate.relative_half_width() {
        Some(half) => format!("±{:.1} %", half * 100.0),
        None => "–".to_owned(),
    }
}

/// An amount of FLOP or bytes, whatever its size: `1 EFLOP`.
pub fn amount(value: f64, unit: &str) -> String {
    let text = si(value, unit);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// Whether upstream emissions are in a factor, in words.
pub fn upstream(factor: &GridFactor) -> &'static str {
    match factor.life_cycle {
        Some(true) => "with upstream",
        Some(false) => "without upstream",
        None => "upstream unstated",
    }
}

/// A year, or that none is stated.
pub fn year(factor: &GridFactor) -> String {
    factor.year.map_or_else(|| "year unstated".to_owned(), |year| year.to_string())
}

/// A factor in one line: region, value, and everything that makes it that value.
pub fn identity(factor: &GridFactor) -> String {
    format!(
        "{} ({}): {} g{}/kWh, {}, basis {}, method {}, {}; {}; {}",
        factor.region,
        factor.name,
        factor.intensity_g_per_kwh.get(),
        factor.gas,
        year(factor),
        factor.basis,
        factor.method,
        upstream(factor),
        factor.publisher,
        factor.licence
    )
}

/// A label and a text that is wrapped and indented below itself.
pub fn entry(label: &str, text: &str) -> String {
    wrapped(&format!("{label:<8}"), text)
}

/// True if no line may end between these words: `40 %`, `12 288`, `0.5 kWh`.
fn bound(before: &str, word: &str) -> bool {
    const UNITS: [&str; 10] =
        ["kWh", "g/kWh", "kg/kWh", "gCO2/kWh", "gCO2e/kWh", "kgCO2/kWh", "W", "PFLOPS", "PFLOP/s", "TFLOP/s"];
    let number = before.ends_with(|letter: char| letter.is_ascii_digit());
    let plain = word.trim_end_matches([',', ';', ':', '.', ')']);
    let digits = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit());
    let thousands = plain.len() == 3 && digits(plain) && before.len() <= 3 && digits(before);
    number && (plain.starts_with('%') || thousands || UNITS.contains(&plain))
}

/// A text after what already stands on its line, wrapped and indented to where it began; a number keeps its unit.
pub fn wrapped(before: &str, text: &str) -> String {
    let indent = before.chars().count();
    let mut out = before.to_owned();
    let mut column = indent;
    let mut pieces: Vec<(String, &str)> = Vec::new();
    for word in text.split_whitespace() {
        match pieces.last_mut() {
            Some((piece, last)) if bound(last, word) => {
                piece.push(' ');
                piece.push_str(word);
                *last = word;
            }
            _ => pieces.push((word.to_owned(), word)),
        }
    }
    for (word, _) in &pieces {
        if column > indent && column + 1 + word.chars().count() > usize::from(WIDTH) {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out.push('\n');
    out
}

/// A text of at most so many characters; a longer one ends in `…`.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Value, year and what distinguishes a factor from others of its region.
pub fn short_factor(factor: &GridFactor) -> String {
    format!(
        "{} g{}/kWh ({} {}, {})",
        factor.intensity_g_per_kwh.get(),
        factor.gas,
        factor.region,
        year(factor),
        factor.basis
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_between_a_number_and_its_unit() {
        for kept in ["40 %:", "12 288 PFLOPS", "0.05 kWh,"] {
            let filler = "x".repeat(usize::from(WIDTH) - kept.chars().count());
            // Each would begin within the line and end beyond it.
            let out = wrapped("", &format!("{filler} {kept} y"));
            let line = out.lines().find(|line| line.contains(kept));
            assert!(line.is_some(), "{out}");
        }
        assert_eq!(wrapped("", "in 2021 132 g and 3 of 30"), "in 2021 132 g and 3 of 30\n");
    }

    #[test]
    fn numbers_keep_three_digits_and_take_the_prefix_of_their_size() {
        for (value, text) in [
            (49.888, "49.9 g"),
            (999.7, "1.00 kg"),
            (0.00123, "1.23 mg"),
            (147.4, "147 g"),
            (1e6, "1.00 Mg"),
            (9.9996, "10.0 g"),
            (-0.5, "-500 mg"),
            (0.0, "0 g"),
        ] {
            assert_eq!(si(value, "g"), text);
        }
        assert_eq!((amount(1e18, "FLOP"), amount(2.5e15, "B")), ("1 EFLOP".to_owned(), "2.5 PB".to_owned()));
    }

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!((cut("Qinghai", 7), cut("Inner Mongolia", 7)), ("Qinghai".to_owned(), "Inner…".to_owned()));
    }

    #[test]
    fn a_long_entry_wraps_below_its_label() {
        let text = entry("Grid", &"word ".repeat(60));
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= 118));
        assert!(text.lines().nth(1).unwrap().starts_with("        word"));
    }
}
