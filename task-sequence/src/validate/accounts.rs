//! Who can log on to a Windows when the sequence is over.

use super::order::joins_domain;
use super::{EnabledStep, Given, Problem, Severity, error};
use crate::model::OperatingSystem;
use crate::setting::Setting;
use crate::steps::{Action, AdministratorState, ApplyOsSettings};
use crate::variables::references;

/// What gives the administrator's password where the step does not.
const PASSWORD: &str = "OSDLocalAdminPassword";

pub(super) fn check(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    for placed in enabled {
        if let Action::ApplyOsSettings(options) = &resolved(placed, given) {
            let dropped = dropped_password(options, given).filter(|_| system == OperatingSystem::Windows);
            let found = [no_password(options, given), dropped];
            for message in found.into_iter().flatten() {
                error(placed, message, problems);
            }
        }
    }
    if system == OperatingSystem::Windows {
        check_windows(enabled, given, problems);
    }
}

/// Variables give settings too; what only the run can resolve is looked at as it is written.
fn resolved(placed: &EnabledStep<'_>, given: &Given) -> Action {
    let written = &placed.step.action;
    let resolved = written.resolve(given.values());
    resolved.unwrap_or_else(|_| written.clone())
}

/// Nothing would happen, or nobody could log on: what lets an administrator in is a password.
fn no_password(options: &ApplyOsSettings, given: &Given) -> Option<String> {
    let enabled = options.administrator.get() == Some(&AdministratorState::Enabled);
    (enabled && !has_password(options, given)).then(|| {
        format!("`administrator = \"enabled\"` needs `administrator-password`, or the variable {PASSWORD}")
    })
}

/// It would not be the account's: a disabled one has a password that nobody knows.
fn dropped_password(options: &ApplyOsSettings, given: &Given) -> Option<String> {
    let disabled = options.administrator.get() == Some(&AdministratorState::Disabled);
    // Who asks for a random one by name wants no other.
    let random = options.random_administrator_password.get() == Some(&true);
    let is_given = options.administrator_password.is_some() || given.contains(PASSWORD);
    (disabled && !random && is_given).then(|| {
        format!(
            "`administrator = \"disabled\"` with a password ({PASSWORD}, or `administrator-password`), which nobody \
             could use: write \"enabled\", or `random-administrator-password = true`"
        )
    })
}

fn has_password(options: &ApplyOsSettings, given: &Given) -> bool {
    let written = options.administrator_password.as_ref();
    let is_given = match written.map(|password| password.expose()) {
        Some(text) => references(text).all(|name| given.contains(name)),
        None => given.contains(PASSWORD),
    };
    is_given || given.has_unseen_scripts()
}

/// A Windows that stays as it is must let somebody in: the page that would ask for a user is passed over.
fn check_windows(enabled: &[EnabledStep<'_>], given: &Given, problems: &mut Vec<Problem>) {
    let any = |holds: &dyn Fn(&Action) -> bool| enabled.iter().any(|placed| holds(&resolved(placed, given)));
    let is_set_up = |placed: &&EnabledStep<'_>| matches!(placed.step.action, Action::SetupOs(_));
    let captures = any(&|action| matches!(action, Action::CaptureOperatingSystemImage(_)));
    let Some(set_up) = enabled.iter().rfind(is_set_up).filter(|_| !captures) else {
        return;
    };
    if given.has_unseen_scripts() || any(&|action| lets_in(action, given)) {
        return;
    }
    let message = "nobody can log on to this Windows, unless its image has a user: write `administrator = \"enabled\"` \
                   with a password in `apply-os-settings`, join a domain, or give an answer file that makes a user";
    problems.push(Problem::of_step(Severity::Warning, set_up, message));
}

/// Whether there may be an account by that step.
fn lets_in(action: &Action, given: &Given) -> bool {
    match action {
        Action::ApplyOsSettings(options) => is_enabled(options, given),
        Action::ApplyOperatingSystemImage(options) => options.answer_file.is_some(),
        Action::RunCommandLine(options) => names_user(&options.command),
        Action::RunScript(options) => names_user(options.inline.as_deref().unwrap_or_default()),
        // A program of a package is not seen.
        Action::InstallPackage(_) => true,
        action => joins_domain(action) || is_open(action),
    }
}

fn is_enabled(options: &ApplyOsSettings, given: &Given) -> bool {
    let random = options.random_administrator_password.get() == Some(&true);
    match &options.administrator {
        Setting::Value(state) => *state == AdministratorState::Enabled,
        Setting::Absent => !random && has_password(options, given),
        // Only the run knows it.
        Setting::Text(_) => true,
    }
}

/// `net user`, `New-LocalUser`, `Enable-LocalUser`.
fn names_user(text: &str) -> bool {
    text.to_lowercase().contains("user")
}

/// A membership that only the run knows.
fn is_open(action: &Action) -> bool {
    match action {
        Action::ApplyNetworkSettings(options) => matches!(options.join, Setting::Text(_)),
        Action::JoinDomainOrWorkgroup(options) => matches!(options.join, Setting::Text(_)),
        _ => false,
    }
}
