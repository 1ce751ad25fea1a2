//! Settings that are read and that no runtime acts upon: what some ask for would not happen, what others ask for happens anyway.

use super::{EnabledStep, Given, Problem, Severity, error};
use crate::model::{AfterCut, OperatingSystem, Step};
use crate::setting::{Setting, has_variable};
use crate::steps::{
    Action, FormatAndPartitionDisk, Partition, PartitionKind, PrepareOsForCapture, SetVariables,
};

/// ConfigMgr's drive for what it downloads.
const LOCAL_DATA_DRIVE: &str = "SMSTSLocalDataDrive";
const NO_LOCAL_DATA: &str = "`SMSTSLocalDataDrive` is not looked at: packages are read where they lie on the media, and none is kept on \
                             a drive of the machine";

pub(super) fn check(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    let by_step = |placed: &EnabledStep<'_>| matches!(&placed.step.action, Action::SetVariables(options) if sets_local_data_drive(options));
    if given.contains(LOCAL_DATA_DRIVE) && !enabled.iter().any(by_step) {
        problems.push(Problem::of_sequence(Severity::Warning, NO_LOCAL_DATA));
    }
    for placed in enabled {
        let written = &placed.step.action;
        // Variables give settings too; what only the run can resolve is looked at as it is written.
        let action = written
            .resolve(given.values())
            .unwrap_or_else(|_| written.clone());
        let wrong = without_effect(system, &action).into_iter();
        for message in wrong.chain(needless_probe(placed.step)) {
            error(placed, message, problems);
        }
        let harmless = needless(&action).into_iter();
        problems.extend(harmless.map(|message| Problem::of_step(Severity::Warning, placed, message)));
    }
}

/// What sequences of ConfigMgr say and a run does not need: the machine starts all the same.
fn needless(action: &Action) -> Vec<String> {
    match action {
        Action::FormatAndPartitionDisk(options) => needless_of_disk(options),
        Action::SetVariables(options) => asked([(sets_local_data_drive(options), NO_LOCAL_DATA)]),
        Action::CaptureOperatingSystemImage(options) => {
            let elsewhere = options.system_root.as_deref().filter(|root| !is_usual_root(root));
            asked([(
                elsewhere.is_some(),
                "`system-root` (OSDTargetSystemRoot) is not looked at: the system is found without it",
            )])
        }
        _ => Vec::new(),
    }
}

fn sets_local_data_drive(options: &SetVariables) -> bool {
    let mut declared = options.declared();
    declared.any(|declared| declared.name.eq_ignore_ascii_case(LOCAL_DATA_DRIVE))
}

/// `C:\Windows`, `D:\WINDOWS\`, or the root of a Linux.
fn is_usual_root(root: &str) -> bool {
    let root = root.trim_end_matches(['/', '\\']);
    let folder = root.get(1..).unwrap_or_default();
    root.is_empty() || folder.is_empty() || folder.eq_ignore_ascii_case(r":\Windows") || has_variable(root)
}

fn needless_of_disk(options: &FormatAndPartitionDisk) -> Vec<String> {
    // Of the partition that the firmware reads it is true.
    let other =
        |partition: &Partition| partition.kind != PartitionKind::Efi && differs(&partition.bootable, false);
    asked([
        (
            differs(&options.boot_disk, true),
            "`boot-disk` (OSDGPTBootDisk) is not looked at: the disk of a run always gets the partitions that the machine \
             starts from, where `partitions` has none",
        ),
        (
            options.efi_volume.is_some(),
            "`efi-volume` (TSUEFIDrive) is not looked at: the EFI system partition is found without a letter",
        ),
        (
            options.partitions.iter().any(other),
            "`bootable` (OSDPartitions#Bootable) is not looked at: what the machine starts from is marked without it",
        ),
    ])
}

fn without_effect(system: OperatingSystem, action: &Action) -> Vec<String> {
    match action {
        Action::PrepareOsForCapture(options) => of_preparation(options),
        Action::RunCommandLine(options) => {
            of_program(system, options.account.is_some(), options.password.is_some())
        }
        Action::RunScript(options) => {
            of_program(system, options.account.is_some(), options.password.is_some())
        }
        _ => Vec::new(),
    }
}

/// Only the types that look by themselves whether their work is done can be asked to: any other would run again unseen.
fn needless_probe(step: &Step) -> Option<String> {
    let kind = step.action.kind();
    let asks = step.own_after_cut == Some(AfterCut::Probe);
    (asks && kind.after_cut != AfterCut::Probe).then(|| {
        format!(
            "`after-cut`: a step of type {} cannot look whether its work is done; write \"repeat\" if it may run twice, \
             else \"stop\"",
            kind.name
        )
    })
}

fn asked<const N: usize>(all: [(bool, &str); N]) -> Vec<String> {
    let asked = all.into_iter().filter(|(asked, _)| *asked);
    asked.map(|(_, message)| message.to_owned()).collect()
}

/// Whether a switch asks for something else than what happens anyway.
fn differs(setting: &Setting<bool>, happens: bool) -> bool {
    !setting.is_absent() && setting.get() != Some(&happens)
}

fn of_preparation(options: &PrepareOsForCapture) -> Vec<String> {
    asked([(
        options.sysprep_package.is_some(),
        "`sysprep-package` has no effect: the system's own sysprep is used; remove it",
    )])
}

fn of_program(system: OperatingSystem, account: bool, password: bool) -> Vec<String> {
    let windows = system == OperatingSystem::Windows;
    asked([
        (
            windows && account && !password,
            "`password` is missing: Windows runs a program as an account only with its password; name a secret variable, such as \
             \"%PASSWORD%\"",
        ),
        (
            windows && password && !account,
            "`password` has no effect without `account`: programs are run as SYSTEM; add `account`, or remove it",
        ),
        (
            !windows && password,
            "`password` has no effect: an account of the machine's own needs none; remove it",
        ),
    ])
}
