//! The boot menu: it first looks for the state of a run, then starts the boot image. With a WinPE only a BIOS reads it.

use media_format::{boot_arguments, paths};

use crate::boot_image::Kind;
use crate::resolve::ResolvedMedia;

const TEMPLATE: &str = include_str!("../../../templates/grub.cfg");
/// Seconds that an attended media shows its menu.
const MENU_SECONDS: &str = "5";

/// A superuser without a password: nobody edits an entry or comes to GRUB's command line, which would lead to a shell.
const LOCKED: &str = "set superusers=nobody\n";
const OPEN: &str = "";

/// What starts each kind of boot image.
const LINUX: &str = "linux ($media_root)/@KERNEL@ @ARGUMENTS@\n\tinitrd ($media_root)/@INITRD@";
const WINDOWS: &str = "set root=$media_root\n\tntldr /bootmgr";

/// The text of `grub.cfg`.
pub(super) fn text(media: &ResolvedMedia) -> String {
    let settings = &media.project.settings;
    let name = plain(&settings.name);
    let timeout = if settings.unattended { "0" } else { MENU_SECONDS };
    let start = match media.boot.kind {
        Kind::LinuxPe => LINUX,
        Kind::WinPe => WINDOWS,
    };
    TEMPLATE
        .replace("@START@", start)
        .replace("@COMMENT@", &name)
        .replace("@NAME@", &name.replace('\'', "'\\''"))
        .replace("@ID@", &media.media_id.to_string())
        .replace("@TIMEOUT@", timeout)
        .replace("@STATE@", &paths::state(&media.media_id.to_string()))
        .replace("@LOCK@", if settings.shell { OPEN } else { LOCKED })
        .replace("@KERNEL@", paths::KERNEL)
        .replace("@INITRD@", paths::INITRD)
        .replace(
            "@ARGUMENTS@",
            &boot_arguments(&media.media_id.to_string(), &super::options(media)),
        )
}

/// A name on one line, without what would end the template's placeholders or quotes.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() || c == '@' { ' ' } else { c })
        .collect()
}
