//! Grams per unit of work and per execution for every case of a record: `E [kWh] × PUE × I`.
//!
//! At an efficiency of e TFLOPS/W this is `277.78 × PUE × I [kg/kWh] / e` grams per EFLOP. What surprises people: the
//! interval is that of the joules alone. PUE and grid factor are stated figures without one, and an estimated energy
//! gives an estimated carbon without any interval.

use serde::Serialize;

use super::Site;
use crate::measure::result::{CaseResult, CommandEnergy, EnergyResult, RunResult};
use crate::model::{Case, Counted, CountedIn, Estimate, Evidence, Scope};
use crate::units::{FLOP_PER_EXAFLOP, GramsCo2e, Joules};

/// The amount of work that energy and carbon are stated per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum WorkUnit {
    /// 10^18 floating-point operations, for problems counted in FLOP.
    #[serde(rename = "EFLOP")]
    Exaflop,
    /// 10^18 integer operations, for arithmetic on integers.
    #[serde(rename = "EOP")]
    Exaop,
    /// 10^15 bytes of compulsory traffic, for memory problems.
    #[serde(rename = "PB")]
    Petabyte,
}

impl WorkUnit {
    /// The unit that belongs to what a case counts.
    pub const fn of(counted: CountedIn) -> Self {
        match counted {
            CountedIn::Flop => Self::Exaflop,
            CountedIn::Op => Self::Exaop,
            CountedIn::Bytes => Self::Petabyte,
        }
    }
    /// The unit for work counted in this symbol: `FLOP`, `OP` or `B`; `None` for anything else, such as tokens.
    pub fn of_symbol(counted: &str) -> Option<Self> {
        [CountedIn::Flop, CountedIn::Op, CountedIn::Bytes].into_iter().find(|own| own.symbol() == counted).map(Self::of)
    }
    /// Its symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Exaflop => "EFLOP",
            Self::Exaop => "EOP",
            Self::Petabyte => "PB",
        }
    }
    /// How many FLOP, operations or bytes it is.
    pub const fn amount(self) -> f64 {
        match self {
            Self::Exaflop | Self::Exaop => FLOP_PER_EXAFLOP,
            Self::Petabyte => 1e15,
        }
    }
}

impl std::fmt::Display for WorkUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.symbol())
    }
}

/// Carbon of one case, within the scope of its headline energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseCarbon {
    /// The case.
    pub case: Case,
    /// Power source of the energy.
    pub source: String,
    /// What the energy includes.
    pub scope: Scope,
    /// Measured, declared or estimated: the carbon is what the energy is.
    pub evidence: Evidence,
    /// The unit of work of the next two fields.
    pub per: WorkUnit,
    /// Energy per unit of work at the device, gross.
    #[serde(rename = "energy_per_unit_j")]
    pub energy_per_unit: Estimate<Joules>,
    /// Carbon per unit of work, PUE included.
    #[serde(rename = "carbon_per_unit_g")]
    pub carbon_per_unit: Estimate<GramsCo2e>,
    /// Carbon of one execution of the problem, PUE included.
    #[serde(rename = "carbon_per_execution_g")]
    pub carbon_per_execution: Estimate<GramsCo2e>,
}

/// A case without a carbon figure, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// The case.
    pub case: Case,
    /// The reason, in words.
    pub reason: String,
}

/// Carbon of every case of a record.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CarbonTable {
    /// Cases with a figure, in the record's order.
    pub rows: Vec<CaseCarbon>,
    /// Cases without one.
    pub left_out: Vec<LeftOut>,
}

/// The estimate without its interval unless the energy behind it was measured.
pub(super) fn honest<Q: crate::units::Quantity>(estimate: Estimate<Q>, evidence: Evidence) -> Estimate<Q> {
    if evidence == Evidence::Measured { estimate } else { Estimate { interval: None, ..estimate } }
}

/// Operational carbon of an energy at the device, at a site: `E [kWh] × PUE × I`, with the interval of the joules.
pub fn operational(energy: &Estimate<Joules>, evidence: Evidence, site: &Site) -> Estimate<GramsCo2e> {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    honest(energy.map(|joules| joules.to_kilowatt_hours() * pue.value * grid.intensity_g_per_kwh), evidence)
}

/// Gross energy of an amount of work given in FLOP or bytes, as the case counts. `None` if the case has no such work.
pub(super) fn energy_of(case: &CaseResult, energy: &EnergyResult, amount: f64) -> Option<Estimate<Joules>> {
    let work = match case.case.counted {
        Counted::Flop => case.case.work.flop.get(),
        Counted::Bytes => case.case.work.bytes.get(),
    };
    (work > 0.0).then(|| honest(energy.per_execution.map(|joules| joules * (amount / work)), energy.evidence))
}

/// Gross energy per EFLOP or per PB of a case. `None` if the case has no such work.
pub fn energy_per_unit(case: &CaseResult, energy: &EnergyResult) -> Option<Estimate<Joules>> {
    energy_of(case, energy, WorkUnit::of(case.case.counted_in()).amount())
}

/// Carbon of every case at a site. Unverified cases, cases without an energy and skipped cases are left out with the reason.
pub fn case_carbon(result: &RunResult, site: &Site) -> CarbonTable {
    let mut table = CarbonTable::default();
    for case in &result.cases {
        match one_case(case, site) {
            Ok(row) => table.rows.push(row),
            Err(reason) => table.left_out.push(LeftOut { case: case.case.clone(), reason: reason.to_owned() }),
        }
    }
    table.left_out.extend(
        result
            .skips
            .iter()
            .map(|skip| LeftOut { case: skip.case.clone(), reason: format!("skipped: {}", skip.detail) }),
    );
    table
}

/// Why a case can have no energy figure, or the energy that stands for it.
pub(super) fn usable_energy(case: &CaseResult) -> Result<&EnergyResult, &'static str> {
    if !case.verified {
        return Err("its outputs were wrong, so it has no rate and no energy per work");
    }
    let energy = case.headline_energy().ok_or("there is no power reading")?;
    let joules = energy.per_execution.point.get();
    if !joules.is_finite() || joules <= 0.0 {
        return Err("the energy reading is not a positive number");
    }
    Ok(energy)
}

/// Carbon of a metered program: foreign work, whose output was not verified.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandCarbon {
    /// Name of the program.
    pub label: String,
    /// What the next fields are per: `run`, or a unit of its work.
    pub per: String,
    /// Power source of the energy.
    pub source: String,
    /// What the energy includes.
    pub scope: Scope,
    /// Measured, declared or estimated: the carbon is what the energy is.
    pub evidence: Evidence,
    /// Energy at the device, gross.
    #[serde(rename = "energy_per_unit_j")]
    pub energy: Estimate<Joules>,
    /// Carbon, PUE included.
    #[serde(rename = "carbon_per_unit_g")]
    pub carbon: Estimate<GramsCo2e>,
}

/// Carbon of every metered program at a site, per execution and per unit of its work, from the energy that stands for it.
/// Programs without such an energy have none.
pub fn command_carbon(result: &RunResult, site: &Site) -> Vec<CommandCarbon> {
    let row = |label: &str, per: &str, own: &CommandEnergy| {
        let energy = &own.energy;
        CommandCarbon {
            label: label.to_owned(),
            per: per.to_owned(),
            source: energy.source.clone(),
            scope: energy.scope,
            evidence: energy.evidence,
            energy: honest(energy.per_execution, energy.evidence),
            carbon: operational(&energy.per_execution, energy.evidence, site),
        }
    };
    let mut rows = Vec::new();
    for command in &result.commands {
        rows.extend(command.headline_energy().map(|own| row(&command.label, "run", own)));
        rows.extend(
            command.work.iter().filter_map(|work| Some(row(&command.label, &work.unit, work.headline_energy()?))),
        );
    }
    rows
}

fn one_case(case: &CaseResult, site: &Site) -> Result<CaseCarbon, &'static str> {
    let energy = usable_energy(case)?;
    let energy_per_unit = energy_per_unit(case, energy).ok_or("the problem counts no work")?;
    Ok(CaseCarbon {
        case: case.case.clone(),
        source: energy.source.clone(),
        scope: energy.scope,
        evidence: energy.evidence,
        per: WorkUnit::of(case.case.counted_in()),
        carbon_per_unit: operational(&energy_per_unit, energy.evidence, site),
        carbon_per_execution: operational(&energy.per_execution, energy.evidence, site),
        energy_per_unit,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::{case, energy, run};
    use super::*;
    use crate::account::resolve_site;
    use proptest::prelude::*;

    fn site(grid: &str, pue: f64) -> Site {
        resolve_site(Some(grid), Some(pue), None, Path::new(".")).unwrap()
    }

    #[test]
    fn one_teraflop_per_joule_on_the_qinghai_grid_is_49_9_grams_per_exaflop() {
        // 1e18 FLOP / 1e12 FLOP/J = 1e6 J = 0.277778 kWh; × 1 × 179.6 g/kWh = 49.889 g. At 530.6 g/kWh: 147.389 g.
        for (grid, expected) in [("0.1796", 49.888_888_9), ("CN-QH", 49.888_888_9), ("CN", 147.388_888_9)] {
            let result = run(vec![case("gemm/tiled-f32", 2e9, vec![energy(2e-3, 0.02)])]);
            let table = case_carbon(&result, &site(grid, 1.0));
            let row = &table.rows[0];
            assert_eq!(row.per, WorkUnit::Exaflop);
            assert!((row.energy_per_unit.point.get() - 1e6).abs() < 1e-3);
            assert!((row.carbon_per_unit.point.get() - expected).abs() < 1e-6, "{grid}");
            // 2e-3 J / 3.6e6 × 179.6 = 9.9778e-8 g for one execution.
            let interval = row.carbon_per_unit.interval.unwrap();
            assert!((interval.low.get() / expected - 0.98).abs() < 1e-9);
            assert!((interval.high.get() / expected - 1.02).abs() < 1e-9);
        }
    }

    #[test]
    fn the_pue_multiplies_and_a_memory_problem_counts_petabytes() {
        // 1e15 B × (0.5 J / 1e9 B) = 5e5 J = 0.138889 kWh; × 1.2 × 447.1 g/kWh = 74.5167 g.
        let mut copy = case("memory-copy/vec4", 0.0, vec![energy(0.5, 0.0)]);
        copy.case.counted = Counted::Bytes;
        copy.case.work.bytes = crate::units::Bytes::new(1e9);
        let table = case_carbon(&run(vec![copy]), &site("CN-GS", 1.2));
        assert_eq!(table.rows[0].per.symbol(), "PB");
        assert!((table.rows[0].carbon_per_unit.point.get() - 74.516_666_7).abs() < 1e-6);
    }

    #[test]
    fn an_estimated_energy_gives_an_estimated_carbon_without_an_interval() {
        let mut estimated = energy(2e-3, 0.02);
        estimated.evidence = Evidence::Estimated;
        let table = case_carbon(&run(vec![case("gemm/tiled-f32", 2e9, vec![estimated])]), &site("CN", 1.0));
        assert_eq!((table.rows[0].evidence, table.rows[0].carbon_per_unit.interval), (Evidence::Estimated, None));
        assert_eq!(table.rows[0].energy_per_unit.interval, None);
    }

    #[test]
    fn cases_that_failed_or_have_no_reading_are_left_out_with_the_reason() {
        let mut wrong = case("gemm/naive-f32", 2e9, vec![energy(1.0, 0.0)]);
        wrong.verified = false;
        let unpowered = case("gemm/tiled-f32", 2e9, vec![]);
        let table = case_carbon(&run(vec![wrong, unpowered]), &site("CN", 1.0));
        assert!(table.rows.is_empty());
        assert!(table.left_out[0].reason.contains("outputs were wrong"));
        assert!(table.left_out[1].reason.contains("no power reading"));
    }

    proptest! {
        #[test]
        fn carbon_is_proportional_to_joules_pue_and_intensity(
            joules in 1e-3f64..1e9, pue in 1f64..3.0, kilograms in 0f64..2.9, factor in 0.1f64..10.0,
        ) {
            let grams = |joules: f64, pue: f64, kilograms: f64| {
                let site = site(&format!("{kilograms}"), pue);
                operational(&Estimate::bare(Joules::new(joules), 1), Evidence::Measured, &site).point.get()
            };
            let one = grams(joules, pue, kilograms);
            prop_assert!((one - joules / 3.6e6 * pue * kilograms * 1e3).abs() <= one * 1e-12);
            prop_assert!((grams(joules * factor, pue, kilograms) - one * factor).abs() <= one * factor * 1e-12);
        }
    }
}
