//! What the run puts on the target so that a restart reaches it whatever the firmware's boot order, and how it
//! takes all of it away again.

use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::manifest::Options;
use media_format::{boot_arguments, paths};

use crate::grub::Grub;
use crate::journal::Target;
use crate::media::Media;
use crate::platform::{Files, Firmware, Platform, Result};
use crate::windows::{boot as windows_boot, volume};
use crate::{selinux, winpe_boot};

pub mod boot_code;
pub mod first_stages;

/// Label of the firmware's boot entry while a run lasts.
pub const BOOT_ENTRY: &str = "media-runtime";
/// The staged loader on the EFI system partition.
pub const LOADER: &str = "/EFI/media-runtime/shimx64.efi";
/// What is copied of the media's own loaders, and how it is called there.
const EFI_LOADER: [(&str, &str); 3] = [
    ("EFI/BOOT/BOOTX64.EFI", "shimx64.efi"),
    ("EFI/BOOT/grubx64.efi", "grubx64.efi"),
    ("EFI/BOOT/mmx64.efi", "mmx64.efi"),
];
/// What GRUB finds its root by says that it is ours.
const STAGED: &[u8] = b"media-runtime, staged\n";
const UNIT: &str = "etc/systemd/system/media-runtime.service";
const WANTED: &str = "etc/systemd/system/multi-user.target.wants/media-runtime.service";
/// The lines around our part of a file that may be the user's.
const BEGIN: &str = "# media-runtime: from here to the end mark, removed at the end of the run\n";
const END: &str = "# media-runtime: end mark\n";

/// Makes the machine start the boot image first: from a copy on the target's boot partition, or from the media where it is a
/// Windows PE.
///
/// # Errors
/// When it does not fit or the firmware refuses the entry.
pub fn stage(platform: &dyn Platform, media: &Media, boot: &Path, disk: &Path, number: u32) -> Result<()> {
    copy_boot_image(platform, media, boot, disk)?;
    if media.starts_windows_pe() && platform.firmware() == Firmware::Uefi {
        return winpe_boot::register(platform, media, disk, number);
    }
    register(platform, disk, number)
}

/// Copies the boot image to the target's boot partition; first what says that all of it is ours.
///
/// # Errors
/// When it does not fit.
pub fn copy_boot_image(platform: &dyn Platform, media: &Media, boot: &Path, disk: &Path) -> Result<()> {
    platform.write(&boot.join(paths::DISK_INFO), STAGED, 0o644)?;
    if media.starts_windows_pe() {
        // Some hundred megabytes, which such a partition does not hold: the media itself is started.
        return stage_winpe(platform, media, boot, disk);
    }
    for (path, source) in media.staged_files() {
        platform
            .copy(&source, &boot.join(path))
            .with_context(|| format!("staging {path} on the target"))?;
    }
    platform.write(
        &boot.join(paths::GRUB_CONFIG),
        &staged_menu(platform, media)?,
        0o644,
    )?;
    platform
        .stage_loader(boot, disk, &media.boot)
        .context("staging the boot loader on the target")
}

/// UEFI has entries for it. A BIOS gets GRUB, which goes on to the menu of the media wherever that comes in the boot order.
fn stage_winpe(platform: &dyn Platform, media: &Media, boot: &Path, disk: &Path) -> Result<()> {
    if platform.firmware() == Firmware::Uefi {
        return Ok(());
    }
    let menu = WINPE_MENU.replace("@STATE@", &paths::state(&media.manifest.media_id));
    platform.write(&boot.join(paths::GRUB_CONFIG), menu.as_bytes(), 0o644)?;
    platform
        .stage_loader(boot, disk, &media.boot)
        .context("staging GRUB on the target")
}

/// Makes the firmware start the staged boot image first.
///
/// # Errors
/// When it refuses the entry.
pub fn register(platform: &dyn Platform, disk: &Path, number: u32) -> Result<()> {
    if platform.firmware() == Firmware::Uefi {
        platform.unregister(BOOT_ENTRY)?;
        platform.register(disk, number, BOOT_ENTRY, LOADER)?;
    }
    Ok(())
}

/// The media's own menu serves on the target too: it names its files by their paths and its media by its id.
fn staged_menu(platform: &dyn Platform, media: &Media) -> Result<Vec<u8>> {
    let menu = platform.read(&media.boot.join(paths::GRUB_CONFIG))?;
    menu.ok_or_else(|| anyhow::anyhow!("the media has no {}", paths::GRUB_CONFIG))
}

/// What is left of the staged menu where Windows has no boot code but GRUB's.
const WINDOWS_MENU: &str = include_str!("staging/windows.cfg");
/// What GRUB reads there while a run by Windows PE lasts, as long as it does not find the media.
const WINPE_MENU: &str = include_str!("staging/winpe.cfg");

/// Whether the boot partition is the one that a Windows is started from by a BIOS.
///
/// # Errors
/// When it cannot be read.
pub fn starts_windows(platform: &dyn Platform, boot: &Path) -> Result<bool> {
    let manager = volume::locate(platform, boot, windows_boot::BIOS_LOADER)?;
    Ok(platform.firmware() == Firmware::Bios && platform.exists(&manager))
}

/// Copies what UEFI starts of the media.
///
/// # Errors
/// When it does not fit.
pub fn copy_efi_loader(files: &impl Files, boot: &Path, media: &Path) -> Result<()> {
    let folder = boot.join("EFI/media-runtime");
    for (from, to) in EFI_LOADER {
        files.copy(&media.join(from), &folder.join(to))?;
    }
    Ok(())
}

/// Whether that boot partition, which was there before the run, can take the boot image without losing anything; an
/// interrupted run may have left its own there.
///
/// # Errors
/// When it holds what the boot image would replace.
pub fn check_foreign(platform: &dyn Platform, boot: &Path) -> Result<()> {
    if is_there(platform, boot)? {
        return Ok(());
    }
    // A cut while the mark was written leaves a part of it.
    let names = platform.list(&boot.join(".disk"))?;
    let others = names.iter().any(|name| name != "info.new");
    // By a BIOS, Windows itself starts from a folder of that name.
    let menu = platform.firmware() == Firmware::Uefi && platform.exists(&boot.join("boot"));
    for (path, foreign) in [(".disk", others), ("boot", menu)] {
        if foreign {
            bail!(
                "the {} has a folder \\{path}, which another system starts from; start the machine from the media instead",
                partition_name(platform.firmware())
            );
        }
    }
    Ok(())
}

/// What people call the partition that the firmware starts.
pub fn partition_name(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Uefi => "EFI system partition",
        Firmware::Bios => "system partition",
    }
}

/// Whether a boot image of ours lies there, complete or not.
///
/// # Errors
/// When the partition cannot be read.
pub fn is_there(platform: &dyn Platform, boot: &Path) -> Result<bool> {
    Ok(platform.read(&boot.join(paths::DISK_INFO))?.as_deref() == Some(STAGED))
}

/// Takes the staged boot image away from the target's boot partition, which lies on that disk.
///
/// # Errors
/// When something cannot be removed.
pub fn unstage(platform: &dyn Platform, boot: &Path, disk: &Path) -> Result<()> {
    if platform.firmware() == Firmware::Uefi {
        platform.unregister(BOOT_ENTRY)?;
        winpe_boot::unregister(platform)?;
    }
    if boot_code::are_kept(platform, boot) {
        boot_code::put_back(platform, boot, disk)?;
    } else if starts_windows(platform, boot)? {
        platform.write(&boot.join(paths::GRUB_CONFIG), WINDOWS_MENU.as_bytes(), 0o644)?;
    } else {
        platform.remove(&boot.join("boot"))?;
    }
    // What says that it is ours goes last.
    ["EFI/media-runtime", "media-runtime/boot", ".disk"]
        .iter()
        .try_for_each(|path| platform.remove(&boot.join(path)))
}

/// Plants the runtime in the installed system, so that it goes on there after its next start.
///
/// # Errors
/// When the system's volume cannot be written.
pub fn plant_runtime(platform: &dyn Platform, root: &Path, program: &Path, media: &Media) -> Result<()> {
    let installed = root.join(paths::INSTALLED.trim_start_matches('/'));
    platform
        .copy(program, &installed.join("media-runtime"))
        .context("copying the runtime into the system")?;
    platform.write(
        &installed.join("media-id"),
        media.manifest.media_id.as_bytes(),
        0o600,
    )?;
    platform.write(&root.join(UNIT), unit().as_bytes(), 0o644)?;
    platform.link(&root.join(WANTED), "/etc/systemd/system/media-runtime.service")?;
    // So that the system's own GRUB, too, can reach the boot image.
    let has = |program: &str| platform.exists(&root.join(program.trim_start_matches('/')));
    let custom = root.join(Grub::of(has, false)?.custom_menu());
    let users = platform.read(&custom)?.unwrap_or_default();
    let users = without_ours(&users).unwrap_or(users);
    // Before the user's part, which may start something itself.
    let ours = custom_menu(&media.manifest.media_id, &media.manifest.options).into_bytes();
    platform.write(&custom, &[ours, users].concat(), 0o644)?;
    selinux::admit_runtime(platform, root)
}

/// The user's part of GRUB's file; nothing where we have added none.
fn without_ours(text: &[u8]) -> Option<Vec<u8>> {
    let find = |mark: &str, text: &[u8]| text.windows(mark.len()).position(|part| part == mark.as_bytes());
    let begin = find(BEGIN, text)?;
    let length = find(END, &text[begin..])? + END.len();
    Some([&text[..begin], &text[begin + length..]].concat())
}

/// Takes our part out of GRUB's file, and the file where it was only ours.
fn restore_custom_menu(platform: &dyn Platform, path: &Path) -> Result<()> {
    let text = platform.read(path)?;
    match text.as_deref().and_then(without_ours) {
        None => Ok(()),
        Some(users) if users.is_empty() => platform.remove(path),
        Some(users) => platform.write(path, &users, 0o644),
    }
}

fn unit() -> String {
    format!(
        "[Unit]\nDescription=Task sequence of the media\nAfter=multi-user.target network-online.target\n\
         ConditionPathExists={0}/media-runtime\n\n[Service]\nType=simple\n\
         ExecStart={0}/media-runtime continue\nStandardOutput=journal\nTimeoutStopSec=10\n\
         KillMode=process\n\n[Install]\nWantedBy=multi-user.target\n",
        paths::INSTALLED
    )
}

/// Reaches the boot image from the installed system's own GRUB when the media is not first, or not there.
fn custom_menu(media_id: &str, options: &Options) -> String {
    format!(
        "{BEGIN}search --no-floppy --file /{state} --set=media_state\n\
         if [ -n \"$media_state\" ]; then\n\
         \x20 load_env --file ($media_state)/{state} next media\n\
         \x20 if [ \"$next\" = \"pe\" -a \"$media\" = \"{media_id}\" ]; then\n\
         \x20   linux ($media_state)/{kernel} {arguments}\n\
         \x20   initrd ($media_state)/{initrd}\n\
         \x20   boot\n\
         \x20 fi\n\
         fi\n{END}",
        state = paths::state(media_id),
        arguments = boot_arguments(media_id, options),
        kernel = paths::KERNEL,
        initrd = paths::INITRD,
    )
}

/// Removes what starts the runtime in the system under `root`; its folder with the log stays.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_unit(platform: &dyn Platform, root: &Path) -> Result<()> {
    [WANTED, UNIT]
        .iter()
        .try_for_each(|path| platform.remove(&root.join(path)))
}

/// Removes the runtime from the system under `root`.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_runtime(platform: &dyn Platform, root: &Path) -> Result<()> {
    for grub in [Grub::Debian, Grub::Grub2] {
        restore_custom_menu(platform, &root.join(grub.custom_menu()))?;
    }
    selinux::forget_runtime(platform, root)?;
    let installed = paths::INSTALLED.trim_start_matches('/');
    // What starts the runtime goes late, so that a cut before it leads here again.
    [WANTED, UNIT, installed]
        .iter()
        .try_for_each(|path| platform.remove(&root.join(path)))
}

/// Mount units of the target, for its `fstab`.
pub fn fstab(target: &Target) -> String {
    let mut lines = String::from("# <file system> <mount point> <type> <options> <dump> <pass>\n");
    // `mount -a` goes through the lines in order: a volume comes after the one that it lies in.
    let mut volumes: Vec<_> = target.volumes.iter().collect();
    volumes.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    for volume in volumes {
        let (id, point) = (&volume.id, volume.mount_point.replace(' ', "\\040"));
        let pass = if point == "/" { 1 } else { 2 };
        match volume.file_system.as_str() {
            "swap" => lines.push_str(&format!("PARTUUID={id} none swap sw 0 0\n")),
            _ if point.is_empty() => {}
            // What the installed system may lack a driver for must not keep it from starting.
            "fat32" => lines.push_str(&format!("PARTUUID={id} {point} vfat defaults,nofail 0 0\n")),
            "exfat" => lines.push_str(&format!("PARTUUID={id} {point} exfat defaults,nofail 0 0\n")),
            "ntfs" => lines.push_str(&format!("PARTUUID={id} {point} ntfs3 defaults,nofail 0 0\n")),
            kind => lines.push_str(&format!("PARTUUID={id} {point} {kind} defaults 0 {pass}\n")),
        }
    }
    if let Some(efi) = &target.efi {
        // The journal lies there, and the check of pass 1 is left out where the image has no fsck.fat: what a cut left of
        // another file must not make it read-only.
        lines.push_str(&format!(
            "PARTUUID={efi} /boot/efi vfat umask=0077,errors=continue 0 1\n"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that starts its disk first comes back with the network that the media has.
    #[test]
    fn the_systems_own_menu_starts_the_boot_image_as_the_media_does() {
        let options = Options {
            network: "192.0.2.10/24".into(),
            ..Options::default()
        };
        let menu = custom_menu("4b2c", &options);
        let line = menu.lines().find(|line| line.contains(paths::KERNEL)).unwrap();
        assert!(line.ends_with(&boot_arguments("4b2c", &options)), "{line}");
    }

    #[test]
    fn the_users_part_of_grubs_file_comes_back_byte_for_byte() {
        let ours = custom_menu("4b2c", &Options::default());
        for users in [&b""[..], b"set timeout=3\n", b"no line end, and no text \xff"] {
            let both = [ours.as_bytes(), users].concat();
            assert_eq!(without_ours(&both).as_deref(), Some(users));
            assert_eq!(without_ours(users), None);
        }
        // Somebody has added a line before ours.
        let around = [b"before\n", ours.as_bytes(), b"after\n"].concat();
        assert_eq!(without_ours(&around).as_deref(), Some(&b"before\nafter\n"[..]));
    }
}
