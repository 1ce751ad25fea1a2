//! Edits a hive, or makes a new one.

use std::fs;
use std::path::Path;

use media_format::hive::Edit;
use media_format::hive::protocol::{Source, Write};

use crate::base_block;
use crate::edit;
use crate::empty;
use crate::failure::Failure;
use crate::libhivex::Hive;
use crate::read::damaged;
use crate::replace::Partial;

pub(crate) fn run(write: &Write) -> Result<(), Failure> {
    for edit in &write.edits {
        edit.check()
            .map_err(|e| Failure::new(format!("editing {}: {e}", write.hive.display())))?;
    }
    let partial = Partial::beside(&write.hive)?;
    let mut hive = match &write.source {
        Source::Itself => open(&write.hive),
        Source::Copy(path) => open(path),
        Source::Nothing => create(partial.path()),
    }?;
    for change in &write.edits {
        edit::apply(&mut hive, change).map_err(|e| damaged(doing(change, &write.hive), &e))?;
    }
    let name = partial.path().display();
    hive.commit(partial.path())
        .map_err(|e| Failure::io(format!("writing {name}"), &e))?;
    drop(hive);
    // A write that was cut short without an error would show here, and as a hive that cannot be opened.
    open(partial.path())?;
    partial.complete()
}

fn open(path: &Path) -> Result<Hive, Failure> {
    base_block::check(path)?;
    Hive::open_to_change(path).map_err(|e| damaged(format!("opening {}", path.display()), &e))
}

fn create(path: &Path) -> Result<Hive, Failure> {
    fs::write(path, empty::hive()).map_err(|e| Failure::io(format!("writing {}", path.display()), &e))?;
    open(path)
}

fn doing(edit: &Edit, hive: &Path) -> String {
    let hive = hive.display();
    match edit {
        Edit::CreateKey { key } => format!("making the key {key} in {hive}"),
        Edit::SetValue { key, name, .. } => format!("setting the value {name} of {key} in {hive}"),
        Edit::DeleteValue { key, name } => format!("removing the value {name} of {key} from {hive}"),
        Edit::DeleteKey { key } => format!("removing the key {key} from {hive}"),
    }
}
