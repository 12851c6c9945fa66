//! Redfish services of BMCs: the power of a chassis, or of one processor.
//!
//! `--power redfish:HOST[,chassis=ID]`, or a path to one resource. Looked for in this order: `EnvironmentMetrics`, the
//! metrics of the power supplies, the legacy `Power` resource (DMTF DSP0266 and DSP0268). What surprises people: no schema says on
//! which side of the power supply the watts of a chassis are taken, so they are host DC unless the user knows better; and
//! `AverageConsumedWatts`, an average over minutes, is never read.

mod bmc;
mod tree;

use serde_json::Value;

use super::unwrap::Unwrap;
use super::web::{self, Freshness, Trouble, Web};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Ratio, Seconds};

use bmc::Bmc;
use tree::{Reading, Target};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "redfish",
    summary: "a BMC's Redfish service: a chassis or a processor (`--power redfish:HOST[,chassis=ID]`)",
    automatic: false,
    open,
};

const SYNTAX: &str = "redfish:HOST[,chassis=ID][,scope=host-dc|wall-ac][,from=environment|supplies|power][,auth=session|basic]\
                      [,ca=FILE][,credentials=FILE]";
const KEYS: &[&str] = &["chassis", "from", "auth"];
/// Joules in a kilowatt-hour.
pub(super) const KILOWATT_HOUR: f64 = 3.6e6;
/// A reading with a time of its own that stands for this long is stale: BMCs renew theirs every 1 to 10 s.
const STALE: Seconds = Seconds::new(30.0);
/// Prior of sensors on boards and in power supplies of which no accuracy is stated.
const PRIOR_ERROR: Ratio = Ratio::new(0.10);

fn open(context: &ProbeContext) -> Findings {
    web::open(context, (PROBE.kind, "https", SYNTAX), KEYS, |web, _| Ok(Box::new(Chassis::connect(web)?)))
}

/// What one poll brought.
struct Brought {
    /// Watts, or why there are none.
    watts: Result<f64, String>,
    /// Kilowatt-hours of each counter.
    counts: Vec<Option<f64>>,
}

struct Chassis {
    info: SourceInfo,
    bmc: Bmc,
    target: Target,
    counters: Vec<Unwrap>,
    freshness: Freshness,
    hz: f64,
}

impl Chassis {
    fn connect(web: Web) -> Result<Self, Trouble> {
        let device = web.options.device().map_err(|why| web.wrong(why))?;
        let asked = web.options.text("scope").is_some();
        let asked = asked.then(|| web.options.scope(Scope::HostDc)).transpose().map_err(|why| web.wrong(why))?;
        let every = web.every;
        let mut bmc = Bmc::connect(web)?;
        let target = tree::find(&mut bmc, asked)?;
        let scope = asked.unwrap_or(target.scope);
        let info = info(&bmc, &target, scope, device, every);
        let counters = vec![Unwrap::new(None); target.reading.counters()];
        let freshness = Freshness::new(Seconds::new(STALE.get().max(3.0 * every.get())));
        Ok(Self { info, bmc, target, counters, freshness, hz: 1.0 / every.get() })
    }

    fn read(&mut self, now: Nanoseconds) -> Result<Brought, PollError> {
        match &self.target.reading {
            Reading::Environment { path, sensor, energy } => {
                let mut watts = Err(String::new());
                let mut counts = Vec::new();
                if let Some(sensor) = sensor {
                    let answer = self.bmc.get(sensor)?;
                    let own_time = answer.get("ReadingTime").and_then(Value::as_str);
                    self.freshness.check(own_time, now)?;
                    watts = web::watts(&answer, "/Reading");
                }
                if sensor.is_none() || *energy {
                    let answer = self.bmc.get(path)?;
                    if sensor.is_none() {
                        watts = web::watts(&answer, "/PowerWatts/Reading");
                    }
                    counts.extend(energy.then(|| web::number(&answer, "/EnergykWh/Reading").ok()));
                }
                Ok(Brought { watts, counts })
            }
            Reading::Supplies { metrics, field, energy } => {
                let mut sum = Ok(0.0);
                let mut counts = Vec::new();
                for path in metrics {
                    let answer = self.bmc.get(path)?;
                    // One supply without a reading leaves none: a partial sum would pass for the whole. A spare that
                    // carries no load may say 0 W.
                    let watts = web::number(&answer, &format!("/{field}/Reading"));
                    sum = sum.and_then(|sum| Ok(sum + watts.map_err(|why| format!("{path}: {why}"))?));
                    counts.extend(energy.then(|| web::number(&answer, "/EnergykWh/Reading").ok()));
                }
                let alive = |sum: f64| if sum > 0.0 { Ok(sum) } else { Err(format!("the power supplies say {sum} W")) };
                Ok(Brought { watts: sum.and_then(alive), counts })
            }
            Reading::Legacy { path, entry } => {
                let answer = self.bmc.get(path)?;
                let watts = web::watts(&answer, &format!("/PowerControl/{entry}/PowerConsumedWatts"));
                Ok(Brought { watts, counts: Vec::new() })
            }
        }
    }
}

impl PowerSource for Chassis {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(self.hz)
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let Brought { watts, counts } = self.read(now)?;
        values[0] = Some(watts.map_err(PollError::Transient)?);
        if let Some(slot) = values.get_mut(1) {
            let totals = self.counters.iter_mut().zip(counts);
            let totals = totals.map(|(counter, count)| counter.total(count? * KILOWATT_HOUR));
            *slot = totals.sum();
        }
        Ok(())
    }
}

fn info(bmc: &Bmc, target: &Target, scope: Scope, device: Option<u32>, every: Seconds) -> SourceInfo {
    // A sensor that senses faster is still seen once a poll.
    let update = target.sensing_s.map_or(every, |sensing| every.max_of(sensing));
    let channel = |id: &str, quantity: Quantity| Channel {
        update_period_s: Some(update),
        stated_error: Some(target.accuracy.unwrap_or(PRIOR_ERROR)),
        ..Channel::new(id, quantity, scope)
    };
    let mut channels = vec![channel("power.redfish", Quantity::AveragedPower)];
    if target.reading.counters() > 0 {
        channels.push(channel("energy.redfish", Quantity::EnergyCounter));
    }
    SourceInfo {
        id: format!("redfish:{}:{}", bmc.authority(), target.name),
        kind: PROBE.kind.to_owned(),
        device,
        evidence: Evidence::Measured,
        note: format!(
            "{}; {}; each poll reports the BMC's last reading, which may be seconds old; over what it averages is not \
             published{}",
            target.what,
            target.side,
            bmc.caveat()
        ),
        channels,
    }
}
