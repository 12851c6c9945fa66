//! What every source over HTTP shares: its options, its client, and how a reading is judged.
//!
//! No device is known here. What surprises people: a reading's own time is compared only with itself. A clock of a BMC or
//! a plug may be years off, but a reading that is alive changes its time; one that does not for [`Freshness`]'s limit is a
//! gap. A poll reports the last reading as it stands, so it lags by up to one update of the service.

use std::path::Path;

use serde_json::Value;

use super::http::{Address, Client, Failure, Trust};
use super::login::Login;
use super::options::Options;
use crate::clock::Nanoseconds;
use crate::power::{Findings, Obstacle, PollError, PowerSource, ProbeContext};
use crate::units::Seconds;

/// Keys that every source over HTTP understands.
pub(crate) const COMMON_KEYS: [&str; 7] = ["scope", "device", "every", "timeout", "ca", "insecure", "credentials"];
/// Limit of a request where the user gives none: slow BMCs need a second or two.
const DEFAULT_LIMIT: Seconds = Seconds::new(5.0);
/// Longest limit that can be asked for: a hanging server may cost a run no more at its end.
const LONGEST_LIMIT: Seconds = Seconds::new(60.0);
/// Time between two polls where the user gives none. Plugs and BMCs renew their readings about once a second, or slower.
const DEFAULT_PERIOD: Seconds = Seconds::new(1.0);

/// Why a source cannot be opened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Why.
    pub(crate) why: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl Trouble {
    /// A trouble in words.
    pub(crate) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into() }
    }
    /// A request that failed.
    pub(crate) fn of(failure: &Failure, kind: &str) -> Self {
        Self::new(failure.to_string(), failure.remedy(kind))
    }
}

/// A service over HTTP that was named with `--power`, before anything was asked of it.
pub(crate) struct Web {
    /// The kind of source.
    pub(crate) kind: &'static str,
    /// Its options.
    pub(crate) options: Options,
    /// Where it is.
    pub(crate) address: Address,
    /// Who speaks with it.
    pub(crate) client: Client,
    /// Who we are to it.
    pub(crate) login: Login,
    /// Time between two polls.
    pub(crate) every: Seconds,
    /// What a reader of the record must know of the connection; empty, or beginning with `; `.
    pub(crate) caveat: String,
    warnings: Vec<Obstacle>,
}

/// Opens a source over HTTP; without an argument there is nothing to ask. `scheme` is what a bare host means.
pub(crate) fn open(
    context: &ProbeContext,
    (kind, scheme, syntax): (&'static str, &str, &str),
    keys: &[&str],
    connect: impl FnOnce(Web, &ProbeContext) -> Result<Box<dyn PowerSource>, Trouble>,
) -> Findings {
    let Some(argument) = &context.argument else { return Findings::default() };
    let mut obstacles = Vec::new();
    let opened = Web::prepare(kind, scheme, argument, keys, syntax).and_then(|mut web| {
        obstacles.append(&mut web.warnings);
        connect(web, context)
    });
    let mut sources = Vec::new();
    match opened {
        Ok(source) => sources.push(source),
        Err(Trouble { why, remedy }) => obstacles.push(Obstacle { what: format!("{kind}:{argument}"), why, remedy }),
    }
    Findings { sources, obstacles }
}

impl Web {
    fn prepare(kind: &'static str, scheme: &str, argument: &str, keys: &[&str], syntax: &str) -> Result<Self, Trouble> {
        let wrong = |why: String| Trouble::new(why, format!("write --power {syntax}"));
        let known: Vec<&str> = COMMON_KEYS.iter().chain(keys).copied().collect();
        let options = Options::parse(argument, &known).map_err(wrong)?;
        let address = Address::parse(&options.target, scheme).map_err(wrong)?;
        let limit = options.seconds("timeout").map_err(wrong)?.unwrap_or(DEFAULT_LIMIT);
        if limit > LONGEST_LIMIT {
            return Err(wrong(format!("timeout is {} s: at most {} s", limit.get(), LONGEST_LIMIT.get())));
        }
        let every = options.seconds("every").map_err(wrong)?.unwrap_or(DEFAULT_PERIOD);
        let insecure = options.switch("insecure").map_err(wrong)?;
        let authorities = options.text("ca").map(std::fs::read).transpose();
        let authorities = authorities.map_err(|error| {
            let file = options.text("ca").unwrap_or_default();
            Trouble::new(
                format!("cannot read ca={file}: {error}"),
                "name a readable file with certificates in PEM form",
            )
        })?;
        let trust = Trust { authorities, insecure, limit };
        let client = Client::new(&address, &trust).map_err(|why| {
            let file = options.text("ca").unwrap_or_default();
            Trouble::new(format!("ca={file} cannot be used: {why}"), "name a file with certificates in PEM form")
        })?;
        let mut warnings = Vec::new();
        let login = match options.text("credentials") {
            None => Login::from_environment(kind),
            Some(file) => {
                let (login, warning) = Login::from_file(Path::new(file)).map_err(|why| {
                    Trouble::new(why, "write user and password into two lines of a file that only you can read")
                })?;
                warnings.extend(warning);
                login
            }
        };
        let mut caveat = String::new();
        if insecure && !address.is_open() {
            caveat.push_str("; certificate not checked");
        }
        if address.is_open() && login != Login::None {
            caveat.push_str("; credentials travel unencrypted");
        }
        Ok(Self { kind, options, address, client, login, every, caveat, warnings })
    }

    /// A wrong option.
    pub(crate) fn wrong(&self, why: impl Into<String>) -> Trouble {
        Trouble::new(why, format!("see docs/sources/{}.md", self.kind))
    }

    /// A request that failed.
    pub(crate) fn failed(&self, failure: &Failure) -> Trouble {
        Trouble::of(failure, self.kind)
    }
}

impl From<Failure> for PollError {
    fn from(failure: Failure) -> Self {
        Self::Transient(failure.to_string())
    }
}

/// A number at a place in JSON, also in quotes as some firmwares write it; why there is none otherwise.
pub(crate) fn number(value: &Value, pointer: &str) -> Result<f64, String> {
    let name = pointer.trim_start_matches('/').replace('/', ".");
    match value.pointer(pointer) {
        None => Err(format!("the answer has no {name}")),
        Some(Value::Null) => Err(format!("{name} is null: the service has no reading now")),
        Some(Value::Number(number)) => number.as_f64().ok_or_else(|| format!("{name} is no finite number")),
        Some(Value::String(text)) => {
            let parsed = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            parsed.ok_or_else(|| format!("{name} is the text `{}`, not a number", shorten(text)))
        }
        Some(_) => Err(format!("{name} is not a number")),
    }
}

/// A power that can be true of something that is switched on and measured.
pub(crate) fn watts(value: &Value, pointer: &str) -> Result<f64, String> {
    let watts = number(value, pointer)?;
    if watts > 0.0 { Ok(watts) } else { Err(format!("the service says {watts} W, which nothing that runs draws")) }
}

/// The beginning of a text that a service sent, on one line.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// Text of a number's place in a query: everything but letters, digits and `-._~` in percent form (RFC 3986).
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Joules by which a counter's last digit moves: `unit` is a step of one, the sample shows the decimals.
pub(crate) fn step_of(sample: f64, unit: f64) -> f64 {
    let text = format!("{sample}");
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    unit * 10f64.powi(-i32::try_from(decimals).unwrap_or(0))
}

/// Knows when a reading that carries its own time has stopped changing it.
#[derive(Debug, Clone)]
pub(crate) struct Freshness {
    limit: Seconds,
    last: Option<(String, Nanoseconds)>,
}

impl Freshness {
    /// A reading must change its time within `limit`.
    pub(crate) fn new(limit: Seconds) -> Self {
        Self { limit, last: None }
    }

    /// Judges a reading by its own time; a reading without one passes.
    pub(crate) fn check(&mut self, own_time: Option<&str>, now: Nanoseconds) -> Result<(), PollError> {
        let Some(own_time) = own_time else { return Ok(()) };
        if let Some((last, seen)) = &self.last
            && last == own_time
        {
            let age = now.since(*seen);
            if age > self.limit {
                let text = format!("the service repeats its reading of {own_time} since {:.0} s", age.get());
                return Err(PollError::Transient(text));
            }
            return Ok(());
        }
        self.last = Some((own_time.to_owned(), now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_read_and_anything_else_is_told() {
        let answer = json!({"a": {"b": 374}, "text": "344", "unit": "344 W", "null": null, "list": []});
        assert_eq!(number(&answer, "/a/b"), Ok(374.0));
        assert_eq!(number(&answer, "/text"), Ok(344.0));
        for (pointer, why) in [
            ("/unit", "is the text `344 W`"),
            ("/null", "null is null"),
            ("/list", "is not a number"),
            ("/a/c", "has no a.c"),
        ] {
            let said = number(&answer, pointer).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        assert!(watts(&json!({"w": 0}), "/w").is_err() && watts(&json!({"w": -3}), "/w").is_err());
    }

    #[test]
    fn a_reading_that_keeps_its_time_grows_stale_and_one_without_time_does_not() {
        let mut freshness = Freshness::new(Seconds::new(3.0));
        let at = |seconds: f64| Nanoseconds(0).plus(Seconds::new(seconds));
        for (time, second, fresh) in
            [(Some("12:00"), 0.0, true), (Some("12:00"), 3.0, true), (Some("12:00"), 3.5, false), (None, 9.0, true)]
        {
            assert_eq!(freshness.check(time, at(second)).is_ok(), fresh, "{time:?} at {second}");
        }
        assert!(freshness.check(Some("12:01"), at(10.0)).is_ok());
    }

    #[test]
    fn the_step_of_a_counter_follows_from_its_decimals() {
        assert_eq!(step_of(325_675.0, 3.6e6), 3.6e6);
        assert!((step_of(12.345, 3.6e6) - 3600.0).abs() < 1e-6);
    }

    #[test]
    fn a_query_is_encoded_byte_by_byte() {
        assert_eq!(percent_encode("a{b=\"c,d\"}[5m] ü"), "a%7Bb%3D%22c%2Cd%22%7D%5B5m%5D%20%C3%BC");
    }
}
