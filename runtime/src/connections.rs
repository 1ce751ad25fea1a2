//! Folders that were made to show a share in: they go when the run leaves the system, so that no reference keeps them.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use media_format::event::Environment;
use serde::{Deserialize, Serialize};

use crate::context::{Context, inside};
use crate::platform::{Platform, Result, System};
use crate::run::Run;

/// A folder that the run has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MadeFolder {
    /// Where.
    pub environment: Environment,
    /// Its path there.
    pub folder: PathBuf,
}

impl MadeFolder {
    fn lies_in(&self, other: &Self) -> bool {
        self.environment == other.environment && self.folder.starts_with(&other.folder)
    }
}

/// The folders that a connection at that place makes, the deepest first; Windows has letters for that.
pub fn missing(platform: &dyn Platform, at: &Path) -> Vec<PathBuf> {
    if platform.system() == System::Windows {
        return Vec::new();
    }
    let above = at.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    above
        .take_while(|folder| !platform.exists(folder))
        .map(Path::to_owned)
        .collect()
}

/// Notes in the journal what a connection at that place makes, before it does.
///
/// # Errors
/// When the journal cannot be written.
pub fn remember(context: &mut Context<'_>, at: &Path) -> Result<()> {
    let made = missing(context.platform, at);
    if made.is_empty() {
        return Ok(());
    }
    let environment = context.here;
    let made = made.into_iter().map(|folder| MadeFolder { environment, folder });
    context.journal.saved.made_folders.extend(made);
    context.keep()
}

/// Before the run leaves the system that runs: ends what is connected at folders of its own, and removes those that are empty then.
/// What cannot be removed is told; a capture leaves it out all the same.
pub fn close(run: &mut Run<'_>) {
    let all = std::mem::take(&mut run.journal.saved.made_folders);
    let (mut here, mut left): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|made| made.environment == run.here);
    here.sort_by(innermost_first);
    for made in here {
        if left.iter().any(|other| other.lies_in(&made)) {
            left.push(made);
            continue;
        }
        let closed = run.platform.disconnect(&made.folder);
        if let Err(error) = closed.and_then(|()| run.platform.remove_empty(&made.folder)) {
            run.log.warning(format!(
                "the folder {}, which was made for a share, stays: {error:#}",
                made.folder.display()
            ));
            left.push(made);
        }
    }
    run.journal.saved.made_folders = left;
}

fn innermost_first(one: &MadeFolder, other: &MadeFolder) -> Ordering {
    other.folder.cmp(&one.folder)
}

/// Takes the folders that could not be removed in the installed system out of a view of it.
pub fn leave_out(context: &Context<'_>, root: &Path) {
    let mut made = context.journal.saved.made_folders.clone();
    made.retain(|made| made.environment == Environment::Os);
    made.sort_by(innermost_first);
    for made in made {
        let folder = inside(root, &made.folder.display().to_string());
        if let Err(error) = context.platform.remove_empty(&folder) {
            context
                .log
                .warning(format!("{} is captured: {error:#}", made.folder.display()));
        }
    }
}
