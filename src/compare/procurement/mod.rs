//! What a buyer asks of compared records: for each workload that all of them did, what each device delivers, draws, emits and
//! costs in a year of the same work at one site.
//!
//! Verdicts on single pairs are in the room above this folder; here stand amounts. What surprises people: each device stands
//! with the fastest of its paired variants, for a buyer buys the device and not a kernel; and the work of a year is fixed by
//! the first record, so a faster device needs less than one of itself.

mod common;
mod front;
mod principal;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::account::cost::{Devices, WorkYear, YearTerms};
use crate::account::embodied::Band;
use crate::account::{AccountError, Amount, Site, Subject, WorkUnit};
use crate::measure::result::{CaseResult, EnergyResult, RunResult};
use crate::model::{Case, Counted, CountedIn, Estimate, Evidence, FOREIGN, RunRecord, Scope};
use crate::units::{GramsCo2e, Joules, Ratio, Seconds, Watts};

pub use common::LeftOut;
pub use front::Standing;

use common::Common;

/// What the user chose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ProcurementOptions {
    /// How many devices of the first record set the work of a year.
    pub devices: u32,
}

impl Default for ProcurementOptions {
    fn default() -> Self {
        Self { devices: 1 }
    }
}

/// Where and on what terms the amounts of a year hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Terms {
    /// Name of the site.
    pub site: String,
    /// Power usage effectiveness.
    pub pue: f64,
    /// Region of the grid factor.
    pub region: String,
    /// Grid intensity, location-based.
    pub intensity_g_per_kwh: f64,
    /// Gas of that factor.
    pub gas: String,
    /// Currency of all money; `None` without `[cost]`.
    pub currency: Option<String>,
    /// Mean price per kWh over the day; `None` without `[cost]`.
    pub tariff_per_kwh: Option<f64>,
    /// Share of all hours with work, where a device's entry says nothing else.
    pub utilisation: f64,
    /// How many devices of the first record set the work of a year.
    pub devices: u32,
}

/// One compared record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// `A`, `B`, …
    pub letter: String,
    /// Its run.
    pub run_id: String,
    /// True if its times and watts were scripted.
    pub simulated: bool,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Procurement {
    /// Records in the order given.
    pub records: Vec<Compared>,
    /// Where and on what terms.
    pub terms: Terms,
    /// Work that every record did, in the order of the first.
    pub workloads: Vec<Workload>,
    /// Work that some record lacks.
    pub left_out: Vec<LeftOut>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

/// One piece of work that every record did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workload {
    /// The work as the first record's case describes it; its variant and device are those of that case alone.
    pub case: Case,
    /// Unit of work that energy, carbon and money stand for.
    pub per: WorkUnit,
    /// Work of a year in FLOP, operations or bytes; `None` if no device has a rate.
    pub work_per_year: Option<f64>,
    /// Record and device whose rate fixes it.
    pub set_by: Option<String>,
    /// One row for each record and device.
    pub rows: Vec<Row>,
}

/// One device on one workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Letter of its record.
    pub record: String,
    /// Its run.
    pub run_id: String,
    /// Ordinal within its record.
    pub ordinal: u32,
    /// Name of the device.
    pub device: String,
    /// The variant that stands for it: the fastest of its paired ones.
    pub variant: String,
    /// What its work is counted in.
    #[serde(skip)]
    pub counted: CountedIn,
    /// FLOP/s, OP/s or B/s.
    pub rate_per_s: Option<Estimate<Ratio>>,
    /// What its joules include; `None` without energy.
    pub scope: Option<Scope>,
    /// What they include where a correction made them those of another scope.
    pub scope_note: Option<String>,
    /// How they came about.
    pub evidence: Option<Evidence>,
    /// Power source.
    pub source: Option<String>,
    /// FLOP/J (FLOPS/W), OP/J or B/J, gross; no interval unless measured.
    pub work_per_j: Option<Estimate<Ratio>>,
    /// Mean power while it works.
    #[serde(rename = "power_w")]
    pub power: Option<Watts>,
    /// Joules of a unit of work, at the device.
    #[serde(rename = "energy_per_unit_j")]
    pub energy_per_unit: Option<Estimate<Joules>>,
    /// Operational carbon of a unit, PUE included, location-based.
    #[serde(rename = "operational_per_unit_g")]
    pub operational_per_unit: Option<Estimate<GramsCo2e>>,
    /// Embodied share of a unit: a band and no interval.
    #[serde(rename = "embodied_per_unit_g")]
    pub embodied_per_unit: Option<Band<GramsCo2e>>,
    /// How many of it the year's work takes.
    pub devices: Option<Devices>,
    /// The year.
    pub year: Option<WorkYear>,
    /// Why figures are missing, one sentence each.
    pub missing: Vec<String>,
    /// Its place among the devices of the same scope and evidence.
    pub standing: Standing,
}

impl Row {
    /// True if its energy was measured; an estimate or a declaration has no interval and is marked.
    pub fn measured(&self) -> bool {
        self.evidence == Some(Evidence::Measured)
    }
    /// Scope in words, with its mark: `board`, `board, estimated`, `board, corrected to wall AC`; `None` without energy.
    pub fn scope_words(&self) -> Option<String> {
        let mut words = self.scope?.to_string();
        if let Some(note) = &self.scope_note {
            words.push_str(&format!(", corrected to {note}"));
        }
        if let Some(evidence) = self.evidence.filter(|own| *own != Evidence::Measured) {
            words.push_str(&format!(", {evidence}"));
        }
        Some(words)
    }
    /// Record and device: `A NVIDIA H100`.
    pub fn name(&self) -> String {
        format!("{} {}", self.record, self.device)
    }
}

/// What each of these records' devices does, and what a year of the same work takes and costs at a site.
///
/// Cases are paired with those of the first record as a comparison pairs them; only work that all records did is here.
///
/// # Errors
/// A wrong `[cost]` or `[embodied]` of the site, a second currency in it.
pub fn procurement(
    records: &[(&RunRecord, &RunResult)],
    site: &Site,
    options: &ProcurementOptions,
) -> Result<Procurement, AccountError> {
    let results: Vec<RunResult> = records.iter().map(|(_, result)| super::with_foreign(result)).collect();
    let (common, left_out) = common::common(&results);
    let names: Vec<String> = common
        .iter()
        .flat_map(|work| &work.cases)
        .map(|(record, case)| device_name(records[*record].0, case.case.device))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let years = YearTerms::read(site, &names)?;
    let workloads = common.iter().map(|work| workload(work, records, &years, options)).collect();
    let compared = |(index, (record, _)): (usize, &(&RunRecord, &RunResult))| Compared {
        letter: letter(index),
        run_id: record.run_id.clone(),
        simulated: record.simulated,
    };
    let mut found = Procurement {
        records: records.iter().enumerate().map(compared).collect(),
        terms: terms_of(site, &years, options),
        workloads,
        left_out,
        notes: Vec::new(),
    };
    found.notes = common::notes(&found, &years);
    Ok(found)
}

fn terms_of(site: &Site, years: &YearTerms<'_>, options: &ProcurementOptions) -> Terms {
    Terms {
        site: site.profile.name.clone(),
        pue: site.profile.pue.value,
        region: site.profile.grid.region.clone(),
        intensity_g_per_kwh: site.profile.grid.intensity_g_per_kwh.get(),
        gas: site.profile.grid.gas.to_string(),
        currency: years.inputs.as_ref().map(|inputs| inputs.currency.clone()),
        tariff_per_kwh: years.inputs.as_ref().map(|inputs| inputs.tariff.mean()),
        utilisation: years.utilisation,
        devices: options.devices.max(1),
    }
}

/// `A` to `Z`, then `R27` and so on.
pub fn letter(index: usize) -> String {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or_else(|| format!("R{}", index + 1), |index| char::from(b'A' + index).to_string())
}

fn device_name(record: &RunRecord, ordinal: u32) -> String {
    record.device(ordinal).map_or_else(|| format!("device {ordinal}"), |device| device.name.clone())
}

fn workload(
    work: &Common<'_>,
    records: &[(&RunRecord, &RunResult)],
    years: &YearTerms<'_>,
    options: &ProcurementOptions,
) -> Workload {
    let per = WorkUnit::of(work.case.counted_in());
    let cases: Vec<&CaseResult> = work.cases.iter().map(|(_, case)| *case).collect();
    let energies = common::energies(&cases);
    let mut rows: Vec<Row> = work
        .cases
        .iter()
        .zip(energies)
        .map(|((record, case), energy)| facts((*record, records[*record].0), case, energy, per))
        .collect();
    let first = rows.iter().find_map(|row| Some((row.name(), row.device.clone(), row.rate_per_s?.point)));
    let work_per_year = first.as_ref().map(|(_, device, rate)| {
        // The first device that has a rate sets the work.
        years.work_of(device, *rate) * f64::from(options.devices.max(1))
    });
    if let Some(amount) = work_per_year {
        for (row, (record, _)) in rows.iter_mut().zip(&work.cases) {
            account(row, per, years, amount, records[*record].0.simulated);
        }
    }
    front::place(&mut rows);
    Workload { case: work.case.clone(), per, work_per_year, set_by: first.map(|(name, ..)| name), rows }
}

/// Rate and energy of a device, or why it has none.
fn facts((index, record): (usize, &RunRecord), case: &CaseResult, energy: Option<&EnergyResult>, per: WorkUnit) -> Row {
    let rate = common::rate_of(case);
    let (efficiency, mut missing) = match (rate, energy) {
        (None, _) if !case.has_rates() => (None, vec!["its outputs were wrong, so it has no rate".to_owned()]),
        (None, _) => (None, vec!["no time was measured, so it has no rate".to_owned()]),
        (Some(_), None) => (None, vec!["no power reading, so no energy, carbon or money of energy".to_owned()]),
        (Some(_), Some(energy)) => (efficiency_of(case, energy), Vec::new()),
    };
    let energy = energy.filter(|_| efficiency.is_some());
    if rate.is_some() && missing.is_empty() && efficiency.is_none() {
        missing.push("the energy reading is not a positive number".to_owned());
    }
    Row {
        record: letter(index),
        run_id: record.run_id.clone(),
        ordinal: case.case.device,
        device: device_name(record, case.case.device),
        variant: case.case.variant.clone(),
        counted: case.case.counted_in(),
        rate_per_s: rate,
        scope: energy.map(|energy| energy.scope),
        scope_note: energy.and_then(|energy| energy.scope_note().map(str::to_owned)),
        evidence: energy.map(|energy| energy.evidence),
        source: energy.map(|energy| energy.source.clone()),
        work_per_j: efficiency,
        power: rate.zip(efficiency).map(|(rate, work)| Watts::new(rate.point.get() / work.point.get())),
        energy_per_unit: efficiency.map(|work| work.map(|work| Joules::new(per.amount() / work.get()))),
        operational_per_unit: None,
        embodied_per_unit: None,
        devices: None,
        year: None,
        missing,
        standing: Standing::NotRanked,
    }
}

/// Work per joule of a case from one energy; without an interval unless it was measured.
fn efficiency_of(case: &CaseResult, energy: &EnergyResult) -> Option<Estimate<Ratio>> {
    let plain = match case.case.counted {
        Counted::Flop => energy.flop_efficiency?.map(|work| Ratio::new(work.get())),
        Counted::Bytes => energy.byte_efficiency.map(|work| Ratio::new(work.get())),
    };
    let honest = Estimate { interval: plain.interval.filter(|_| energy.evidence == Evidence::Measured), ..plain };
    Some(honest).filter(|work| work.point.get().is_finite() && work.point.get() > 0.0)
}

/// Carbon of a unit, and the year.
fn account(row: &mut Row, per: WorkUnit, years: &YearTerms<'_>, work_per_year: f64, simulated: bool) {
    let Some(rate) = row.rate_per_s else { return };
    row.devices = Some(years.devices(&row.device, &rate, work_per_year));
    let (Some(energy), Some(scope), Some(evidence)) = (row.energy_per_unit, row.scope, row.evidence) else { return };
    let subject = Subject {
        label: format!("1 {per}"),
        run_ids: vec![row.run_id.clone()],
        simulated,
        verified: !row.variant.starts_with(FOREIGN),
        device: row.device.clone(),
        devices: 1,
        source: row.source.clone().unwrap_or_default(),
        case: row.variant.clone(),
        scope,
        evidence,
        work: Some(Amount { amount: per.amount(), unit: row.counted.symbol().to_owned() }),
        time: Some(rate.map(|rate| Seconds::new(per.amount() / rate.get()))),
        energy,
    };
    match years.carbon_of_unit(&subject) {
        Ok((operational, embodied)) => {
            row.operational_per_unit = Some(operational);
            row.embodied_per_unit = embodied.ok();
        }
        Err(reason) => row.missing.push(reason),
    }
    match years.year(&subject, work_per_year) {
        Ok(year) => {
            row.missing.extend(year.money_missing.clone());
            row.missing.extend(year.embodied_missing.clone().filter(|_| years.embodied.is_some()));
            row.year = Some(year);
        }
        Err(reason) => row.missing.push(reason),
    }
}
