//! Keyboard of the applied Linux.

use std::path::Path;

use task_sequence::steps::ApplyOsSettings;

use crate::platform::{self, Platform};

pub(super) fn set(platform: &dyn Platform, root: &Path, options: &ApplyOsSettings) -> platform::Result<()> {
    let keyboard = options
        .keyboard
        .clone()
        .or_else(|| options.input_locale.as_deref().map(layout_of));
    let Some(keyboard) = keyboard else { return Ok(()) };
    let text = format!(
        "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"{keyboard}\"\nXKBVARIANT=\"\"\nXKBOPTIONS=\"\"\nBACKSPACE=\"guess\"\n"
    );
    platform.write(&root.join("etc/default/keyboard"), text.as_bytes(), 0o644)?;
    platform.write(
        &root.join("etc/vconsole.conf"),
        format!("KEYMAP={keyboard}\n").as_bytes(),
        0o644,
    )
}

/// `nl-NL` → `nl`; `en-US` → `us`.
fn layout_of(locale: &str) -> String {
    locale.rsplit(['-', '_']).next().unwrap_or(locale).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyboard_follows_the_input_locale() {
        assert_eq!(layout_of("nl-NL"), "nl");
        assert_eq!(layout_of("en_US"), "us");
    }
}
