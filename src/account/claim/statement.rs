//! One claim as the site file states it: its words and its keys.
//!
//! What surprises people: shares and changes are numbers like 0.94 and -0.30, never per cents, and 94 is refused rather
//! than taken for 94 %.

use super::{Check, Verdict};
use crate::account::{AccountError, Bounds, Section, Site};

/// Keys that a claim may have, in the order of their checks.
pub const KEYS: [&str; 29] = [
    "sentence",
    "pue",
    "pue_below",
    "clean_capacity_share",
    "claimed_intensity_g_per_kwh",
    "fossil_g_per_kwh",
    "fossil_source",
    "clean_energy_share",
    "grid_rank",
    "carbon_free",
    "hourly_carbon_free_share",
    "hourly_source",
    "market_based_in_sci",
    "sci_intensity_g_per_kwh",
    "offset",
    "claimed_gas",
    "years",
    "factors",
    "capex_change",
    "opex_change",
    "payback_change_years",
    "payback_years",
    "opex_over_revenue",
    "energy_share_of_opex",
    "energy_cost_change",
    "compute_pflops",
    "precision",
    "cards",
    "card",
];

/// Keys that mean nothing without another one: (key, what it needs).
const COMPANIONS: [(&str, &[&str]); 11] = [
    ("claimed_intensity_g_per_kwh", &["clean_capacity_share", "clean_energy_share"]),
    ("fossil_g_per_kwh", &["clean_capacity_share", "clean_energy_share"]),
    ("fossil_source", &["fossil_g_per_kwh"]),
    ("hourly_carbon_free_share", &["carbon_free"]),
    ("hourly_source", &["hourly_carbon_free_share"]),
    ("payback_years", &["payback_change_years"]),
    ("opex_over_revenue", &["payback_change_years"]),
    ("energy_share_of_opex", &["opex_change"]),
    ("energy_cost_change", &["energy_share_of_opex"]),
    ("cards", &["compute_pflops"]),
    ("precision", &["compute_pflops"]),
];

/// An intensity of electricity as a site claims it. The upper bound is that of grid factors.
const INTENSITY: Bounds =
    Bounds { low: 0.0, high: 3000.0, above: false, meaning: "g/kWh, from 0 to 3000 (179.6 for 0.1796 kg/kWh)" };
/// An intensity of a claim in g/kWh. Zero is a claim to check; a fraction of a gram is one in kg/kWh, the usual slip: the
/// cleanest plants emit several grams over their life.
///
/// # Errors
/// Out of bounds, or above 0 and below 1.
pub fn intensity(section: &Section<'_>, key: &str) -> Result<Option<f64>, AccountError> {
    let grams = section.number(key, INTENSITY)?;
    match grams.filter(|grams| *grams > 0.0 && *grams < 1.0) {
        None => Ok(grams),
        Some(slip) => Err(section.bad(
            key,
            format!(
                "it must be in g/kWh, and no electricity has less than 1; if it is in kg/kWh, write {}",
                slip * 1e3
            ),
        )),
    }
}

/// A share of capacity or energy.
pub const SHARE: Bounds = Bounds { low: 0.0, high: 1.0, above: false, meaning: "a share from 0 to 1 (0.94 for 94 %)" };
/// A relative change of a cost.
pub const CHANGE: Bounds =
    Bounds { low: -1.0, high: 10.0, above: true, meaning: "a relative change above -1 (-0.30 for 30 % less)" };
/// A relative change of the cost of energy, which may become free.
pub const CHANGE_TO_FREE: Bounds =
    Bounds { low: -1.0, high: 10.0, above: false, meaning: "a relative change from -1 (-0.30 for 30 % less)" };

/// One claim.
pub struct Statement<'a> {
    /// Its keys.
    pub section: Section<'a>,
    /// Its words; empty if none are quoted.
    pub sentence: &'a str,
    /// The site that makes it.
    pub site: &'a Site,
}

impl<'a> Statement<'a> {
    /// Reads the words, and refuses keys that lack what they belong to.
    pub fn new(section: Section<'a>, site: &'a Site) -> Result<Self, AccountError> {
        let sentence = section.text("sentence")?.unwrap_or_default().trim();
        for (key, partners) in COMPANIONS.into_iter().chain([("card", &["compute_pflops"][..])]) {
            if section.has(key) && !partners.iter().any(|partner| section.has(partner)) {
                let remedy = format!("`{key}` belongs to a claim with it; add it, or drop `{key}`");
                return Err(section.missing(&partners.join("` or `"), remedy));
            }
        }
        Ok(Self { section, sentence, site })
    }

    /// A list of whole numbers or texts, at least two.
    pub fn list(&self, key: &str, meaning: &str) -> Result<Option<&'a [toml::Value]>, AccountError> {
        match self.section.value(key) {
            None => Ok(None),
            Some(toml::Value::Array(values)) if values.len() >= 2 => Ok(Some(values)),
            Some(_) => Err(self.section.bad(key, format!("it must be a list of at least two {meaning}"))),
        }
    }

    /// Words without any key: nothing can be said of them.
    pub fn words_only(&self) -> Result<Check, AccountError> {
        if self.sentence.is_empty() {
            return Err(self.section.missing("sentence", "quote the words, and add the key that they are checked by"));
        }
        let reason = "no key says what is to be checked";
        Ok(Check::new(self, "words", "the words alone".to_owned(), Verdict::NotCheckable, reason)
            .need(format!("one of the keys {}", KEYS[1..].join(", "))))
    }
}
