//! What an install section does (INF DDInstall section, INF DDInstall.Services section).

use std::collections::{BTreeMap, BTreeSet};

use media_format::drivers::{Architecture, NO_FEATURE_SCORE, Service};

use super::{Entry, Inf, Section, number};

/// `SPSVCINST_ASSOCSERVICE`: the service is the driver of the device (INF AddService directive).
const FUNCTION_DRIVER: u32 = 2;

/// The install section that Windows takes for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its name with its decoration.
    pub section: String,
    /// Its `FeatureScore`.
    pub feature_score: u8,
    /// Whether it is decorated for Windows NT.
    pub platform_section: bool,
}

/// The most specific install section: `.nt` and the architecture, `.nt`, undecorated (INF File Platform Extensions
/// and x64-Based Systems).
pub fn find(inf: &Inf, name: &str, architecture: Architecture) -> Option<Installation> {
    let decorations = [format!(".nt{architecture}"), ".nt".to_owned(), String::new()];
    let found = decorations.iter().find_map(|decoration| {
        let full = format!("{}{decoration}", name.trim());
        inf.section(&full).map(|section| (full, section, decoration))
    });
    found.map(|(full, section, decoration)| Installation {
        section: full,
        feature_score: feature_score(section),
        platform_section: !decoration.is_empty(),
    })
}

/// A byte in hexadecimal digits, with or without `0x` (INF FeatureScore directive).
fn feature_score(section: &Section) -> u8 {
    let text = section.value("FeatureScore").to_lowercase();
    u8::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(NO_FEATURE_SCORE)
}

/// The sections of these names and those that they need from the same file, each once.
pub fn with_needs(inf: &Inf, names: impl IntoIterator<Item = String>) -> Vec<&Section> {
    let mut open: Vec<String> = names.into_iter().collect();
    open.reverse();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.trim().to_lowercase()) {
            continue;
        }
        if let Some(section) = inf.section(&name) {
            found.push(section);
            open.extend(section.all("Needs").flat_map(Entry::list).map(str::to_owned));
        }
    }
    found
}

/// The services that install sections add; a service without start type is none.
pub fn services(inf: &Inf, installs: &BTreeSet<String>, architecture: Architecture) -> Vec<Service> {
    let names = installs.iter().map(|install| format!("{install}.Services"));
    let mut services = BTreeMap::new();
    for section in with_needs(inf, names) {
        for entry in section.all("AddService") {
            let key = entry.value(0).to_lowercase();
            if let Some(service) = service(inf, entry, architecture).filter(|_| !services.contains_key(&key))
            {
                services.insert(key, service);
            }
        }
    }
    services.into_values().collect()
}

fn service(inf: &Inf, entry: &Entry, architecture: Architecture) -> Option<Service> {
    let section = inf.section(entry.value(2))?;
    let flags = number(entry.value(1)).unwrap_or(0);
    Some(Service {
        name: entry.value(0).to_owned(),
        binary: section.value("ServiceBinary").to_owned(),
        kind: number(section.value("ServiceType"))?,
        start: number(section.value("StartType"))?,
        error_control: number(section.value("ErrorControl")).unwrap_or(1),
        group: section.value("LoadOrderGroup").to_owned(),
        function_driver: flags & FUNCTION_DRIVER != 0,
        architectures: vec![architecture],
    })
}

/// Hardware ids of the software components that install sections create (INF AddComponent directive).
pub fn components(inf: &Inf, installs: &BTreeSet<String>) -> BTreeSet<String> {
    let names = installs.iter().map(|install| format!("{install}.Components"));
    let sections = with_needs(inf, names);
    let created: BTreeSet<&str> = sections
        .iter()
        .flat_map(|section| section.all("AddComponent"))
        .map(|entry| entry.value(2))
        .collect();
    let created = created.into_iter().filter_map(|name| inf.section(name));
    let ids = created.flat_map(|section| section.all("ComponentIDs"));
    ids.flat_map(Entry::list).map(|id| format!("SWC\\{id}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[Version]\nSignature=$Chicago$\n[A]\n[A.NT]\nFeatureScore=F6\n[A.NTamd64]\nFeatureScore=0x20\n\
        [A.NTamd64.Services]\nAddService=Disk,0x2,Disk_Service\nAddService=Filter,,Filter_Service\nAddService=,2\nNeeds=B.Services\n\
        [B.Services]\nAddService=disk,,Other\nAddService=Third,,Disk_Service\nNeeds=A.NTamd64.Services\n\
        [Disk_Service]\nServiceType=1\nStartType=0x0\nErrorControl=3\nServiceBinary=%12%\\disk.sys\nLoadOrderGroup=SCSI Miniport\n\
        [Filter_Service]\nServiceType=1\nStartType=3\nServiceBinary=%12%\\filter.sys\n[Other]\nServiceType=1\nStartType=4\n\
        [A.NTamd64.Components]\nAddComponent=c,,C_Install\n[C_Install]\nComponentIDs=VID_1,VID_2";

    fn inf() -> Inf {
        Inf::parse(TEXT.as_bytes()).unwrap()
    }

    #[test]
    fn the_most_specific_install_section_is_taken() {
        let find = |architecture| find(&inf(), "a", architecture).unwrap();
        let amd64 = find(Architecture::Amd64);
        assert_eq!((amd64.section.as_str(), amd64.feature_score), ("a.ntamd64", 0x20));
        let x86 = find(Architecture::X86);
        assert_eq!((x86.section.as_str(), x86.feature_score), ("a.nt", 0xF6));
        assert_eq!(super::find(&inf(), "none", Architecture::X86), None);
        let plain = super::find(&inf(), "Other", Architecture::X86).unwrap();
        assert!(!plain.platform_section && plain.feature_score == NO_FEATURE_SCORE);
    }

    #[test]
    fn services_come_from_needed_sections_too_and_a_circle_ends() {
        let installs = BTreeSet::from(["a.ntamd64".to_owned()]);
        let services = services(&inf(), &installs, Architecture::Amd64);
        let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["Disk", "Filter", "Third"]);
        let disk = &services[0];
        assert!(disk.function_driver && disk.start == 0 && disk.error_control == 3);
        assert_eq!(
            (disk.binary.as_str(), disk.group.as_str()),
            ("%12%\\disk.sys", "SCSI Miniport")
        );
        assert!(!services[1].function_driver);
    }

    #[test]
    fn software_components_are_known_by_their_ids() {
        let installs = BTreeSet::from(["a.ntamd64".to_owned()]);
        let ids: Vec<_> = components(&inf(), &installs).into_iter().collect();
        assert_eq!(ids, ["SWC\\VID_1", "SWC\\VID_2"]);
    }
}
