//! Makes the applied system start, plants the runtime in it, restarts into it, and installs the agent there.

use std::path::Path;

use anyhow::Context as _;
use media_format::event::Environment;
use media_format::manifest::{Install, Package};
use task_sequence::Action;
use task_sequence::steps::SetupOs;

use super::applied_images::AppliedImages;
use super::{Check, Result, commands, install, package_tools};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::grub::Grub;
use crate::in_windows::client;
use crate::platform::Firmware;
use crate::{boot_state, platform, staging};

mod initramfs;
mod windows;

/// The runtime as it runs in the boot image: static, so it runs in the installed system too.
const PROGRAM: &str = "/proc/self/exe";

/// A Windows gets its runtime from the media.
pub(super) fn check(options: &SetupOs, context: &Context<'_>) -> Check {
    if context.is_windows() {
        context.media.windows_runtime(context.platform)?;
        windows::check(options, context)?;
    }
    check_loader(context)?;
    let Some(client) = &options.client_package else {
        return Ok(());
    };
    package_tools::check(context, client.as_str(), is_this)
}

fn is_this(action: &Action) -> bool {
    matches!(action, Action::SetupOs(_))
}

/// A Linux that could not be made to start is found before anything is erased.
fn check_loader(context: &Context<'_>) -> Check {
    if context.is_windows() {
        return Ok(());
    }
    if let Some(images) = AppliedImages::before(context, is_this) {
        let having = images.having(context, &Grub::paths())?;
        let secure_boot = context.platform.secure_boot() == Some(true);
        let has = |path: &str| having.contains(path);
        Grub::of(has, secure_boot)?.check_firmware(has, context.platform.firmware())?;
    }
    Ok(())
}

pub(super) fn run(options: &SetupOs, context: &mut Context<'_>) -> Result {
    match context.here {
        Environment::Pe => {
            let made = if context.is_windows() {
                windows::make_startable(options, context)
            } else {
                make_startable(context)
            };
            made.context("making the system start")?;
            Ok(Outcome::RestartThenRetry(Environment::Os))
        }
        Environment::Os => {
            if context.is_windows() {
                windows::arrive(context);
            }
            install_client(options, context)
        }
    }
}

fn make_startable(context: &mut Context<'_>) -> platform::Result<()> {
    let root = context.system_root(true)?;
    let target = context.target()?.clone();
    let fstab = staging::fstab(&target);
    initramfs::mark(context.platform, &root, &fstab)?;
    context
        .platform
        .write(&root.join("etc/fstab"), fstab.as_bytes(), 0o644)?;
    initramfs::renew(context, &root)?;
    let (disk, _, _) = context.partition(&target.system)?;
    let boot = context.mount(&target.state, true)?;
    let efi = (context.platform.firmware() == Firmware::Uefi).then_some(boot.as_path());
    context.progress("installing the boot loader", 0, 0);
    let loader = context.platform.install_loader(&root, &disk.path, efi)?;
    boot_state::set_loader(context.platform, &boot, &context.media.manifest.media_id, &loader)?;
    make_keys(context, &root)?;
    staging::plant_runtime(context.platform, &root, Path::new(PROGRAM), context.media)
}

/// What the programs make when they are installed and not when they start: a deployed image has none of it. By the
/// program, the folder that must be there, and the arguments.
const KEYS: [(&str, &str, &[&str]); 2] = [
    ("usr/bin/ssh-keygen", "etc/ssh", &["-A"]),
    (
        "usr/sbin/make-ssl-cert",
        "etc/ssl",
        &["generate-default-snakeoil"],
    ),
];

fn make_keys(context: &Context<'_>, root: &Path) -> platform::Result<()> {
    for (program, folder, arguments) in KEYS {
        if !context.platform.exists(&root.join(program)) || !context.platform.exists(&root.join(folder)) {
            continue;
        }
        let name = program.rsplit('/').next().unwrap_or(program);
        let mut command = commands::program(name, arguments);
        command.root = Some(root.to_owned());
        let output = context.run(command)?;
        anyhow::ensure!(output.code == 0, "{name} ended with {}", output.code);
    }
    Ok(())
}

fn install_client(options: &SetupOs, context: &mut Context<'_>) -> Result {
    let Some(package) = &options.client_package else {
        return Ok(Outcome::Done);
    };
    let properties = options.client_properties.clone().unwrap_or_default();
    let done = install::package(context, package.as_str(), &properties)?;
    await_setup(context, package.as_str(), done)?;
    match done {
        install::Installed::Done => Ok(Outcome::Done),
        install::Installed::NeedsRestart => Ok(Outcome::RestartThenContinue(Environment::Os)),
        install::Installed::Failed { code } => Err(Failure {
            code,
            reason: format!("installing the client package \"{package}\" failed"),
        }),
    }
}

/// The set-up of the ConfigMgr client has not ended when its program has, or the script that has called it. One that asks for a
/// restart may install the client after it.
fn await_setup(context: &Context<'_>, package: &str, done: install::Installed) -> platform::Result<()> {
    let failed = matches!(done, install::Installed::Failed { .. });
    if failed || !context.is_windows() {
        return Ok(());
    }
    if !is_config_mgr(context.package(package)?) && !client::is_set_up_now(context.platform)? {
        return Ok(());
    }
    context.progress("waiting for the ConfigMgr client", 0, 0);
    let limit = context.time_left()?;
    match done {
        install::Installed::Done => client::await_installed(context.platform, context.log, limit),
        _ => client::await_setup(context.platform, limit),
    }
}

fn is_config_mgr(package: &Package) -> bool {
    match &package.install {
        Some(Install::Command(line)) => client::is_setup(line),
        Some(Install::Windows(files)) => files.iter().any(|file| client::is_setup(file)),
        _ => false,
    }
}
