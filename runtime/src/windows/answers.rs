//! What Windows set-up is told: the settings of the steps, in one answer file on the Windows volume.
//!
//! Each step adds its own to what is there, the user's file first: nothing has to be remembered from step to step, and a
//! step that is repeated after a cut adds nothing twice.

use std::path::PathBuf;

use anyhow::Context as _;
use task_sequence::steps::{ApplyNetworkSettings, ApplyOperatingSystemImage, ApplyOsSettings};
use task_sequence::{Action, Variables};
use windows_setup::unattend::{self, Kept, Languages, Machine, Merged, Settings};

use super::{device_encryption, image, volume};
use crate::context::Context;
use crate::journal::WindowsSystem;
use crate::platform::Result;

/// Readable for administrators only: it may hold passwords.
const MODE: u32 = 0o600;

/// What two steps say; one that is not there says nothing.
///
/// # Errors
/// When Windows would not accept a setting.
pub fn settings(
    context: &Context<'_>,
    os: &ApplyOsSettings,
    network: &ApplyNetworkSettings,
) -> Result<Settings> {
    let mut machine = Machine {
        macs: context.macs(),
        random: [0; 24],
    };
    context.platform.random(&mut machine.random);
    Ok(Settings::from_steps(os, network, &machine)?)
}

/// Finds what is wrong with settings before anything is changed.
///
/// # Errors
/// When no answer file can be made of them, or the machine would join a domain and be captured.
pub fn check(context: &Context<'_>, settings: &Settings) -> Result<()> {
    refuse_domain(context, joins_domain(settings))?;
    for system in image::candidates(context)? {
        unattend::answer_file(settings, &system.image()?)?;
    }
    Ok(())
}

fn joins_domain(settings: &Settings) -> bool {
    matches!(settings.membership, Some(unattend::Membership::Domain { .. }))
}

fn refuse_domain(context: &Context<'_>, joins: bool) -> Result<()> {
    let mut steps = context.possible_steps().into_iter();
    if joins && steps.any(|step| matches!(step.action, Action::CaptureOperatingSystemImage(_))) {
        anyhow::bail!(
            "the machine is captured and must not be a member of a domain: it joins one after the image was deployed"
        );
    }
    Ok(())
}

/// Adds settings to the answer file on the Windows volume.
///
/// # Errors
/// When the file cannot be understood or written, or the machine would join a domain and be captured.
pub fn add(context: &Context<'_>, settings: &Settings) -> Result<()> {
    refuse_domain(context, joins_domain(settings))?;
    for kept in with(context, settings)? {
        context
            .log
            .info(format!("the answer file decides, not the step: {kept}"));
    }
    Ok(())
}

/// Adds what nobody has said to the answer file on the Windows volume: nobody sits there to answer the pages of the first start,
/// and it asks for each language that no answer file names.
///
/// # Errors
/// When the file cannot be understood or written.
pub fn complete(context: &mut Context<'_>) -> Result<()> {
    let path = place(context)?;
    let prevent_device_encryption = device_encryption::is_prevented(context, &path)?;
    let nothing = (ApplyOsSettings::default(), ApplyNetworkSettings::default());
    let rest = Settings {
        languages: Languages::of(&context.windows()?.language),
        prevent_device_encryption,
        ..settings(context, &nothing.0, &nothing.1)?
    };
    // What was said before stays, as it should.
    with(context, &rest).map(drop)
}

/// Writes the answer file with these settings, too; what it decides itself is answered.
fn with(context: &Context<'_>, settings: &Settings) -> Result<Vec<Kept>> {
    let system = context.windows()?;
    let path = place(context)?;
    let (text, kept) = match context.platform.read(&path)? {
        None => (unattend::answer_file(settings, &system.image()?)?, Vec::new()),
        // Its variables were expanded when it was put there.
        Some(file) => {
            let merged = merged(context, &file, &Variables::new(), settings, system)?;
            (merged.text, merged.kept)
        }
    };
    context
        .platform
        .write(&path, text.as_bytes(), MODE)
        .context("writing the answer file")?;
    Ok(kept)
}

fn place(context: &Context<'_>) -> Result<PathBuf> {
    let root = context.system_root(true)?;
    volume::locate(context.platform, &root, unattend::PLACE)
}

fn merged(
    context: &Context<'_>,
    file: &[u8],
    variables: &Variables,
    settings: &Settings,
    system: &WindowsSystem,
) -> Result<Merged> {
    let merged = unattend::merge(file, variables, settings, &system.image()?)?;
    refuse_domain(context, merged.joins_domain)?;
    Ok(merged)
}

/// The user's own answer file as it comes onto the volume, if the step names one.
///
/// # Errors
/// When it is not in its package, or Windows would not accept it.
pub fn of_user(
    context: &Context<'_>,
    options: &ApplyOperatingSystemImage,
    system: &WindowsSystem,
) -> Result<Option<String>> {
    let Some(file) = &options.answer_file else {
        return Ok(None);
    };
    let package = options
        .answer_package
        .as_ref()
        .context("`answer-file` needs `answer-package`: the package with the answer file")?;
    let content = context.content(package.as_str())?;
    let path = if context.platform.is_folder(&content) {
        volume::locate(context.platform, &content, file)?
    } else {
        content
    };
    let text = context
        .platform
        .read(&path)?
        .with_context(|| format!("package \"{package}\" has no {file}"))?;
    let nothing = Settings::default();
    let merged = merged(context, &text, context.variables, &nothing, system);
    merged
        .with_context(|| format!("the answer file {file}"))
        .map(|merged| Some(merged.text))
}

/// Puts the user's own answer file onto the Windows volume.
///
/// # Errors
/// When it cannot be written.
pub fn put(context: &Context<'_>, text: &str) -> Result<()> {
    context
        .platform
        .write(&place(context)?, text.as_bytes(), MODE)
        .context("writing the answer file")
}
