//! Shelly plugs and meters: the power at their outlet, over the device's own HTTP interface.
//!
//! `--power shelly:HOST[,id=0]`. Generation 2 and later answer remote procedure calls and protect them by digest;
//! generation 1 has one status page and the basic scheme. What surprises people: the relay's state and the power are two
//! things, and a plug that feeds nothing says 0 W, which is a gap here.

use serde_json::Value;

use super::login::Login;
use super::unwrap::Unwrap;
use super::web::{self, Trouble, Web};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, PollError, PowerSource, Probe, ProbeContext};
use crate::units::Ratio;

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "shelly",
    summary: "a Shelly plug or meter at the wall (`--power shelly:HOST`)",
    automatic: false,
    open,
};

const SYNTAX: &str = "shelly:HOST[,id=0][,scope=wall-ac][,credentials=FILE]";
/// Prior for smart plugs: their makers state 1 to 2 % of the reading at best, and nothing for low loads.
pub(crate) const PLUG_ERROR: Ratio = Ratio::new(0.05);
/// Joules in a watt-hour.
const WATT_HOUR: f64 = 3600.0;
/// Joules in a watt-minute, the unit of generation 1.
const WATT_MINUTE: f64 = 60.0;

fn open(context: &ProbeContext) -> Findings {
    web::open(context, (PROBE.kind, "http", SYNTAX), &["id"], |web, _| Ok(Box::new(Plug::connect(web)?)))
}

/// Where a generation keeps its readings.
struct Layout {
    path: String,
    power: String,
    energy: String,
    /// Joules in one unit of the counter.
    unit: f64,
}

struct Plug {
    info: SourceInfo,
    web: Web,
    layout: Layout,
    counter: Unwrap,
    hz: f64,
}

impl Plug {
    fn connect(mut web: Web) -> Result<Self, Trouble> {
        let id = web.options.text("id").unwrap_or("0");
        let id: u32 = id.parse().map_err(|_| web.wrong(format!("id `{id}` is not a channel number")))?;
        let about = web.client.get_json("/shelly").map_err(|failure| web.failed(&failure))?;
        let generation = about.get("gen").and_then(Value::as_u64).unwrap_or(1);
        let is_shelly = about.get("mac").is_some() || about.get("gen").is_some();
        if !is_shelly {
            return Err(Trouble::new(
                format!("{} answers, but not like a Shelly device", web.address.origin),
                "check the address; another plug may be read with tasmota:HOST",
            ));
        }
        let layout = if generation >= 2 {
            web.client.sign_by_digest(web.login.clone());
            Self::find_component(&mut web, id)?
        } else {
            if matches!(web.login, Login::Password { .. }) {
                let login = web.login.clone();
                web.client.sign(&login);
            }
            Layout {
                path: "/status".to_owned(),
                power: format!("/meters/{id}/power"),
                energy: format!("/meters/{id}/total"),
                unit: WATT_MINUTE,
            }
        };
        let status = web.client.get_json(&layout.path).map_err(|failure| web.failed(&failure))?;
        let watts = web::watts(&status, &layout.power).map_err(|why| {
            Trouble::new(
                format!("{}{}: {why}", web.address.origin, layout.path),
                "plug the machine into it and switch it on; choose another channel with id=N",
            )
        })?;
        let model = about.get("model").or_else(|| about.get("type")).and_then(Value::as_str).unwrap_or("unknown model");
        let step = web::number(&status, &layout.energy).ok().map(|total| web::step_of(total, layout.unit));
        let info = info(&web, &format!("generation {generation}, {}", web::shorten(model)), step, watts)?;
        Ok(Self { info, hz: 1.0 / web.every.get(), web, layout, counter: Unwrap::new(None) })
    }

    /// Relays with a meter come first, then meters without a relay.
    fn find_component(web: &mut Web, id: u32) -> Result<Layout, Trouble> {
        let mut last = None;
        for component in ["Switch", "PM1"] {
            let path = format!("/rpc/{component}.GetStatus?id={id}");
            match web.client.get_json(&path) {
                Ok(_) => {
                    return Ok(Layout {
                        path,
                        power: "/apower".to_owned(),
                        energy: "/aenergy/total".to_owned(),
                        unit: WATT_HOUR,
                    });
                }
                // Unknown methods and unknown channels are answered with 404, by some firmwares with 500.
                Err(failure) if matches!(failure.status(), Some(404 | 500)) => last = Some(failure),
                Err(failure) => return Err(web.failed(&failure)),
            }
        }
        let why = last.map_or_else(String::new, |failure| format!(" ({failure})"));
        Err(Trouble::new(
            format!("it has neither Switch:{id} nor PM1:{id}{why}"),
            "choose the channel with id=N; a device without a power meter cannot be used",
        ))
    }
}

/// What the record says of a plug. The counter is kept only where its last digit moves within a poll.
pub(crate) fn info(web: &Web, model: &str, step: Option<f64>, watts: f64) -> Result<SourceInfo, Trouble> {
    let scope = web.options.scope(Scope::WallAc).map_err(|why| web.wrong(why))?;
    let device = web.options.device().map_err(|why| web.wrong(why))?;
    let channel = |id: &str, quantity: Quantity| Channel {
        update_period_s: Some(web.every),
        stated_error: Some(PLUG_ERROR),
        ..Channel::new(id, quantity, scope)
    };
    let mut channels = vec![channel("power.plug", Quantity::AveragedPower)];
    let counter = match step {
        Some(step) if step / watts <= web.every.get() => {
            channels.push(channel("energy.plug", Quantity::EnergyCounter));
            "its counter is read too".to_owned()
        }
        Some(step) => format!("its counter moves by {step:.0} J at a time, too coarse here, and is not read"),
        None => "it has no counter".to_owned(),
    };
    Ok(SourceInfo {
        id: format!("{}:{}", web.kind, web.address.authority),
        kind: web.kind.to_owned(),
        device,
        evidence: Evidence::Measured,
        note: format!(
            "plug ({model}); over what its power is averaged is not published; {counter}; each poll reports the plug's last \
             reading{}",
            web.caveat
        ),
        channels,
    })
}

impl PowerSource for Plug {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(self.hz)
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let status = self.web.client.get_json(&self.layout.path)?;
        values[0] = Some(web::watts(&status, &self.layout.power).map_err(PollError::Transient)?);
        if let Some(slot) = values.get_mut(1) {
            let total = web::number(&status, &self.layout.energy).ok();
            *slot = total.and_then(|total| self.counter.total(total * self.layout.unit));
        }
        Ok(())
    }
}
