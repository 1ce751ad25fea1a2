//! Images, and what is changed in a Windows that does not run.

use std::path::Path;

use media_format::hive::protocol::{Answer, Operation as HiveOperation};
use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{Message, Request, Summary};

use super::Result;

/// WIM files.
pub trait Images {
    /// What a WIM says of itself.
    fn image_info(&self, wim: &Path) -> Result<WimInfo>;
    /// Whether single files of an image can be read without applying it.
    fn extracts(&self) -> bool {
        true
    }
    /// Runs one request of the WIM worker to its end.
    fn image_request(&self, request: &Request, progress: &mut dyn FnMut(&Message)) -> Result<Summary>;
}

/// Drivers of a Windows that does not run.
pub trait Drivers {
    /// Adds a driver by its INF file to the Windows under `root`, where the boot image has a program for that; gives whether it has.
    fn add_driver(&self, _root: &Path, _inf: &Path, _signed: bool) -> Result<bool> {
        Ok(false)
    }
}

/// Registry hives of a Windows that does not run.
pub trait Hives {
    /// Does one thing with a hive on a mounted volume. A hive is replaced as a whole, after a flush, or not at all.
    fn hive(&self, operation: &HiveOperation) -> Result<Vec<Answer>>;
}
