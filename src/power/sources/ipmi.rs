//! Power of a machine from its management controller (BMC), asked through the program `ipmitool`.
//!
//! `--power ipmi` asks this machine's own BMC, `--power ipmi:HOST,user=NAME` one over the network, with the password from
//! WATTMARK_IPMI_PASSWORD or `credentials=FILE`. What surprises people: the "average" beside the reading may go back to
//! the last reset of the BMC and is never used; and `ipmitool` writes sensor records of its own into a BMC that has
//! none, so a BMC without records is not asked for a sensor.

use std::path::PathBuf;
use std::process::Command;

use super::command::{self, Answer, Silence};
use super::options::Options;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Ratio, Seconds};

/// The probe. Not asked under `--power auto`: each reading starts a program, mostly as root, on the machine under test.
pub const PROBE: Probe = Probe {
    kind: "ipmi",
    summary: "a machine's BMC through ipmitool: DCMI power reading, or a sensor (`--power ipmi`, `ipmi:HOST,user=NAME,…`)",
    automatic: false,
    open,
};

const KEYS: &[&str] = &[
    "user",
    "credentials",
    "port",
    "interface",
    "cipher",
    "privilege",
    "sensor",
    "scope",
    "every",
    "update",
    "timeout",
    "device",
];
/// Seconds between two polls: BMCs refresh their reading once a second at best.
const EVERY: Seconds = Seconds::new(1.0);
/// Update period while none is declared: the slow end of the 1 to 5 s that BMCs are known for, so that too short a window
/// is called short.
const UPDATE: Seconds = Seconds::new(5.0);
/// Longest time for a reading. Opening a session takes a BMC some tenths of a second.
const TIMEOUT: Seconds = Seconds::new(5.0);
/// Longest time for reading all sensor records, which happens once.
const RECORDS_TIMEOUT: Seconds = Seconds::new(60.0);
/// Prior of the accuracy: the ±5 % that the ENERGY STAR programme asks of the input power that servers report. Not a
/// figure of the very BMC.
const PRIOR: Ratio = Ratio::new(0.05);
/// Where Linux shows a BMC.
const LOCAL: [&str; 3] = ["dev/ipmi0", "dev/ipmi/0", "dev/ipmidev/0"];
const INSTALL: &str =
    "install ipmitool (Debian and Ubuntu: sudo apt-get install ipmitool; Fedora: sudo dnf install ipmitool)";

fn open(context: &ProbeContext) -> Findings {
    match Bmc::open(context) {
        Ok(bmc) => Findings { sources: vec![Box::new(bmc)], obstacles: Vec::new() },
        Err(obstacle) => Findings { sources: Vec::new(), obstacles: vec![obstacle] },
    }
}

/// How `ipmitool` reaches the BMC.
struct Route {
    /// Name for messages, never with a password.
    name: String,
    arguments: Vec<String>,
    password: Option<String>,
    timeout: Seconds,
}

/// What is asked.
enum Question {
    Dcmi,
    /// A sensor by name, with the file of the BMC's sensor records, so that not all are read again each time.
    Sensor {
        name: String,
        records: tempfile::NamedTempFile,
    },
}

struct Bmc {
    info: SourceInfo,
    route: Route,
    question: Question,
    every: Seconds,
}

/// Why a reading failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    why: String,
    remedy: String,
}

fn fail(why: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure { why: why.into(), remedy: remedy.into() }
}

impl Bmc {
    fn open(context: &ProbeContext) -> Result<Self, Obstacle> {
        let argument = context.argument.as_deref().unwrap_or_default();
        let host = argument.split(',').next().unwrap_or_default().trim();
        let name = if is_local(host) { "this machine's BMC".to_owned() } else { format!("BMC {host}") };
        let obstacle = |failure: Failure| Obstacle { what: name.clone(), why: failure.why, remedy: failure.remedy };
        if argument.split(',').any(|part| part.trim().starts_with("password=")) {
            return Err(obstacle(fail(
                "a password in an argument stands in the shell's history, in the list of processes and in the record",
                "set WATTMARK_IPMI_PASSWORD, or name a file with credentials=FILE",
            )));
        }
        let usage = |why: String| {
            obstacle(fail(why, "write --power ipmi, or --power ipmi:HOST,user=NAME with WATTMARK_IPMI_PASSWORD set"))
        };
        let options = Options::parse(argument, KEYS).map_err(usage)?;
        let route = Route::find(&options, context, name.clone()).map_err(obstacle)?;
        let seconds = |key: &str, default: Seconds| options.seconds(key).map(|given| given.unwrap_or(default));
        let settings = || -> Result<_, String> {
            Ok((seconds("every", EVERY)?, seconds("update", UPDATE)?, options.scope(Scope::HostDc)?, options.device()?))
        };
        let (every, update, scope, device) = settings().map_err(usage)?;
        let question = match options.text("sensor") {
            None => Question::Dcmi,
            Some(sensor) => Question::sensor(sensor, &route).map_err(obstacle)?,
        };
        question.ask(&route).map_err(obstacle)?;
        let info = info(&options, &question, update, scope, device);
        Ok(Self { info, route, question, every })
    }
}

fn is_local(host: &str) -> bool {
    host.is_empty() || host == "local"
}

fn info(options: &Options, question: &Question, update: Seconds, scope: Scope, device: Option<u32>) -> SourceInfo {
    let host = if is_local(&options.target) { "local" } else { &options.target };
    let (channel, what, id) = match question {
        Question::Dcmi => ("power.dcmi", "DCMI power reading".to_owned(), format!("ipmi:{host}")),
        Question::Sensor { name, .. } => ("power.sensor", format!("sensor `{name}`"), format!("ipmi:{host}:{name}")),
    };
    let source = if options.text("update").is_some() { "declared" } else { "taken as 5 s, not measured" };
    SourceInfo {
        id,
        kind: PROBE.kind.to_owned(),
        device,
        evidence: Evidence::Measured,
        note: format!(
            "{what} of the BMC, whole watts, its instantaneous figure and never its average; how the BMC filters it is not \
             known; update period {source}; accuracy is a prior of ±5 %; scope {}",
            if options.text("scope").is_some() { "as declared" } else { "taken as host DC, see docs/sources/ipmi.md" }
        ),
        channels: vec![Channel {
            update_period_s: Some(update),
            stated_error: Some(PRIOR),
            ..Channel::new(channel, Quantity::InstantPower, scope)
        }],
    }
}

impl Route {
    fn find(options: &Options, context: &ProbeContext, name: String) -> Result<Self, Failure> {
        let timeout = options.seconds("timeout").map_err(|why| fail(why, "write timeout=SECONDS"))?.unwrap_or(TIMEOUT);
        if is_local(&options.target) {
            let device = LOCAL.map(|path| context.root.join(path)).into_iter().find(|path| path.exists());
            if device.is_none() {
                return Err(fail(
                    format!("there is no {}", context.root.join(LOCAL[0]).display()),
                    "load the driver with `sudo modprobe -a ipmi_si ipmi_devintf`, or ask over the network: \
                     --power ipmi:HOST,user=NAME",
                ));
            }
            return Ok(Self { name, arguments: vec!["-I".into(), "open".into()], password: None, timeout });
        }
        let (user, password) = login(options)?;
        let mut arguments = vec![
            "-I".to_owned(),
            options.text("interface").unwrap_or("lanplus").to_owned(),
            "-H".to_owned(),
            options.target.clone(),
            "-U".to_owned(),
            user,
            // The password comes from the environment, which other users cannot read.
            "-E".to_owned(),
            // One repetition after 1 s each; without these, a BMC that is silent takes 20 s to give up on.
            "-N".to_owned(),
            "1".to_owned(),
            "-R".to_owned(),
            "1".to_owned(),
        ];
        for (key, flag) in [("port", "-p"), ("cipher", "-C"), ("privilege", "-L")] {
            if let Some(value) = options.text(key) {
                arguments.extend([flag.to_owned(), value.to_owned()]);
            }
        }
        Ok(Self { name, arguments, password: Some(password), timeout })
    }

    fn run(&self, words: &[&str], limit: Seconds) -> Result<Answer, Failure> {
        let mut command = Command::new("ipmitool");
        command.args(&self.arguments).args(words).env("LC_ALL", "C");
        if let Some(password) = &self.password {
            command.env("IPMI_PASSWORD", password).env("IPMITOOL_PASSWORD", password);
        }
        command::run(&mut command, limit).map_err(|silence| match silence {
            Silence::Missing => fail("the program ipmitool is not installed", INSTALL),
            Silence::TimedOut => fail(
                format!("ipmitool gave no answer within {} s and was killed", limit.get()),
                "see whether `ipmitool mc info` answers; give it more time with timeout=SECONDS",
            ),
            Silence::Failed(error) => fail(format!("ipmitool could not be run: {error}"), INSTALL),
        })
    }

    fn ask(&self, words: &[&str]) -> Result<String, Failure> {
        let answer = self.run(words, self.timeout)?;
        if answer.success { Ok(answer.out) } else { Err(refusal(&answer, &self.name, self.password.is_none())) }
    }
}

/// User and password: from a file, else from the environment; a user may stand among the options.
fn login(options: &Options) -> Result<(String, String), Failure> {
    let named = options.text("user").map(str::to_owned);
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let (user, password) = match options.text("credentials") {
        None => (named.or_else(|| variable("WATTMARK_IPMI_USER")), variable("WATTMARK_IPMI_PASSWORD")),
        Some(file) => {
            let remedy =
                "write the user's name and the password into it, each on a line of its own, and `chmod 600` it";
            let text = std::fs::read_to_string(PathBuf::from(file))
                .map_err(|error| fail(format!("cannot read the credentials file {file}: {error}"), remedy))?;
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            match (lines.next(), lines.next(), lines.next()) {
                (Some(user), Some(password), None) => (named.or(Some(user.to_owned())), Some(password.to_owned())),
                (Some(password), None, None) => (named, Some(password.to_owned())),
                _ => return Err(fail(format!("the credentials file {file} has neither one line nor two"), remedy)),
            }
        }
    };
    let user = user.ok_or_else(|| fail("no user name is known", "write user=NAME, or set WATTMARK_IPMI_USER"))?;
    let remedy = "set WATTMARK_IPMI_PASSWORD, or name a file with credentials=FILE";
    Ok((user, password.ok_or_else(|| fail("no password is known", remedy))?))
}

/// What `ipmitool` means when it fails.
fn refusal(answer: &Answer, name: &str, local: bool) -> Failure {
    let said: Vec<&str> = answer.errors.lines().chain(answer.out.lines()).map(str::trim).collect();
    let has = |words: &str| said.iter().any(|line| line.contains(words));
    let said_last = said.iter().rev().find(|line| !line.is_empty()).copied().unwrap_or("nothing").to_owned();
    let quote = |why: &str| format!("{why} (ipmitool: {said_last})");
    if has("Insufficient privilege") {
        return fail(
            quote("the user may not read power"),
            "raise the user's privilege, or write privilege=administrator",
        );
    }
    if has("Unable to Get Channel Cipher Suites") {
        return fail(
            quote("the BMC is silent, or does not say which ciphers it knows"),
            "check the address and port; with an old BMC, write cipher=3",
        );
    }
    if has("Unable to establish") || has("RAKP") {
        return fail(
            quote("no session: wrong address, user or password, or a privilege that the user does not have"),
            "check them with `ipmitool … mc info`; write privilege=user for a user without administrator's rights",
        );
    }
    if has("Could not open device") {
        return fail(quote("the BMC's device cannot be opened"), "run as root, or `sudo chmod o+rw /dev/ipmi0`");
    }
    if has("DCMI request failed") || has("Invalid command") {
        return fail(
            quote("the BMC has no DCMI power reading"),
            "name a power sensor of it: sensor=NAME (`ipmitool sdr elist` lists them; look for Watts)",
        );
    }
    fail(
        quote("ipmitool failed"),
        format!("try it by hand: ipmitool {} dcmi power reading", if local { "" } else { name }),
    )
}

impl Question {
    /// Reads the BMC's sensor records once, unless it has none: then ipmitool would write some.
    fn sensor(name: &str, route: &Route) -> Result<Self, Failure> {
        let records = route.ask(&["sdr", "info"])?;
        let count = records.lines().find_map(|line| line.strip_prefix("Record Count")?.split_once(':'));
        if count.is_some_and(|(_, count)| count.trim() == "0") {
            return Err(fail(
                "the BMC has no sensor records",
                "leave sensor=NAME out to ask for its DCMI power reading",
            ));
        }
        let remedy = "free some space in the folder for temporary files";
        let file = tempfile::NamedTempFile::new()
            .map_err(|error| fail(format!("no file for the sensor records could be made: {error}"), remedy))?;
        let path = file.path().to_string_lossy().into_owned();
        let answer = route.run(&["sdr", "dump", &path], RECORDS_TIMEOUT)?;
        if !answer.success {
            return Err(refusal(&answer, &route.name, route.password.is_none()));
        }
        Ok(Self::Sensor { name: name.to_owned(), records: file })
    }

    fn ask(&self, route: &Route) -> Result<f64, Failure> {
        match self {
            Self::Dcmi => dcmi_watts(&route.ask(&["dcmi", "power", "reading"])?),
            Self::Sensor { name, records } => {
                let path = records.path().to_string_lossy();
                let answer = route.ask(&["-S", &path, "-c", "sdr", "get", name])?;
                sensor_watts(&answer, name)
            }
        }
    }
}

/// Reads the answer to `dcmi power reading`.
fn dcmi_watts(answer: &str) -> Result<f64, Failure> {
    let field = |name: &str| answer.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let remedy = "name a power sensor of it: sensor=NAME (`ipmitool sdr elist` lists them; look for Watts)";
    if let Some(state) = field("Power reading state is:").filter(|state| *state != "activated") {
        return Err(fail(format!("the BMC does not measure power now (power reading state: {state})"), remedy));
    }
    let reading = field("Instantaneous power reading:").ok_or_else(|| {
        fail(
            "the answer of ipmitool holds no instantaneous power reading",
            "see what `ipmitool dcmi power reading` says",
        )
    })?;
    let watts = reading.strip_suffix("Watts").and_then(|number| number.trim().parse::<f64>().ok());
    check_watts(watts.ok_or_else(|| fail(format!("`{reading}` is not a number of watts"), remedy))?)
}

/// Reads the answer to `-c sdr get NAME`: name, value, unit, state.
fn sensor_watts(answer: &str, name: &str) -> Result<f64, Failure> {
    let remedy = "see `ipmitool sdr elist` for the sensors and their units";
    let line = answer.lines().find(|line| line.split(',').next() == Some(name));
    let Some(line) = line else { return Err(fail(format!("the BMC has no sensor `{name}`"), remedy)) };
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    match cells[..] {
        [_, value, "Watts", "ok" | "nc" | "cr" | "nr", ..] => {
            let watts = value.parse().map_err(|_| fail(format!("`{value}` is not a number of watts"), remedy))?;
            check_watts(watts)
        }
        [_, _, "Watts", state, ..] => Err(fail(format!("sensor `{name}` gives no reading (state {state})"), remedy)),
        [_, _, unit, ..] if !unit.is_empty() => {
            Err(fail(format!("sensor `{name}` is in {unit} and not in Watts"), remedy))
        }
        _ => Err(fail(format!("sensor `{name}` gives no reading"), remedy)),
    }
}

/// A machine that runs draws more than 0 W.
fn check_watts(watts: f64) -> Result<f64, Failure> {
    if watts.is_finite() && watts > 0.0 {
        return Ok(watts);
    }
    Err(fail(
        format!("the BMC says {watts} W, which cannot be the power of a machine that runs"),
        "name a power sensor of it: sensor=NAME (`ipmitool sdr elist` lists them; look for Watts)",
    ))
}

impl PowerSource for Bmc {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn useful_hz(&self) -> Option<f64> {
        Some(1.0 / self.every.get())
    }
    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let watts = self.question.ask(&self.route);
        let watts = watts.map_err(|failure| PollError::Transient(format!("{}: {}", self.route.name, failure.why)))?;
        if let Some(slot) = values.first_mut() {
            *slot = Some(watts);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "ipmi_tests.rs"]
mod tests;
