//! The whole account: subjects in, devices with their costs out, ranked where they may be compared.
//!
//! What surprises people: only subjects of the same work, unit and scope are ranked against each other. Joules of a board
//! and joules of a wall socket stand in two groups, even if the device is the same.

use serde::Serialize;

use super::break_even::{BreakEven, Named};
use super::device::{Shared, entries, idle_is_known, terms};
use super::inputs::CostInputs;
use super::interval::{carried, ends};
use super::normalise::{Counted, Normalisation, Normalised};
use super::notes::notes;
use super::ownership::Ownership;
use super::sensitivity::{Swing, swings};
use super::tariff;
use super::terms::{Parts, Terms};
use crate::account::embodied::{Band, EmbodiedTerms, embodied};
use crate::account::{AccountError, Site, Subject, WorkUnit};
use crate::model::{Estimate, Scope};
use crate::units::{GramsCo2e, Money, Watts};

/// The unit that costs are stated for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Per {
    /// Work of a unit, in `of`.
    pub amount: f64,
    /// What is counted: `FLOP`, `B`, `token`; empty where a program's work is unknown.
    pub of: String,
    /// In words: `EFLOP`, `million tokens`, `run`.
    pub words: String,
}

impl Per {
    /// The unit of a subject's work.
    pub fn of(subject: &Subject) -> Self {
        let per = |amount: f64, of: &str, words: &str| Self { amount, of: of.to_owned(), words: words.to_owned() };
        let Some(unit) = subject.work.as_ref().map(|work| work.unit.as_str()) else { return per(1.0, "", "run") };
        match (WorkUnit::of_symbol(unit), unit) {
            (Some(own), _) => per(own.amount(), unit, own.symbol()),
            (None, "token" | "tokens") => per(1e6, "token", "million tokens"),
            (None, unit) => per(1.0, unit, unit),
        }
    }
    /// How many of these units a subject's work is.
    pub fn units_of(&self, subject: &Subject) -> f64 {
        subject.work.as_ref().map_or(1.0, |work| work.amount / self.amount)
    }
}

/// What the user chose.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Options {
    /// Hour of the day at which the work starts, for a tariff by hours.
    pub start_hour: Option<f64>,
    /// Normalisations to show.
    pub normalise: Vec<Normalisation>,
}

/// The cost of one device's work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceCost {
    /// The device, numbered where several have that name.
    pub name: String,
    /// The work behind it.
    pub subject: Subject,
    /// Patterns of the entries that its price comes from.
    pub priced_by: Vec<String>,
    /// All that the cost is made of, for one unit.
    pub terms: Terms,
    /// Cost of a unit in the account's currency; its interval is that of energy and time.
    pub cost: Estimate<Money>,
    /// The cost by part.
    pub parts: Parts,
    /// Operational carbon of a unit, location-based.
    #[serde(rename = "carbon_g")]
    pub carbon: Estimate<GramsCo2e>,
    /// Embodied carbon of a unit, if `embodied_kg` of its entry is stated.
    pub embodied_g: Option<f64>,
    /// Embodied carbon of a unit: that of its entry, else the band by the site's `[embodied]`; `None` with neither.
    pub embodied_band_g: Option<Band<GramsCo2e>>,
    /// Work per second.
    pub work_per_s: f64,
    /// Work per joule of the device; FLOPS/W for FLOP.
    pub work_per_j: f64,
    /// Mean power while it works.
    #[serde(rename = "power_w")]
    pub power: Watts,
    /// Work per second per unit of currency; `None` for a price of 0.
    pub work_per_s_per_price: Option<f64>,
    /// 1 is the cheapest of its group.
    pub rank: u32,
    /// True if no other of its group is better in cost or carbon without being worse in the other; the carbon is that of
    /// [`Group::front_carbon`].
    pub on_front: bool,
    /// Others of its group whose cost interval overlaps its own, or that have none.
    pub not_distinguishable_from: Vec<String>,
    /// Ownership over its life.
    pub ownership: Ownership,
    /// What moves the cost most.
    pub sensitivity: Vec<Swing>,
}

/// Which carbon stands against the cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontCarbon {
    /// Operational alone: not every device has an embodied figure.
    Operational,
    /// Operational and the middle of the embodied band.
    OperationalAndEmbodied,
}

impl DeviceCost {
    /// The carbon of a unit that stands against its cost, in grams, with the interval of its energy. The embodied band is no
    /// interval and is never combined with one: its middle is added, and its ends stand in the text.
    pub fn front_grams(&self, carbon: FrontCarbon) -> (f64, Option<(f64, f64)>) {
        let own = (self.carbon.point.get(), self.carbon.interval.map(|bounds| (bounds.low.get(), bounds.high.get())));
        match self.embodied_band_g.filter(|_| carbon == FrontCarbon::OperationalAndEmbodied) {
            None => own,
            Some(band) => {
                let middle = (band.low.get() + band.high.get()) / 2.0;
                (own.0 + middle, own.1.map(|bounds| (bounds.0 + middle, bounds.1 + middle)))
            }
        }
    }
}

/// Devices that may be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The work.
    pub work: String,
    /// The unit of the costs.
    pub per: Per,
    /// What the energies include.
    pub scope: Scope,
    /// Which carbon the front is of.
    pub front_carbon: FrontCarbon,
    /// Devices, cheapest first.
    pub devices: Vec<DeviceCost>,
    /// Break-even of every two of them.
    pub break_even: Vec<BreakEven>,
    /// Each normalisation with its devices.
    pub normalised: Vec<(Normalisation, Vec<Normalised>)>,
}

/// A subject without a cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Excluded {
    /// The device.
    pub device: String,
    /// The work.
    pub work: String,
    /// Why it has none.
    pub reason: String,
}

/// The account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostAccount {
    /// ISO 4217 code of all money in it.
    pub currency: String,
    /// The table `[cost]` as understood.
    pub inputs: CostInputs,
    /// What the user chose.
    pub options: Options,
    /// Devices by what may be compared.
    pub groups: Vec<Group>,
    /// Subjects without a cost.
    pub excluded: Vec<Excluded>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

/// The costs of subjects at a site.
///
/// # Errors
/// A wrong or absent table `[cost]`; not one subject with a price and a time.
pub fn cost_account(subjects: &[Subject], site: &Site, options: &Options) -> Result<CostAccount, AccountError> {
    let inputs = CostInputs::read(site)?;
    let idle = idle_is_known(subjects, &inputs);
    let shared = Shared { inputs: &inputs, site, start_hour: options.start_hour, idle };
    let (mut groups, mut excluded): (Vec<Group>, Vec<Excluded>) = (Vec::new(), Vec::new());
    for subject in subjects {
        let per = Per::of(subject);
        match device_cost(subject, &per, &shared) {
            Ok(device) => place(&mut groups, subject, per, device),
            Err(reason) => {
                excluded.push(Excluded { device: subject.device.clone(), work: subject.label.clone(), reason });
            }
        }
    }
    if groups.is_empty() {
        let reasons: Vec<&str> = excluded.iter().map(|one| one.reason.as_str()).collect();
        let reason = if reasons.is_empty() { "there is no work".to_owned() } else { reasons.join("; ") };
        return Err(AccountError::Impossible { what: format!("the cost at {}", inputs.place), reason });
    }
    groups.iter_mut().for_each(|group| complete(group, &inputs, options));
    let notes = notes(&groups, &inputs, subjects, options);
    Ok(CostAccount { currency: inputs.currency.clone(), options: options.clone(), inputs, groups, excluded, notes })
}

fn place(groups: &mut Vec<Group>, subject: &Subject, per: Per, device: DeviceCost) {
    let same = |group: &&mut Group| group.work == subject.label && group.per == per && group.scope == subject.scope;
    match groups.iter_mut().find(same) {
        Some(group) => group.devices.push(device),
        None => groups.push(Group {
            work: subject.label.clone(),
            per,
            scope: subject.scope,
            front_carbon: FrontCarbon::Operational,
            devices: vec![device],
            break_even: Vec::new(),
            normalised: Vec::new(),
        }),
    }
}

fn device_cost(subject: &Subject, per: &Per, shared: &Shared<'_>) -> Result<DeviceCost, String> {
    let inputs = shared.inputs;
    let terms = terms(subject, per, shared)?;
    if !(terms.kwh > 0.0 && terms.cost().is_finite()) {
        return Err("its energy is not above 0, or its cost is beyond any number: see utilisation and life".to_owned());
    }
    let amount = per.amount / (terms.hours * 3600.0);
    let time = subject.time.as_ref();
    Ok(DeviceCost {
        name: subject.device.clone(),
        priced_by: entries(subject, inputs)?.iter().map(|(_, entry)| entry.pattern.clone()).collect(),
        cost: carried(&terms, subject, |terms| terms.cost()),
        carbon: carried(&terms, subject, |terms| terms.grams()),
        parts: terms.parts(),
        embodied_g: terms.embodied_grams(),
        embodied_band_g: match terms.embodied_grams() {
            Some(grams) => Some(Band { low: GramsCo2e::new(grams), high: GramsCo2e::new(grams) }),
            None => embodied_by_site(subject, per, shared.site)?,
        },
        work_per_s: amount,
        work_per_j: per.amount / (terms.kwh * 3.6e6),
        power: Watts::new(terms.kwh / terms.hours * 1e3),
        work_per_s_per_price: (terms.capital() > 0.0).then(|| amount / terms.capital()),
        rank: 1,
        on_front: true,
        not_distinguishable_from: Vec::new(),
        ownership: Ownership::of(&terms),
        sensitivity: swings(&terms, inputs, &subject.energy, time),
        subject: subject.clone(),
        terms,
    })
}

/// Embodied carbon of a unit by the site's `[embodied]`; `None` without that table or a figure for the device.
fn embodied_by_site(subject: &Subject, per: &Per, site: &Site) -> Result<Option<Band<GramsCo2e>>, String> {
    if !site.tables.contains_key("embodied") {
        return Ok(None);
    }
    let terms = EmbodiedTerms::read(site).map_err(|error| error.to_string())?;
    let units = per.units_of(subject);
    Ok(embodied(subject, &terms).carbon.map(|band| band.map(|grams| GramsCo2e::new(grams.get() / units))))
}

/// Names, order, ranks, front, break-even and normalisations of a group.
fn complete(group: &mut Group, inputs: &CostInputs, options: &Options) {
    distinct_names(&mut group.devices);
    group.devices.sort_by(|a, b| a.cost.point.total_cmp(&b.cost.point));
    if group.devices.iter().all(|device| device.embodied_band_g.is_some()) {
        group.front_carbon = FrontCarbon::OperationalAndEmbodied;
    }
    let of = |device: &DeviceCost| (device.name.clone(), device.cost, device.front_grams(group.front_carbon).0);
    let figures: Vec<(String, Estimate<Money>, f64)> = group.devices.iter().map(of).collect();
    for (index, device) in group.devices.iter_mut().enumerate() {
        let (cost, carbon) = (device.cost.point.get(), figures[index].2);
        device.rank = 1 + figures.iter().filter(|(_, other, _)| other.point.get() < cost).count() as u32;
        device.on_front = !figures.iter().any(|(_, other, grams)| {
            let other = other.point.get();
            other <= cost && *grams <= carbon && (other < cost || *grams < carbon)
        });
        let others = figures.iter().enumerate().filter(|(other, _)| *other != index);
        let alike = others.filter(|(_, (_, other, _))| !apart(&device.cost, other));
        device.not_distinguishable_from = alike.map(|(_, (name, ..))| name.clone()).collect();
    }
    let limit = tariff::limit(&inputs.currency);
    fn named(device: &DeviceCost) -> Named<'_> {
        Named { name: &device.name, terms: &device.terms, ends: ends(&device.terms, &device.subject) }
    }
    for (index, first) in group.devices.iter().enumerate() {
        for second in &group.devices[index + 1..] {
            group.break_even.push(BreakEven::of(&named(first), &named(second), limit));
        }
    }
    for normalisation in &options.normalise {
        let one = |device: &DeviceCost| {
            let pieces = f64::from(device.subject.devices);
            let counted = Counted { name: &device.name, terms: &device.terms, pieces, unit_amount: group.per.amount };
            Normalised::of(&counted, *normalisation)
        };
        group.normalised.push((*normalisation, group.devices.iter().filter_map(one).collect()));
    }
}

/// True if two costs have intervals that do not overlap.
fn apart(a: &Estimate<Money>, b: &Estimate<Money>) -> bool {
    match (a.interval, b.interval) {
        (Some(a), Some(b)) => a.high.get() < b.low.get() || b.high.get() < a.low.get(),
        _ => false,
    }
}

/// Where several devices have one name, they are numbered; a note says which run each is of.
fn distinct_names(devices: &mut [DeviceCost]) {
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    for (index, device) in devices.iter_mut().enumerate() {
        let alike: Vec<usize> = (0..names.len()).filter(|other| names[*other] == names[index]).collect();
        if alike.len() > 1 {
            let position = alike.iter().position(|other| *other == index).unwrap_or(0) + 1;
            device.name = format!("{} #{position}", names[index]);
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use crate::account::{Site, resolve_site};

    /// Two devices as `docs/cost-of-work.md` prices them.
    pub const PRICES: &str = "[cost]\ncurrency = \"CNY\"\ndiscount_rate = 0.08\nlife_years = 4\nutilisation = 0.6\n\
        tariff = 0.5\ncarbon_price_per_t = 75\nmaintenance_per_year = 2000\n\
        [[cost.device]]\nmatch = \"Device X\"\nprice = 100000\n[[cost.device]]\nmatch = \"Device Y\"\nprice = 60000\n";

    /// A site in Qinghai at PUE 1.2 with this cost table.
    pub fn site(cost: &str) -> (tempfile::TempDir, Site) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hall.toml"), format!("grid = \"CN-QH\"\npue = 1.2\n{cost}")).unwrap();
        let site = resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap();
        (folder, site)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{PRICES, site};
    use super::*;
    use crate::account::Amount;
    use crate::account::testing::{estimate, subject};
    use crate::model::Evidence;
    use crate::units::{Joules, Seconds};

    /// Two figures of Device X, as a site gives them.
    const EMBODIED: &str = "[embodied]\nlife_years = 4\nutilisation = 0.6\n[[embodied.figure]]\ndevices = \"Device X\"\n\
        kg = 164\nevidence = \"assumption\"\nsource = \"worked by hand\"\n[[embodied.figure]]\ndevices = \"Device X\"\n\
        kg = 328\nevidence = \"assumption\"\nsource = \"worked by hand\"\n";

    fn account(subjects: &[Subject]) -> CostAccount {
        let (_folder, site) = site(PRICES);
        cost_account(subjects, &site, &Options::default()).unwrap()
    }
    /// Device Y: half the speed and twice the energy of Device X.
    fn other() -> Subject {
        let (time, energy) = (Some(estimate::<Seconds>(2e4, 0.01)), estimate::<Joules>(2e6, 0.02));
        Subject { device: "Device Y".to_owned(), time, energy, ..subject() }
    }

    #[test]
    fn a_measured_cost_carries_the_interval_of_energy_and_time() {
        let account = account(&[subject()]);
        let device = &account.groups[0].devices[0];
        assert_eq!(account.groups[0].per.words, "EFLOP");
        // 17.1845596 as worked in terms.rs; hours ±1 % of 17.0134029 and energy ±2 % of 0.1711567: ± 0.1735572.
        assert!((device.cost.point.get() - 17.184_559_6).abs() < 1e-6);
        let interval = device.cost.interval.unwrap();
        assert!((interval.high.get() - 17.184_559_6 - 0.173_557_2).abs() < 1e-6, "{interval:?}");
        assert!((interval.low.get() - 17.184_559_6 + 0.173_557_2).abs() < 1e-6);
        assert!((device.carbon.point.get() - 59.866_667).abs() < 1e-6);
        assert_eq!((device.work_per_s, device.work_per_j, device.power.get()), (1e14, 1e12, 100.0));
        assert_eq!(device.work_per_s_per_price, Some(1e9));
    }

    #[test]
    fn the_cheaper_device_ranks_first_and_the_worse_in_both_leaves_the_front() {
        let account = account(&[other(), subject()]);
        let [x, y] = &account.groups[0].devices[..] else { panic!() };
        assert_eq!((x.name.as_str(), x.rank, x.on_front), ("Device X", 1, true));
        assert_eq!((y.name.as_str(), y.rank, y.on_front), ("Device Y", 2, false));
        assert!(x.not_distinguishable_from.is_empty());
        assert_eq!(account.groups[0].break_even.len(), 1);
    }

    #[test]
    fn devices_whose_intervals_overlap_are_not_told_apart() {
        let twin = Subject { time: Some(estimate(1.005e4, 0.01)), ..subject() };
        let account = account(&[subject(), twin]);
        let [first, second] = &account.groups[0].devices[..] else { panic!() };
        assert_eq!(first.not_distinguishable_from, vec![second.name.clone()]);
        assert_eq!((first.name.as_str(), second.name.as_str()), ("Device X #1", "Device X #2"));
        assert!(account.notes.iter().any(|note| note == "Device X #2 is of run run"), "{:?}", account.notes);
    }

    #[test]
    fn unlike_scopes_and_unlike_work_are_never_in_one_group() {
        let wall = Subject { scope: Scope::WallAc, ..subject() };
        let work = Subject { label: "other".to_owned(), ..subject() };
        let account = account(&[subject(), wall, work]);
        assert_eq!(account.groups.len(), 3);
        assert!(account.notes.iter().any(|note| note.contains("different scopes")));
    }

    #[test]
    fn estimated_energy_has_a_mark_and_no_interval() {
        let estimated =
            Subject { evidence: Evidence::Estimated, energy: Estimate::bare(Joules::new(1e6), 5), ..subject() };
        let account = account(&[estimated]);
        assert_eq!(account.groups[0].devices[0].cost.interval, None);
        assert!(account.notes.iter().any(|note| note.starts_with('≈')));
    }

    #[test]
    fn idle_hours_are_counted_for_all_devices_or_for_none() {
        let idle_of = |prices: &str| {
            let (_folder, site) = site(prices);
            let account = cost_account(&[subject(), other()], &site, &Options::default()).unwrap();
            account.groups[0].devices.iter().map(|device| device.terms.idle_kw).collect::<Vec<_>>()
        };
        let one = PRICES.replace("price = 60000", "price = 60000\nidle_w = 90");
        assert_eq!(idle_of(&one), vec![None, None]);
        assert_eq!(idle_of(&one.replace("100000", "100000\nidle_w = 60")), vec![Some(0.06), Some(0.09)]);
    }

    #[test]
    fn a_device_whose_idle_power_is_missing_is_named_and_the_others_are_not_silently_dropped() {
        let one = PRICES.replace("price = 60000", "price = 60000\nidle_w = 90");
        let (_folder, site) = site(&one);
        let account = cost_account(&[subject(), other()], &site, &Options::default()).unwrap();
        let note = account.notes.iter().find(|note| note.contains("IDLE HOURS ARE NOT COUNTED")).unwrap();
        assert!(note.contains("idle_w to the [[cost.device]] of Device X to"), "{note}");
        assert!(note.contains("The idle_w of Device Y is not used") && note.contains("40 %"), "{note}");
    }

    #[test]
    fn the_front_is_of_operational_and_embodied_carbon_where_every_device_has_both() {
        // Operational: X 59.8667 g, Y 119.7333 g. Embodied of X: 20 000 kg over 4 × 5256 h × 2.777778 h = 2642.482 g; of Y, at
        // 5.555556 h, 100 kg = 26.4248 g. So Y, dearer, is cleaner with embodied carbon and joins the front.
        let prices = PRICES
            .replace("price = 100000", "price = 100000\nembodied_kg = 20000")
            .replace("price = 60000", "price = 60000\nembodied_kg = 100");
        let (_folder, site) = site(&prices);
        let account = cost_account(&[subject(), other()], &site, &Options::default()).unwrap();
        let group = &account.groups[0];
        assert_eq!(group.front_carbon, FrontCarbon::OperationalAndEmbodied);
        let grams: Vec<f64> = group.devices.iter().map(|device| device.front_grams(group.front_carbon).0).collect();
        assert!((grams[0] - 59.866_667 - 2_642.482).abs() < 1e-3, "{grams:?}");
        assert!((grams[1] - 119.733_333 - 26.424_82).abs() < 1e-4, "{grams:?}");
        assert!(group.devices.iter().all(|device| device.on_front));
        // One alone has none: the front is of operational carbon, and says so.
        let one = PRICES.replace("price = 60000", "price = 60000\nembodied_kg = 100");
        let (_folder, site) = self::site(&one);
        let account = cost_account(&[subject(), other()], &site, &Options::default()).unwrap();
        assert_eq!(account.groups[0].front_carbon, FrontCarbon::Operational);
        assert!(!account.groups[0].devices[1].on_front);
    }

    #[test]
    fn the_embodied_band_of_the_site_stands_beside_operational_carbon() {
        let embodied = format!("{PRICES}{EMBODIED}");
        let (_folder, site) = site(&embodied);
        let account = cost_account(&[subject()], &site, &Options::default()).unwrap();
        let band = account.groups[0].devices[0].embodied_band_g.unwrap();
        // 164 kg over 21 024 h × 2.777778 h = 21.668357 g; 328 kg twice that.
        assert!((band.low.get() - 21.668_357).abs() < 1e-5 && (band.high.get() - 43.336_714).abs() < 1e-5, "{band:?}");
    }

    #[test]
    fn a_device_without_price_or_time_is_excluded_with_its_reason() {
        let nameless = Subject { device: "Device Z".to_owned(), ..subject() };
        let timeless = Subject { time: None, ..subject() };
        let account = account(&[subject(), nameless.clone(), timeless]);
        assert!(account.excluded[0].reason.contains("no price"));
        assert!(account.excluded[1].reason.contains("no time"));
        let (_folder, site) = site(PRICES);
        let message = cost_account(&[nameless], &site, &Options::default()).unwrap_err().to_string();
        assert!(message.contains("match = \"Device Z\"") && message.contains("hall.toml"), "{message}");
    }

    #[test]
    fn tokens_are_priced_by_the_million_and_unknown_work_by_the_run() {
        let tokens = |amount: f64| Some(Amount { amount, unit: "tokens".to_owned() });
        let served = Subject { label: "one run of llm".to_owned(), work: tokens(5e5), ..subject() };
        let account = account(std::slice::from_ref(&served));
        let device = &account.groups[0].devices[0];
        assert_eq!(account.groups[0].per.words, "million tokens");
        // Half a million tokens cost 17.1845596; a million twice that.
        assert!((device.cost.point.get() - 2.0 * 17.184_559_6).abs() < 1e-5);
        assert_eq!(Per::of(&Subject { work: None, ..served.clone() }).words, "run");
        for (unit, words, amount) in [("FLOP", "EFLOP", 1e18), ("OP", "EOP", 1e18), ("B", "PB", 1e15)] {
            let work = Some(Amount { amount: 1.0, unit: unit.to_owned() });
            let per = Per::of(&Subject { work, ..served.clone() });
            assert_eq!((per.words.as_str(), per.amount), (words, amount));
        }
    }
}
