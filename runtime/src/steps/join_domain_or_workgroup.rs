//! Makes the running system a member of a workgroup or a domain.

use std::path::Path;

use media_format::event::Environment;
use task_sequence::Action;
use task_sequence::steps::{JoinDomainOrWorkgroup, JoinKind};

use super::{Check, Result};
use crate::context::{Context, Failure, code_text, resolved};
use crate::engine::Outcome;
use crate::in_windows::membership;
use crate::platform::{self, Command};

/// A domain before a capture is found before anything is changed.
pub(super) fn check(options: &JoinDomainOrWorkgroup, context: &Context<'_>) -> Check {
    if joins_domain(options) && is_before_capture(context) {
        return Err(Failure::new(
            "it joins a domain before the capture: an image of a member of a domain cannot be deployed; join a workgroup \
             here (OSDJoinType = 1), and the domain after deployment",
        ));
    }
    Ok(())
}

/// Whether a step that joins a domain comes before a capture. All are looked at: what is checked does not know its place.
fn is_before_capture(context: &Context<'_>) -> bool {
    let steps = context.steps_ahead();
    let actions = steps
        .iter()
        .map(|step| resolved(step, context.variables).map_or(step.action.clone(), |step| step.action));
    let actions: Vec<Action> = actions.collect();
    let is_capture = |action: &Action| matches!(action, Action::CaptureOperatingSystemImage(_));
    let last = actions.iter().rposition(is_capture).unwrap_or(0);
    let joins =
        |action: &Action| matches!(action, Action::JoinDomainOrWorkgroup(options) if joins_domain(options));
    actions[..last].iter().any(joins)
}

fn joins_domain(options: &JoinDomainOrWorkgroup) -> bool {
    options.join.get() == Some(&JoinKind::Domain)
}

pub(super) fn run(options: &JoinDomainOrWorkgroup, context: &mut Context<'_>) -> Result {
    check(options, context)?;
    if context.is_windows() {
        return windows(options, context);
    }
    match options.join.unwrap_or(JoinKind::Workgroup) {
        JoinKind::Workgroup => {
            let left = leave_domain(context)?;
            let root = context.system_root(true)?;
            let workgroup = options.workgroup.as_deref().unwrap_or("WORKGROUP");
            if set_workgroup(context, &root, workgroup)? || left {
                return Ok(Outcome::Done);
            }
            Ok(Outcome::Skipped(
                "the system has no Samba and is in no domain".into(),
            ))
        }
        JoinKind::Domain => {
            let changed = join_domain(options, context)?;
            if !changed || options.skip_restart.unwrap_or(false) {
                return Ok(Outcome::Done);
            }
            Ok(Outcome::RestartThenContinue(Environment::Os))
        }
    }
}

fn windows(options: &JoinDomainOrWorkgroup, context: &mut Context<'_>) -> Result {
    let platform = context.platform;
    let member_of = platform.domain()?;
    let changed = match options.join.unwrap_or(JoinKind::Workgroup) {
        JoinKind::Workgroup => {
            let name = options.workgroup.as_deref().unwrap_or("WORKGROUP");
            let changed = membership::join_workgroup(platform, name, member_of.as_deref())?;
            context.log.info(format!("the machine is in workgroup {name}"));
            changed
        }
        JoinKind::Domain => {
            let password = options.password.as_ref().map(|secret| secret.expose());
            let domain = membership::Domain {
                name: options.domain.as_deref().unwrap_or_default(),
                unit: options.organizational_unit.as_deref(),
                account: options.account.as_deref().unwrap_or_default(),
                password: password.unwrap_or_default(),
            };
            let changed = membership::join_domain(platform, &domain, member_of.as_deref())?;
            context
                .log
                .info(format!("the machine is in domain {}", domain.name));
            changed
        }
    };
    if !changed || options.skip_restart.unwrap_or(false) {
        return Ok(Outcome::Done);
    }
    Ok(Outcome::RestartThenContinue(Environment::Os))
}

/// The workgroup is Samba's; a system without Samba has none, and the log says so. Gives whether it has.
pub(super) fn set_workgroup(context: &Context<'_>, root: &Path, workgroup: &str) -> platform::Result<bool> {
    let path = root.join("etc/samba/smb.conf");
    let Some(bytes) = context.platform.read(&path)? else {
        context.log.info(format!(
            "the system has no Samba, so there is no workgroup {workgroup} to join"
        ));
        return Ok(false);
    };
    let text = with_workgroup(&String::from_utf8_lossy(&bytes), workgroup);
    context.platform.write(&path, text.as_bytes(), 0o644)?;
    Ok(true)
}

fn with_workgroup(text: &str, workgroup: &str) -> String {
    let is_key = |line: &str| line.trim_start().to_lowercase().starts_with("workgroup");
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !is_key(line))
        .map(str::to_owned)
        .collect();
    let global = lines
        .iter()
        .position(|line| line.trim().eq_ignore_ascii_case("[global]"));
    let at = global.map_or_else(
        || {
            lines.insert(0, "[global]".into());
            1
        },
        |global| global + 1,
    );
    lines.insert(at, format!("   workgroup = {workgroup}"));
    lines.join("\n") + "\n"
}

/// Gives whether it was in one.
fn leave_domain(context: &Context<'_>) -> std::result::Result<bool, Failure> {
    let Some(name) = context.platform.domain()? else {
        return Ok(false);
    };
    realm(context, vec!["leave".into(), name], b"")?;
    Ok(true)
}

/// Gives whether that changed anything: after a cut the system may be in the domain already.
fn join_domain(options: &JoinDomainOrWorkgroup, context: &Context<'_>) -> std::result::Result<bool, Failure> {
    let name = options
        .domain
        .clone()
        .ok_or_else(|| Failure::new("the step names no domain"))?;
    let member_of = context.platform.domain()?;
    if member_of.is_some_and(|known| known.eq_ignore_ascii_case(&name)) {
        context
            .log
            .info(format!("the system is in domain {name} already"));
        return Ok(false);
    }
    let mut arguments = vec!["join".to_owned(), "--verbose".into()];
    if let Some(unit) = &options.organizational_unit {
        arguments.push(format!("--computer-ou={unit}"));
    }
    if let Some(account) = &options.account {
        let user = account.rsplit('\\').next().unwrap_or(account);
        arguments.push(format!("--user={user}"));
    }
    arguments.push(name);
    let password = options
        .password
        .as_ref()
        .map(|secret| format!("{}\n", secret.expose()))
        .unwrap_or_default();
    realm(context, arguments, password.as_bytes())?;
    Ok(true)
}

fn realm(context: &Context<'_>, arguments: Vec<String>, stdin: &[u8]) -> std::result::Result<(), Failure> {
    let command = Command {
        program: "realm".into(),
        arguments,
        stdin: stdin.to_vec(),
        ..Command::default()
    };
    let output = context.run(command)?;
    if output.code == 0 {
        return Ok(());
    }
    let said = output.stderr.lines().last().unwrap_or_default().to_owned();
    Err(Failure {
        code: output.code,
        reason: format!("realm ended with {}: {said}", code_text(output.code)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workgroup_is_set_once() {
        let text = with_workgroup("[global]\n   workgroup = OLD\n   log level = 1\n", "LAB");
        assert_eq!(text, "[global]\n   workgroup = LAB\n   log level = 1\n");
        assert_eq!(with_workgroup("", "LAB"), "[global]\n   workgroup = LAB\n");
    }
}
