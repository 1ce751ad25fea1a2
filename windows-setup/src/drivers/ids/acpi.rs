//! ACPI: `_HID` gives the hardware ids, `_CID` the compatible ids.

use super::DeviceIds;

/// A device of the firmware's name space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcpiDevice {
    /// `_HID`: three letters and four digits for PNP, four letters and four digits for ACPI.
    pub hardware_id: String,
    /// `_CID`.
    pub compatible_ids: Vec<String>,
}

impl AcpiDevice {
    /// What Windows calls it.
    pub fn ids(&self) -> DeviceIds {
        let id = self.hardware_id.to_uppercase();
        let mut hardware = Vec::new();
        if id.is_ascii() && matches!(id.len(), 7 | 8) {
            let (vendor, device) = id.split_at(id.len() - 4);
            hardware.push(format!("ACPI\\VEN_{vendor}&DEV_{device}"));
        }
        hardware.extend([format!("ACPI\\{id}"), format!("*{id}")]);
        let compatible = self.compatible_ids.iter().map(|id| id.to_uppercase());
        // With and without the asterisk: INF files have both.
        let compatible = compatible.flat_map(|id| [format!("ACPI\\{id}"), format!("*{id}"), id]);
        DeviceIds {
            hardware,
            compatible: compatible.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_forms_are_split_into_vendor_and_device() {
        let of = |hid: &str, cids: &[&str]| {
            let device = AcpiDevice {
                hardware_id: hid.into(),
                compatible_ids: cids.iter().map(|id| (*id).to_owned()).collect(),
            };
            device.ids()
        };
        let bridge = of("PNP0A08", &["PNP0A03"]);
        assert_eq!(
            bridge.hardware,
            ["ACPI\\VEN_PNP&DEV_0A08", "ACPI\\PNP0A08", "*PNP0A08"]
        );
        assert_eq!(bridge.compatible, ["ACPI\\PNP0A03", "*PNP0A03", "PNP0A03"]);
        assert_eq!(of("elan0001", &[]).hardware[0], "ACPI\\VEN_ELAN&DEV_0001");
        assert_eq!(of("LNXé", &[]).hardware, ["ACPI\\LNXÉ", "*LNXÉ"]);
    }
}
