//! Answer files of Windows set-up (unattend.xml), for Windows Vista and later.
//!
//! [`answer_file`] makes one from [`Settings`]; [`merge`] puts the settings into the user's own, whose values win;
//! [`remove_secrets`] takes out what must not stay when Windows has used it. The image is applied by us and not by
//! Windows set-up, so nothing is said in the pass `windowsPE`.

mod answers;
mod commands;
mod edit;
mod error;
mod expand;
mod from_steps;
mod merge;
mod network;
mod secrets;
mod settings;
mod shell;
mod source;
mod time_zone;
mod tree;

pub use error::Error;
pub use from_steps::Machine;
pub use merge::{Kept, Merged, merge, says};
pub use secrets::{Cleaned, KEPT, LEFT_BEHIND, PLACE, REMOVED, remove_secrets};
pub use settings::{
    Adapter, Administrator, Architecture, Image, Languages, Licensing, Membership, Settings, SetupCommand,
};
pub use shell::PREVENT_DEVICE_ENCRYPTION;

/// The answer file that says all of these settings, in UTF-8.
pub fn answer_file(settings: &Settings, image: &Image) -> Result<String, Error> {
    let root = answers::tree(settings, image)?;
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{}\n",
        root.write("")?
    ))
}
