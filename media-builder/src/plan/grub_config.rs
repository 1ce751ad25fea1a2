//! The boot menu: it first looks for the state of a run, then starts the boot image.

use media_format::paths;

use crate::resolve::ResolvedMedia;

const TEMPLATE: &str = include_str!("../../../templates/grub.cfg");
/// Seconds that an attended media shows its menu.
const MENU_SECONDS: &str = "5";

/// The text of `grub.cfg`.
pub(super) fn text(media: &ResolvedMedia) -> String {
    let settings = &media.project.settings;
    let name = plain(&settings.name);
    let timeout = if settings.unattended { "0" } else { MENU_SECONDS };
    TEMPLATE
        .replace("@COMMENT@", &name)
        .replace("@NAME@", &name.replace('\'', "'\\''"))
        .replace("@ID@", &media.media_id.to_string())
        .replace("@TIMEOUT@", timeout)
        .replace("@STATE@", &paths::state(&media.media_id.to_string()))
        .replace("@KERNEL@", paths::KERNEL)
        .replace("@INITRD@", paths::INITRD)
        .replace("@ARGUMENTS@", &arguments(media))
}

/// The kernel's command line. After a panic, which can be read for a while, the machine starts again and the run goes on.
fn arguments(media: &ResolvedMedia) -> String {
    let settings = &media.project.settings;
    let mut arguments = format!(
        "media.id={} console=tty0 console=ttyS0,115200 quiet panic=15",
        media.media_id
    );
    if settings.shell {
        arguments.push_str(" media.shell=1");
    }
    arguments.push_str(&format!(" media.ip={}", settings.network.get_ref()));
    arguments
}

/// A name on one line, without what would end the template's placeholders or quotes.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() || c == '@' { ' ' } else { c })
        .collect()
}
