//! What the charts of `wattmark cost` show: a tornado for each device, cost against carbon, and the parts of the cost.

use std::collections::BTreeSet;

use crate::account::Site;
use crate::account::cost::{CostAccount, DeviceCost, FrontCarbon, Group, PARTS, Parts};
use crate::cli::text;
use crate::cli::text::significant as number;
use crate::figure::{
    ChartSource, Figure, ParetoChart, ParetoPoint, StackBar, StackChart, TornadoChart, TornadoRow, cost_stack, pareto,
    tornado,
};
use crate::model::{Estimate, Evidence};
use crate::units::Quantity;

/// The charts of an account.
pub fn figures(account: &CostAccount, site: &Site) -> Vec<Figure> {
    let several = account.groups.len() > 1;
    let mut all = Vec::new();
    for (index, group) in account.groups.iter().enumerate() {
        let ending = if several { format!("-{}", index + 1) } else { String::new() };
        let devices: Vec<&DeviceCost> = group.devices.iter().collect();
        let source = |devices: &[&DeviceCost]| source(account, site, group, devices);
        let quantity = (format!("Cost per {}", group.per.words), account.currency.clone());
        for device in &group.devices {
            all.push(tornado(&TornadoChart {
                source: source(&[device]),
                stem: format!("{}{ending}", slug(&device.name)),
                quantity: quantity.clone(),
                base: device.cost.point.get(),
                rows: device.sensitivity.iter().map(row).collect(),
            }));
        }
        let gas = site.profile.grid.gas;
        let (carbon, unit) = match group.front_carbon {
            FrontCarbon::Operational => ("Operational carbon", format!("g{gas}")),
            FrontCarbon::OperationalAndEmbodied => ("Operational + embodied", "gCO2e".to_owned()),
        };
        let mut facing = source(&devices);
        facing.basis.push(match group.front_carbon {
            FrontCarbon::Operational => {
                "Carbon is operational and location-based; without embodied carbon, which not every device has.".to_owned()
            }
            FrontCarbon::OperationalAndEmbodied => format!(
                "Carbon is operational, location-based (the grid's factor counts {gas}), and embodied (CO2e) at the middle of \
                 its band, which the whiskers leave out: {}.",
                bands(group)
            ),
        });
        all.push(pareto(&ParetoChart {
            source: facing,
            id: format!("pareto-cost-carbon{ending}"),
            x: quantity.clone(),
            y: (format!("{carbon} per {}", group.per.words), unit),
            points: group.devices.iter().map(|device| point(device, group.front_carbon)).collect(),
        }));
        all.push(stack(source(&devices), format!("cost-stack{ending}"), quantity, group, |device| device.parts));
        let owned = ("Cost of ownership over the life".to_owned(), account.currency.clone());
        all.push(stack(source(&devices), format!("tco-stack{ending}"), owned, group, |device| device.ownership.parts));
    }
    all
}

fn stack(
    source: ChartSource,
    id: String,
    quantity: (String, String),
    group: &Group,
    of: impl Fn(&DeviceCost) -> Parts,
) -> Figure {
    let used: Vec<usize> =
        (0..PARTS.len()).filter(|index| group.devices.iter().any(|device| of(device).list()[*index] != 0.0)).collect();
    let bar = |device: &DeviceCost| StackBar {
        name: marked(device),
        amounts: used.iter().map(|index| of(device).list()[*index]).collect(),
    };
    cost_stack(&StackChart {
        source,
        id,
        quantity,
        parts: used.iter().map(|index| PARTS[*index].to_owned()).collect(),
        bars: group.devices.iter().map(bar).collect(),
    })
}

/// The name, with its mark if the energy was not measured.
fn marked(device: &DeviceCost) -> String {
    match device.subject.evidence {
        Evidence::Measured => device.name.clone(),
        other => format!("{} ({other})", device.name),
    }
}

fn row(swing: &crate::account::cost::Swing) -> TornadoRow {
    let with = |value: f64| format!("{} {}", number(value), swing.unit).trim_end().to_owned();
    TornadoRow {
        name: swing.input.clone(),
        low: with(swing.low),
        high: with(swing.high),
        at_low: swing.at_low,
        at_high: swing.at_high,
    }
}

/// The embodied band of each device in words.
fn bands(group: &Group) -> String {
    let of = |device: &DeviceCost| {
        let band = device.embodied_band_g?;
        let (low, high) = (number(band.low.get()), number(band.high.get()));
        let ends = if low == high { low } else { format!("{low} to {high}") };
        Some(format!("{} {ends} g", device.name))
    };
    group.devices.iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

fn point(device: &DeviceCost, carbon: FrontCarbon) -> ParetoPoint {
    ParetoPoint {
        name: device.name.clone(),
        x: bounds(&device.cost),
        y: device.front_grams(carbon),
        on_front: device.on_front,
        measured: device.subject.evidence == Evidence::Measured,
    }
}

fn bounds<Q: Quantity>(estimate: &Estimate<Q>) -> (f64, Option<(f64, f64)>) {
    (estimate.point.get(), estimate.interval.map(|bounds| (bounds.low.get(), bounds.high.get())))
}

fn source(account: &CostAccount, site: &Site, group: &Group, devices: &[&DeviceCost]) -> ChartSource {
    let mut run_ids: Vec<String> = devices.iter().flat_map(|device| device.subject.run_ids.clone()).collect();
    run_ids.sort();
    run_ids.dedup();
    let evidence: BTreeSet<Evidence> = devices.iter().map(|device| device.subject.evidence).collect();
    let words: Vec<String> = evidence.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    let (inputs, currency) = (&account.inputs, &account.currency);
    let carbon = inputs
        .carbon_price_per_t
        .map_or("no carbon price".to_owned(), |price| format!("carbon price {price} {currency} per tonne"));
    ChartSource {
        run_ids,
        simulated: devices.iter().any(|device| device.subject.simulated),
        subject: format!("{} on {}", group.work, names.join(", ")),
        energy: format!("{}, {}", group.scope, words.join(" and ")),
        evidence: evidence.into_iter().collect(),
        basis: vec![
            format!(
                "Site {}: grid {}, PUE {}.",
                site.profile.name,
                text::short_factor(&site.profile.grid),
                site.profile.pue.value
            ),
            format!(
                "Prices from the site file, in {currency}; mean tariff {} {currency}/kWh; discount rate {} %; {carbon}.",
                number(inputs.tariff.mean()),
                number(inputs.discount_rate * 100.0)
            ),
        ],
    }
}

/// A name as a part of a file's name.
fn slug(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_devices_name_becomes_a_file_stem() {
        assert_eq!(slug("NVIDIA GeForce RTX 4090 #2"), "nvidia-geforce-rtx-4090-2");
    }
}
