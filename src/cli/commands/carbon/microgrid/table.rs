//! The account of a micro-grid as text.
//!
//! What surprises people: energy that left the site is in the table of energies and nowhere among the grams.

use crate::account::Site;
use crate::account::microgrid::{Account, Repeat};
use crate::cli::accounting::site_text;
use crate::cli::text;
use crate::model::Evidence;

/// The whole page.
pub(super) fn render(site: &Site, account: &Account) -> anyhow::Result<String> {
    let mut out = text::entry("Site", &site.profile.name);
    out.push_str(&site_text(site)?);
    out.push_str(&load(account));
    out.push_str(&supply(account));
    out.push('\n');
    out.push_str(&energies(account));
    out.push('\n');
    out.push_str(&shares(account));
    out.push('\n');
    out.push_str(&carbon(account));
    out.push('\n');
    out.push_str(&text::entry("Result", &account.statement));
    for note in &account.notes {
        out.push_str(&text::entry("Note", note));
    }
    Ok(out)
}

fn load(account: &Account) -> String {
    let (load, shape, horizon) = (&account.load, &account.config.load, &account.config.horizon);
    let scope = load.scope.map_or_else(|| "declared".to_owned(), |scope| format!("{} {scope}", load.evidence));
    let simulated = if load.simulated { "; SIMULATED: scripted, describes no hardware" } else { "" };
    let mut out = text::entry(
        "Load",
        &format!(
            "{}{} × {}, {}: {}{}, {scope} ({}){simulated}",
            load.evidence.mark(),
            shape.devices,
            load.device,
            load.label,
            load.evidence.mark(),
            text::si(load.mean.get(), "W"),
            load.source,
        ),
    );
    let how = match shape.repeat {
        Repeat::Trace if load.evidence == Evidence::Declared && load.run_ids.is_empty() => "all the time".to_owned(),
        Repeat::Trace => format!("the trace of {} again and again", text::si(load.length.get(), "s")),
        Repeat::Once => format!("once, for {:.2} h from the start", load.length.get() / 3600.0),
        Repeat::Duty { duty, period_h, offset_h } => format!(
            "{:.0} % of every {period_h} h from hour {offset_h} at the mean power, else idle at {}",
            duty * 100.0,
            match shape.idle_w {
                Some(watts) => format!("{watts} W (declared)"),
                None => load
                    .idle
                    .map_or_else(|| "0 W".to_owned(), |watts| format!("{} (measured)", text::si(watts.get(), "W"))),
            }
        ),
    };
    out.push_str(&text::entry("", &format!("{how}; times the PUE of {}", account.pue)));
    out.push_str(&text::entry(
        "Horizon",
        &format!(
            "{}, {} steps of {} s: {:.2} days",
            horizon.start,
            horizon.steps,
            horizon.step.get(),
            horizon.total_hours() / 24.0
        ),
    ));
    out
}

fn supply(account: &Account) -> String {
    let mut out = String::new();
    for own in &account.generators {
        let capacity = own.generator.capacity_kw.map_or_else(String::new, |kw| format!("{kw} kW, "));
        let factor =
            own.capacity_factor.map_or_else(String::new, |share| format!(", capacity factor {:.1} %", share * 100.0));
        let name = if own.profile.illustrative {
            "ILLUSTRATIVE profile".to_owned()
        } else {
            format!("profile {}", own.profile.name)
        };
        out.push_str(&text::entry(
            match own.generator.kind.word() {
                "solar" => "Solar",
                "wind" => "Wind",
                _ => "Hydro",
            },
            &format!(
                "{capacity}{name}{factor}; life cycle {} g/kWh ({})",
                own.generator.life_cycle_g_per_kwh, own.generator.life_cycle_source
            ),
        ));
    }
    if let Some(own) = &account.config.battery {
        out.push_str(&text::entry(
            "Battery",
            &format!(
                "{} kWh from {:.0} to {:.0} %, begins at {:.0} %; {} kW in at {:.0} %, {} kW out at {:.0} %",
                own.capacity_kwh,
                own.soc_min * 100.0,
                own.soc_max * 100.0,
                own.soc_start * 100.0,
                own.charge_kw,
                own.charge_efficiency * 100.0,
                own.discharge_kw,
                own.discharge_efficiency * 100.0
            ),
        ));
    }
    let grid = match &account.config.grid {
        None => "none: an island".to_owned(),
        Some(own) => {
            let limit = own.limit_kw.map_or_else(|| "without a limit".to_owned(), |kw| format!("up to {kw} kW"));
            let export = if own.export { "" } else { ", no feed-in" };
            let charging = own
                .charge_below_g_per_kwh
                .map_or_else(String::new, |below| format!(", charges the battery below {below} g/kWh"));
            format!("{limit}{export}{charging}; {}", account.intensity)
        }
    };
    out.push_str(&text::entry("Import", &grid));
    out
}

fn energies(account: &Account) -> String {
    let own = &account.energies;
    let mut table = text::table(&["energy over the horizon", "kWh", "of load", ""], &[1, 2]);
    let mut row = |name: &str, kwh: f64, remark: String| {
        let share = if own.load_kwh > 0.0 { format!("{:.1} %", kwh / own.load_kwh * 100.0) } else { "–".to_owned() };
        table.add_row(vec![name.to_owned(), format!("{kwh:.3}"), share, remark]);
    };
    row(
        "load",
        own.load_kwh,
        format!("{:.3} kWh at the devices{}", account.it_kwh, band(account, |bands| bands.load_kwh)),
    );
    row("generated", own.generation_kwh, String::new());
    for generator in account.generators.iter().filter(|_| account.generators.len() > 1) {
        row(&format!("  {}", generator.generator.kind.word()), generator.generation_kwh, String::new());
    }
    row("used at once", own.direct_kwh, String::new());
    if account.config.battery.is_some() {
        let from_grid = match own.charged_from_grid_kwh {
            kwh if kwh > 0.0 => format!("{kwh:.3} kWh of it from the grid"),
            _ => String::new(),
        };
        row("into the battery", own.charged_kwh, from_grid);
        row("out of the battery", own.discharged_kwh, format!("{:.3} kWh lost in it", own.battery_loss_kwh));
    }
    if account.config.grid.is_some() {
        row(
            "imported",
            own.import_kwh,
            format!(
                "in {} of {} steps{}",
                own.steps_with_import,
                account.steps.len(),
                band(account, |bands| bands.import_kwh)
            ),
        );
        row("exported", own.export_kwh, "offsets nothing".to_owned());
    }
    row("spilled", own.spill_kwh, String::new());
    row("unserved", own.unserved_kwh, format!("{:.2} h", own.unserved_h));
    if account.config.battery.is_some() {
        row("in store at the start", own.stored_at_start_kwh, String::new());
        row("in store at the end", own.stored_at_end_kwh, String::new());
    }
    text::lines(&table)
}

fn band(account: &Account, of: impl Fn(&crate::account::microgrid::Bands) -> (f64, f64)) -> String {
    account.bands.as_ref().map_or_else(String::new, |bands| {
        let (low, high) = of(bands);
        if high == 0.0 {
            return String::new();
        }
        format!("; {low:.3} to {high:.3} by the load's 95 % interval")
    })
}

fn shares(account: &Account) -> String {
    let own = &account.shares;
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let mut table = text::table(&["share", "", "what it is"], &[1]);
    let mut row = |name: &str, value: String, what: &str| {
        table.add_row(vec![name.to_owned(), value, what.to_owned()]);
    };
    row(
        "hourly carbon-free share",
        percent(own.hourly_carbon_free),
        "load matched by local carbon-free supply, hour by hour",
    );
    row("self-sufficiency", percent(own.self_sufficiency), "1 − (import + unserved) / load");
    row("self-generation", percent(own.self_generation), "generation / load");
    if own.battery_full_cycles.is_some() {
        row("self-storage", percent(own.self_storage), "energy from the battery / load");
    }
    row("self-use (self-consumption)", percent(own.self_consumption), "1 − (export + spill) / generation");
    row("self-assurance", percent(Some(own.self_assurance)), "1 − unserved hours / hours");
    if let Some(cycles) = own.battery_full_cycles {
        row("battery full cycles", format!("{cycles:.2}"), "energy drawn from the cells / capacity");
    }
    text::lines(&table)
}

fn carbon(account: &Account) -> String {
    let (own, later) = (&account.operational, &account.life_cycle);
    let least = if own.unpriced_import_kwh > 0.0 { "≥ " } else { "" };
    let mark = account.load.evidence.mark();
    let gas = later.import_gas.map_or_else(|| "a gas that the series does not name".to_owned(), |gas| gas.to_string());
    let mut table = text::table(&["carbon", "total", "per kWh of load", "what it is"], &[1, 2]);
    let per = |grams: f64| match account.energies.load_kwh - account.energies.unserved_kwh {
        load if load > 0.0 => format!("{least}{:.1} g", grams / load),
        _ => "–".to_owned(),
    };
    let mut row = |name: &str, grams: f64, what: String| {
        table.add_row(vec![name.to_owned(), format!("{least}{mark}{}", text::si(grams, "g")), per(grams), what]);
    };
    row("operational", own.operational_g, format!("of imports{}", grams_band(account, |bands| bands.operational_g)));
    row(
        "  import × intensity",
        own.import_g,
        format!("mean intensity over the horizon {:.1} g/kWh", own.mean_g_per_kwh),
    );
    if own.kept_in_store_g > 0.0 {
        row("  − kept in store", -own.kept_in_store_g, "in energy beyond what was there at the start".to_owned());
    }
    if account.config.battery.is_some() {
        row("  + recharge", own.recharge_g, format!("for {:.3} kWh of the first charge", own.drawn_from_start_kwh));
    }
    row(
        "life cycle",
        later.life_cycle_g,
        format!("operational, generation and battery{}", grams_band(account, |bands| bands.life_cycle_g)),
    );
    row("  + generation", later.generation_g, "all generated energy × its life-cycle factor, CO2e".to_owned());
    if let Some(grams) = later.battery_g {
        row("  + battery", grams, "its manufacture, by time over its life, CO2e".to_owned());
    }
    let served = "The two are different accounts and are not added. Per kWh is of served load.";
    format!("{}{}", text::lines(&table), text::entry("Gas", &format!("imports in {gas}. {served}")))
}

fn grams_band(account: &Account, of: impl Fn(&crate::account::microgrid::Bands) -> (f64, f64)) -> String {
    account.bands.as_ref().map_or_else(String::new, |bands| {
        let (low, high) = of(bands);
        if high == 0.0 {
            return String::new();
        }
        format!("; {} to {} by the load's 95 % interval", text::si(low, "g"), text::si(high, "g"))
    })
}
