//! Keyboard of the applied Linux.

use std::path::Path;

use task_sequence::steps::ApplyOsSettings;
use task_sequence::validate::{Keyboard, keyboard};

use crate::context::Failure;
use crate::platform::{self, Platform};
use crate::steps::Check;

pub(super) fn check(options: &ApplyOsSettings) -> Check {
    wanted(options).map(drop)
}

fn wanted(options: &ApplyOsSettings) -> Result<Option<Keyboard>, Failure> {
    let given = options
        .keyboard
        .clone()
        .map(|layout| Keyboard { layout, variant: "" });
    match (&given, options.input_locale.as_deref()) {
        (None, Some(text)) => keyboard(text).map(Some).map_err(Failure::new),
        _ => Ok(given),
    }
}

pub(super) fn set(platform: &dyn Platform, root: &Path, options: &ApplyOsSettings) -> Check {
    if let Some(keyboard) = wanted(options)? {
        write(platform, root, &keyboard)?;
    }
    Ok(())
}

fn write(platform: &dyn Platform, root: &Path, keyboard: &Keyboard) -> platform::Result<()> {
    let Keyboard { layout, variant } = keyboard;
    let text = format!(
        "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"{layout}\"\nXKBVARIANT=\"{variant}\"\nXKBOPTIONS=\"\"\nBACKSPACE=\"guess\"\n"
    );
    platform.write(&root.join("etc/default/keyboard"), text.as_bytes(), 0o644)?;
    let keymap = [layout.as_str(), variant].join("-");
    let text = format!("KEYMAP={}\n", keymap.trim_end_matches('-'));
    platform.write(&root.join("etc/vconsole.conf"), text.as_bytes(), 0o644)
}
