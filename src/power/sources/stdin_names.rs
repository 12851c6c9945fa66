//! Which names are expected on standard input, what each measures and in which unit: `stdin:wall=wall-ac,gpu=board@0,…`.
//!
//! Nothing is read here. What surprises people: the unit is part of the name. `wall` and `wall_w` are watts, `wall_kw`
//! kilowatts, and `wall_j`, `wall_wh` and `wall_kwh` are counters that never fall.

use super::options::Options;
use crate::model::Scope;
use crate::units::Seconds;

/// Keys that are no names.
const RESERVED: &[&str] = &["scope", "device", "offset", "period", "wait"];
/// Longest wait for the first readings.
const WAIT: Seconds = Seconds::new(5.0);

/// Unit of a name's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    /// Watts or joules in one of it.
    pub(super) factor: f64,
    /// True for a counter of energy.
    pub(super) counts: bool,
}

impl Unit {
    /// By the end of a name.
    pub(super) fn of(name: &str) -> Self {
        let unit = |name, factor, counts| Self { name, factor, counts };
        let ending = name.rsplit_once('_').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("mw") => unit("mW", 1e-3, false),
            Some("kw") => unit("kW", 1e3, false),
            Some("j") => unit("J", 1.0, true),
            Some("wh") => unit("Wh", 3600.0, true),
            Some("kwh") => unit("kWh", 3.6e6, true),
            _ => unit("W", 1.0, false),
        }
    }
}

/// What was declared of the names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Names {
    declared: Vec<(String, Scope, Option<u32>)>,
    scope: Scope,
    device: Option<u32>,
    /// Seconds added to the stamps.
    pub(super) offset_s: f64,
    pub(super) period: Option<Seconds>,
    pub(super) wait: Seconds,
}

impl Names {
    /// Takes an argument apart.
    pub(super) fn parse(argument: &str) -> Result<Self, String> {
        let items: Vec<&str> = argument.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        let is_reserved = |item: &&str| item.split_once('=').is_some_and(|(key, _)| RESERVED.contains(&key.trim()));
        let (reserved, named): (Vec<&str>, Vec<&str>) = items.into_iter().partition(is_reserved);
        let reserved: String = reserved.iter().map(|item| format!(",{item}")).collect();
        let options = Options::parse(&reserved, RESERVED)?;
        let offset = options.text("offset").unwrap_or("0");
        let offset_s = offset.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let mut names = Self {
            declared: Vec::new(),
            scope: options.scope(Scope::WallAc)?,
            device: options.device()?,
            offset_s: offset_s.ok_or_else(|| format!("offset `{offset}` is not a number of seconds"))?,
            period: options.seconds("period")?,
            wait: options.seconds("wait")?.unwrap_or(WAIT),
        };
        for item in named {
            let (name, meaning) = item.split_once('=').unwrap_or((item, ""));
            let (scope, device) =
                meaning.split_once('@').map_or((meaning, None), |(scope, device)| (scope, Some(device)));
            let fields = [("scope", scope), ("device", device.unwrap_or_default())];
            let fields =
                fields.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!(",{key}={value}"));
            let options = Options::parse(&fields.collect::<String>(), RESERVED)?;
            let name = name.trim().to_owned();
            if names.declared.iter().any(|(known, ..)| *known == name) {
                return Err(format!("name `{name}` is declared twice"));
            }
            names.declared.push((name, options.scope(names.scope)?, options.device()?.or(names.device)));
        }
        Ok(names)
    }

    /// Names that must come.
    pub(super) fn declared(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(|(name, ..)| name.as_str())
    }

    pub(super) fn has_declared(&self) -> bool {
        !self.declared.is_empty()
    }

    /// True if readings of a name are wanted: all are where none is declared.
    pub(super) fn wants(&self, name: &str) -> bool {
        !self.has_declared() || self.declared().any(|known| known == name)
    }

    /// Scope and device of a name.
    pub(super) fn of(&self, name: &str) -> (Scope, Option<u32>) {
        let found = self.declared.iter().find(|(known, ..)| known == name);
        found.map_or((self.scope, self.device), |(_, scope, device)| (*scope, *device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_declared_with_scope_and_device() {
        let names = Names::parse("wall=wall-ac,gpu=board@1,rest,scope=host-dc,wait=2,offset=-0.5,period=1").unwrap();
        assert_eq!(names.of("wall"), (Scope::WallAc, None));
        assert_eq!(names.of("gpu"), (Scope::Board, Some(1)));
        assert_eq!(names.of("rest"), (Scope::HostDc, None));
        assert_eq!((names.wait, names.offset_s, names.period), (Seconds::new(2.0), -0.5, Some(Seconds::new(1.0))));
        assert!(names.wants("gpu") && !names.wants("fan"));
    }

    #[test]
    fn without_names_all_are_wanted() {
        let names = Names::parse("").unwrap();
        assert!(names.wants("anything") && names.of("anything") == (Scope::WallAc, None));
        assert_eq!(Names::parse("scope=board,device=2").unwrap().of("x"), (Scope::Board, Some(2)));
    }

    #[test]
    fn a_mistake_is_named() {
        for (argument, expected) in [
            ("wall=rack", "scope `rack` is none of"),
            ("gpu=board@first", "device `first`"),
            ("a=board,a=chip", "declared twice"),
            ("wait=0", "wait `0`"),
            ("offset=soon", "offset `soon`"),
        ] {
            let refused = Names::parse(argument).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn the_end_of_a_name_is_its_unit() {
        assert_eq!(
            ["wall", "wall_w", "x_kw", "x_mW", "x_J", "x_kwh"].map(|name| Unit::of(name).name),
            ["W", "W", "kW", "mW", "J", "kWh"]
        );
        assert!(Unit::of("x_wh").counts && (Unit::of("x_wh").factor - 3600.0).abs() < 1e-9);
    }
}
