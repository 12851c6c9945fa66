//! Intel's cards over fake trees: which part of a card each counter counts, and what a counter that falls means.
//!
//! What all sources have in common is checked in `power_sources`. What surprises people: the same file name means the
//! card under one driver and the chip under the other.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use power_support::{Tree, at, context, last, open, values};
use wattmark::clock::Clock;
use wattmark::model::{Quantity, Scope, SourceTrace};
use wattmark::power::{ProbeContext, Sampler, window_energies};
use wattmark::units::Seconds;

/// The card's trace after one poll.
fn sample(context: &ProbeContext) -> SourceTrace {
    Sampler::start(open("intel", context).sources, 10.0, &context.clock).stop().remove(0)
}

#[test]
fn intel_cards_give_card_and_package_energy_and_tiles_are_left_out() {
    let tree = Tree::build("intel/xe");
    let (context, _) = context(tree.root());
    let trace = sample(&context);
    assert_eq!((last(&trace, "energy.card"), last(&trace, "energy.package")), (5.0, 4.0));
    assert_eq!((last(&trace, "power.limit"), last(&trace, "temperature.package")), (190.0, 55.0));
    let scopes: Vec<Scope> = window_energies(&trace, at(0.0), at(1.0)).iter().map(|energy| energy.scope).collect();
    assert_eq!(scopes, [Scope::Board, Scope::Chip]);
}

#[test]
fn an_intel_counter_that_falls_was_reset_and_no_energy_is_invented() {
    let tree = Tree::build("intel/xe");
    let (context, clock) = context(tree.root());
    let path = "sys/class/hwmon/hwmon5/energy1_input";
    let sampler = Sampler::start(open("intel", &context).sources, 1.0, &context.clock);
    for microjoules in ["4000000000", "10000000", "11000000"] {
        tree.write(path, microjoules);
        clock.sleep(Seconds::new(1.0));
    }
    let energy = values(&sampler.stop()[0], "energy.card");
    assert_eq!(energy, [Some(5.0), Some(4000.0), None, Some(4001.0)]);
}

#[test]
fn the_parts_of_an_intel_card_are_told_by_their_labels_and_an_unknown_one_is_left_out() {
    let tree = Tree::build("intel/xe");
    for (number, label) in [(1, "pkg"), (2, "card"), (3, "vram"), (4, "psu")] {
        tree.write(&format!("sys/class/hwmon/hwmon5/energy{number}_label"), label);
        tree.write(&format!("sys/class/hwmon/hwmon5/energy{number}_input"), &format!("{number}000000"));
    }
    let (context, _) = context(tree.root());
    let trace = sample(&context);
    let energy = |id: &str| last(&trace, id);
    assert_eq!((energy("energy.package"), energy("energy.card"), energy("energy.memory")), (1.0, 2.0, 3.0));
    assert_eq!(window_energies(&trace, at(0.0), at(1.0)).len(), 3);
}

#[test]
fn the_counter_of_i915_is_that_of_the_chip_and_not_of_the_card() {
    let tree = Tree::build("intel/xe");
    tree.write("sys/class/hwmon/hwmon5/name", "i915");
    let (context, _) = context(tree.root());
    let trace = sample(&context);
    let (channel, _) = trace.by_quantity(Quantity::EnergyCounter).unwrap();
    assert_eq!((channel.id.as_str(), channel.scope), ("energy.package", Scope::Chip));
}
