//! The machine's devices, as a running Windows has them in its registry.

use windows_setup::drivers::ids::{DeviceIds, MachineDevice};

use crate::platform::{Data, Registry, Result};

const DEVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Enum";

/// Every device that Windows has seen, with its ids.
///
/// # Errors
/// When the registry cannot be read.
pub fn all(registry: &(impl Registry + ?Sized)) -> Result<Vec<MachineDevice>> {
    let mut found = Vec::new();
    for bus in registry.keys(DEVICES)? {
        for device in registry.keys(&format!(r"{DEVICES}\{bus}"))? {
            for instance in registry.keys(&format!(r"{DEVICES}\{bus}\{device}"))? {
                found.extend(read(registry, &format!(r"{bus}\{device}\{instance}"))?);
            }
        }
    }
    Ok(found)
}

fn read(registry: &(impl Registry + ?Sized), location: &str) -> Result<Option<MachineDevice>> {
    let key = format!(r"{DEVICES}\{location}");
    let list = |name: &str| {
        Ok::<_, anyhow::Error>(match registry.value(&key, name)? {
            Some(Data::Texts(texts)) => texts,
            Some(Data::Text(text)) => vec![text],
            _ => Vec::new(),
        })
    };
    let ids = DeviceIds {
        hardware: list("HardwareID")?,
        compatible: list("CompatibleIDs")?,
    };
    let known = !ids.hardware.is_empty() || !ids.compatible.is_empty();
    Ok(known.then(|| MachineDevice {
        location: location.to_owned(),
        ids,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn a_device_has_the_ids_of_its_key() {
        let machine = Fake::default();
        let key = format!(r"{DEVICES}\PCI\VEN_8086&DEV_9A0B\3&11583659&0&E0");
        let texts = |text: &str| Data::Texts(vec![text.into()]);
        machine.put_key(&format!(r"{DEVICES}\PCI"));
        machine.put_key(&format!(r"{DEVICES}\PCI\VEN_8086&DEV_9A0B"));
        machine.put_value(&key, "HardwareID", texts(r"PCI\VEN_8086&DEV_9A0B"));
        machine.put_value(&key, "CompatibleIDs", texts(r"PCI\CC_0104"));
        machine.put_key(&format!(r"{DEVICES}\HTREE\ROOT\0"));
        let found = all(&machine).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].ids.hardware, [r"PCI\VEN_8086&DEV_9A0B"]);
        assert!(found[0].is_storage());
    }
}
