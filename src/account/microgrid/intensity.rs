//! The intensity of imported energy in each step: the site's factor, or a series laid onto the horizon.
//!
//! What surprises people: a step that touches an hour without a trustworthy value has none; nothing is filled in.

use super::config::{GridPlan, Horizon};
use super::ledger::Intensity;
use super::profile::Steps;
use crate::account::series::{self, Series};
use crate::account::{AccountError, Site};
use crate::model::Gas;

/// The intensity, what it is in words, and sentences that a reader must know.
pub(super) struct Resolved {
    pub intensity: Intensity,
    pub words: String,
    pub life_cycle: Option<bool>,
    pub gas: Option<Gas>,
    pub notes: Vec<String>,
}

/// The intensity of a plan; that of an island is the site's factor, which prices only what refills its battery.
///
/// # Errors
/// The series cannot be read, or does not cover the horizon.
pub(super) fn resolve(site: &Site, plan: Option<&GridPlan>, horizon: &Horizon) -> Result<Resolved, AccountError> {
    let factor = &site.profile.grid;
    let Some(request) = plan.and_then(|plan| plan.series.as_ref()) else {
        let value = factor.intensity_g_per_kwh.get();
        return Ok(Resolved {
            intensity: Intensity::Constant(value),
            words: format!("{value} g{}/kWh in every step ({})", factor.gas, factor.region),
            life_cycle: factor.life_cycle,
            gas: Some(factor.gas),
            notes: plan.map_or_else(Vec::new, |_| {
                vec!["one factor prices every import; name a series in [microgrid.grid] to price each hour".to_owned()]
            }),
        });
    };
    let series = series::read(request, &site.folder)?;
    let intensity = of_series(&series, horizon)?;
    let mut notes: Vec<String> = series.faults.iter().map(|fault| format!("series {}: {fault}", series.name)).collect();
    notes.push(format!(
        "imports are priced by series {} and not by the site's factor of {}",
        series.name, factor.region
    ));
    let gas = series.gas.map_or_else(|| "CO2e or CO2, the series does not say,".to_owned(), |gas| gas.to_string());
    Ok(Resolved {
        words: format!("series {} ({}), g{gas}/kWh, method {}", series.name, series.zone, series.method),
        life_cycle: series.life_cycle,
        gas: series.gas,
        intensity,
        notes,
    })
}

/// A series laid onto a horizon.
///
/// # Errors
/// It does not cover the horizon.
pub(super) fn of_series(series: &Series, horizon: &Horizon) -> Result<Intensity, AccountError> {
    let values = series.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    let steps = Steps { start: series.start, step_s: series.step.get(), values, wraps: false };
    let laid = steps
        .over(horizon)
        .map_err(|reason| AccountError::Impossible { what: format!("import by series {}", series.name), reason })?;
    Ok(Intensity::Series(laid.into_iter().map(|value| (!value.is_nan()).then_some(value)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactorMethod;
    use crate::units::Seconds;

    #[test]
    fn a_step_takes_the_mean_of_its_hours_and_none_where_one_has_no_value() {
        let series = Series {
            name: "made".to_owned(),
            sha256: String::new(),
            format: String::new(),
            zone: String::new(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            step: Seconds::new(3600.0),
            values: vec![Some(100.0), Some(300.0), None, Some(50.0)],
            gas: None,
            method: FactorMethod::Average,
            life_cycle: None,
            faults: vec![],
        };
        let start = series.start;
        let horizon = |steps, seconds| Horizon { start, steps, step: Seconds::new(seconds) };
        let two_hours = of_series(&series, &horizon(2, 7200.0)).unwrap();
        assert_eq!(two_hours, Intensity::Series(vec![Some(200.0), None]));
        let halves = of_series(&series, &horizon(8, 1800.0)).unwrap();
        assert_eq!((halves.at(3), halves.at(4), halves.at(7)), (Some(300.0), None, Some(50.0)));
        assert_eq!(halves.mean(), Some(150.0));
        assert!(of_series(&series, &horizon(5, 3600.0)).unwrap_err().to_string().contains("it covers"));
    }
}
