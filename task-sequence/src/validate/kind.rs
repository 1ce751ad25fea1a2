//! Steps and settings that exist only for the other kind of system.

use super::{EnabledStep, Given, Problem, error, keyboard};
use crate::model::OperatingSystem;
use crate::setting::{Resolve, has_variable};
use crate::steps::{
    Action, ApplyNetworkSettings, ApplyOsSettings, FileSystem, FormatAndPartitionDisk, JoinKind, Partition,
    PartitionKind,
};

pub(super) fn check(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    for placed in enabled {
        let found = match system {
            OperatingSystem::Linux => {
                let mut found = only_windows(&placed.step.action);
                found.extend(by_variables(&placed.step.action, given));
                found
            }
            OperatingSystem::Windows => only_linux(&placed.step.action, given),
        };
        for message in found {
            error(placed, message, problems);
        }
    }
}

/// What a sequence for Linux must not have.
fn only_windows(action: &Action) -> Vec<String> {
    match action {
        Action::AutoApplyDrivers(_) | Action::ApplyDriverPackage(_) => {
            vec!["it applies Windows drivers, but the sequence is for Linux".into()]
        }
        Action::ApplyOperatingSystemImage(options) => windows_settings(&[
            ("answer-package", options.answer_package.is_some()),
            ("answer-file", options.answer_file.is_some()),
        ]),
        Action::ApplyOsSettings(options) => windows_settings(&[
            ("product-key", options.product_key.is_some()),
            ("licensing", !options.licensing.is_absent()),
            ("license-connections", !options.license_connections.is_absent()),
            ("ui-language-fallback", options.ui_language_fallback.is_some()),
        ]),
        Action::ApplyNetworkSettings(options) => network_of_windows(options),
        Action::SetupOs(options) => windows_settings(&[("boot-files", !options.boot_files.is_absent())]),
        Action::PrepareOsForCapture(options) => {
            windows_settings(&[("keep-activation", !options.keep_activation.is_absent())])
        }
        _ => Vec::new(),
    }
}

fn windows_settings(given: &[(&str, bool)]) -> Vec<String> {
    let given = given.iter().filter(|(_, given)| *given);
    given
        .map(|(setting, _)| {
            format!("`{setting}` exists only in Windows, but the sequence is for Linux: remove it")
        })
        .collect()
}

fn network_of_windows(options: &ApplyNetworkSettings) -> Vec<String> {
    let some = |given: fn(&crate::steps::Adapter) -> bool| options.adapters.iter().any(given);
    windows_settings(&[
        ("dns-domain", options.dns_domain.is_some()),
        ("dns-suffixes", !options.dns_suffixes.is_empty()),
        ("adapters.name", some(|adapter| adapter.name.is_some())),
        ("adapters.wins", some(|adapter| !adapter.wins.is_empty())),
        ("adapters.netbios", some(|adapter| !adapter.netbios.is_absent())),
        (
            "adapters.gateway-metric",
            some(|adapter| !adapter.gateway_metric.is_absent()),
        ),
        (
            "adapters.register-in-dns",
            some(|adapter| !adapter.register_in_dns.is_absent()),
        ),
    ])
}

/// What variables ask for too. Other settings that only Windows has are passed over where variables give them: media may have
/// sequences for both systems.
fn by_variables(action: &Action, given: &Given) -> Vec<String> {
    let resolved = action.resolve(given.values());
    match resolved.as_ref().unwrap_or(action) {
        Action::ApplyNetworkSettings(options) => offline_join(options).into_iter().collect(),
        Action::ApplyOsSettings(options) => unknown_keyboard(options).into_iter().collect(),
        Action::FormatAndPartitionDisk(options) => partitions_of_windows(options).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn partitions_of_windows(options: &FormatAndPartitionDisk) -> Option<String> {
    let mut kinds = options.partitions.iter().map(|partition| partition.kind);
    let kind = kinds.find(|kind| matches!(kind, PartitionKind::Msr | PartitionKind::Recovery))?;
    Some(format!(
        "it makes a partition of the kind `{kind}`, which exists only for Windows, but the sequence is for Linux: remove it"
    ))
}

fn offline_join(options: &ApplyNetworkSettings) -> Option<String> {
    (options.join.get() == Some(&JoinKind::Domain)).then(|| {
        "a Linux system joins a domain while it runs: use a `join-domain-or-workgroup` step after `setup-os`".into()
    })
}

fn unknown_keyboard(options: &ApplyOsSettings) -> Option<String> {
    let text = options
        .input_locale
        .as_deref()
        .filter(|text| !has_variable(text))?;
    let is_used = options.keyboard.is_none();
    keyboard(text).err().filter(|_| is_used)
}

/// What a sequence for Windows must not have.
fn only_linux(action: &Action, given: &Given) -> Vec<String> {
    match action {
        Action::FormatAndPartitionDisk(options) if makes_linux_partitions(options, given) => {
            vec!["it makes partitions for Linux, but the sequence is for Windows".into()]
        }
        Action::ApplyOsSettings(options) => linux_settings(options),
        _ => Vec::new(),
    }
}

/// Also where variables ask for them: they would be made.
fn makes_linux_partitions(options: &FormatAndPartitionDisk, given: &Given) -> bool {
    use FileSystem::{Btrfs, Ext4, Swap, Xfs};
    let is_linux = |one: &Partition| {
        matches!(one.file_system.get(), Some(Btrfs | Ext4 | Swap | Xfs)) || one.mount_point.is_some()
    };
    let mut resolved = options.clone();
    let known = resolved.resolve(given.values()).is_ok();
    let options = if known { &resolved } else { options };
    options.partitions.iter().any(is_linux)
}

fn linux_settings(options: &ApplyOsSettings) -> Vec<String> {
    let mut found = Vec::new();
    if options.keyboard.is_some() {
        found.push(
            "`keyboard` exists only in Linux, but the sequence is for Windows: write `input-locale`, such as \
             \"0409:00020409\""
                .into(),
        );
    }
    let locales = [
        ("system-locale", &options.system_locale),
        ("ui-language", &options.ui_language),
        ("ui-language-fallback", &options.ui_language_fallback),
        ("user-locale", &options.user_locale),
    ];
    for (setting, value) in locales {
        if let Some(text) = value
            .as_deref()
            .filter(|text| !has_variable(text) && !is_language_tag(text))
        {
            found.push(format!(
                "`{setting}`: `{text}` is not a language of Windows, such as \"nl-NL\""
            ));
        }
    }
    found
}

/// Letters and digits with hyphens: `nl-NL`, `sr-Latn-RS`.
fn is_language_tag(text: &str) -> bool {
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    let language = text.split('-').next().unwrap_or_default();
    (2..=3).contains(&language.len()) && text.split('-').all(is_part)
}
