//! What follows the colon of `--power KIND:TARGET,key=value,…`: taken apart in one way for every source.
//!
//! No source is known here. What surprises people: a key that the source does not know is an error with a suggestion,
//! because an option that is silently ignored would change what is measured.

use std::collections::BTreeMap;

use crate::model::Scope;
use crate::names;
use crate::units::Seconds;

/// A target (file, address, program) and the options behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// What stands before the first comma.
    pub(crate) target: String,
    values: BTreeMap<String, String>,
}

impl Options {
    /// Takes an argument apart; `known` are the keys that the source understands.
    pub(crate) fn parse(argument: &str, known: &[&str]) -> Result<Self, String> {
        let mut parts = split(argument).into_iter();
        let target = parts.next().unwrap_or_default().trim().to_owned();
        let mut values = BTreeMap::new();
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE"))?;
            let (key, value) = (key.trim(), value.trim());
            if !known.contains(&key) {
                let similar = names::closest(key, known.iter().copied());
                let hint = similar.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
                return Err(format!("unknown key `{key}`{hint}; known: {}", known.join(", ")));
            }
            if values.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("key `{key}` is given twice"));
            }
        }
        Ok(Self { target, values })
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// A positive time in seconds.
    pub(crate) fn seconds(&self, key: &str) -> Result<Option<Seconds>, String> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        let seconds = seconds.ok_or_else(|| format!("{key} `{text}` is not a positive number of seconds"))?;
        Ok(Some(Seconds::new(seconds)))
    }

    /// `yes` or `no`; no if it is not given.
    pub(crate) fn switch(&self, key: &str) -> Result<bool, String> {
        match self.text(key) {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(other) => Err(format!("{key} `{other}` is neither yes nor no")),
        }
    }

    /// What the watts include, under the key `scope`.
    pub(crate) fn scope(&self, default: Scope) -> Result<Scope, String> {
        let Some(text) = self.text("scope") else { return Ok(default) };
        let name = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
        serde::Deserialize::deserialize(name)
            .map_err(|_| format!("scope `{text}` is none of chip, board, module, package, host-dc, wall-ac, memory"))
    }

    /// Ordinal of the device that the source belongs to, under the key `device`; `None` for the whole host.
    pub(crate) fn device(&self) -> Result<Option<u32>, String> {
        let Some(text) = self.text("device") else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("device `{text}` is not a device number"))
    }
}

/// Splits at commas, but not at those within brackets or quotes, which belong to a query or a set of labels. Where brackets
/// or quotes do not pair up, they are taken for letters.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut open, mut quote, mut escaped) = (Vec::new(), None, false);
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(mark), _) => quote = (c != mark).then_some(mark),
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, '{') => open.push('}'),
            (None, ')' | ']' | '}') if open.pop() != Some(c) => return text.split(',').collect(),
            (None, ',') if open.is_empty() => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    if quote.is_some() || !open.is_empty() {
        return text.split(',').collect();
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["scope", "device", "every", "insecure"];

    #[test]
    fn target_and_options_are_taken_apart() {
        let options = Options::parse("https://bmc/x,scope=host-dc,device=2,every=0.5,insecure=yes", KNOWN).unwrap();
        assert_eq!(options.target, "https://bmc/x");
        assert_eq!(options.scope(Scope::WallAc), Ok(Scope::HostDc));
        assert_eq!(options.device(), Ok(Some(2)));
        assert_eq!(options.seconds("every"), Ok(Some(Seconds::new(0.5))));
        assert_eq!(options.switch("insecure"), Ok(true));
    }

    #[test]
    fn commas_within_brackets_and_quotes_do_not_separate() {
        let query = r#"query=sum by (a, b) (x{c=~"d,e)",f='g\'h'}[1m])"#;
        assert_eq!(split(&format!("host,{query},every=1")), ["host", query, "every=1"]);
        assert_eq!(split("a(1.csv,watts=w"), ["a(1.csv", "watts=w"]);
        assert_eq!(split("bob's.csv,x=1,y=)"), ["bob's.csv", "x=1", "y=)"]);
        assert_eq!(split("a"), ["a"]);
    }

    #[test]
    fn a_mistake_is_named_with_what_would_be_right() {
        let refused = |argument: &str| Options::parse(argument, KNOWN).unwrap_err();
        assert!(refused("x,scop=board").contains("did you mean `scope`?"));
        assert!(refused("x,board").contains("`board` is not KEY=VALUE"));
        assert!(refused("x,device=1,device=2").contains("given twice"));
        let options = Options::parse("x,scope=rack,device=-1,every=0,insecure=maybe", KNOWN).unwrap();
        assert!(options.scope(Scope::Board).unwrap_err().contains("`rack` is none of"));
        assert!(options.device().is_err() && options.seconds("every").is_err() && options.switch("insecure").is_err());
    }
}
