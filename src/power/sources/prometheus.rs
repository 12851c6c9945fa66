//! Any power or energy that a Prometheus server has scraped.
//!
//! `--power prometheus:URL,metric=NAME,match={LABELS},scope=SCOPE,unit=W`, or `query=PROMQL`. What surprises people: an
//! instant query stamps what it returns with the time of the *question*, and repeats a sample for five minutes after its
//! last scrape. So a selector is asked for its raw samples, which carry the times of their scrapes; a sample that is not
//! replaced within three scrape intervals is a gap. An expression has no such times: its interval must be declared.

use super::http::Cause;
use super::unwrap::Unwrap;
use super::web::{self, Freshness, Trouble, Web};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, PollError, PowerSource, Probe, ProbeContext};
use crate::units::Seconds;

use answer::{Series, parse};

#[path = "prometheus_answer.rs"]
mod answer;

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "prometheus",
    summary: "what a Prometheus server has scraped (`--power prometheus:URL,metric=NAME,match={…},scope=board,unit=W`)",
    automatic: false,
    open,
};

const SYNTAX: &str = "prometheus:URL,metric=NAME[,match={LABELS}],scope=SCOPE,unit=W (or query=PROMQL,interval=SECONDS in \
                      place of metric)";
const KEYS: &[&str] = &["metric", "match", "query", "query_file", "unit", "sum", "interval"];
/// How far back the first question looks for scrapes: Prometheus's own lookback, in which a scrape of each minute fits
/// several times.
const FIRST_LOOK: Seconds = Seconds::new(300.0);
/// Scrape intervals without a new sample after which the last is stale.
const STALE_INTERVALS: f64 = 3.0;
/// Slack for the time a scrape and our own poll take.
const SLACK: Seconds = Seconds::new(2.0);

fn open(context: &ProbeContext) -> Findings {
    web::open(context, (PROBE.kind, "http", SYNTAX), KEYS, |web, context| Ok(Box::new(Query::connect(web, context)?)))
}

/// A unit of the scraped numbers: what they are, and how many watts or joules one is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Unit {
    quantity: Quantity,
    factor: f64,
}

impl Unit {
    fn parse(name: &str) -> Option<Self> {
        let power = |factor: f64| Some(Self { quantity: Quantity::AveragedPower, factor });
        let energy = |factor: f64| Some(Self { quantity: Quantity::EnergyCounter, factor });
        match name {
            "uW" | "µW" => power(1e-6),
            "mW" => power(1e-3),
            "W" => power(1.0),
            "kW" => power(1e3),
            "uJ" | "µJ" => energy(1e-6),
            "mJ" => energy(1e-3),
            "J" => energy(1.0),
            "kJ" => energy(1e3),
            "Wh" => energy(3.6e3),
            "kWh" => energy(3.6e6),
            _ => None,
        }
    }

    /// Units that a metric's name promises, by Prometheus's naming rules, and those of dcgm-exporter.
    fn of_metric(name: &str) -> Option<Self> {
        match name {
            "DCGM_FI_DEV_POWER_USAGE" => Self::parse("W"),
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION" => Self::parse("mJ"),
            _ if name.ends_with("_watts") => Self::parse("W"),
            _ if name.ends_with("_joules_total") || name.ends_with("_joules") => Self::parse("J"),
            _ => None,
        }
    }
}

struct Query {
    info: SourceInfo,
    web: Web,
    /// What is asked at each poll, with its path.
    path: String,
    series: usize,
    unit: Unit,
    /// One counter for each series, so that a restart of one exporter is not the sum's.
    counters: Vec<(String, Unwrap)>,
    freshness: Freshness,
    hz: f64,
}

/// What the user asks for, before a server has seen it.
struct Wish {
    expression: String,
    /// Its numbers are raw samples of a metric.
    is_selector: bool,
    unit: Unit,
    scope: Scope,
    sum: bool,
    interval: Option<Seconds>,
}

impl Wish {
    fn read(web: &Web) -> Result<Self, Trouble> {
        let text = |key: &str| web.options.text(key);
        let wrong = |why: String| web.wrong(why);
        let file = text("query_file").map(|file| {
            let read = std::fs::read_to_string(file).map_err(|error| wrong(format!("cannot read {file}: {error}")))?;
            Ok(read.trim().to_owned())
        });
        let file: Option<String> = file.transpose()?;
        let labels = text("match").map(|labels| labels.trim_start_matches('{').trim_end_matches('}'));
        let (expression, is_selector) = match (text("metric"), text("query"), file) {
            (Some(metric), None, None) => match labels {
                Some(labels) => (format!("{metric}{{{labels}}}"), true),
                None => (metric.to_owned(), true),
            },
            (None, Some(query), None) if labels.is_none() => (query.to_owned(), false),
            (None, None, Some(query)) if labels.is_none() => (query, false),
            _ => {
                return Err(web.wrong("one of metric=, query= and query_file= is needed, and match= goes with metric="));
            }
        };
        let name = text("metric").unwrap_or_default().split('{').next().unwrap_or_default();
        let unit = match text("unit") {
            Some(unit) => Unit::parse(unit)
                .ok_or_else(|| wrong(format!("unit `{unit}` is none of uW, mW, W, kW, uJ, mJ, J, kJ, Wh, kWh")))?,
            None => Unit::of_metric(name).ok_or_else(|| {
                wrong("the unit of its numbers is not known: say unit=W, mW, J, mJ or kWh".to_owned())
            })?,
        };
        if text("scope").is_none() {
            return Err(wrong(
                "what the watts include is not known: say scope=chip, board, module, package, host-dc or wall-ac"
                    .to_owned(),
            ));
        }
        let interval = web.options.seconds("interval").map_err(wrong)?;
        if !is_selector && interval.is_none() {
            return Err(wrong(
                "an expression does not show when its samples were scraped: say interval=SECONDS, the scrape interval of \
                 what is in it (or name a single metric with metric=)"
                    .to_owned(),
            ));
        }
        Ok(Self {
            expression,
            is_selector,
            unit,
            scope: web.options.scope(Scope::WallAc).map_err(wrong)?,
            sum: web.options.switch("sum").map_err(wrong)?,
            interval,
        })
    }

    /// The path of a question that looks back for `look`.
    fn path(&self, base: &str, look: Seconds) -> String {
        if self.is_selector {
            let query = format!("{}[{}ms]", self.expression, (look.get() * 1e3).round());
            return format!("{base}/api/v1/query?query={}", web::percent_encode(&query));
        }
        // Servers before 2.44 do not know the limit of the lookback, and ignore it.
        let query = web::percent_encode(&self.expression);
        format!("{base}/api/v1/query?query={query}&lookback_delta={}", look.get())
    }
}

impl Query {
    fn connect(mut web: Web, context: &ProbeContext) -> Result<Self, Trouble> {
        let wish = Wish::read(&web)?;
        let device = web.options.device().map_err(|why| web.wrong(why))?;
        let login = web.login.clone();
        web.client.sign(&login);
        let base = web.address.path.clone();
        let first = if wish.is_selector { FIRST_LOOK } else { look(wish.interval.unwrap_or(FIRST_LOOK)) };
        let (series, server_s) = ask(&mut web, &wish.path(&base, first)).map_err(|error| error.into_trouble(&web))?;
        let count = series.len();
        if count == 0 {
            return Err(Trouble::new(
                format!("{} has no sample of {} within {} s", web.address.origin, wish.expression, first.get()),
                "check name and labels on the server's own page; the exporter may be down",
            ));
        }
        if count > 1 && !wish.sum {
            let names: Vec<&str> = series.iter().map(|one| one.labels.as_str()).take(5).collect();
            return Err(Trouble::new(
                format!("{} has {count} series: {}", wish.expression, names.join("; ")),
                "choose one with match={LABEL=\"VALUE\"}, or add all of them up with sum=yes",
            ));
        }
        let found =
            series.iter().filter_map(Series::step).fold(None, |a: Option<f64>, b| Some(a.map_or(b, |a| a.max(b))));
        let interval = wish.interval.or(found.map(Seconds::new));
        let patience = interval.map_or(FIRST_LOOK, |interval| Seconds::new(look(interval).get() + SLACK.get()));
        let newest = series.iter().map(|one| one.last.0).fold(f64::INFINITY, f64::min);
        if let Some(age) = server_s.map(|now| now - newest).filter(|age| wish.is_selector && *age > patience.get()) {
            return Err(Trouble::new(
                format!("the last sample of {} was scraped {age:.0} s ago", wish.expression),
                "check that the exporter is up; a sample this old says nothing of now",
            ));
        }
        let hz = polls(&web, interval);
        let info = info(&web, &wish, interval, device, count);
        let mut query = Self {
            info,
            path: wish.path(&base, look(interval.unwrap_or(FIRST_LOOK))),
            web,
            series: count,
            unit: wish.unit,
            counters: Vec::new(),
            freshness: Freshness::new(patience),
            hz,
        };
        let checked = query.value(&series, context_now(context));
        checked.map_err(|error| Trouble::new(error.to_string(), "check metric, labels and unit"))?;
        Ok(query)
    }

    /// One figure from the last samples of all series.
    fn value(&mut self, series: &[Series], now: Nanoseconds) -> Result<Option<f64>, PollError> {
        if series.len() != self.series {
            let text = format!("{} of {} series have a sample", series.len(), self.series);
            return Err(PollError::Transient(text));
        }
        // The oldest of the last samples tells how fresh the sum is.
        let oldest = series.iter().filter(|one| one.is_raw).map(|one| one.last.0).reduce(f64::min);
        self.freshness.check(oldest.map(|time| format!("{time:.3}")).as_deref(), now)?;
        let mut sum = 0.0;
        for one in series {
            let value = one.last.1 * self.unit.factor;
            if !value.is_finite() || value < 0.0 || (self.unit.quantity != Quantity::EnergyCounter && value == 0.0) {
                let text = format!("{} is {}: no reading", one.labels, one.last.1);
                return Err(PollError::Transient(text));
            }
            if self.unit.quantity != Quantity::EnergyCounter {
                sum += value;
                continue;
            }
            let position = self.counters.iter().position(|(labels, _)| *labels == one.labels);
            let position = position.unwrap_or_else(|| {
                self.counters.push((one.labels.clone(), Unwrap::new(None)));
                self.counters.len() - 1
            });
            match self.counters[position].1.total(value) {
                Some(total) => sum += total,
                None => return Ok(None),
            }
        }
        Ok(Some(sum))
    }
}

fn context_now(context: &ProbeContext) -> Nanoseconds {
    use crate::clock::Clock;
    context.clock.now()
}

/// How far back a poll looks: as long as a sample may stand.
fn look(interval: Seconds) -> Seconds {
    Seconds::new(STALE_INTERVALS * interval.get())
}

/// Polls a second: as the user asks, else twice a scrape and not more than twice a second.
fn polls(web: &Web, interval: Option<Seconds>) -> f64 {
    let asked = web.options.text("every").is_some();
    let scraped = interval.map_or(1.0, |interval| 2.0 / interval.get());
    if asked { 1.0 / web.every.get() } else { scraped.min(2.0) }
}

/// Why a question has no answer.
enum AskError {
    Http(super::http::Failure),
    Said(String),
}

impl AskError {
    fn into_trouble(self, web: &Web) -> Trouble {
        match self {
            Self::Http(failure) => web.failed(&failure),
            Self::Said(why) => Trouble::new(why, "correct metric=, match= or query="),
        }
    }
}

impl From<AskError> for PollError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Http(failure) => failure.into(),
            AskError::Said(why) => Self::Transient(why),
        }
    }
}

/// Asks a question; returns its series, and the server's own time where it says it.
fn ask(web: &mut Web, path: &str) -> Result<(Vec<Series>, Option<f64>), AskError> {
    let reply = web.client.get(path).map_err(AskError::Http)?;
    let date = reply.header("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let server_s = date.map(|date| date.timestamp().as_millisecond() as f64 / 1e3);
    match parse(&reply.body) {
        Ok(series) if (200..300).contains(&reply.status) => Ok((series, server_s)),
        Err(Some(said)) => Err(AskError::Said(format!("the server says: {}", web::shorten(&said)))),
        _ => {
            let cause = match reply.status {
                200..300 => Cause::NotJson("it is no answer of Prometheus's query API".to_owned()),
                status => Cause::Status(status, String::new()),
            };
            Err(AskError::Http(web.client.failure(path, cause)))
        }
    }
}

fn info(web: &Web, wish: &Wish, interval: Option<Seconds>, device: Option<u32>, count: usize) -> SourceInfo {
    let is_counter = wish.unit.quantity == Quantity::EnergyCounter;
    let id = if is_counter { "energy.scraped" } else { "power.scraped" };
    let channel = Channel { update_period_s: interval, ..Channel::new(id, wish.unit.quantity, wish.scope) };
    let rhythm = match interval {
        Some(interval) => format!("scraped every {:.3} s", interval.get()),
        None => "scrape interval unknown (one sample so far)".to_owned(),
    };
    let sum = if count > 1 { format!(", the sum of {count} series") } else { String::new() };
    let age = if wish.is_selector {
        "each poll reports the last scraped sample, which is stale after three intervals"
    } else {
        "an expression: the age of the samples in it is limited by the server only, to three intervals since 2.44, to its \
         lookback of 5 min before"
    };
    SourceInfo {
        id: format!("{}:{}", web.kind, web.address.authority),
        kind: web.kind.to_owned(),
        device,
        evidence: Evidence::Measured,
        note: format!(
            "{}{sum}, {rhythm}; {age}; over what the exporter averages is not known{}",
            wish.expression, web.caveat
        ),
        channels: vec![channel],
    }
}

impl PowerSource for Query {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(self.hz)
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let (series, _) = ask(&mut self.web, &self.path)?;
        if series.is_empty() {
            return Err(PollError::Transient("the server has no sample of the last three scrape intervals".to_owned()));
        }
        values[0] = self.value(&series, now)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_taken_from_names_that_promise_them() {
        let unit = |name: &str| Unit::of_metric(name).map(|unit| (unit.quantity, unit.factor));
        assert_eq!(unit("node_power_watts"), Some((Quantity::AveragedPower, 1.0)));
        assert_eq!(unit("node_rapl_package_joules_total"), Some((Quantity::EnergyCounter, 1.0)));
        assert_eq!(unit("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"), Some((Quantity::EnergyCounter, 1e-3)));
        assert_eq!(unit("power"), None);
        assert_eq!(Unit::parse("kWh").map(|unit| unit.factor), Some(3.6e6));
        assert_eq!(Unit::parse("hp"), None);
    }
}
