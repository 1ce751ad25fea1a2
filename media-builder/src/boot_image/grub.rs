//! GRUB's core images for a BIOS, made by the packages' own grub-mkimage.

use std::fs;
use std::path::Path;

use super::contents::{Bios, Core};
use super::depmod::foreign_command;
use super::packages::Tree;
use super::{Error, Result, tool};

const FOLDER: &str = "usr/lib/grub/i386-pc";
/// The package that all of these come from.
pub(super) const PACKAGE_FILE: &str = "usr/lib/grub/i386-pc/kernel.img";

/// Makes one core image.
pub(super) fn core(tree: &Tree, bios: &Bios, core: &Core, work: &Path) -> Result<Vec<u8>> {
    let folder = tree.host_path(PACKAGE_FILE, "grub-mkimage")?;
    let folder = folder.parent().unwrap_or(Path::new("/")).to_path_buf();
    let stage = tempfile::tempdir_in(work).map_err(Error::io("creating a folder in", work))?;
    let (config, output) = (stage.path().join("early.cfg"), stage.path().join("core.img"));
    fs::write(&config, &bios.early_config).map_err(Error::io("writing", &config))?;
    let mut command = foreign_command(tree, "usr/bin/grub-mkimage")?;
    command.args(["-O", &core.format, "-p", "/boot/grub"]);
    command
        .arg("-d")
        .arg(folder)
        .arg("-c")
        .arg(config)
        .arg("-o")
        .arg(&output)
        .args(&core.modules);
    tool::output(&mut command, "making GRUB's core image")?;
    fs::read(&output).map_err(Error::io("reading", &output))
}

/// GRUB's boot sectors and the core images: member name → content.
pub(super) fn members(tree: &Tree, bios: &Bios, work: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut members = Vec::new();
    for name in &bios.files {
        members.push((
            format!("bios/{name}"),
            tree.read(&format!("{FOLDER}/{name}"), "the boot image")?,
        ));
    }
    for (name, plan) in &bios.cores {
        members.push((name.clone(), core(tree, bios, plan, work)?));
    }
    Ok(members)
}
