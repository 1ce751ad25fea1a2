//! The recovery environment of an applied Windows on the disk's recovery partition, where the boot image has a program to register
//! it. Elsewhere Windows does it itself when it is set up.

use std::path::Path;

use super::volume::{self, NTFS};
use crate::context::Context;
use crate::platform::{Partition, Result};
use crate::winpe_boot;

/// Where an image has it.
const IMAGE: &str = "Windows/System32/Recovery/Winre.wim";
/// Where a recovery partition has it.
const PLACE: &str = "Recovery/WindowsRE";
/// Types of recovery partitions, in a GPT and an MBR.
const KINDS: [&str; 2] = ["de94bba4-06d1-4d40-a16a-bfd50179d6ac", "0x27"];

/// Copies it there and registers it. Windows starts without it, so a failure is only told.
///
/// # Errors
/// When the disks cannot be looked at.
pub fn place(context: &Context<'_>, root: &Path) -> Result<()> {
    if !winpe_boot::is_here(context.platform, context.here) {
        return Ok(());
    }
    let (disk, _, _) = context.partition(&context.target()?.system)?;
    let image = volume::locate(context.platform, root, IMAGE)?;
    let Some(partition) = disk.partitions.iter().find(|partition| is_recovery(partition)) else {
        return Ok(());
    };
    if !context.platform.exists(&image) {
        return Ok(());
    }
    if let Err(error) = copy_and_register(context, root, &image, partition) {
        context.log.warning(format!(
            "the recovery environment is not on its partition; Windows may put it there itself: {error:#}"
        ));
    }
    Ok(())
}

fn is_recovery(partition: &Partition) -> bool {
    let kind = partition.kind.to_ascii_lowercase();
    KINDS.contains(&kind.as_str()) && partition.file_system == NTFS
}

/// The image keeps its own, which a capture takes.
fn copy_and_register(context: &Context<'_>, root: &Path, image: &Path, partition: &Partition) -> Result<()> {
    let folder = context.platform.mount(&partition.path, true)?.join(PLACE);
    context.platform.copy(image, &folder.join("Winre.wim"))?;
    context.platform.register_recovery(root, &folder)?;
    context.platform.unmount(&partition.path)
}
