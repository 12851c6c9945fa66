//! The `[embodied]` table of a site file: life, utilisation, own figures, and the server's share.
//!
//! What surprises people: four years and 60 % are assumptions and are printed as such; own figures of a device take the place
//! of the published ones, which are then shown outside the band.

use serde::Serialize;

use super::{Band, DeviceEmbodied, EmbodiedClass, EmbodiedFigure, FigureKind, figures, life, published};
use crate::account::{AccountError, Bounds, Section, Site};
use crate::units::{GramsCo2e, Seconds};

/// Years of service that are assumed where a site says nothing; the worked example of the SCI specification has four.
const ASSUMED_LIFE_YEARS: f64 = 4.0;
/// Share of the time in work that is assumed where a site says nothing; an assumption without a source.
const ASSUMED_UTILISATION: f64 = 0.6;
/// Largest embodied figure of one device or server that is not taken for a slip of units.
const MAX_KG: f64 = 100_000.0;

const KG: Bounds = Bounds { low: 0.0, high: MAX_KG, above: true, meaning: "kgCO2e, above 0 and up to 100 000" };
const GPUS: Bounds =
    Bounds { low: 1.0, high: 1024.0, above: false, meaning: "a number of accelerators from 1 to 1024" };

/// A number, and whether it is the program's assumption or the site's statement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stated {
    /// The number.
    pub value: f64,
    /// True if nobody stated it.
    pub assumed: bool,
}

impl Stated {
    fn of(given: Option<f64>, assumed: f64) -> Self {
        Self { value: given.unwrap_or(assumed), assumed: given.is_none() }
    }
}

/// The share of a server that one accelerator carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServerShare {
    /// kgCO2e of the server without accelerators.
    pub server_kg: f64,
    /// Accelerators that share it.
    pub gpus: f64,
    /// Grams for one accelerator.
    #[serde(rename = "each_g")]
    pub each: GramsCo2e,
    /// Where the figure comes from, as the site says.
    pub source: String,
}

/// On which terms embodied carbon is shared out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmbodiedTerms {
    /// Years of service.
    pub life_years: Stated,
    /// Share of the reserved time in work.
    pub utilisation: Stated,
    /// Own figures of the site.
    pub figures: Vec<EmbodiedFigure>,
    /// Server's share.
    pub server: Option<ServerShare>,
}

impl Default for EmbodiedTerms {
    fn default() -> Self {
        Self {
            life_years: Stated::of(None, ASSUMED_LIFE_YEARS),
            utilisation: Stated::of(None, ASSUMED_UTILISATION),
            figures: Vec::new(),
            server: None,
        }
    }
}

impl EmbodiedTerms {
    /// Reads `[embodied]` of a site; the assumptions where it has none.
    ///
    /// # Errors
    /// An unknown key, a number that cannot be, an own figure without source or evidence.
    pub fn read(site: &Site) -> Result<Self, AccountError> {
        let keys = ["life_years", "utilisation", "server_kg", "server_gpus", "server_source", "figure"];
        let Some(table) = site.section("embodied", &keys)? else { return Ok(Self::default()) };
        Ok(Self {
            life_years: Stated::of(table.number("life_years", Bounds::LIFE_YEARS)?, ASSUMED_LIFE_YEARS),
            utilisation: Stated::of(table.number("utilisation", Bounds::POSITIVE_SHARE)?, ASSUMED_UTILISATION),
            figures: own_figures(&table)?,
            server: server(&table)?,
        })
    }

    /// Years of service in seconds.
    pub fn life(&self) -> Seconds {
        life(self.life_years.value)
    }

    /// Figures of a device by its name.
    pub fn device(&self, name: &str, count: u32) -> DeviceEmbodied {
        let shipped = published().unwrap_or_default().iter().filter(|own| own.is_of(name));
        let own: Vec<EmbodiedFigure> = self.figures.iter().filter(|own| own.is_of(name)).cloned().collect();
        let mut figures = own.clone();
        let mut outside = Vec::new();
        for figure in shipped {
            if figure.kind != FigureKind::Accelerator {
                outside.push((figure.clone(), "it includes a share of the host".to_owned()));
            } else if own.is_empty() {
                figures.push(figure.clone());
            } else {
                outside.push((figure.clone(), "the site's own figure is used".to_owned()));
            }
        }
        let low = figures.iter().map(|figure| figure.low_kg).min_by(f64::total_cmp);
        let high = figures.iter().map(|figure| figure.high_kg).max_by(f64::total_cmp);
        let grams = |kg: f64| GramsCo2e::new(kg * 1e3);
        let each = low.zip(high).map(|(low, high)| Band { low: grams(low), high: grams(high) });
        let notes = notes(name, &figures);
        DeviceEmbodied { device: name.to_owned(), count, figures, outside, each, notes }
    }
}

fn notes(name: &str, figures: &[EmbodiedFigure]) -> Vec<String> {
    let mut notes = Vec::new();
    if figures.iter().any(|figure| figure.note.contains("SXM module")) && figures::holds_word(name, "PCIe") {
        notes.push("the vendor's figure is of an SXM module with its baseboard; this is a PCIe card".to_owned());
    }
    if figures.iter().all(|figure| figure.evidence == EmbodiedClass::Model) && !figures.is_empty() {
        notes.push(
            "no assessment of this device is published: only model output, whose own error is unknown".to_owned(),
        );
    }
    if let [only] = figures
        && only.low_kg == only.high_kg
    {
        notes.push(
            "a single figure stands behind this, so the band has no width; that is no sign of certainty".to_owned(),
        );
    }
    notes
}

fn server(table: &Section<'_>) -> Result<Option<ServerShare>, AccountError> {
    let Some(server_kg) = table.number("server_kg", KG)? else {
        for key in ["server_gpus", "server_source"] {
            if table.has(key) {
                return Err(table.missing("server_kg", format!("`{key}` is given; give the server's kgCO2e, too")));
            }
        }
        return Ok(None);
    };
    let gpus = table.required("server_gpus", GPUS)?;
    let source = table.text("server_source")?.unwrap_or("not stated").to_owned();
    Ok(Some(ServerShare { server_kg, gpus, each: GramsCo2e::new(server_kg * 1e3 / gpus), source }))
}

fn own_figures(table: &Section<'_>) -> Result<Vec<EmbodiedFigure>, AccountError> {
    let keys = ["devices", "item", "kg", "low_kg", "high_kg", "boundary", "evidence", "source", "note"];
    table.sections("figure", &keys)?.iter().map(own_figure).collect()
}

fn own_figure(table: &Section<'_>) -> Result<EmbodiedFigure, AccountError> {
    let (kg, low, high) = (table.number("kg", KG)?, table.number("low_kg", KG)?, table.number("high_kg", KG)?);
    let (low_kg, high_kg) = match (kg, low, high) {
        (Some(kg), None, None) => (kg, kg),
        (None, Some(low), Some(high)) if low <= high => (low, high),
        (None, Some(_), Some(_)) => return Err(table.bad("low_kg", "it must not be above high_kg")),
        (None, None, None) => return Err(table.missing("kg", "give kg, or low_kg and high_kg, of one device")),
        _ => return Err(table.bad("kg", "give either kg, or both low_kg and high_kg")),
    };
    let word = table.word("evidence", &EmbodiedClass::WORDS)?;
    let evidence = word.and_then(EmbodiedClass::of_word).ok_or_else(|| {
        table.missing("evidence", format!("say what kind of study it is: {}", EmbodiedClass::WORDS.join(", ")))
    })?;
    let text = |key: &str, otherwise: &str| Ok(table.text(key)?.unwrap_or(otherwise).to_owned());
    Ok(EmbodiedFigure {
        devices: devices(table)?,
        kind: FigureKind::Accelerator,
        item: text("item", "own figure of the site")?,
        low_kg,
        high_kg,
        boundary: text("boundary", "not stated")?,
        evidence,
        source: table.required_text("source", "say who published the figure, and where")?.to_owned(),
        note: text("note", "")?,
    })
}

fn devices(table: &Section<'_>) -> Result<Vec<String>, AccountError> {
    let remedy = "name the devices that it stands for: \"H100\", a glob, or a list of them";
    let wrong = || table.bad("devices", remedy);
    let given = table.value("devices").ok_or_else(|| table.missing("devices", remedy))?;
    let list = match given {
        toml::Value::String(one) => vec![one.clone()],
        toml::Value::Array(list) => {
            list.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    if list.is_empty() || list.iter().any(|name| name.trim().is_empty()) { Err(wrong()) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{site_with, subject};
    use super::*;

    fn read(text: &str) -> Result<EmbodiedTerms, AccountError> {
        EmbodiedTerms::read(&site_with(text))
    }
    fn refusal(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn life_utilisation_and_kilograms_that_cannot_be_are_refused_with_table_and_key() {
        for (line, key) in [
            ("life_years = 0", "life_years"),
            ("life_years = -4", "life_years"),
            ("life_years = nan", "life_years"),
            ("utilisation = 0", "utilisation"),
            ("utilisation = 60", "utilisation"),
            ("server_kg = -1\nserver_gpus = 8", "server_kg"),
            ("server_kg = 5700\nserver_gpus = 0", "server_gpus"),
            ("server_kg = 5700", "server_gpus"),
            ("server_gpus = 8", "server_kg"),
        ] {
            let message = refusal(&format!("[embodied]\n{line}\n"));
            assert!(message.contains("[embodied]") && message.contains(&format!("`{key}`")), "{line}: {message}");
        }
        assert!(refusal("[embodied]\nlife_year = 4\n").contains("did you mean life_years?"));
    }

    #[test]
    fn an_own_figure_needs_devices_source_and_evidence_and_replaces_the_published() {
        let whole =
            "[[embodied.figure]]\ndevices = \"H100\"\nkg = 200\nevidence = \"vendor-pcf\"\nsource = \"PCF 7\"\n";
        let terms = read(whole).unwrap();
        let device = terms.device("NVIDIA H100 PCIe", 1);
        assert_eq!(device.each.unwrap(), Band { low: GramsCo2e::new(2e5), high: GramsCo2e::new(2e5) });
        assert!(device.outside.iter().all(|(_, reason)| reason.contains("own figure")) && !device.outside.is_empty());
        for key in ["devices", "kg", "evidence", "source"] {
            let without: String =
                whole.lines().filter(|line| !line.starts_with(key)).map(|l| format!("{l}\n")).collect();
            assert!(refusal(&without).contains(&format!("`{key}` is missing")), "{key}");
        }
        let slip = whole.replace("vendor-pcf", "vendor-pfc");
        assert!(refusal(&slip).contains("did you mean vendor-pcf?"), "{}", refusal(&slip));
        assert!(refusal(&whole.replace("kg = 200", "low_kg = 3\nhigh_kg = 2")).contains("above high_kg"));
    }

    #[test]
    fn a_servers_share_is_added_to_each_of_its_accelerators() {
        // 5700 kg / 8 = 712.5 kg beside 164 kg: 876.5 kg.
        let terms = read("[embodied]\nserver_kg = 5700\nserver_gpus = 8\nlife_years = 5\nutilisation = 1\n").unwrap();
        let on = crate::account::Subject { device: "NVIDIA H100 80GB HBM3".to_owned(), ..subject() };
        let total = super::super::embodied(&on, &terms).total.unwrap();
        assert!((total.low.get() - 876_500.0).abs() < 1e-6);
        assert!(!terms.life_years.assumed && terms.life().get() == 5.0 * 8760.0 * 3600.0);
    }

    #[test]
    fn what_a_band_does_not_hold_is_said() {
        let terms = EmbodiedTerms::default();
        let card = terms.device("NVIDIA H100 PCIe", 1);
        assert!(card.notes.iter().any(|note| note.contains("PCIe card")), "{:?}", card.notes);
        let instance = terms.device("NVIDIA A100-SXM4-40GB", 1);
        assert!(instance.outside.iter().any(|(figure, _)| figure.low_kg == 318.0));
        assert!(instance.figures.iter().all(|figure| figure.low_kg < 318.0 || figure.evidence == EmbodiedClass::Model));
    }
}
