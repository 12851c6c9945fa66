//! What was asked for: lengths of time and labels, checked before anything is opened.

use std::collections::BTreeMap;

use super::Args;
use crate::cli::{Failure, resolve};
use crate::units::Seconds;

/// Length of the load where none is asked for.
const DEFAULT: Seconds = Seconds::new(1800.0);
/// Length of the load under `--quick`.
const QUICK: Seconds = Seconds::new(120.0);
/// Least and greatest length of a load: a few windows of each phase, and a month.
const RANGE: (f64, f64) = (5.0, 30.0 * 86_400.0);
/// Longest key and value of a label, in characters.
const LABEL: (usize, usize) = (40, 200);

/// Lengths of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// All of it.
    pub planned: Seconds,
    /// A segment.
    pub segment: Seconds,
    /// A window.
    pub window: Seconds,
}

impl Lengths {
    /// What was asked for.
    pub fn of(args: &Args) -> anyhow::Result<Self> {
        let planned = match (&args.burn_in, &args.duration) {
            (Some(text), _) => length("--burn-in", text)?,
            (None, Some(text)) => length("--duration", text)?,
            (None, None) if args.quick => QUICK,
            (None, None) => DEFAULT,
        };
        Self::for_load(planned, args)
    }

    /// The lengths that belong to a load of this length, the same each time: segments of 1, 2 or 5 minutes, and about a
    /// hundred windows of each phase, of 1 to 10 s.
    pub fn for_load(planned: Seconds, args: &Args) -> anyhow::Result<Self> {
        let usual = match planned.get() {
            seconds if seconds <= 300.0 => 60.0,
            seconds if seconds <= 7200.0 => 120.0,
            _ => 300.0,
        };
        let segment = match &args.segment {
            Some(text) => resolve::duration_up_to("--segment", text, RANGE.1)?,
            None => Seconds::new(usual),
        };
        let window = (planned.get() / 500.0).clamp(1.0, 10.0).min(segment.get() / 10.0);
        Ok(Self { planned, segment, window: Seconds::new(window) })
    }
}

fn length(name: &str, text: &str) -> anyhow::Result<Seconds> {
    let length = resolve::duration_up_to(name, text, RANGE.1)?;
    if length.get() < RANGE.0 {
        let why =
            format!("{name} is `{text}`: a load must last {} s at least, for each phase needs its windows", RANGE.0);
        return Err(Failure::usage(why).into());
    }
    Ok(length)
}

/// The labels that were given, by key.
pub fn labels(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for text in given {
        let (key, value) = label(text).map_err(|why| Failure::usage(format!("cannot use --label `{text}`: {why}")))?;
        if let Some(other) = labels.insert(key.clone(), value.clone()).filter(|other| *other != value) {
            let why = format!("--label gives `{key}` twice, as `{other}` and as `{value}`: give it once");
            return Err(Failure::usage(why).into());
        }
    }
    Ok(labels)
}

fn label(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err("give a key and a value, for example rack=r12".to_owned());
    };
    let (key, value) = (key.trim(), value.trim());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) || !key.chars().all(plain) || key.len() > LABEL.0 {
        return Err(format!(
            "the key `{key}` must begin with a letter and hold letters, digits, `_`, `-` and `.`, {} at most",
            LABEL.0
        ));
    }
    if value.is_empty() || value.chars().count() > LABEL.1 || value.chars().any(char::is_control) {
        return Err(format!("the value must have 1 to {} characters, without line breaks", LABEL.1));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(duration: &str) -> Lengths {
        Lengths::of(&Args { duration: Some(duration.to_owned()), ..Args::default() }).unwrap()
    }

    #[test]
    fn a_load_has_about_a_hundred_windows_of_each_of_its_five_phases() {
        // 1800 s / 5 phases / 100 windows = 3.6 s.
        assert_eq!(
            lengths("30m"),
            Lengths { planned: Seconds::new(1800.0), segment: Seconds::new(120.0), window: Seconds::new(3.6) }
        );
        let day = lengths("24h");
        assert_eq!((day.segment.get(), day.window.get()), (300.0, 10.0));
        let quick = Lengths::of(&Args { quick: true, ..Args::default() }).unwrap();
        assert_eq!((quick.planned.get(), quick.segment.get(), quick.window.get()), (120.0, 60.0, 1.0));
        assert_eq!(Lengths::of(&Args::default()).unwrap().planned, Seconds::new(1800.0));
    }

    #[test]
    fn lengths_that_cannot_be_meant_are_refused_with_the_name_of_the_flag() {
        for text in ["0", "-5m", "nan", "soon", "4s", "60d", ""] {
            let args = Args { burn_in: Some(text.to_owned()), ..Args::default() };
            let error = Lengths::of(&args).unwrap_err().to_string();
            assert!(error.starts_with("--burn-in is `"), "{text}: {error}");
        }
    }

    #[test]
    fn labels_have_a_plain_key_and_a_value() {
        let given = ["rack=r12", "row = 7", "rack=r12"].map(str::to_owned);
        let labels = labels(&given).unwrap();
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), [("rack".into(), "r12".into()), ("row".into(), "7".into())]);
        for bad in ["rack", "=r12", "rack=", "9x=1", "a b=1", "rack=a\nb"] {
            let error = super::labels(&[bad.to_owned()]).unwrap_err().to_string();
            assert!(error.contains("cannot use --label"), "{bad}: {error}");
        }
        let twice = super::labels(&["rack=r1".to_owned(), "rack=r2".to_owned()]).unwrap_err().to_string();
        assert!(twice.contains("twice, as `r1` and as `r2`"), "{twice}");
    }
}
