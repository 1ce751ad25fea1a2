//! Rows of hardware queries.

use std::collections::BTreeMap;

use super::Disk;

/// One row: the properties by name.
pub(super) fn row(properties: &[(&str, String)]) -> BTreeMap<String, String> {
    let pairs = properties.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// `Win32_DiskDrive`.
pub(super) fn disks(disks: &[Disk]) -> Vec<BTreeMap<String, String>> {
    let rows = disks.iter().map(|disk| {
        row(&[
            ("Index", disk.number.to_string()),
            ("Model", disk.model.clone()),
            ("SerialNumber", disk.serial.clone()),
            ("Size", disk.size.to_string()),
            ("InterfaceType", disk.bus.as_str().to_uppercase()),
        ])
    });
    rows.collect()
}
