//! Which INF files are for which devices (How Windows Selects a Driver Package for a Device).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use media_format::drivers::{DriverInf, Model, Models};

use super::System;
use super::ids::MachineDevice;
use super::rank::{Place, rank};
use crate::inf::{applies, precedence};

/// The ids of all devices of a machine.
#[derive(Debug)]
pub struct Machine {
    /// Devices and places by the id in lower case.
    places: HashMap<String, Vec<(usize, Place)>>,
}

/// A driver for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The INF file.
    pub inf: &'a DriverInf,
    /// Index of the device.
    pub device: usize,
    /// What the INF file calls it.
    pub description: &'a str,
    /// The id by which it was found.
    pub id: &'a str,
    /// How well it fits; the lowest is the best.
    pub rank: u32,
}

impl Machine {
    /// The ids of these devices.
    pub fn new(devices: &[MachineDevice]) -> Self {
        let mut places: HashMap<String, Vec<_>> = HashMap::new();
        for (index, device) in devices.iter().enumerate() {
            let hardware = device.ids.hardware.iter().enumerate();
            let hardware = hardware.map(|(place, id)| (id, Place::Hardware(place)));
            let compatible = device.ids.compatible.iter().enumerate();
            let compatible = compatible.map(|(place, id)| (id, Place::Compatible(place)));
            for (id, place) in hardware.chain(compatible) {
                places.entry(id.to_lowercase()).or_default().push((index, place));
            }
        }
        Self { places }
    }

    fn candidates<'a>(&self, inf: &'a DriverInf, model: &'a Model) -> Vec<Candidate<'a>> {
        let hardware =
            Some((model.hardware_id.as_str(), Place::Hardware(0))).filter(|(id, _)| !id.is_empty());
        let compatible = model.compatible_ids.iter().enumerate();
        let compatible = compatible.map(|(place, id)| (id.as_str(), Place::Compatible(place)));
        let mut found = Vec::new();
        for (id, place) in hardware.into_iter().chain(compatible) {
            for &(device, device_place) in self.places.get(&id.to_lowercase()).into_iter().flatten() {
                found.push(Candidate {
                    inf,
                    device,
                    description: &model.description,
                    id,
                    rank: rank(&inf.signature, model, device_place, place),
                });
            }
        }
        found
    }
}

/// Of each manufacturer of an INF file the list that Windows takes on a system, if any is for it.
pub(super) fn selected_lists<'a>(inf: &'a DriverInf, system: &System) -> impl Iterator<Item = &'a Models> {
    inf.manufacturers.iter().filter_map(move |maker| {
        let fitting = maker
            .models
            .iter()
            .filter(|models| applies(&models.target, system));
        fitting.max_by_key(|models| precedence(&models.target))
    })
}

/// All drivers for all devices, for each device the best one first: by rank, then the newest date, then the highest
/// version. An INF file is named once for a device, with its best match.
pub fn matches<'a>(
    infs: impl IntoIterator<Item = &'a DriverInf>,
    machine: &Machine,
    system: &System,
) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    for inf in infs {
        let mut best: BTreeMap<usize, Candidate<'a>> = BTreeMap::new();
        for model in selected_lists(inf, system).flat_map(|models| &models.devices) {
            for candidate in machine.candidates(inf, model) {
                let kept = best.entry(candidate.device).or_insert_with(|| candidate.clone());
                if candidate.rank < kept.rank {
                    *kept = candidate;
                }
            }
        }
        all.extend(best.into_values());
    }
    all.sort_by_key(|candidate| {
        let inf = candidate.inf;
        let age = Reverse((inf.date, inf.version));
        (candidate.device, candidate.rank, age, &inf.package, &inf.path)
    });
    all
}
