//! A profile as a text that people read and edit: provenance first, every limit with where it came from.

use std::fmt::Write as _;

use toml::Value;

use super::{PROFILE_SCHEMA, PROFILE_VERSION, Profile, ProfileLimit};
use crate::qualify::catalogue;
use crate::qualify::measures::{self, Measure};
use crate::qualify::words;

impl Profile {
    /// The profile as TOML with comments; [`Profile::read`] gives the same profile back.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        self.write_head(&mut text);
        self.write_work(&mut text);
        for (id, limit) in &self.limits {
            if let Some(measure) = measures::measure(id) {
                write_limit(&mut text, id, limit, measure);
            }
        }
        text
    }

    fn write_head(&self, text: &mut String) {
        let devices = words::count(self.devices as usize, "device");
        let runs = words::count(self.runs as usize, "run");
        line(
            text,
            &format!("# Limits for devices named `{}`, learned from {runs} of {devices} known to be good.", self.model),
        );
        if self.simulated {
            line(text, "# The devices were SIMULATED: these numbers say nothing about hardware.");
        }
        if self.devices < 3 {
            line(
                text,
                "# Few devices: nothing is known of how devices of this model differ, so that the limits are wide. Learn",
            );
            line(text, "# again from three or more.");
        }
        line(
            text,
            "# A figure below fail_below or above fail_above fails; below warn_below or above warn_above it warns.",
        );
        line(text, "# Limits may be edited; qualify says which key is wrong if they contradict each other.");
        pair(text, "schema", PROFILE_SCHEMA);
        let _ = writeln!(text, "version = {PROFILE_VERSION}");
        pair(text, "name", &self.name);
        line(text, "# Glob over the device's name: `*` stands for anything.");
        pair(text, "model", &self.model);
        let _ = writeln!(text, "simulated = {}", self.simulated);
        if !self.note.is_empty() {
            pair(text, "note", &self.note);
        }
        line(text, "\n# Where the limits come from.\n[learned]");
        let _ = writeln!(text, "devices = {}\nruns = {}", self.devices, self.runs);
        if let Some(load) = self.load_s {
            let _ = writeln!(text, "load_s = {}", number(load));
        }
        pair(text, "rule", &self.rule);
        pair(text, "tool", &self.tool);
        if let Some((first, last)) = &self.span {
            pair(text, "first", first);
            pair(text, "last", last);
        }
        list(text, "drivers", &self.drivers);
        list(text, "records", &self.records);
        line(text, "# These have limits of their own; a device that does not tell them is not like these devices.");
        list(text, "told", &self.told);
    }

    fn write_work(&self, text: &mut String) {
        line(text, "\n# The limits hold for this work alone: another kernel or shape has another rate.");
        for (phase, work) in &self.work {
            let _ = writeln!(text, "[work.{phase}]");
            pair(text, "kernel", &work.kernel);
            pair(text, "shape", &work.shape);
            pair(text, "element", &work.element);
            pair(text, "pattern", &work.pattern);
            let params: Vec<String> =
                work.params.iter().map(|(name, value)| format!("{} = {value}", quoted_key(name))).collect();
            let _ = writeln!(text, "params = {{ {} }}", params.join(", "));
            pair(text, "shader_sha256", &work.shader_sha256);
            line(text, "");
        }
        if !self.outputs.is_empty() {
            line(text, "# Outputs that all devices left: the same kernel, inputs and driver must give the same bits.");
        }
        for (phase, output) in &self.outputs {
            let _ = writeln!(text, "[outputs.{phase}]");
            pair(text, "sha256", &output.sha256);
            let _ = writeln!(text, "seed = {}", output.seed);
            pair(text, "driver", &output.driver);
            line(text, "");
        }
    }
}

fn write_limit(text: &mut String, id: &str, limit: &ProfileLimit, measure: &Measure) {
    let say = |value: f64| words::number(measure, value, &limit.unit);
    let title = catalogue::info(measure.code).map_or("", |check| check.title);
    let median = limit.median.map(|median| format!(": median {}", say(median))).unwrap_or_default();
    let spread = limit.median.zip(limit.sigma).filter(|(median, _)| *median != 0.0);
    let spread = spread.map(|(median, sigma)| format!(", {:.2} % between devices", 100.0 * sigma / median.abs()));
    let _ = writeln!(text, "# {} {title}{median}{}", measure.code, spread.unwrap_or_default());
    let _ = writeln!(text, "[limits.{}]", quoted(id));
    pair(text, "unit", &limit.unit);
    let numbers = [
        ("fail_below", limit.limits.fail_below),
        ("warn_below", limit.limits.warn_below),
        ("warn_above", limit.limits.warn_above),
        ("fail_above", limit.limits.fail_above),
        ("median", limit.median),
        ("lowest", limit.lowest),
        ("highest", limit.highest),
        ("sigma", limit.sigma),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {}", number(value));
        }
    }
    for (key, value) in [("scope", &limit.scope), ("evidence", &limit.evidence)] {
        if let Some(value) = value {
            pair(text, key, value);
        }
    }
    line(text, "");
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push('\n');
}

/// A number as people read it: `4.75e13`, `0.16`.
fn number(value: f64) -> String {
    if value.abs() >= 1e6 { format!("{value:e}") } else { Value::Float(value).to_string() }
}

/// A text as TOML writes it, with what must be escaped escaped.
fn quoted(content: &str) -> String {
    Value::String(content.to_owned()).to_string()
}

fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { key.to_owned() } else { quoted(key) }
}

fn pair(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", quoted(value));
}

fn list(text: &mut String, key: &str, values: &[String]) {
    let _ = writeln!(text, "{key} = [{}]", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", "));
}
