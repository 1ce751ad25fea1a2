//! Drivers of the media in an applied Windows: their files, the folders in which Windows looks for drivers, and what it needs to
//! reach its own disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use media_format::drivers::{Architecture, DriverInf, Signature};
use media_format::paths;
use uuid::Uuid;
use windows_setup::drivers::{Choice, Plan, System, WhyLeftOut};
use windows_setup::offline_registry::{
    BootDriver, ControlSet, SOFTWARE_HIVE, SYSTEM_HIVE, boot_driver_queries, device_path, device_path_query,
    without_boot_driver, without_device_paths,
};

use super::hives::Hive;
use super::volume;
use crate::context::Context;
use crate::in_windows::driver_store;
use crate::journal::WindowsSystem;
use crate::platform::{Platform, Result};
use crate::winpe_boot;

/// In the runtime's own folder, with which they go again: by then Windows has installed what it needs.
const FOLDER: &str = "drivers";
const DRIVERS: &str = "Windows/System32/drivers";
/// Everything beneath our folder is found by this beginning in a list of paths.
pub const BEGINNING: &str = r"%SystemDrive%\ProgramData\media-runtime\";

impl WindowsSystem {
    /// For the matching of drivers.
    pub fn system(&self) -> System {
        System {
            architecture: Architecture::Amd64,
            major: self.version.0,
            minor: self.version.1,
            build: self.build,
            product_type: if self.server {
                System::SERVER
            } else {
                System::WORKSTATION
            },
            suites: 0,
        }
    }
}

/// Says what was chosen and why the rest stays behind.
pub fn log(context: &Context<'_>, plan: &Plan<'_>) {
    for choice in &plan.choices {
        let reasons: Vec<String> = choice.reasons.iter().map(ToString::to_string).collect();
        context.log.info(format!(
            "driver {}/{} {}: {}",
            choice.inf.package,
            choice.inf.path,
            choice.inf.version,
            reasons.join("; ")
        ));
    }
    for left in &plan.left_out {
        context.log.info(format!(
            "driver {}/{} stays behind: {}",
            left.package, left.path, left.why
        ));
    }
}

/// Why nothing was chosen, in one line.
pub fn why_nothing(plan: &Plan<'_>) -> String {
    /// More would not fit on a screen, and mostly says the same.
    const MOST: usize = 5;
    // What could be mended stands before what is for other machines.
    let is_other = |why: &WhyLeftOut| matches!(why, WhyLeftOut::Architecture(_) | WhyLeftOut::NoDevice);
    let mut left: Vec<_> = plan.left_out.iter().collect();
    left.sort_by_key(|left| is_other(&left.why));
    let left = left.iter().take(MOST);
    let mut whys: Vec<String> = left.map(|left| format!("{}: {}", left.path, left.why)).collect();
    match plan.left_out.len() {
        0 => whys.push("it has no INF file".into()),
        all if all > MOST => whys.push(format!("and {} more", all - MOST)),
        _ => {}
    }
    whys.join("; ")
}

/// Puts the chosen drivers into the applied Windows.
///
/// # Errors
/// When a file is missing, or the volume cannot be written.
pub fn place(context: &Context<'_>, choices: &[Choice<'_>]) -> Result<()> {
    if choices.is_empty() {
        return Ok(());
    }
    let root = context.system_root(true)?;
    if add(context, &root, choices)? {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for (done, choice) in choices.iter().enumerate() {
        context.progress("placing drivers", done as u64, choices.len() as u64);
        folders.insert(copy_package(context, &root, choice.inf)?);
    }
    let hive = Hive::at(context.platform, &root, SOFTWARE_HIVE)?;
    let current = hive.value(device_path_query())?;
    let folders: Vec<String> = folders.into_iter().collect();
    hive.edit(vec![device_path(current.as_ref(), &folders)?])
        .context("naming the folders with drivers")?;
    for choice in choices.iter().filter(|choice| choice.inf.boot_critical) {
        enter_boot_drivers(context, &root, choice.inf)
            .with_context(|| format!("entering the driver {}", choice.inf.path))?;
    }
    Ok(())
}

/// What the boot loader has to load is copied out of its package as it is, so one that is packed there (`name.sy_`, or in a cabinet file)
/// is found before anything is changed. In Windows PE, Windows' own program unpacks it.
///
/// # Errors
/// When a driver is packed.
pub fn check_packed(context: &Context<'_>, choices: &[Choice<'_>]) -> Result<()> {
    if winpe_boot::is_here(context.platform, context.here) {
        return Ok(());
    }
    for choice in choices.iter().filter(|choice| choice.inf.boot_critical) {
        for (driver, source) in boot_drivers(choice.inf) {
            if !is_on_media(context, &choice.inf.package, &source)? {
                bail!(
                    "the boot loader of Windows needs {} of the driver {}/{}, which is packed there: unpack it beside the INF \
                     file (`expand`), and build the media again",
                    driver.file,
                    choice.inf.package,
                    choice.inf.path
                );
            }
        }
    }
    Ok(())
}

fn is_on_media(context: &Context<'_>, package: &str, source: &str) -> Result<bool> {
    let package = context.package(package)?;
    let path = format!("{}/{source}", package.path);
    let mut files = context.media.manifest.files_of(package);
    Ok(files.any(|file| file.path.eq_ignore_ascii_case(&path)))
}

/// Has the boot image's own program add them, where it has one.
fn add(context: &Context<'_>, root: &Path, choices: &[Choice<'_>]) -> Result<bool> {
    let platform = context.platform;
    for (done, choice) in choices.iter().enumerate() {
        let content = context.content(&choice.inf.package)?;
        let inf = volume::locate(platform, &content, &choice.inf.path)?;
        let signed = choice.inf.signature.is_signed();
        context.progress("adding drivers", done as u64, choices.len() as u64);
        if !platform.add_driver(root, &inf, signed)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The folder with the INF file, as Windows names it.
fn copy_package(context: &Context<'_>, root: &Path, inf: &DriverInf) -> Result<String> {
    let platform = context.platform;
    let content = context.content(&inf.package)?;
    let own = volume::locate(platform, root, paths::INSTALLED_WINDOWS)?;
    let target = own.join(FOLDER).join(&inf.package);
    for file in files(inf) {
        let Some((from, file)) = source(platform, &content, &file)? else {
            let text = format!("{}/{file} is in a cabinet file and is not placed", inf.package);
            context.log.warning(text);
            continue;
        };
        platform
            .copy(&from, &target.join(&file))
            .with_context(|| format!("placing {file} of the driver package \"{}\"", inf.package))?;
    }
    let folder = match inf.path.rsplit_once('/') {
        Some((folder, _)) => format!(r"{}\{}", inf.package, folder.replace('/', "\\")),
        None => inf.package.clone(),
    };
    Ok(format!(r"{BEGINNING}{FOLDER}\{folder}"))
}

/// A file of a package, as it is or compressed (`name.sy_`), which Windows unpacks.
fn source(platform: &dyn Platform, content: &Path, file: &str) -> Result<Option<(PathBuf, String)>> {
    let mut compressed = file.to_owned();
    compressed.pop();
    compressed.push('_');
    for name in [file.to_owned(), compressed] {
        let path = volume::locate(platform, content, &name)?;
        if platform.exists(&path) {
            return Ok(Some((path, name)));
        }
    }
    Ok(None)
}

/// The INF file, its catalog, which lies beside it, and what it copies.
fn files(inf: &DriverInf) -> BTreeSet<String> {
    let beside = |name: &str| match inf.path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    let catalog = match &inf.signature {
        Signature::Listed { catalog, .. }
        | Signature::NotListed { catalog, .. }
        | Signature::CatalogDamaged { catalog, .. } => Some(beside(catalog)),
        Signature::Unsigned | Signature::CatalogMissing { .. } => None,
    };
    let needed = inf.files.iter().filter(|file| file.present);
    let needed = needed.filter(|file| file.architectures.contains(&Architecture::Amd64));
    let copied = needed.map(|file| file.path.clone());
    copied.chain([inf.path.clone()]).chain(catalog).collect()
}

fn enter_boot_drivers(context: &Context<'_>, root: &Path, inf: &DriverInf) -> Result<()> {
    let platform = context.platform;
    let hive = Hive::at(platform, root, SYSTEM_HIVE)?;
    let set = ControlSet::current(hive.value(ControlSet::query())?.as_ref())?;
    let database = hive.key(BootDriver::query())?;
    for (driver, source) in boot_drivers(inf) {
        let content = context.content(&inf.package)?;
        let from = volume::locate(platform, &content, &source)?;
        let to = volume::locate(platform, root, &format!("{DRIVERS}/{}", driver.file))?;
        platform.copy(&from, &to)?;
        hive.edit(driver.edits(&set, database.as_ref())?)?;
        context.log.info(format!(
            "{} is loaded by the boot loader of Windows, for {} kinds of devices",
            driver.file,
            driver.ids.len()
        ));
    }
    Ok(())
}

/// The drivers that the boot loader has to load, each with its file's path beneath the package.
fn boot_drivers(inf: &DriverInf) -> Vec<(BootDriver, String)> {
    let lists = inf.manufacturers.iter().flat_map(|maker| &maker.models);
    let lists = lists.filter(|models| models.target.effective_architecture() == Architecture::Amd64);
    let ids: BTreeSet<String> = lists
        .flat_map(|models| &models.devices)
        .map(|device| device.hardware_id.clone())
        .filter(|id| id.contains('\\'))
        .collect();
    let class = Uuid::try_parse(&inf.class_guid).unwrap_or_default();
    let services = inf.services.iter().filter(|service| {
        service.start == 0 && service.function_driver && service.architectures.contains(&Architecture::Amd64)
    });
    let made = services.filter_map(|service| {
        // Also one that is to run from the driver store: the boot loader finds it here.
        let (_, file) = service.binary.rsplit_once('\\')?;
        let source = inf.files.iter().find(|known| {
            let name = known.path.rsplit('/').next().unwrap_or(&known.path);
            known.present && name.eq_ignore_ascii_case(file)
        })?;
        let driver = BootDriver {
            service: service.name.clone(),
            file: file.to_owned(),
            group: service.group.clone(),
            class,
            ids: ids.iter().cloned().collect(),
        };
        Some((driver, source.path.clone()))
    });
    made.collect()
}

/// In the Windows that runs: takes the placed drivers into its driver store, because their folder goes at the end of the run.
///
/// # Errors
/// When Windows refuses one, or has no program for that.
pub fn keep(context: &Context<'_>, root: &Path) -> Result<()> {
    let placed = folder(context.platform, root)?;
    if !context.platform.exists(&placed) {
        return Ok(());
    }
    context.progress("adding drivers to the driver store", 0, 0);
    driver_store::add(context.platform, context.log, &placed)
}

/// Takes out what names the folder of the drivers, and the entries by which Windows was started with them.
///
/// # Errors
/// When a hive cannot be read or changed.
pub fn remove(platform: &dyn Platform, root: &Path) -> Result<()> {
    if !platform.exists(&folder(platform, root)?) {
        return Ok(());
    }
    let software = Hive::at(platform, root, SOFTWARE_HIVE)?;
    let current = software.value(device_path_query())?;
    software.edit(without_device_paths(current.as_ref(), BEGINNING))?;
    let system = Hive::at(platform, root, SYSTEM_HIVE)?;
    let database = system.key(BootDriver::query())?;
    let mut edits = Vec::new();
    for (inf, query) in boot_driver_queries(database.as_ref()) {
        edits.extend(without_boot_driver(&inf, system.key(query)?.as_ref()));
    }
    system.edit(edits)
}

fn folder(platform: &dyn Platform, root: &Path) -> Result<PathBuf> {
    Ok(volume::locate(platform, root, paths::INSTALLED_WINDOWS)?.join(FOLDER))
}
