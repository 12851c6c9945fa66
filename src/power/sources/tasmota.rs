//! Plugs with the Tasmota firmware: the power at their outlet, from the sensor page of their web commands.
//!
//! `--power tasmota:HOST`. What surprises people: Tasmota expects user and password in the query of an address (its own
//! log shows them), power is in whole watts unless `WattRes` says otherwise, and the counter's last digit is a watt-hour
//! unless `EnergyRes` does.

use serde_json::Value;

use super::login::Login;
use super::shelly;
use super::unwrap::Unwrap;
use super::web::{self, Freshness, Trouble, Web};
use crate::clock::Nanoseconds;
use crate::model::SourceInfo;
use crate::power::{Findings, PollError, PowerSource, Probe, ProbeContext};
use crate::units::Seconds;

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "tasmota",
    summary: "a plug with the Tasmota firmware at the wall (`--power tasmota:HOST`)",
    automatic: false,
    open,
};

const SYNTAX: &str = "tasmota:HOST[,id=0][,scope=wall-ac][,credentials=FILE]";
/// Joules in a kilowatt-hour, the unit of the counter.
const KILOWATT_HOUR: f64 = 3.6e6;
/// The sensor page carries a time of whole seconds; one that stands for this long belongs to a plug that has stopped.
const STALE: Seconds = Seconds::new(10.0);

fn open(context: &ProbeContext) -> Findings {
    web::open(context, (PROBE.kind, "http", SYNTAX), &["id"], |web, _| Ok(Box::new(Plug::connect(web)?)))
}

struct Plug {
    info: SourceInfo,
    web: Web,
    path: String,
    power: String,
    energy: String,
    counter: Unwrap,
    freshness: Freshness,
    hz: f64,
}

impl Plug {
    fn connect(mut web: Web) -> Result<Self, Trouble> {
        let path = match &web.login {
            Login::Password { user, password } => format!(
                "/cm?user={}&password={}&cmnd=Status%208",
                web::percent_encode(user),
                web::percent_encode(password)
            ),
            Login::None | Login::Token(_) => "/cm?cmnd=Status%208".to_owned(),
        };
        let status = web.client.get_json(&path).map_err(|failure| web.failed(&failure))?;
        if let Some(warning) = status.get("WARNING").and_then(Value::as_str) {
            return Err(Trouble::new(
                format!("{} refuses: {}", web.address.origin, web::shorten(warning)),
                "set WATTMARK_TASMOTA_PASSWORD (the user is admin), or write admin:PASSWORD into a file and name it with \
                 credentials=FILE",
            ));
        }
        if status.pointer("/StatusSNS/ENERGY").is_none() {
            return Err(Trouble::new(
                format!("{} sends no StatusSNS.ENERGY", web.address.origin),
                "check that it is a Tasmota plug with a power meter",
            ));
        }
        let id = web.options.text("id");
        let lists = status.pointer("/StatusSNS/ENERGY/Power").and_then(Value::as_array);
        let power = match (lists, id) {
            (Some(list), None) => {
                let why = format!("it meters {} channels", list.len());
                return Err(Trouble::new(why, "choose one with id=0, id=1, …"));
            }
            (Some(_), Some(id)) => format!("/StatusSNS/ENERGY/Power/{id}"),
            (None, _) => "/StatusSNS/ENERGY/Power".to_owned(),
        };
        // The total of several channels is one figure for all in some firmwares: it is then not that of this channel.
        let energy = "/StatusSNS/ENERGY/Total".to_owned();
        let watts = web::watts(&status, &power).map_err(|why| {
            Trouble::new(format!("{}: {why}", web.address.origin), "plug the machine into it and switch it on")
        })?;
        let total = web::number(&status, &energy).ok().filter(|_| lists.is_none());
        let step = total.map(|total| web::step_of(total, KILOWATT_HOUR));
        let info = shelly::info(&web, "Tasmota firmware", step, watts)?;
        let hz = 1.0 / web.every.get();
        let limit = Seconds::new(STALE.get().max(3.0 * web.every.get()));
        let freshness = Freshness::new(limit);
        Ok(Self { info, web, path, power, energy, counter: Unwrap::new(None), freshness, hz })
    }
}

impl PowerSource for Plug {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(self.hz)
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let status = self.web.client.get_json(&self.path)?;
        let own_time = status.pointer("/StatusSNS/Time").and_then(Value::as_str);
        self.freshness.check(own_time, now)?;
        values[0] = Some(web::watts(&status, &self.power).map_err(PollError::Transient)?);
        if let Some(slot) = values.get_mut(1) {
            let total = web::number(&status, &self.energy).ok();
            *slot = total.and_then(|total| self.counter.total(total * KILOWATT_HOUR));
        }
        Ok(())
    }
}
