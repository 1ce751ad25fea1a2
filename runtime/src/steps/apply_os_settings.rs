//! Name, administrator, time zone, locale and keyboard of the applied Linux.

use std::path::Path;

use anyhow::Context as _;
use task_sequence::Setting;
use task_sequence::steps::{AdministratorState, ApplyOsSettings};
use task_sequence::validate::computer_name;

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::platform::{self, Platform};
use crate::{password, possible, shadow};

mod keyboard;
mod locale;
mod time_zone;
mod windows;

pub(super) fn check(options: &ApplyOsSettings, context: &Context<'_>) -> Check {
    if context.is_windows() {
        return windows::check(options, context);
    }
    options.computer_name.as_deref().map_or(Ok(()), check_name)?;
    // What a step gives before this one runs is looked at then.
    if !options
        .input_locale
        .as_deref()
        .is_some_and(|text| text.contains('%'))
    {
        keyboard::check(options)?;
    }
    if !may_be_given(context, "OSDLocalAdminPassword") {
        check_password(options)?;
    }
    time_zone::check(options, context)
}

fn may_be_given(context: &Context<'_>, variable: &str) -> bool {
    let is_it = |name: &str| name.eq_ignore_ascii_case(variable);
    let enabled = context.sequence.enabled_steps();
    enabled
        .iter()
        .any(|placed| possible::sets(&placed.step.action, &is_it))
}

fn check_linux(options: &ApplyOsSettings) -> Check {
    options.computer_name.as_deref().map_or(Ok(()), check_name)?;
    keyboard::check(options)?;
    check_password(options)
}

fn check_password(options: &ApplyOsSettings) -> Check {
    let enabled = options.administrator.get() == Some(&AdministratorState::Enabled);
    let random = options.random_administrator_password == Setting::Value(true);
    if enabled && options.administrator_password.is_none() && !random {
        return Err(Failure::new(
            "the administrator is to be enabled and has no password: give `administrator-password`, or the variable \
             OSDLocalAdminPassword",
        ));
    }
    Ok(())
}

/// By the rule that a written name is checked by, so that it does not matter who gives it.
fn check_name(name: &str) -> Check {
    computer_name(name).map_err(Failure::new)
}

pub(super) fn run(options: &ApplyOsSettings, context: &mut Context<'_>) -> Result {
    if context.is_windows() {
        return windows::run(options, context);
    }
    check_linux(options)?;
    let root = context.system_root(true)?;
    let platform = context.platform;
    if let Some(name) = &options.computer_name {
        set_name(platform, &root, name).context("setting the computer's name")?;
    }
    set_registration(platform, &root, options)?;
    time_zone::set(platform, &root, options)?;
    locale::set(context, &root, options)?;
    keyboard::set(platform, &root, options)?;
    set_administrator(context, &root, options)?;
    for (given, what) in [
        (options.product_key.is_some(), "product key"),
        (!options.licensing.is_absent(), "licensing mode"),
        (options.ui_language_fallback.is_some(), "fallback language"),
    ] {
        if given {
            context.log.warning(format!(
                "a Linux system has no {what}: the setting is passed over"
            ));
        }
    }
    Ok(Outcome::Done)
}

fn set_name(platform: &dyn Platform, root: &Path, name: &str) -> platform::Result<()> {
    platform.write(&root.join("etc/hostname"), format!("{name}\n").as_bytes(), 0o644)?;
    let path = root.join("etc/hosts");
    let old = platform
        .read(&path)?
        .unwrap_or_else(|| b"127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_vec());
    let old = String::from_utf8_lossy(&old).into_owned();
    let kept = old.lines().filter(|line| !line.starts_with("127.0.1.1"));
    let hosts: String =
        kept.map(|line| format!("{line}\n")).collect::<String>() + &format!("127.0.1.1\t{name}\n");
    platform.write(&path, hosts.as_bytes(), 0o644)
}

/// Linux has no registered user; machine-info(5) is where its administrators look for such things.
fn set_registration(platform: &dyn Platform, root: &Path, options: &ApplyOsSettings) -> platform::Result<()> {
    let quoted = |text: &str| text.replace(['"', '\\', '$', '`', '\n'], "");
    let given = [
        ("REGISTERED_USER=", &options.registered_user),
        ("REGISTERED_ORGANIZATION=", &options.registered_organization),
    ];
    let given: Vec<_> = given
        .iter()
        .filter_map(|(name, text)| Some((*name, text.as_ref()?)))
        .collect();
    if given.is_empty() {
        return Ok(());
    }
    let path = root.join("etc/machine-info");
    let old = platform.read(&path)?.unwrap_or_default();
    let old = String::from_utf8_lossy(&old).into_owned();
    let is_new = |line: &str| given.iter().any(|(name, _)| line.trim_start().starts_with(name));
    let kept = old.lines().filter(|line| !is_new(line)).map(str::to_owned);
    let new = given
        .iter()
        .map(|(name, text)| format!("{name}\"{}\"", quoted(text)));
    let lines: String = kept.chain(new).map(|line| line + "\n").collect();
    platform.write(&path, lines.as_bytes(), 0o644)
}

fn set_administrator(
    context: &Context<'_>,
    root: &Path,
    options: &ApplyOsSettings,
) -> std::result::Result<(), Failure> {
    let random = options.random_administrator_password.unwrap_or(false);
    let disabled = options.administrator.get() == Some(&AdministratorState::Disabled);
    let field = match &options.administrator_password {
        Some(password) if !disabled && !random => hash(context.platform, password.expose())?,
        // A random password that nobody knows and a disabled account are the same thing on Linux: a locked one.
        _ if random || disabled => "!*".to_owned(),
        _ => return Ok(()),
    };
    let path = root.join("etc/shadow");
    let bytes = context
        .platform
        .read(&path)?
        .ok_or_else(|| Failure::new("the system has no /etc/shadow"))?;
    let text = shadow::set_password(&String::from_utf8_lossy(&bytes), "root", &field);
    context.platform.write(&path, text.as_bytes(), 0o640)?;
    Ok(())
}

/// The SHA-512 hash of crypt(5), which every distribution reads.
fn hash(platform: &dyn Platform, text: &str) -> platform::Result<String> {
    let mut salt = [0; password::SALT];
    platform.random(&mut salt);
    password::sha512_crypt(text, &salt)
}
