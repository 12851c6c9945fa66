//! One `[[market.contract]]`: its share, its intensity, its proof, and which quality criteria it states.
//!
//! What surprises people: criteria are listed as met by the site's own word or as unstated, and never graded; but a contract
//! that says it is claimed by others as well counts nothing.

use serde::Serialize;

use super::super::factor::MAX_INTENSITY_G_PER_KWH;
use crate::account::{AccountError, Bounds, Section};
use crate::model::Gas;
use crate::units::GramsPerKilowattHour;

const KEYS: [&str; 15] = [
    "name",
    "share",
    "energy_kwh",
    "intensity_g_per_kwh",
    "gas",
    "instrument",
    "contract",
    "settlement",
    "meter_record",
    "vintage",
    "market",
    "tracking",
    "exclusive",
    "source",
    "note",
];
const INTENSITY: Bounds = Bounds {
    low: 0.0,
    high: MAX_INTENSITY_G_PER_KWH,
    above: false,
    meaning: "g/kWh from 0 to 3000; electricity has no negative emissions, and offsets are no part of it",
};
const VINTAGE: Bounds =
    Bounds { low: 2000.0, high: 2100.0, above: false, meaning: "the year of generation, from 2000 to 2100" };

/// How the energy was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instrument {
    /// A power purchase agreement.
    Ppa,
    /// A certificate without the energy.
    Certificate,
    /// The supplier's own rate.
    Supplier,
    /// Generated and consumed on the site.
    SelfGeneration,
}

impl Instrument {
    const WORDS: [&str; 4] = ["ppa", "certificate", "supplier", "self-generation"];

    fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Ppa, Self::Certificate, Self::Supplier, Self::SelfGeneration];
        Self::WORDS.iter().position(|own| *own == word).map(|index| all[index])
    }
    /// Keys that prove it: a meter's monthly record for what was consumed where it was made, else contract and settlement.
    pub const fn proof_keys(self) -> &'static [&'static str] {
        match self {
            Self::SelfGeneration => &["meter_record"],
            Self::Ppa | Self::Certificate | Self::Supplier => &["contract", "settlement"],
        }
    }
}

impl std::fmt::Display for Instrument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ppa => "PPA",
            Self::Certificate => "certificate",
            Self::Supplier => "supplier",
            Self::SelfGeneration => "self-generation",
        })
    }
}

/// Whether a quality criterion is met, by the site's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CriterionState {
    /// The site states it.
    Met,
    /// The site states the opposite.
    NotMet,
    /// The site says nothing.
    Unstated,
}

/// One quality criterion of a contractual instrument (GHG Protocol Scope 2).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criterion {
    /// `tracking`, `no double count`, `vintage` or `market boundary`.
    pub name: &'static str,
    /// Whether it is met.
    pub state: CriterionState,
    /// What the site states.
    pub stated: String,
}

/// A contract and whether it counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contract {
    /// Its name.
    pub name: String,
    /// How the energy was obtained.
    pub instrument: Instrument,
    /// Share of the facility's energy.
    pub share: f64,
    /// Its own factor.
    pub intensity_g_per_kwh: GramsPerKilowattHour,
    /// What that factor counts.
    pub gas: Gas,
    /// References that prove it: `contract HX-17`.
    pub proof: Vec<String>,
    /// Why it counts nothing; `None` if it counts.
    pub moved_to_residual: Option<String>,
    /// Quality criteria.
    pub criteria: Vec<Criterion>,
    /// The site's own words.
    pub note: String,
}

impl Contract {
    /// Whether it counts.
    pub fn counted(&self) -> bool {
        self.moved_to_residual.is_none()
    }
}

/// All contracts of a `[market]` table; `facility` is the facility's energy in kWh, needed where one gives `energy_kwh`.
pub fn read_all(market: &Section<'_>, facility: Option<f64>) -> Result<Vec<Contract>, AccountError> {
    market.sections("contract", &KEYS)?.iter().map(|table| read(table, market, facility)).collect()
}

fn read(table: &Section<'_>, market: &Section<'_>, facility: Option<f64>) -> Result<Contract, AccountError> {
    let words = Instrument::WORDS.join(", ");
    let instrument = table.word("instrument", &Instrument::WORDS)?.and_then(Instrument::of_word).ok_or_else(|| {
        table.missing("instrument", format!("give one of {words}; its kind decides the proof it needs"))
    })?;
    let gas = match table.word("gas", &["CO2", "CO2e"])? {
        Some("CO2") => Gas::Co2,
        Some(_) => Gas::Co2e,
        None => return Err(table.missing("gas", "say what the intensity counts: CO2 or CO2e")),
    };
    let criteria = criteria(table)?;
    let (proof, lacking) = proof(table, instrument)?;
    let shared = criteria.iter().any(|own| own.name == DOUBLE_COUNT && own.state == CriterionState::NotMet);
    let moved_to_residual = if !lacking.is_empty() {
        Some(format!("no proof: {} not given", lacking.join(" and ")))
    } else {
        shared.then(|| "the site says that others claim it as well".to_owned())
    };
    Ok(Contract {
        name: table.required_text("name", "give the contract a name")?.to_owned(),
        instrument,
        share: share(table, market, facility)?,
        intensity_g_per_kwh: GramsPerKilowattHour::new(table.required("intensity_g_per_kwh", INTENSITY)?),
        gas,
        proof,
        moved_to_residual,
        criteria,
        note: [table.text("source")?, table.text("note")?].into_iter().flatten().collect::<Vec<_>>().join("; "),
    })
}

fn share(table: &Section<'_>, market: &Section<'_>, facility: Option<f64>) -> Result<f64, AccountError> {
    let energy = table.number("energy_kwh", Bounds::not_negative("kWh of the period, 0 or more"))?;
    match (table.number("share", Bounds::SHARE)?, energy, facility) {
        (Some(_), Some(_), _) => Err(table.bad("energy_kwh", "give either share or energy_kwh, not both")),
        (Some(share), None, _) => Ok(share),
        (None, Some(energy), Some(facility)) => Ok(energy / facility),
        (None, Some(_), None) => {
            Err(market
                .missing("facility_kwh", "a contract gives energy_kwh; give the facility's kWh of the same period"))
        }
        (None, None, _) => {
            Err(table.missing("share", "give the share of the facility's energy (0.4), or energy_kwh of the period"))
        }
    }
}

/// The proof that is given, and the keys of what is not.
fn proof(table: &Section<'_>, instrument: Instrument) -> Result<(Vec<String>, Vec<&'static str>), AccountError> {
    let mut given = Vec::new();
    let mut lacking = Vec::new();
    for key in instrument.proof_keys() {
        match table.text(key)?.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => given.push(format!("{} {text}", key.replace('_', " "))),
            None => lacking.push(*key),
        }
    }
    Ok((given, lacking))
}

const DOUBLE_COUNT: &str = "no double count";

fn criteria(table: &Section<'_>) -> Result<Vec<Criterion>, AccountError> {
    let by_text = |name: &'static str, text: Option<String>| Criterion {
        name,
        state: if text.is_some() { CriterionState::Met } else { CriterionState::Unstated },
        stated: text.unwrap_or_default(),
    };
    let own = |key: &str| -> Result<Option<String>, AccountError> {
        Ok(table.text(key)?.filter(|text| !text.trim().is_empty()).map(str::to_owned))
    };
    let exclusive = table.flag("exclusive")?;
    Ok(vec![
        by_text("tracking", own("tracking")?),
        Criterion {
            name: DOUBLE_COUNT,
            state: match exclusive {
                Some(true) => CriterionState::Met,
                Some(false) => CriterionState::NotMet,
                None => CriterionState::Unstated,
            },
            stated: exclusive.map(|flag| format!("exclusive = {flag}")).unwrap_or_default(),
        },
        by_text("vintage", table.number("vintage", VINTAGE)?.map(|year| year.to_string())),
        by_text("market boundary", own("market")?),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::site_with;
    use super::super::Market;
    use super::*;

    const ROOF: &str = "name = \"roof\"\nshare = 0.1\nintensity_g_per_kwh = 41\ngas = \"CO2e\"\n\
                        instrument = \"self-generation\"\nmeter_record = \"meter 4, 2026-09\"\n";

    fn one(lines: &str) -> Result<Contract, AccountError> {
        let market = Market::read(&site_with(&format!("[market]\nfacility_kwh = 1000\n[[market.contract]]\n{lines}")));
        market.map(|market| market.contracts[0].clone())
    }
    fn refusal(lines: &str) -> String {
        one(lines).unwrap_err().to_string()
    }

    #[test]
    fn what_is_made_on_the_site_is_proven_by_its_meter_and_what_is_bought_by_contract_and_settlement() {
        assert!(one(ROOF).unwrap().counted());
        assert_eq!(one(ROOF).unwrap().proof, ["meter record meter 4, 2026-09"]);
        let bought = ROOF.replace("self-generation", "ppa");
        let reason = one(&bought).unwrap().moved_to_residual.unwrap();
        assert!(reason.contains("contract and settlement"), "{reason}");
        let blank = ROOF.replace("meter 4, 2026-09", " ");
        assert!(!one(&blank).unwrap().counted(), "a blank reference proves nothing");
    }

    #[test]
    fn a_contract_claimed_by_others_as_well_counts_nothing() {
        let shared = one(&format!("{ROOF}exclusive = false\n")).unwrap();
        assert!(shared.moved_to_residual.unwrap().contains("others claim it"));
        let mut own = one(&format!("{ROOF}exclusive = true\nvintage = 2026\n")).unwrap();
        own.criteria.retain(|criterion| criterion.state == CriterionState::Met);
        let met: Vec<&str> = own.criteria.iter().map(|criterion| criterion.name).collect();
        assert_eq!(met, ["no double count", "vintage"]);
    }

    #[test]
    fn energy_becomes_a_share_of_the_facilitys() {
        // 250 kWh of 1000 kWh.
        assert_eq!(one(&ROOF.replace("share = 0.1", "energy_kwh = 250")).unwrap().share, 0.25);
        let both = format!("{ROOF}energy_kwh = 250\n");
        assert!(refusal(&both).contains("not both"));
    }

    #[test]
    fn numbers_and_words_that_cannot_be_are_refused_with_their_key() {
        for (from, to, part) in [
            ("share = 0.1", "share = 1.4", "`share` is 1.4"),
            ("share = 0.1", "share = nan", "`share`"),
            ("share = 0.1\n", "", "`share` is missing"),
            ("intensity_g_per_kwh = 41", "intensity_g_per_kwh = -1", "no negative emissions"),
            ("intensity_g_per_kwh = 41", "intensity_g_per_kwh = 5000", "`intensity_g_per_kwh`"),
            ("gas = \"CO2e\"\n", "", "`gas` is missing"),
            ("self-generation", "self-generaton", "did you mean self-generation?"),
            ("name = ", "nane = ", "did you mean name"),
            ("share = 0.1", "share = 0.1\nvintage = 26", "`vintage`"),
        ] {
            let message = refusal(&ROOF.replace(from, to));
            assert!(message.contains(part) && message.contains("market.contract 1"), "{to}: {message}");
        }
    }
}
