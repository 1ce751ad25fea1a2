//! The devices that an INF file supports (INF Manufacturer section, INF Models section).

use media_format::drivers::{Architecture, TargetOs};

use super::error::{InfError, InfProblem};
use super::{Entry, Inf, MAX_DEVICES, Section, target_os};

/// A manufacturer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// Its name.
    pub name: String,
    /// Its lists of devices.
    pub lists: Vec<DeviceList>,
}

/// A list of devices for certain systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceList {
    /// The systems.
    pub target: TargetOs,
    /// The devices; none, to exclude these systems.
    pub devices: Vec<Device>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Line in the INF file.
    pub line: u32,
    /// Its name.
    pub description: String,
    /// Name of its install section, without decoration.
    pub install: String,
    /// Its hardware id; may be empty.
    pub hardware_id: String,
    /// Its compatible ids.
    pub compatible_ids: Vec<String>,
}

/// All manufacturers. A decoration that Windows does not know is a warning: old files name processors that are gone.
///
/// # Errors
/// When there are more devices than any real file has.
pub fn manufacturers(inf: &Inf, warnings: &mut Vec<String>) -> Result<Vec<Maker>, InfError> {
    let mut makers = Vec::new();
    let mut count = 0;
    for entry in inf
        .section("Manufacturer")
        .map_or(&[][..], |section| &section.entries)
    {
        let section = entry.value(0);
        let mut maker = Maker {
            name: entry.key.as_deref().unwrap_or(section).to_owned(),
            lists: vec![],
        };
        for (target, models) in lists(inf, entry, warnings) {
            let devices: Vec<_> = models.map(devices).unwrap_or_default();
            count += devices.len();
            if count > MAX_DEVICES {
                return Err(InfProblem::TooManyDevices.at(entry.line));
            }
            maker.lists.push(DeviceList { target, devices });
        }
        makers.push(maker);
    }
    Ok(makers)
}

/// The sections of a manufacturer: one for each decoration, and the undecorated one where it exists. A section that
/// is named and does not exist supports nothing, like an empty one.
fn lists<'a>(
    inf: &'a Inf,
    entry: &Entry,
    warnings: &mut Vec<String>,
) -> Vec<(TargetOs, Option<&'a Section>)> {
    let name = entry.value(0);
    let mut lists = Vec::new();
    for decoration in entry.list().skip(1) {
        match target_os::parse(decoration) {
            Some(target) => lists.push((target, inf.section(&format!("{name}.{decoration}")))),
            None => warnings.push(
                InfProblem::Decoration(decoration.to_owned())
                    .at(entry.line)
                    .to_string(),
            ),
        }
    }
    if let Some(section) = inf.section(name) {
        lists.push((TargetOs::default(), Some(section)));
    }
    lists
}

/// Entries without any id are for installation by hand and match no device.
fn devices(section: &Section) -> Vec<Device> {
    let device = |entry: &Entry| {
        let description = entry.key.clone()?;
        let mut ids = entry.values.iter().skip(1).cloned();
        let device = Device {
            line: entry.line,
            description,
            install: entry.value(0).to_owned(),
            hardware_id: ids.next().unwrap_or_default(),
            compatible_ids: ids.filter(|id| !id.is_empty()).collect(),
        };
        (!device.hardware_id.is_empty() || !device.compatible_ids.is_empty()).then_some(device)
    };
    section.entries.iter().filter_map(device).collect()
}

/// The ids that are not offered to a person who selects a driver by hand, `*` for all (INF ControlFlags section).
pub fn excluded_from_select(inf: &Inf, architecture: Architecture) -> Vec<String> {
    let keys = [
        "ExcludeFromSelect".to_owned(),
        "ExcludeFromSelect.nt".to_owned(),
        format!("ExcludeFromSelect.nt{architecture}"),
    ];
    let section = inf.section("ControlFlags");
    let entries = keys
        .iter()
        .flat_map(|key| section.into_iter().flat_map(move |section| section.all(key)));
    entries.flat_map(Entry::list).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inf(text: &str) -> Inf {
        Inf::parse(format!("[Version]\nSignature=$Chicago$\n{text}").as_bytes()).unwrap()
    }

    #[test]
    fn each_decoration_has_its_list_and_an_empty_one_is_kept() {
        let inf = inf(
            "[Manufacturer]\n%Us%=Us,NTamd64,NTamd64.6.1,NTalpha,NTarm64\nPlain\n[Us.NTamd64]\n\
             %D%=D_Install,PCI\\VEN_1,PCI\\CC_01,,PCI\\CC_02\nE=E_Install,,USB\\CLASS_03\nByHand=F\n\
             [Us.ntAMD64.6.1]\n[Plain]\nG=G,ROOT\\G\n[Strings]\nUs=Us, Ltd.\nD=Device",
        );
        let mut warnings = vec![];
        let makers = manufacturers(&inf, &mut warnings).unwrap();
        assert_eq!(makers[0].name, "Us,Ltd.");
        let counts: Vec<_> = makers[0].lists.iter().map(|list| list.devices.len()).collect();
        assert_eq!(counts, [2, 0, 0]);
        let devices = &makers[0].lists[0].devices;
        assert_eq!(devices[0].description, "Device");
        assert_eq!(devices[0].compatible_ids, ["PCI\\CC_01", "PCI\\CC_02"]);
        assert_eq!((devices[1].hardware_id.as_str(), devices[1].line), ("", 8));
        assert_eq!(makers[1].name, "Plain");
        assert_eq!(makers[1].lists[0].devices[0].hardware_id, "ROOT\\G");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("line 4: `NTalpha`"), "{warnings:?}");
    }

    #[test]
    fn a_small_file_cannot_ask_for_endless_devices() {
        let makers = "a=M\n".repeat(3000);
        let devices = "d=I,X\n".repeat(3000);
        let inf = inf(&format!("[Manufacturer]\n{makers}[M]\n{devices}"));
        let error = manufacturers(&inf, &mut vec![]).unwrap_err();
        assert_eq!(error.problem, InfProblem::TooManyDevices);
    }

    #[test]
    fn what_is_not_offered_by_hand_is_known() {
        let inf = inf(
            "[ControlFlags]\nExcludeFromSelect=A,B\nExcludeFromSelect.ntamd64=C\nExcludeFromSelect.ntx86=*",
        );
        assert_eq!(excluded_from_select(&inf, Architecture::Amd64), ["A", "B", "C"]);
    }
}
