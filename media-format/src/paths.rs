//! Where things lie, relative to the root of the volume that carries them.

/// Folder of everything of ours on the media's boot volume and on the target's boot partition.
pub const FOLDER: &str = "media-runtime";
/// The manifest: on the boot volume of the media, in this fixed place, written last.
pub const MANIFEST: &str = "media-runtime/media.json";
/// Task sequences: `media-runtime/sequences/<id>.toml`.
pub const SEQUENCES: &str = "media-runtime/sequences";
/// Secrets of an unattended media, readable by whoever holds it.
pub const SECRETS: &str = "media-runtime/secrets.json";
/// The index of the driver packages ([`crate::drivers`]), where there are any.
pub const DRIVERS: &str = "media-runtime/drivers.json";
/// The kernel of the boot image, on the media and staged on the target.
pub const KERNEL: &str = "media-runtime/boot/vmlinuz";
/// The initramfs of the boot image, on the media and staged on the target.
pub const INITRD: &str = "media-runtime/boot/initrd.img";
/// GRUB's first sector for a BIOS, for staging on the target.
pub const BIOS_BOOT: &str = "media-runtime/boot/boot.img";
/// GRUB's core image for a BIOS, for staging on the target.
pub const BIOS_CORE: &str = "media-runtime/boot/core.img";
/// What Debian's signed GRUB looks for to find its root.
pub const DISK_INFO: &str = ".disk/info";
/// The menu that Debian's signed GRUB reads next.
pub const GRUB_CONFIG: &str = "boot/grub/grub.cfg";
/// The runtime for Windows where a sequence is for one: on the data volume of a stick, in the root of an ISO. It goes into an
/// installed Windows from there, and a person starts it there inside a running one.
pub const WINDOWS_RUNTIME: &str = "media-runtime.exe";
/// On the data partition of a stick: names the media that it belongs to.
pub const MEDIA_ID: &str = "media-runtime/media-id";
/// Packages: `packages/<id>/…` on the data volume (on an ISO the same volume).
pub const PACKAGES: &str = "packages";
/// Captured images come here, on the data volume of a stick.
pub const CAPTURES: &str = "captures";
/// Logs are copied here, on the data volume of a stick.
pub const LOGS: &str = "logs";

/// The boot state on the target's boot partition ([`crate::state`]). GRUB can only look for a file that exists: with
/// the media's id in its name, what a run of other media has left on an earlier disk does not hide it.
pub fn state(media_id: &str) -> String {
    format!("{FOLDER}/{media_id}.env")
}
/// The journal on the target's boot partition ([`crate::journal`]).
pub const JOURNAL: &str = "media-runtime/journal";

/// Label of the data partition of a stick.
pub const DATA_LABEL: &str = "MEDIA-DATA";
/// Label of the boot partition of a stick and of the ISO.
pub const BOOT_LABEL: &str = "MEDIA-BOOT";

/// Folder of the runtime inside the reference system, from set-up until it is removed before the capture.
pub const INSTALLED: &str = "/var/lib/media-runtime";
/// The same folder in a Windows, from the root of its volume.
pub const INSTALLED_WINDOWS: &str = "ProgramData/media-runtime";
/// The runtime in that folder.
pub const WINDOWS_PROGRAM: &str = "media-runtime.exe";
/// The id of the run's media, in the runtime's folder of either system.
pub const INSTALLED_MEDIA_ID: &str = "media-id";
/// The service that starts the runtime in a Windows.
pub const WINDOWS_SERVICE: &str = "media-runtime";
