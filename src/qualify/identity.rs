//! Which devices are the same board, and which are of the same model.
//!
//! What surprises people: a board that tells its serial number or UUID is itself in any slot of any host; without either it
//! is known by host and PCI address, so that a board that was moved begins a new history.

use std::collections::BTreeMap;

use crate::model::{Device, DeviceKind};

/// Keys of an identity that tell boards apart, the surest first.
const KEYS: [&str; 2] = ["uuid", "serial"];

/// True if two devices are the same board: by UUID or serial number where both tell one, else by host and PCI address.
pub fn same_board(
    own: (&Device, &BTreeMap<String, String>, Option<&str>),
    other: (&Device, &BTreeMap<String, String>, Option<&str>),
) -> bool {
    if !same_model(own.0, other.0) {
        return false;
    }
    let told = |identity: &BTreeMap<String, String>, key: &str| {
        identity.get(key).map(|value| value.trim().to_lowercase()).filter(|value| !value.is_empty())
    };
    for key in KEYS {
        if let (Some(a), Some(b)) = (told(own.1, key), told(other.1, key)) {
            return a == b;
        }
    }
    let place = |device: &Device| device.pci.as_ref().map(|pci| pci.as_str().to_owned());
    match (own.2, other.2, place(own.0), place(other.0)) {
        (Some(a), Some(b), Some(slot), Some(other_slot)) => a == b && slot == other_slot,
        // Simulated and software devices have no slot: host and ordinal stand for it.
        (Some(a), Some(b), None, None) => a == b && own.0.ordinal == other.0.ordinal,
        _ => false,
    }
}

/// True if two devices are of one model: what one does, the other should do.
pub(super) fn same_model(a: &Device, b: &Device) -> bool {
    (&a.name, a.vendor_id, a.device_id, a.kind) == (&b.name, b.vendor_id, b.device_id, b.kind)
}

/// True if two devices are driven by the same driver, version and build, through the same API.
pub(super) fn same_driver(a: &Device, b: &Device) -> bool {
    (&a.backend, &a.driver, &a.driver_info) == (&b.backend, &b.driver, &b.driver_info)
}

/// Driver and version in a line.
pub(super) fn driver(device: &Device) -> String {
    let text = format!("{} {} ({})", device.driver, device.driver_info, device.backend);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True for a device without hardware: scripted times and power.
pub(super) fn simulated(device: &Device) -> bool {
    device.kind == DeviceKind::Simulated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::testing::device;

    fn identity(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_board_is_known_by_its_uuid_or_serial_number_wherever_it_sits() {
        let (slot, other_slot) = (device(0), Device { ordinal: 3, pci: "0000:1a:00.0".parse().ok(), ..device(0) });
        let (a, b) = (identity(&[("serial", "S1"), ("uuid", "GPU-a")]), identity(&[("uuid", "gpu-A")]));
        assert!(same_board((&slot, &a, Some("n1")), (&other_slot, &b, Some("n2"))));
        let other = identity(&[("uuid", "GPU-b"), ("serial", "S1")]);
        assert!(!same_board((&slot, &a, Some("n1")), (&slot, &other, Some("n1"))), "the UUID decides");
    }

    #[test]
    fn a_board_without_a_number_is_known_by_host_and_slot() {
        let (one, none) = (device(0), BTreeMap::new());
        assert!(same_board((&one, &none, Some("n1")), (&one, &none, Some("n1"))));
        assert!(!same_board((&one, &none, Some("n1")), (&one, &none, Some("n2"))));
        assert!(!same_board((&one, &none, None), (&one, &none, None)), "an unknown host is not the same host");
        let renamed = Device { name: "Other".to_owned(), ..device(0) };
        assert!(!same_board((&one, &none, Some("n1")), (&renamed, &none, Some("n1"))));
        let (a, b) = (Device { pci: None, ..device(0) }, Device { pci: None, ..device(1) });
        assert!(
            !same_board((&a, &none, Some("n")), (&b, &none, Some("n"))),
            "ordinals tell devices without slots apart"
        );
    }
}
