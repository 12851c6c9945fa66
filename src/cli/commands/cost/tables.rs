//! The account of money as text: prices, costs of a unit, ownership, break-even, normalisations, sensitivity.
//!
//! What surprises people: money is printed with the currency in the heading of its column, so a table holds one currency.

use crate::account::Site;
use crate::account::cost::{
    Basis, BreakEven, CostAccount, Crossing, DeviceCost, FrontCarbon, Group, Normalised, PARTS, Payback, Tariff, Within,
};
use crate::cli::text::significant as number;
use crate::cli::{accounting, text};
use crate::model::Evidence;

/// The first of [`PARTS`] that follows from energy: electricity; the carbon price is behind it.
const FIRST_OF_ENERGY: usize = 4;
/// Most years that stand beside each other.
const MOST_YEARS: usize = 9;
/// Most pairs of devices whose break-even is printed; JSON has all.
const MOST_PAIRS: usize = 10;

/// The whole page.
pub fn page(account: &CostAccount, site: &Site) -> anyhow::Result<String> {
    let currency = &account.currency;
    let mut out = format!("Cost of work at {}, in {currency}\n\n", site.profile.name);
    out.push_str(&accounting::site_text(site)?);
    out.push_str(&basis(account));
    for group in &account.groups {
        out.push_str(&format!("\n{} ({} energy)\n\n", group.work, group.scope));
        out.push_str(&costs(group, currency));
        out.push_str(&parts(group, currency));
        out.push_str(&ownership(group, currency));
        out.push_str(&break_even(group, currency));
        out.push_str(&normalised(group, currency));
        out.push_str(&sensitivity(group, currency));
    }
    if !account.excluded.is_empty() {
        out.push_str("\nWithout a cost:\n");
        for one in &account.excluded {
            out.push_str(&text::wrapped("  ", &format!("{}, {}: {}", one.device, one.work, one.reason)));
        }
    }
    if !account.notes.is_empty() {
        out.push('\n');
    }
    for note in &account.notes {
        out.push_str(&text::entry("Note", note));
    }
    Ok(out)
}

/// An amount of money with four significant digits and thousands apart: `0.01234`, `12.35`, `1 235 000`.
fn money(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let rounded = if value.abs() >= 1e4 {
        let step = 10f64.powi(value.abs().log10().floor() as i32 - 3);
        (value / step).round() * step
    } else {
        value
    };
    let plain = format!("{rounded:.digits$}");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut grouped = String::new();
    let length = whole.trim_start_matches('-').len();
    for (index, letter) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if length > 4 && letter != '-' && index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(' ');
        }
        grouped.push(letter);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

fn basis(account: &CostAccount) -> String {
    let (inputs, currency) = (&account.inputs, &account.currency);
    let tariff = match (&inputs.tariff, account.options.start_hour) {
        (Tariff::FlatPerKwh(price), _) => format!("{price} {currency}/kWh, flat"),
        (Tariff::Hours(periods), None) => format!(
            "by hours ({} periods); the mean of the day, {} {currency}/kWh, is paid",
            periods.len(),
            number(inputs.tariff.mean())
        ),
        (Tariff::Hours(periods), Some(start)) => format!(
            "by hours ({} periods); work that starts at hour {start} and ends within a day pays its own hours, all else the \
             mean of the day, {} {currency}/kWh",
            periods.len(),
            number(inputs.tariff.mean())
        ),
    };
    let carbon = inputs.carbon_price_per_t.map_or("none".to_owned(), |price| format!("{price} {currency} per tonne"));
    let mut out = text::entry("Tariff", &tariff);
    out.push_str(&text::entry("Carbon", &format!("price {carbon}; grams are operational and location-based")));
    out.push_str(&text::entry(
        "Money",
        &format!(
            "prices are those of the site file, in {currency}; discount rate {} %, nothing is converted",
            number(inputs.discount_rate * 100.0)
        ),
    ));
    out
}

/// The mark of a figure whose energy was not measured.
fn mark(device: &DeviceCost) -> &'static str {
    device.subject.evidence.mark()
}

fn costs(group: &Group, currency: &str) -> String {
    let per = &group.per.words;
    let (price, cost, carbon) = (format!("price {currency}"), format!("{currency}/{per}"), format!("g/{per}"));
    let flop = group.per.of == "FLOP";
    let (rate, yield_of, value) = if flop {
        ("FLOP/s", "FLOP/s per W", format!("FLOP/s per {currency}"))
    } else {
        ("work/s", "work/J", format!("work/s per {currency}"))
    };
    let header = ["#", "device", &price, rate, "W", yield_of, &value, &cost, "95 %", &carbon, "front", "evidence"];
    let mut table = text::table(&header, &[0, 2, 3, 4, 5, 6, 7, 8, 9]);
    let unit = group.per.of.as_str();
    let prefixed = |value: f64| text::si(value, unit).replace("FLOP", "").trim_end().to_owned();
    for device in &group.devices {
        let tie = if device.not_distinguishable_from.is_empty() { "" } else { "~" };
        table.add_row(vec![
            format!("{}{tie}", device.rank),
            device.name.clone(),
            money(device.terms.capital()),
            prefixed(device.work_per_s),
            format!("{}{}", mark(device), number(device.power.get())),
            format!("{}{}", mark(device), prefixed(device.work_per_j)),
            device.work_per_s_per_price.map_or("–".to_owned(), prefixed),
            format!("{}{}", mark(device), money(device.cost.point.get())),
            text::spread(&device.cost),
            format!("{}{}", mark(device), number(device.carbon.point.get())),
            if device.on_front { "yes" } else { "no" }.to_owned(),
            device.subject.evidence.to_string(),
        ]);
    }
    let mut out = text::lines(&table);
    let ties = group.devices.iter().any(|device| !device.not_distinguishable_from.is_empty());
    if ties {
        let why = if group.devices.iter().any(|device| device.cost.interval.is_none()) {
            "~ not distinguishable from another: the intervals of their costs overlap, or one has none"
        } else {
            "~ not distinguishable from another: the intervals of their costs overlap"
        };
        out.push_str(&format!("{why}\n"));
    }
    if group.devices.len() > 1 {
        let against = match group.front_carbon {
            FrontCarbon::Operational => "operational",
            FrontCarbon::OperationalAndEmbodied => "operational and the middle of the embodied",
        };
        out.push_str(&format!("front: no other is cheaper and cleaner at once ({cost} against {against} {carbon})\n"));
    }
    for device in group.devices.iter().filter(|device| device.terms.capital() > device.terms.price) {
        out.push_str(&format!(
            "price of {} includes {} {currency} for its server\n",
            device.name,
            money(device.terms.server)
        ));
    }
    for device in &group.devices {
        if let Some(band) = device.embodied_band_g {
            let (low, high) = (band.low.get(), band.high.get());
            let (grams, whose) = match device.embodied_g {
                Some(grams) => (number(grams), "embodied_kg of its entry"),
                None if low == high => (number(low), "[embodied]"),
                None => (format!("{} to {}", number(low), number(high)), "[embodied]"),
            };
            out.push_str(&format!("{}: embodied carbon adds {grams} {carbon}, by {whose}\n", device.name));
        }
    }
    out
}

fn parts(group: &Group, currency: &str) -> String {
    let heading = format!("Cost per {} in {currency}", group.per.words);
    let used: Vec<usize> = (0..PARTS.len())
        .filter(|index| group.devices.iter().any(|device| device.parts.list()[*index] != 0.0))
        .collect();
    let mut header: Vec<&str> = vec![&heading];
    header.extend(used.iter().map(|index| PARTS[*index]));
    header.push("total");
    let columns: Vec<usize> = (1..header.len()).collect();
    let mut table = text::table(&header, &columns);
    for device in &group.devices {
        let total = device.parts.total();
        let mut row = vec![device.name.clone()];
        row.extend(used.iter().map(|index| {
            let amount = device.parts.list()[*index];
            // What follows from joules carries their mark.
            let mark = if *index >= FIRST_OF_ENERGY { mark(device) } else { "" };
            format!("{mark}{} ({:.1} %)", money(amount), if total > 0.0 { amount / total * 100.0 } else { 0.0 })
        }));
        row.push(format!("{}{}", mark(device), money(total)));
        table.add_row(row);
    }
    format!("\n{}", text::lines(&table))
}

fn payback(payback: Option<Payback>, life: f64) -> String {
    match payback {
        None => "no revenue stated".to_owned(),
        Some(Payback::Years(years)) if years > life => format!(
            "not within its life of {} years: at this revenue it would take {} years",
            number(life),
            number(years)
        ),
        Some(Payback::Years(years)) => format!("{} years", number(years)),
        Some(Payback::Never) => "never: revenue does not exceed running cost".to_owned(),
    }
}

fn ownership(group: &Group, currency: &str) -> String {
    let heading = format!("Ownership in {currency}");
    let header =
        [&heading, "life", "use", "purchase", "running/year", "kWh/year", "kg/year", "total", "discounted", "per year"];
    let mut table = text::table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for device in &group.devices {
        let owned = &device.ownership;
        let marked = |figure: String| format!("{}{figure}", mark(device));
        table.add_row(vec![
            device.name.clone(),
            format!("{} y", number(device.terms.life_years)),
            format!("{} %", number(device.terms.utilisation * 100.0)),
            money(device.terms.capital()),
            marked(money(owned.running_per_year)),
            marked(number(owned.facility_kwh_per_year)),
            marked(number(owned.carbon_kg_per_year)),
            marked(money(owned.total)),
            marked(money(owned.discounted_total)),
            marked(money(owned.per_year)),
        ]);
    }
    let mut out = format!("\n{}", text::lines(&table));
    out.push_str("discounted: all payments in today's money; per year: the same as equal payments over the life\n");
    out.push_str(&years(group, currency));
    if group.devices.iter().any(|device| device.ownership.payback.is_some()) {
        for device in &group.devices {
            let (name, about) = (&device.name, mark(device));
            out.push_str(&format!(
                "Payback of {name}: {about}{}\n",
                payback(device.ownership.payback, device.terms.life_years)
            ));
        }
    }
    out
}

fn years(group: &Group, currency: &str) -> String {
    let most = group.devices.iter().map(|device| device.ownership.years.len()).max().unwrap_or(0);
    let shown = most.min(MOST_YEARS);
    let mut header = vec![format!("Paid by year, in {currency}")];
    header.extend((0..shown).map(|year| if year == 0 { "0: purchase".to_owned() } else { year.to_string() }));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let columns: Vec<usize> = (1..header.len()).collect();
    let mut table = text::table(&header, &columns);
    for device in &group.devices {
        let mut row = vec![device.name.clone()];
        let of = |year: usize| {
            device.ownership.years.get(year).map_or("–".to_owned(), |year| {
                // The purchase follows from no energy.
                format!("{}{}", if year.year > 0 { mark(device) } else { "" }, money(year.paid))
            })
        };
        row.extend((0..shown).map(of));
        table.add_row(row);
    }
    let mut out = format!("\n{}", text::lines(&table));
    if most > shown {
        out.push_str(&format!("{} more years are in --json\n", most - shown));
    }
    out
}

/// A crossing as a sentence; `scale` turns its value into the unit.
fn crossing(crossing: &Crossing, unit: &str, scale: f64) -> String {
    match crossing {
        Crossing::At { value, below, above, within } => {
            let within = match within {
                Within::Interval { low, high } => format!(" ({} to {})", number(low * scale), number(high * scale)),
                Within::Open => {
                    " (not settled: within the intervals of energy and time they may not cross in the searched range)"
                        .to_owned()
                }
                Within::NoInterval | Within::Settled => String::new(),
            };
            format!("at {}{within} {unit}: below, {below} wins; above, {above}", number(value * scale))
        }
        Crossing::Never { winner, from, until, within } => {
            let open = match within {
                Within::Open => " by the point values; not settled: the intervals of energy and time allow a crossing",
                Within::Settled => ", and at both ends of the intervals",
                Within::NoInterval | Within::Interval { .. } => "",
            };
            format!(
                "never, from {} to {} {unit}: {winner} wins throughout{open}",
                number(from * scale),
                number(until * scale)
            )
        }
        Crossing::Equal => "equal everywhere".to_owned(),
    }
}

/// What the numbers in brackets are, or why there are none.
fn about_intervals(group: &Group) -> String {
    let without: Vec<&str> = (group.devices.iter().filter(|device| device.cost.interval.is_none()))
        .map(|device| device.name.as_str())
        .collect();
    let mut words =
        "brackets and ends: the 95 % intervals of both devices' energy and time; prices carry none".to_owned();
    if !without.is_empty() {
        words.push_str(&format!(". No interval with {}: its energy has none", without.join(", ")));
    }
    text::wrapped("  ", &words)
}

fn break_even(group: &Group, currency: &str) -> String {
    let mut out = String::new();
    for pair in group.break_even.iter().take(MOST_PAIRS) {
        let measured = |name: &str| {
            group.devices.iter().any(|device| device.name == name && device.subject.evidence == Evidence::Measured)
        };
        let estimated =
            if measured(&pair.first) && measured(&pair.second) { "" } else { " (≈, not all energy was measured)" };
        out.push_str(&pair_text(pair, group, currency, estimated));
    }
    if group.break_even.len() > MOST_PAIRS {
        out.push_str(&format!("{} more pairs are in --json\n", group.break_even.len() - MOST_PAIRS));
    }
    if out.is_empty() { out } else { format!("\n{out}{}", about_intervals(group)) }
}

fn pair_text(pair: &BreakEven, group: &Group, currency: &str, estimated: &str) -> String {
    let outlives = |name: &str, years: f64| {
        let own = group.devices.iter().find(|device| device.name == *name).map(|device| device.terms.life_years);
        own.filter(|life| years > *life)
            .map_or(String::new(), |life| format!(": not within its life of {} years", number(life)))
    };
    let mut out = text::wrapped("Break-even of ", &format!("{} and {}{estimated}", pair.first, pair.second));
    let line = |name: &str, words: String| text::wrapped(&format!("  {name:<18}"), &words);
    out.push_str(&line("tariff", crossing(&pair.tariff_per_kwh, &format!("{currency}/kWh"), 1.0)));
    out.push_str(&line("utilisation", crossing(&pair.utilisation, "%", 100.0)));
    let grid =
        |at: &Option<Crossing>, absent: &str| at.as_ref().map_or(absent.to_owned(), |at| crossing(at, "g/kWh", 1.0));
    let by_cost = grid(&pair.intensity_by_cost, "without a carbon price the grid does not move the cost");
    out.push_str(&line("grid, by cost", by_cost));
    let by_carbon = grid(&pair.intensity_by_carbon, "needs embodied_kg of both in [[cost.device]]");
    out.push_str(&line("grid, by carbon", by_carbon));
    for (new, old, back) in [
        (&pair.first, &pair.second, pair.carbon_payback_of_first),
        (&pair.second, &pair.first, pair.carbon_payback_of_second),
    ] {
        if let Some(Payback::Years(years)) = back {
            out.push_str(&line(
                "carbon payback",
                format!(
                    "{new} bought to do the work of {old} has saved its embodied carbon after {} years{}",
                    number(years),
                    outlives(new, years)
                ),
            ));
        }
    }
    out
}

fn normalised(group: &Group, currency: &str) -> String {
    let mut out = String::new();
    for (normalisation, devices) in &group.normalised {
        let value = normalisation.value;
        let heading = match normalisation.basis {
            Basis::Budget => format!("Fixed budget of {} {currency}", money(value)),
            Basis::Power => format!("Fixed power of {} of the facility", text::si(value, "W")),
            Basis::Work => format!("Fixed work of {} a year", text::amount(value, &group.per.of)),
            Basis::Count => format!("Fixed count of {value}"),
        };
        let (bought, cost) = (format!("purchase {currency}"), format!("{currency}/year"));
        let header = ["device", "devices", "work/s", "work/year", "facility W", &bought, &cost, "t CO2/year"];
        let mut table = text::table(&header, &[1, 2, 3, 4, 5, 6, 7]);
        for device in devices {
            let own = group.devices.iter().find(|own| own.name == device.name);
            table.add_row(row_of(device, &group.per.of, own.map_or("", mark)));
        }
        out.push_str(&format!("\n{heading}\n{}", text::lines(&table)));
        for missing in group.devices.iter().filter(|device| !devices.iter().any(|own| own.name == device.name)) {
            out.push_str(&format!("{}: no number of them reaches this value, as their price is 0\n", missing.name));
        }
    }
    out
}

fn row_of(device: &Normalised, unit: &str, about: &str) -> Vec<String> {
    vec![
        device.name.clone(),
        number(device.devices),
        text::si(device.work_per_s, unit),
        text::si(device.work_per_year, unit),
        format!("{about}{}", number(device.facility_w)),
        money(device.capital),
        format!("{about}{}", money(device.cost_per_year)),
        format!("{about}{}", number(device.carbon_t_per_year)),
    ]
}

fn sensitivity(group: &Group, currency: &str) -> String {
    let Some(device) = group.devices.first() else { return String::new() };
    let heading = format!("What moves the cost of {} most", device.name);
    let at = |end: &str| format!("{currency}/{} at {end}", group.per.words);
    let (low, high) = (at("low"), at("high"));
    let header = ["input", "low", "high", &low, &high, "swing", "range"];
    let mut table = text::table(&header, &[1, 2, 3, 4, 5]);
    for swing in &device.sensitivity {
        let with = |value: f64| format!("{} {}", number(value), swing.unit).trim_end().to_owned();
        table.add_row(vec![
            swing.input.clone(),
            with(swing.low),
            with(swing.high),
            format!("{}{}", mark(device), money(swing.at_low)),
            format!("{}{}", mark(device), money(swing.at_high)),
            format!("{}{}", mark(device), money(swing.swing())),
            swing.range.clone(),
        ]);
    }
    let mut out = format!("\n{heading}\n{}", text::lines(&table));
    if device.subject.evidence != Evidence::Measured {
        out.push_str("energy has no line of its own: it was not measured, so it has no interval\n");
    }
    if group.devices.len() > 1 {
        out.push_str("the other devices' are in --json and --plot\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payback_beyond_the_life_is_not_printed_as_one_that_comes() {
        assert_eq!(payback(Some(Payback::Years(2.5)), 4.0), "2.5 years");
        assert!(payback(Some(Payback::Years(6.888)), 3.5).starts_with("not within its life of 3.5 years"));
        assert!(payback(Some(Payback::Never), 4.0).starts_with("never"));
    }

    #[test]
    fn a_crossing_shows_its_interval_and_an_open_one_says_that_nothing_is_settled() {
        let at = |within| Crossing::At { value: 0.5, below: "X".to_owned(), above: "Y".to_owned(), within };
        let shown = crossing(&at(Within::Interval { low: 0.4, high: 0.625 }), "%", 100.0);
        assert!(shown.starts_with("at 50 (40 to 62.5) %: below, X wins"), "{shown}");
        assert!(crossing(&at(Within::Open), "%", 100.0).contains("not settled"));
        let never = |within| Crossing::Never { winner: "X".to_owned(), from: 0.0, until: 20.0, within };
        assert!(crossing(&never(Within::Open), "CNY/kWh", 1.0).contains("not settled"));
        assert!(crossing(&never(Within::Settled), "CNY/kWh", 1.0).ends_with("at both ends of the intervals"));
    }

    #[test]
    fn money_keeps_four_digits_and_sets_thousands_apart() {
        for (value, text) in [
            (0.0, "0"),
            (17.184_557, "17.18"),
            (0.004_49, "0.004490"),
            (2_323.855, "2324"),
            (107_696.9, "107 700"),
            (1_234_567.0, "1 235 000"),
            (-250_000.0, "-250 000"),
        ] {
            assert_eq!(money(value), text);
        }
        assert_eq!(
            (number(630.72), number(0.5), number(1.2e-9)),
            ("630.7".into(), "0.5".into(), "0.0000000012".into())
        );
    }
}
