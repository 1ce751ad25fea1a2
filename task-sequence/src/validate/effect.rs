//! Settings that are read and that no runtime acts upon yet: what they ask for would not happen.

use super::{EnabledStep, Given, Problem, error};
use crate::model::OperatingSystem;
use crate::setting::Setting;
use crate::steps::{Action, FormatAndPartitionDisk, Partition, PartitionKind, PrepareOsForCapture};

pub(super) fn check(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    for placed in enabled {
        let written = &placed.step.action;
        // Variables give settings too; what only the run can resolve is looked at as it is written.
        let action = written
            .resolve(given.values())
            .unwrap_or_else(|_| written.clone());
        for message in without_effect(system, &action) {
            error(placed, message, problems);
        }
    }
}

fn without_effect(system: OperatingSystem, action: &Action) -> Vec<String> {
    match action {
        Action::FormatAndPartitionDisk(options) => of_disk(options),
        Action::PrepareOsForCapture(options) => of_preparation(options),
        Action::CaptureOperatingSystemImage(options) => asked([(
            options.system_root.is_some(),
            "`system-root` (OSDTargetSystemRoot) has no effect: the system is found without it; remove it",
        )]),
        Action::RunCommandLine(options) => {
            of_program(system, options.account.is_some(), options.password.is_some())
        }
        Action::RunScript(options) => {
            of_program(system, options.account.is_some(), options.password.is_some())
        }
        _ => Vec::new(),
    }
}

fn asked<const N: usize>(all: [(bool, &str); N]) -> Vec<String> {
    let asked = all.into_iter().filter(|(asked, _)| *asked);
    asked.map(|(_, message)| message.to_owned()).collect()
}

/// Whether a switch asks for something else than what happens anyway.
fn differs(setting: &Setting<bool>, happens: bool) -> bool {
    !setting.is_absent() && setting.get() != Some(&happens)
}

fn of_disk(options: &FormatAndPartitionDisk) -> Vec<String> {
    let any = |asks: fn(&Partition) -> bool| options.partitions.iter().any(asks);
    asked([
        (
            differs(&options.boot_disk, true),
            "`boot-disk` (OSDGPTBootDisk) has no effect: a disk always gets the partitions that the machine starts \
             from; remove it",
        ),
        (
            options.efi_volume.is_some(),
            "`efi-volume` (TSUEFIDrive) has no effect: the EFI system partition gets no letter; remove it",
        ),
        (
            any(|partition| differs(&partition.bootable, false)),
            "`bootable` (OSDPartitions#Bootable) has no effect: what the machine starts from is marked without it; \
             remove it",
        ),
        (
            any(|partition| partition.kind == PartitionKind::Hidden),
            "`kind = \"hidden\"` has no effect: nothing hides a partition; write \"primary\", or \"recovery\" for the \
             recovery environment",
        ),
        (
            any(|partition| matches!(partition.kind, PartitionKind::Extended | PartitionKind::Logical)),
            "partitions of the kinds `extended` and `logical` cannot be made: write \"primary\", and \
             `style = \"gpt\"` where there are many",
        ),
    ])
}

fn of_preparation(options: &PrepareOsForCapture) -> Vec<String> {
    asked([
        (
            differs(&options.shut_down, false),
            "`shut-down` (OSDShutdownPreparedOs) has no effect: the run goes on in the boot image; write \
             `finish = \"shutdown\"` in media.toml for its end",
        ),
        (
            options.sysprep_package.is_some(),
            "`sysprep-package` has no effect: the system's own sysprep is used; remove it",
        ),
    ])
}

fn of_program(system: OperatingSystem, account: bool, password: bool) -> Vec<String> {
    asked([
        (
            account && system == OperatingSystem::Windows,
            "`account` is not possible in a sequence for Windows: programs are run as SYSTEM; remove it",
        ),
        (
            password,
            "`password` has no effect: an account of the machine's own needs none; remove it",
        ),
    ])
}
