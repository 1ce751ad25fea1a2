//! Which of its two sets of boot files a Windows is started from on this machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use media_format::wim::info::ImageInfo;
use media_format::wim::protocol::{Extract, Operation, Request};
use windows_setup::secure_boot::{BootFiles, Choice, Database, Firmware, Program, choose as choice};

use super::{image, volume};
use crate::context::Context;
use crate::platform::{self, Platform, Result};
use crate::wim_files;

/// As for an image that is applied.
const MEMORY_LIMIT: u64 = 2 << 30;
/// Where boot managers of an image are looked at.
const LOOKED_AT: &str = "/run/media-runtime/boot-files";
/// Oldest first.
const SETS: [BootFiles; 2] = [BootFiles::Pca2011, BootFiles::Ca2023];

/// Finds out before anything is changed whether this machine will start the image.
///
/// # Errors
/// When it will not.
pub fn check(context: &Context<'_>, wanted: Option<BootFiles>) -> Result<()> {
    let platform = context.platform;
    if platform.firmware() == platform::Firmware::Bios {
        return Ok(());
    }
    // To read one file of a solid image takes a while: only where its answer counts.
    if platform.secure_boot() != Some(true) && wanted.is_none() {
        return Ok(());
    }
    let Some((wim, image)) = image::applied(context)? else {
        return Ok(());
    };
    if !platform.extracts() {
        return check_names(context, &wim, &image, wanted);
    }
    let folder = Path::new(LOOKED_AT);
    platform.remove(folder)?;
    extract(context, &wim, &image, folder)
        .with_context(|| format!("looking at the boot managers of image {}", image.index))?;
    let there = programs(context, |files| {
        let name = Path::new(files.boot_manager()).file_name().unwrap_or_default();
        volume::locate(platform, folder, &name.to_string_lossy())
    })?;
    platform.remove(folder)?;
    decide(platform, wanted, &there).map(drop)
}

/// Where single files of an image cannot be read, its signers are known only when it was applied: until then, what counts is
/// whether the image has the set that the firmware's certificates or the sequence ask for.
fn check_names(
    context: &Context<'_>,
    wim: &Path,
    image: &ImageInfo,
    wanted: Option<BootFiles>,
) -> Result<()> {
    context.log.info(
        "the signatures of the image's boot managers are compared with the firmware's lists after the image was applied: DISM \
         takes no single files out of an image",
    );
    let Some(wanted) = wanted.map_or_else(|| asked_for(context.platform), |wanted| Ok(Some(wanted)))? else {
        return Ok(());
    };
    image::check_has(context, wim, image, wanted.boot_manager())
        .with_context(|| format!("looking for the boot files of image {}", image.index))
}

/// The set that the firmware's certificates ask for, where it is not the one that every image has.
fn asked_for(platform: &dyn Platform) -> Result<Option<BootFiles>> {
    let names = list(platform, "db")?.map_or_else(Vec::new, |db| db.names());
    let has = |authority: &str| names.iter().any(|name| name.contains(authority));
    let only_new = has("Windows UEFI CA 2023") && !has("Production PCA 2011");
    Ok(only_new.then_some(BootFiles::Ca2023))
}

fn extract(context: &Context<'_>, wim: &Path, image: &ImageInfo, folder: &Path) -> Result<()> {
    let request = Request {
        memory_limit: Some(MEMORY_LIMIT),
        operation: Operation::Extract(Extract {
            wim: wim.to_owned(),
            parts: wim_files::parts(context.platform, wim)?,
            index: image.index,
            paths: SETS.map(|files| Path::new("/").join(files.boot_manager())).into(),
            folder: folder.to_owned(),
        }),
    };
    context.platform.image_request(&request, &mut |_| {}).map(drop)
}

/// Chooses for the Windows under `root`, and says who has signed what.
///
/// # Errors
/// When this machine would start none.
pub fn choose(context: &Context<'_>, root: &Path, wanted: Option<BootFiles>) -> Result<BootFiles> {
    if context.platform.firmware() == platform::Firmware::Bios {
        return Ok(BootFiles::Pca2011);
    }
    let there = programs(context, |files| {
        volume::locate(context.platform, root, files.boot_manager())
    })?;
    for (files, program) in &there {
        let signers = program.as_ref().map_or_else(|| "nobody".into(), Program::signers);
        context
            .log
            .info(format!("{} is signed by {signers}", files.boot_manager()));
    }
    let chosen = decide(context.platform, wanted, &there)?;
    context.log.info(format!(
        "Windows starts from {}: {}",
        chosen.files.boot_manager(),
        chosen.why
    ));
    Ok(chosen.files)
}

/// The boot managers that are there; nothing for what no firmware would start.
fn programs(
    context: &Context<'_>,
    place: impl Fn(BootFiles) -> Result<PathBuf>,
) -> Result<Vec<(BootFiles, Option<Program>)>> {
    let mut found = Vec::new();
    for files in SETS {
        let Some(bytes) = context.platform.read(&place(files)?)? else {
            continue;
        };
        let program = Program::read(&bytes);
        if let Err(error) = &program {
            let text = format!("{} of the image: {error}", files.boot_manager());
            context.log.warning(text);
        }
        found.push((files, program.ok()));
    }
    Ok(found)
}

fn decide(
    platform: &dyn Platform,
    wanted: Option<BootFiles>,
    there: &[(BootFiles, Option<Program>)],
) -> Result<Choice> {
    let firmware = Firmware {
        secure_boot: platform.secure_boot() == Some(true),
        db: list(platform, "db")?,
        dbx: list(platform, "dbx")?.unwrap_or_default(),
    };
    Ok(choice(wanted, there, &firmware)?)
}

/// One of the firmware's lists.
fn list(platform: &dyn Platform, name: &str) -> Result<Option<Database>> {
    let bytes = platform.signature_list(name);
    let read = bytes.map(|bytes| Database::read(&bytes)).transpose();
    read.with_context(|| format!("reading the firmware's list {name}"))
}
