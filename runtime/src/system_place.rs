//! `OSDTargetSystemDrive`: where the user's commands find the system that the run builds.

use task_sequence::Action;

use crate::context::Context;
use crate::platform::Result;
use crate::variables;

const NAME: &str = "OSDTargetSystemDrive";

/// The system's volumes are mounted, and the variable says where.
///
/// # Errors
/// When they are not there or cannot be mounted.
pub fn show(context: &mut Context<'_>) -> Result<()> {
    let root = context.system_root(true)?;
    let drive = context.platform.lead_to_system(&root)?;
    variables::set(context.variables, NAME, drive);
    Ok(())
}

/// The same before a step with commands of the user's, once an image was applied: other steps take volumes out again, and after a
/// restart they lie elsewhere.
///
/// # Errors
/// As for [`show`].
pub fn show_to(action: &Action, context: &mut Context<'_>) -> Result<()> {
    let has_commands = matches!(
        action,
        Action::RunCommandLine(_)
            | Action::RunScript(_)
            | Action::InstallPackage(_)
            | Action::InstallApplications(_)
    );
    let applied = context.variables.get(NAME).is_some_and(|drive| !drive.is_empty());
    if has_commands && applied {
        show(context)
    } else {
        Ok(())
    }
}
