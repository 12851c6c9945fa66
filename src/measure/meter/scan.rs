//! Amounts of work in a program's output: numbers as people and programs write them, and the patterns that find them.
//!
//! Nothing here knows of processes. What surprises people: `20,000` is refused, because it is twenty thousand to one
//! reader and twenty to another; the sign between thousands must then be named.

use std::sync::{Arc, Mutex, PoisonError};

use regex::bytes::Regex;

/// Longest line that is searched as a whole; a longer one is searched in pieces.
const LONGEST_LINE: usize = 1 << 16;

/// How the amounts of several matches become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gather {
    /// The last match stands.
    Last,
    /// All matches are added.
    Sum,
}

/// Finds the amount of one unit of work in a program's output, line by line.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// The pattern as it was typed, between its slashes.
    pub text: String,
    regex: Regex,
    gather: Gather,
    thousands: Option<char>,
}

impl Pattern {
    /// A pattern with a group in parentheses around the amount.
    pub fn new(text: &str, gather: Gather, thousands: Option<char>) -> Result<Self, String> {
        let regex = Regex::new(text).map_err(|error| format!("`{text}` is no regular expression: {error}"))?;
        if regex.captures_len() < 2 {
            return Err(format!("`{text}` needs parentheses around the amount, for example /generated (\\d+) tokens/"));
        }
        Ok(Self { text: text.to_owned(), regex, gather, thousands })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.gather, self.thousands) == (&other.text, other.gather, other.thousands)
    }
}

/// What a pattern found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Matches with a number.
    pub count: u64,
    /// The amount; `None` if nothing matched.
    pub amount: Option<f64>,
    /// Why the last match that was no number was none.
    pub unreadable: Option<String>,
}

/// Lines of one stream, searched by all patterns as they become complete.
pub struct Scanner {
    patterns: Arc<Vec<Pattern>>,
    tallies: Arc<Mutex<Vec<Tally>>>,
    line: Vec<u8>,
}

/// Tallies shared by the streams of one program.
pub fn tallies(patterns: &[Pattern]) -> Arc<Mutex<Vec<Tally>>> {
    Arc::new(Mutex::new(vec![Tally::default(); patterns.len()]))
}

impl Scanner {
    /// A scanner of one stream.
    pub fn new(patterns: Arc<Vec<Pattern>>, tallies: Arc<Mutex<Vec<Tally>>>) -> Self {
        Self { patterns, tallies, line: Vec::new() }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || piece.ends_with(b"\r") || self.line.len() >= LONGEST_LINE {
                self.finish();
            }
        }
    }

    /// Searches what was not ended by a line break.
    pub fn finish(&mut self) {
        while matches!(self.line.last(), Some(b'\n' | b'\r')) {
            self.line.pop();
        }
        if self.line.is_empty() {
            return;
        }
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for (pattern, tally) in self.patterns.iter().zip(tallies.iter_mut()) {
            for captures in pattern.regex.captures_iter(&self.line) {
                let Some(found) = captures.get(1) else { continue };
                let text = String::from_utf8_lossy(found.as_bytes());
                match amount(&text, pattern.thousands) {
                    Ok(value) => {
                        tally.count += 1;
                        tally.amount = Some(match (pattern.gather, tally.amount) {
                            (Gather::Sum, Some(before)) => before + value,
                            _ => value,
                        });
                    }
                    Err(why) => tally.unreadable = Some(why),
                }
            }
        }
        self.line.clear();
    }
}

/// Reads an amount: a number with `.` before its decimals, an optional prefix (k, M, G, T, P, Ki, Mi, Gi) behind it,
/// and signs between its thousands where no other reading is possible.
pub fn amount(text: &str, thousands: Option<char>) -> Result<f64, String> {
    let text = text.trim();
    let (digits, factor) = without_prefix(text);
    let plain = without_thousands(digits, thousands).map_err(|why| format!("`{text}` {why}"))?;
    let value = plain.parse::<f64>().ok().map(|value| value * factor);
    value.filter(|value| value.is_finite() && *value >= 0.0).ok_or_else(|| format!("`{text}` is no amount"))
}

fn without_prefix(text: &str) -> (&str, f64) {
    const PREFIXES: [(&str, f64); 9] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("k", 1e3),
        ("K", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let found = PREFIXES.iter().find_map(|(prefix, factor)| Some((text.strip_suffix(prefix)?, *factor)));
    found.map_or((text, 1.0), |(digits, factor)| (digits.trim_end(), factor))
}

/// The number without the signs between its groups of three digits.
fn without_thousands(text: &str, named: Option<char>) -> Result<String, String> {
    // Signs that are nothing but separators of groups.
    let harmless = |c: char| matches!(c, '_' | '\'' | ' ' | '\u{a0}' | '\u{202f}');
    let mut text = text.to_owned();
    if let Some(sign) = named {
        text.retain(|c| c != sign);
        return Ok(text);
    }
    if let Some(sign) = text.chars().find(|c| harmless(*c)).filter(|sign| grouped(&text, *sign)) {
        text.retain(|c| c != sign);
    }
    let commas = text.matches(',').count();
    let dots = text.matches('.').count();
    if commas == 0 && dots <= 1 {
        return Ok(text);
    }
    let whole = text.split('.').next().unwrap_or_default();
    let decimals = text.split('.').nth(1).unwrap_or_default();
    let before_decimals = commas >= 1 && dots == 1 && !decimals.contains(',') && grouped(whole, ',');
    if before_decimals || (commas >= 2 && dots == 0 && grouped(&text, ',')) {
        text.retain(|c| c != ',');
        return Ok(text);
    }
    if dots >= 2 && commas == 0 && grouped(&text, '.') {
        text.retain(|c| c != '.');
        return Ok(text);
    }
    Err("may be read in two ways: name the sign between thousands with --thousands, for example --thousands ,"
        .to_owned())
}

/// True if a sign cuts the text into groups of three digits, the first of one to three.
fn grouped(text: &str, sign: char) -> bool {
    let mut groups = text.split('.').next().unwrap_or_default().split(sign);
    if sign == '.' {
        groups = text.split(sign);
    }
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && digits(first) && groups.all(|group| group.len() == 3 && digits(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, gather: Gather, output: &[&[u8]]) -> Tally {
        let patterns = Arc::new(vec![Pattern::new(pattern, gather, None).unwrap()]);
        let tallies = tallies(&patterns);
        let mut scanner = Scanner::new(patterns, Arc::clone(&tallies));
        output.iter().for_each(|bytes| scanner.feed(bytes));
        scanner.finish();
        tallies.lock().unwrap().remove(0)
    }

    #[test]
    fn the_last_match_stands_or_all_are_added_however_the_bytes_are_cut() {
        let output: [&[u8]; 4] = [b"step 1: 10 tok", b"ens\nstep 2: 3", b"0 tokens\r\xff\nend: 5 tokens", b""];
        assert_eq!(found(r"(\d+) tokens", Gather::Last, &output).amount, Some(5.0));
        let sum = found(r"(\d+) tokens", Gather::Sum, &output);
        assert_eq!((sum.count, sum.amount), (3, Some(45.0)));
        assert_eq!(found(r"(\d+) images", Gather::Sum, &output), Tally::default(), "no match is not zero");
    }

    #[test]
    fn numbers_are_read_where_they_can_be_read_in_one_way_only() {
        for (text, value) in [
            ("20000", 2e4),
            ("1.5e15", 1.5e15),
            (" 20_000 ", 2e4),
            ("20 000", 2e4),
            ("1'234'567", 1_234_567.0),
            ("1,234,567", 1_234_567.0),
            ("1,234.5", 1234.5),
            ("1.234.567", 1_234_567.0),
            ("1.5k", 1500.0),
            ("2 M", 2e6),
            ("3T", 3e12),
            ("4Ki", 4096.0),
            ("0", 0.0),
        ] {
            assert_eq!(amount(text, None), Ok(value), "{text}");
        }
        for text in ["20,000", "1,5", "", "k", "-3", "nan", "inf", "1e999", "12,34,56", "1,234.5,6", "5m", "1 5"] {
            assert!(amount(text, None).is_err(), "{text}: {:?}", amount(text, None));
        }
        assert!(amount("20,000", None).unwrap_err().contains("--thousands"));
        assert_eq!(amount("20,000", Some(',')), Ok(2e4));
        assert_eq!(amount("20.000", Some('.')), Ok(2e4));
        assert_eq!(amount("20.000", None), Ok(20.0));
    }

    #[test]
    fn a_match_that_is_no_number_is_told_and_counts_nothing() {
        let tally = found(r"did ([\d,]+) tokens", Gather::Last, &[b"did 20,000 tokens\n"]);
        assert_eq!((tally.count, tally.amount), (0, None));
        assert!(tally.unreadable.unwrap().contains("two ways"));
    }

    #[test]
    fn a_pattern_without_a_group_or_without_sense_is_refused() {
        assert!(Pattern::new(r"\d+ tokens", Gather::Last, None).unwrap_err().contains("parentheses"));
        assert!(Pattern::new("(", Gather::Last, None).unwrap_err().contains("no regular expression"));
    }
}
