//! From an INF file and the names of its package's files to an entry of the index.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use media_format::drivers::{
    Architecture, DriverInf, Manufacturer, Model, Models, NeededFile, RefusedInf, Service, Signature,
};

use super::catalog;
use crate::inf::{self, CopiedFile, Device, DeviceList, Inf, InfError, InfProblem, Installation, Version};

/// Classes of storage controllers by name and GUID (System-Defined Device Setup Classes Available to Vendors).
const STORAGE: [(&str, &str); 2] = [
    ("scsiadapter", "{4d36e97b-e325-11ce-bfc1-08002be10318}"),
    ("hdc", "{4d36e96a-e325-11ce-bfc1-08002be10318}"),
];
/// `SERVICE_BOOT_START`.
const BOOT_START: u32 = 0;
/// More warnings than this about one file tell nothing new.
const MOST_WARNINGS: usize = 20;
/// The sections of an installation that can copy files (INF CopyFiles directive).
const COPYING: [&str; 4] = ["", ".CoInstallers", ".HW", ".Interfaces"];

/// The names of a package's files.
#[derive(Debug, Clone)]
pub struct Listing {
    package: String,
    /// By their names in lower case.
    paths: BTreeMap<String, String>,
}

impl Listing {
    /// The files of a package, by their paths beneath it with `/`.
    pub fn new(package: &str, paths: impl IntoIterator<Item = String>) -> Self {
        Self {
            package: package.to_owned(),
            paths: paths
                .into_iter()
                .map(|path| (path.to_lowercase(), path))
                .collect(),
        }
    }

    /// The file as the package writes its name, whatever its case.
    fn find(&self, path: &str) -> Option<&str> {
        self.paths.get(&path.to_lowercase()).map(String::as_str)
    }

    /// Whether a copied file is there: as itself, compressed (`name.sy_`), or in its cabinet file.
    fn has(&self, file: &CopiedFile) -> bool {
        let mut compressed = file.path.clone();
        compressed.pop();
        compressed.push('_');
        let cabinet = file.cabinet.as_deref();
        let mut names = [file.path.as_str(), &compressed].into_iter().chain(cabinet);
        names.any(|name| self.find(name).is_some())
    }
}

/// Makes the entry of an INF file. `read` gives the content of another file of the package, of which only catalog
/// files are asked for.
///
/// # Errors
/// When the INF file has errors.
pub fn index_inf(
    listing: &Listing,
    path: &str,
    bytes: &[u8],
    read: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> Result<DriverInf, RefusedInf> {
    let refused = |error: InfError| RefusedInf {
        package: listing.package.clone(),
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut entry = entry(listing, path, bytes).map_err(refused)?;
    let version = &entry.version;
    let preferred = preferred_architecture(&entry.inf);
    entry.inf.signature = signature(listing, path, version.catalog(preferred), bytes, read);
    Ok(entry.inf)
}

/// Whether Windows would look into a file with the ending `inf` for drivers: one without the signature of Windows NT, such as
/// the settings of a setup program, a driver of Windows 95 or what other systems put beside files, is no driver with errors.
pub fn is_driver_inf(bytes: &[u8]) -> bool {
    match Inf::parse(bytes) {
        Err(error) => !matches!(
            error.problem,
            InfProblem::OutsideOfSections | InfProblem::NoSection("Version") | InfProblem::Signature(_)
        ),
        Ok(_) => true,
    }
}

struct Read {
    inf: DriverInf,
    version: Version,
}

fn entry(listing: &Listing, path: &str, bytes: &[u8]) -> Result<Read, InfError> {
    let parsed = Inf::parse(bytes)?;
    let version = Version::read(&parsed)?;
    let mut work = Work::new(&parsed, listing, path);
    let manufacturers = work.manufacturers()?;
    work.follow_installations()?;
    let is_storage = STORAGE
        .iter()
        .any(|(name, guid)| version.class.eq_ignore_ascii_case(name) || version.class_guid == *guid);
    let inf = DriverInf {
        package: listing.package.clone(),
        path: path.to_owned(),
        class: version.class.clone(),
        class_guid: version.class_guid.clone(),
        provider: version.provider.clone(),
        date: version.date,
        version: version.version,
        signature: Signature::Unsigned,
        boot_critical: is_storage && work.services.values().any(|service| service.start == BOOT_START),
        extension: version.extension.clone(),
        components: work.components.into_iter().collect(),
        copies: work.copies.into_iter().collect(),
        files: work.files.into_values().collect(),
        services: work.services.into_values().collect(),
        manufacturers,
        warnings: limited(work.warnings),
    };
    Ok(Read { inf, version })
}

fn limited(mut warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(MOST_WARNINGS);
    warnings.truncate(MOST_WARNINGS);
    warnings.extend((more > 0).then(|| format!("and {more} more")));
    warnings
}

/// What is collected from an INF file.
struct Work<'a> {
    inf: &'a Inf,
    listing: &'a Listing,
    folder: &'a str,
    /// Install sections by the undecorated name in lower case.
    found: HashMap<(String, Architecture), Option<Installation>>,
    /// Install sections that are used.
    installs: BTreeMap<Architecture, BTreeSet<String>>,
    files: BTreeMap<String, NeededFile>,
    services: BTreeMap<String, Service>,
    copies: BTreeSet<String>,
    components: BTreeSet<String>,
    warnings: Vec<String>,
}

impl<'a> Work<'a> {
    fn new(inf: &'a Inf, listing: &'a Listing, path: &'a str) -> Self {
        Self {
            inf,
            listing,
            folder: folder(path),
            found: HashMap::new(),
            installs: BTreeMap::new(),
            files: BTreeMap::new(),
            services: BTreeMap::new(),
            copies: BTreeSet::new(),
            components: BTreeSet::new(),
            warnings: vec![],
        }
    }

    fn manufacturers(&mut self) -> Result<Vec<Manufacturer>, InfError> {
        let makers = inf::manufacturers(self.inf, &mut self.warnings)?;
        let mut manufacturers = Vec::new();
        for maker in makers {
            let models = maker.lists.into_iter().map(|list| self.models(list)).collect();
            manufacturers.push(Manufacturer {
                name: maker.name,
                models,
            });
        }
        Ok(manufacturers)
    }

    fn models(&mut self, list: DeviceList) -> Models {
        let architecture = list.target.effective_architecture();
        let devices = list
            .devices
            .into_iter()
            .filter_map(|device| self.model(device, architecture));
        Models {
            devices: devices.collect(),
            target: list.target,
        }
    }

    /// A device whose install section is missing cannot be installed.
    fn model(&mut self, device: Device, architecture: Architecture) -> Option<Model> {
        let key = (device.install.trim().to_lowercase(), architecture);
        let inf = self.inf;
        let found = self
            .found
            .entry(key)
            .or_insert_with(|| inf::find(inf, &device.install, architecture));
        let Some(installation) = found else {
            let problem = InfProblem::NoInstallSection {
                device: device.description,
                section: device.install,
                architecture,
            };
            self.warnings.push(format!("line {}: {problem}", device.line));
            return None;
        };
        let model = Model {
            description: device.description,
            hardware_id: device.hardware_id,
            compatible_ids: device.compatible_ids,
            feature_score: installation.feature_score,
            platform_section: installation.platform_section,
        };
        self.installs
            .entry(architecture)
            .or_default()
            .insert(installation.section.clone());
        Some(model)
    }

    /// Follows what the install sections refer to, for each architecture.
    fn follow_installations(&mut self) -> Result<(), InfError> {
        self.add_sections_without_device();
        for (architecture, installs) in std::mem::take(&mut self.installs) {
            self.follow(architecture, &installs)?;
        }
        Ok(())
    }

    /// A class and a package without devices are installed by sections of fixed names (INF ClassInstall32 section,
    /// INF DefaultInstall section).
    fn add_sections_without_device(&mut self) {
        let mut architectures: Vec<_> = self.installs.keys().copied().collect();
        if architectures.is_empty() {
            let decorated = |architecture: &Architecture| {
                self.inf
                    .section(&format!("DefaultInstall.nt{architecture}"))
                    .is_some()
            };
            architectures = Architecture::ALL.into_iter().filter(decorated).collect();
        }
        for architecture in architectures {
            for name in ["DefaultInstall", "ClassInstall32"] {
                let found = inf::find(self.inf, name, architecture).map(|found| found.section);
                self.installs.entry(architecture).or_default().extend(found);
            }
        }
    }

    fn follow(&mut self, architecture: Architecture, installs: &BTreeSet<String>) -> Result<(), InfError> {
        let names = installs
            .iter()
            .flat_map(|install| COPYING.map(|suffix| format!("{install}{suffix}")));
        let mut sections = inf::with_needs(self.inf, names);
        let interfaces = sections.iter().flat_map(|section| section.all("AddInterface"));
        let interfaces: BTreeSet<String> = interfaces.map(|entry| entry.value(2).to_owned()).collect();
        sections.extend(inf::with_needs(self.inf, interfaces));
        let copied = inf::copied_files(self.inf, self.folder, &sections, architecture, &mut self.warnings)?;
        copied
            .into_iter()
            .for_each(|file| self.add_file(file, architecture));
        for service in inf::services(self.inf, installs, architecture) {
            let added = self
                .services
                .entry(service.name.to_lowercase())
                .or_insert_with(|| service.clone());
            add_architecture(&mut added.architectures, architecture);
        }
        self.copies.extend(inf::copied_infs(self.folder, &sections));
        self.components.extend(inf::components(self.inf, installs));
        Ok(())
    }

    /// A file that the INF does not place on its media is one of Windows' own, unless it lies there nevertheless.
    fn add_file(&mut self, file: CopiedFile, architecture: Architecture) {
        let present = self.listing.has(&file);
        if !file.listed && !present {
            return;
        }
        let path = self.listing.find(&file.path).unwrap_or(&file.path).to_owned();
        let added = self
            .files
            .entry(path.to_lowercase())
            .or_insert_with(|| NeededFile {
                path,
                destination: file.destination,
                architectures: vec![],
                present,
            });
        add_architecture(&mut added.architectures, architecture);
    }
}

fn add_architecture(architectures: &mut Vec<Architecture>, architecture: Architecture) {
    if !architectures.contains(&architecture) {
        architectures.push(architecture);
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Nearly all machines are of this architecture; a file for others only is judged by its own.
fn preferred_architecture(inf: &DriverInf) -> Architecture {
    let architectures = inf.architectures();
    let preferred = [Architecture::Amd64, Architecture::Arm64, Architecture::X86];
    let found = preferred
        .into_iter()
        .find(|architecture| architectures.contains(architecture));
    found
        .or(architectures.first().copied())
        .unwrap_or(Architecture::Amd64)
}

/// The catalog lies beside the INF file (INF Version section).
fn signature(
    listing: &Listing,
    path: &str,
    catalog: Option<&str>,
    inf: &[u8],
    read: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> Signature {
    let Some(name) = catalog else {
        return Signature::Unsigned;
    };
    let catalog = name.to_owned();
    let place = inf::beneath(folder(path), &[name]);
    let bytes = place.and_then(|place| read(listing.find(&place)?));
    let Some(bytes) = bytes else {
        return Signature::CatalogMissing { catalog };
    };
    match catalog::look_up(&bytes, inf) {
        Ok(found) if found.listed => Signature::Listed {
            catalog,
            signer: found.signer,
        },
        Ok(found) => Signature::NotListed {
            catalog,
            signer: found.signer,
        },
        Err(error) => Signature::CatalogDamaged {
            catalog,
            reason: error.to_string(),
        },
    }
}
