//! Numbers and lists inside the sentences of a verdict.

use super::measures::{Form, Measure};

const PREFIXES: [(&str, f64); 8] =
    [("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3)];

/// A number of a figure with its unit, in the form that suits the figure.
pub fn number(measure: &Measure, value: f64, unit: &str) -> String {
    match measure.form {
        Form::Count => format!("{value}"),
        Form::Percent => format!("{} %", four(value * 100.0)),
        Form::Plain => format!("{} {unit}", four(value)),
        Form::Prefixed => prefixed(value, unit),
    }
}

/// A number with a decimal prefix: `31.2 TFLOP/s`.
pub fn prefixed(value: f64, unit: &str) -> String {
    let (prefix, scale) = PREFIXES.iter().find(|(_, scale)| value.abs() >= *scale).copied().unwrap_or(("", 1.0));
    format!("{} {prefix}{unit}", four(value / scale))
}

/// A difference as a signed percentage: `-4.2 %`.
pub fn change(ratio: f64) -> String {
    format!("{:+.1} %", ratio * 100.0)
}

/// Four significant figures: a limit and a value that differ by 0.1 % read differently.
fn four(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let exponent = format!("{size:.3e}").rsplit_once('e').and_then(|(_, e)| e.parse::<i32>().ok()).unwrap_or(0);
    let decimals = usize::try_from(3 - exponent).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// `1 device`, `3 devices`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// The first items of a list, and how many more there are.
pub fn list(items: &[String], most: usize) -> String {
    let shown = items.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > most { format!("{shown} and {} more", items.len() - most) } else { shown }
}

/// The text with a capital at its beginning.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The first twelve digits of a digest.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::measures::measure;

    #[test]
    fn numbers_are_said_in_the_form_of_their_figure() {
        let said = |id: &str, value: f64, unit: &str| number(measure(id).unwrap(), value, unit);
        assert_eq!(said("memory.rate.mean", 3.1234e12, "B/s"), "3.123 TB/s");
        assert_eq!(said("temperature.max", 61.5, "°C"), "61.50 °C");
        assert_eq!(said("throttle.thermal", 0.125, "1"), "12.50 %");
        assert_eq!(said("pcie.replays", 12.0, "1"), "12");
        assert_eq!(said("memory.rate.mean", 0.0, "B/s"), "0 B/s");
        assert_eq!((change(-0.042).as_str(), change(0.1).as_str()), ("-4.2 %", "+10.0 %"));
    }

    #[test]
    fn a_long_list_says_how_many_more_there_are() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((list(&items, 3).as_str(), list(&items, 1).as_str()), ("a, b, c", "a and 2 more"));
        assert_eq!((count(1, "device"), count(0, "device")), ("1 device".to_owned(), "0 devices".to_owned()));
    }
}
