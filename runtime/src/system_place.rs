//! `OSDTargetSystemDrive`: where the user's commands find the system that the run builds.

use task_sequence::Action;

use crate::context::Context;
use crate::platform::Result;
use crate::variables;

/// The variable.
pub const NAME: &str = "OSDTargetSystemDrive";

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
    if has_commands && is_applied(context) {
        show(context)
    } else {
        Ok(())
    }
}

/// Whether this run has applied a system: sequences may set the variable for a purpose of their own.
fn is_applied(context: &Context<'_>) -> bool {
    let target = context.journal.saved.target.as_ref();
    let system = target.is_some_and(|target| target.ours && !target.system.is_empty());
    system && context.variables.get(NAME).is_some_and(|drive| !drive.is_empty())
}

/// Whether a text is what the variable says since the apply.
pub fn shows(context: &Context<'_>, text: &str) -> bool {
    shown(context).as_deref() == Some(text)
}

/// What the variable says since the apply.
pub fn shown(context: &Context<'_>) -> Option<String> {
    let drive = context.variables.get(NAME).filter(|_| is_applied(context));
    drive.map(str::to_owned)
}
