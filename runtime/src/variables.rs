//! The variables that the engine sets, under the names that people know.

use media_format::event::Environment;
use media_format::manifest::MediaLayout;
use task_sequence::Variables;

use crate::platform::Firmware;
use crate::run::Run;

/// Sets a variable of the engine; its name is ours and valid.
pub fn set(variables: &mut Variables, name: &str, value: impl Into<String>) {
    let set = variables.set_by_engine(name, value);
    debug_assert!(set.is_ok(), "{name} is not a name of a variable");
}

/// What the machine and this start of the runtime are.
pub fn set_machine(run: &mut Run<'_>) {
    let text = |flag: bool| if flag { "true" } else { "false" };
    let pe = run.here == Environment::Pe;
    let secure_boot = match run.platform.secure_boot() {
        None => "NA",
        Some(true) => "Enabled",
        Some(false) => "Disabled",
    };
    let launch = if run.media.manifest.layout == MediaLayout::Iso {
        "CD"
    } else {
        "UFD"
    };
    let manifest = &run.media.manifest;
    let mut known = vec![
        ("_SMSTSInWinPE".to_owned(), text(pe).to_owned()),
        (
            "_SMSTSBootUEFI".to_owned(),
            text(run.platform.firmware() == Firmware::Uefi).to_owned(),
        ),
        ("_TSSecureBoot".to_owned(), secure_boot.to_owned()),
        ("_SMSTSMediaType".to_owned(), "FullMedia".to_owned()),
        ("_SMSTSLaunchMode".to_owned(), launch.to_owned()),
        ("_SMSTSLogPath".to_owned(), run.log.folder().display().to_string()),
        (
            "_SMSTSMDataPath".to_owned(),
            run.log.folder().display().to_string(),
        ),
        ("_SMSTSPackageID".to_owned(), run.journal.saved.sequence.clone()),
        ("_SMSTSPackageName".to_owned(), run.sequence.name.clone()),
        ("_SMSTSBootImageID".to_owned(), manifest.boot_image.clone()),
        ("_SMSTSOrgName".to_owned(), manifest.organization.clone()),
    ];
    known.extend(run.platform.variables());
    known
        .into_iter()
        .for_each(|(name, value)| set(&mut run.variables, &name, value));
    set_client_cache(run);
}

/// `_SMSTSClientCache` exists once the run has a place on the target: the usual condition of the partitioning step.
fn set_client_cache(run: &mut Run<'_>) {
    if run.journal.is_attached() {
        set(
            &mut run.variables,
            "_SMSTSClientCache",
            media_format::paths::INSTALLED,
        );
    }
}

/// How the last step ended; a skipped one leaves these as they were.
pub fn set_last_action(variables: &mut Variables, name: &str, code: i64) {
    set(variables, "_SMSTSLastActionName", name);
    set(variables, "_SMSTSLastActionRetCode", code.to_string());
    set(
        variables,
        "_SMSTSLastActionSucceeded",
        if code == 0 { "true" } else { "false" },
    );
}
