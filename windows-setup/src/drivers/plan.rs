//! Which INF files a machine gets, and why the others stay behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use media_format::drivers::{Architecture, DriverIndex, DriverInf};

use super::System;
use super::ids::{DeviceIds, MachineDevice};
use super::matching::{Candidate, Machine, matches, selected_lists};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The system that is installed.
    pub system: System,
    /// Ids of the packages that may be used; none for all.
    pub packages: Vec<String>,
    /// Ids of packages, names or GUIDs of device setup classes that may be used; none for all.
    pub categories: Vec<String>,
    /// Only the best driver of each device.
    pub best_match: bool,
    /// Whether unsigned drivers may be used.
    pub allow_unsigned: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The INF files to place, those without which the system may not start first.
    pub choices: Vec<Choice<'a>>,
    /// The others.
    pub left_out: Vec<LeftOut>,
    /// Indexes of the devices that no INF file is for. Windows has drivers of its own.
    pub without_driver: Vec<usize>,
}

/// An INF file to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<'a> {
    /// It.
    pub inf: &'a DriverInf,
    /// Why; there is at least one reason.
    pub reasons: Vec<Reason>,
}

/// Why an INF file is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is for a device.
    Device {
        /// Where that is.
        location: String,
        /// What the INF file calls it.
        description: String,
        /// The id by which it was found.
        id: String,
        /// How well it fits.
        rank: u32,
    },
    /// Another INF file needs it.
    NeededBy(String),
    /// The whole package was asked for.
    Package,
}

/// An INF file that stays behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its package.
    pub package: String,
    /// Its path beneath the package.
    pub path: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why an INF file stays behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// It has errors.
    Error(String),
    /// It is for other architectures.
    Architecture(Vec<Architecture>),
    /// It is for other versions or kinds of Windows.
    OtherWindows,
    /// It is unsigned; in which way.
    Unsigned(String),
    /// The package lacks files that it needs.
    MissingFiles(Vec<String>),
    /// It is in none of the categories.
    Category,
    /// No device of the machine needs it.
    NoDevice,
    /// Another INF file fits the device better.
    Better {
        /// Where the device is.
        location: String,
        /// The package and path of the other INF file.
        than: String,
    },
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: Vec<String>| names.join(", ");
        match self {
            Self::Error(reason) => f.write_str(reason),
            Self::Architecture(found) if found.is_empty() => f.write_str("it supports no device"),
            Self::Architecture(found) => {
                write!(
                    f,
                    "it is for {}",
                    list(found.iter().map(ToString::to_string).collect())
                )
            }
            Self::OtherWindows => f.write_str("it is for other versions or kinds of Windows"),
            Self::Unsigned(how) => f.write_str(how),
            Self::MissingFiles(files) => write!(f, "the package lacks {}", list(files.clone())),
            Self::Category => f.write_str("it is in none of the categories"),
            Self::NoDevice => f.write_str("no device of this machine needs it"),
            Self::Better { location, than } => write!(f, "{than} fits {location} better"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device {
                location,
                description,
                id,
                rank,
            } => write!(f, "{description} for {location} by {id} (rank {rank:08x})"),
            Self::NeededBy(path) => write!(f, "{path} needs it"),
            Self::Package => f.write_str("its package was asked for"),
        }
    }
}

/// Chooses drivers for a machine's devices.
pub fn plan<'a>(index: &'a DriverIndex, devices: &[MachineDevice], request: &Request) -> Plan<'a> {
    let mut work = Work::new(index, request);
    let candidates = matches(
        work.usable.iter().copied(),
        &Machine::new(devices),
        &request.system,
    );
    for candidate in &candidates {
        work.consider(candidate, devices);
    }
    work.follow_needs(request);
    let matched: BTreeSet<usize> = candidates.iter().map(|candidate| candidate.device).collect();
    let without_driver = (0..devices.len())
        .filter(|device| !matched.contains(device))
        .collect();
    work.finish(without_driver)
}

/// Chooses everything of one package that the system can use.
pub fn plan_package<'a>(
    index: &'a DriverIndex,
    package: &str,
    system: System,
    allow_unsigned: bool,
) -> Plan<'a> {
    let request = Request {
        system,
        packages: vec![package.to_owned()],
        categories: vec![],
        best_match: false,
        allow_unsigned,
    };
    let mut work = Work::new(index, &request);
    for inf in work.usable.clone() {
        work.choose(inf, Reason::Package);
    }
    work.finish(vec![])
}

/// An INF file's package and path, by which it is told from all others.
type Key<'a> = (&'a str, &'a str);

fn key(inf: &DriverInf) -> Key<'_> {
    (&inf.package, &inf.path)
}

fn name(inf: &DriverInf) -> String {
    format!("{}/{}", inf.package, inf.path)
}

struct Work<'a> {
    usable: Vec<&'a DriverInf>,
    best_match: bool,
    chosen: BTreeMap<Key<'a>, Choice<'a>>,
    /// The best INF file of a device, and of each kind of extension of a device.
    best: BTreeMap<(usize, Option<&'a str>), &'a DriverInf>,
    /// Those that lost, with why.
    worse: BTreeMap<Key<'a>, WhyLeftOut>,
    left_out: Vec<LeftOut>,
}

impl<'a> Work<'a> {
    fn new(index: &'a DriverIndex, request: &Request) -> Self {
        let mut work = Self {
            usable: vec![],
            best_match: request.best_match,
            chosen: BTreeMap::new(),
            best: BTreeMap::new(),
            worse: BTreeMap::new(),
            left_out: vec![],
        };
        let asked = |package: &str| {
            request.packages.is_empty() || request.packages.iter().any(|id| id.eq_ignore_ascii_case(package))
        };
        for refused in index.refused.iter().filter(|refused| asked(&refused.package)) {
            work.leave_out(
                &refused.package,
                &refused.path,
                WhyLeftOut::Error(refused.reason.clone()),
            );
        }
        for inf in index.infs.iter().filter(|inf| asked(&inf.package)) {
            match unusable(inf, request) {
                Some(why) => work.leave_out(&inf.package, &inf.path, why),
                None => work.usable.push(inf),
            }
        }
        work
    }

    fn leave_out(&mut self, package: &str, path: &str, why: WhyLeftOut) {
        self.left_out.push(LeftOut {
            package: package.to_owned(),
            path: path.to_owned(),
            why,
        });
    }

    /// Candidates come with the best one of a device first. An extension does not compete with the driver, only with
    /// other versions of itself.
    fn consider(&mut self, candidate: &Candidate<'a>, devices: &[MachineDevice]) {
        let inf = candidate.inf;
        let location = devices
            .get(candidate.device)
            .map(|device| device.location.clone())
            .unwrap_or_default();
        let best = *self
            .best
            .entry((candidate.device, inf.extension.as_deref()))
            .or_insert(inf);
        if self.best_match && key(best) != key(inf) {
            let than = name(best);
            self.worse
                .entry(key(inf))
                .or_insert(WhyLeftOut::Better { location, than });
            return;
        }
        let reason = Reason::Device {
            location,
            description: candidate.description.to_owned(),
            id: candidate.id.to_owned(),
            rank: candidate.rank,
        };
        self.choose(inf, reason);
    }

    /// True when it was not chosen before.
    fn choose(&mut self, inf: &'a DriverInf, reason: Reason) -> bool {
        let is_new = !self.chosen.contains_key(&key(inf));
        let choice = self
            .chosen
            .entry(key(inf))
            .or_insert(Choice { inf, reasons: vec![] });
        choice.reasons.push(reason);
        is_new
    }

    /// Adds the software components that chosen INF files create and the INF files that they import, until nothing
    /// is new.
    fn follow_needs(&mut self, request: &Request) {
        let mut open: Vec<&'a DriverInf> = self.chosen.values().map(|choice| choice.inf).collect();
        while let Some(inf) = open.pop() {
            for needed in self.needs(inf, request) {
                if !self.chosen.contains_key(&key(needed)) && self.choose(needed, Reason::NeededBy(name(inf)))
                {
                    open.push(needed);
                }
            }
        }
    }

    fn needs(&self, inf: &'a DriverInf, request: &Request) -> Vec<&'a DriverInf> {
        let component = |id: &String| MachineDevice {
            location: id.clone(),
            ids: DeviceIds {
                hardware: vec![id.clone()],
                compatible: vec![],
            },
        };
        let components: Vec<_> = inf.components.iter().map(component).collect();
        let mut found: BTreeMap<usize, &'a DriverInf> = BTreeMap::new();
        if !components.is_empty() {
            for candidate in matches(
                self.usable.iter().copied(),
                &Machine::new(&components),
                &request.system,
            ) {
                found.entry(candidate.device).or_insert(candidate.inf);
            }
        }
        let is_copied = |other: &&&'a DriverInf| {
            other.package == inf.package
                && inf
                    .copies
                    .iter()
                    .any(|path| path.eq_ignore_ascii_case(&other.path))
        };
        let copied = self.usable.iter().filter(is_copied).copied();
        found.into_values().chain(copied).collect()
    }

    fn finish(mut self, without_driver: Vec<usize>) -> Plan<'a> {
        for inf in std::mem::take(&mut self.usable) {
            if !self.chosen.contains_key(&key(inf)) {
                let why = self.worse.remove(&key(inf)).unwrap_or(WhyLeftOut::NoDevice);
                self.leave_out(&inf.package, &inf.path, why);
            }
        }
        let mut choices: Vec<_> = self.chosen.into_values().collect();
        choices.sort_by_key(|choice| !choice.inf.boot_critical);
        self.left_out
            .sort_by(|a, b| (&a.package, &a.path).cmp(&(&b.package, &b.path)));
        Plan {
            choices,
            left_out: self.left_out,
            without_driver,
        }
    }
}

/// Why an INF file cannot be used, whatever the devices.
fn unusable(inf: &DriverInf, request: &Request) -> Option<WhyLeftOut> {
    let architecture = request.system.architecture;
    let architectures = inf.architectures();
    let missing: Vec<String> = inf.missing(architecture).map(str::to_owned).collect();
    let of_category = |category: &String| {
        [&inf.package, &inf.class, &inf.class_guid]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(category))
    };
    if !request.categories.is_empty() && !request.categories.iter().any(of_category) {
        Some(WhyLeftOut::Category)
    } else if !architectures.contains(&architecture) {
        Some(WhyLeftOut::Architecture(architectures))
    } else if selected_lists(inf, &request.system).all(|models| models.devices.is_empty()) {
        Some(WhyLeftOut::OtherWindows)
    } else if !inf.signature.is_signed() && !request.allow_unsigned {
        Some(WhyLeftOut::Unsigned(inf.signature.to_string()))
    } else if !missing.is_empty() {
        Some(WhyLeftOut::MissingFiles(missing))
    } else {
        None
    }
}
