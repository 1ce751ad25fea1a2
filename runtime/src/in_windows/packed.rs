//! Files whose content Windows keeps elsewhere: of a deduplicated one an image holds nothing, and one that CompactOS has
//! compressed stays so in the image, where not every tool can apply it. After sysprep neither can be mended, so both are
//! looked for before it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use media_format::wim::reparse::DEDUP;

use super::tools;
use crate::log::Log;
use crate::platform::{Files, Machine, Processes, Result};

/// Programs of each Windows that CompactOS compresses. It leaves out what the boot loader reads by itself (the kernel, drivers
/// of the start), and an update may bring one of them uncompressed, so several are asked.
///
/// They are asked by FSCTL_GET_EXTERNAL_BACKING, as compact.exe asks
/// (<https://learn.microsoft.com/windows-hardware/drivers/ifs/fsctl-get-external-backing>): what `compact /compactos:query` says
/// is translated, and the value `Compact` of HKLM\SYSTEM\Setup is a setting, not what the files are.
const COMPRESSED: [&str; 4] = [
    "Windows/explorer.exe",
    "Windows/System32/cmd.exe",
    "Windows/System32/shell32.dll",
    "Windows/System32/notepad.exe",
];
/// It writes all of Windows anew.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// What this needs of the machine.
pub trait Windows: Files + Machine + Processes {}
impl<M: Files + Machine + Processes + ?Sized> Windows for M {}

/// Why a volume with deduplicated files cannot be captured, for each of these volumes that has some.
///
/// The sign is the tag in NTFS' own index of reparse points (`$Extend\$Reparse`, MS-FSCC FileReparsePointInformation): it names
/// the files that are deduplicated now, in a moment and without a walk through the volume. The store below "System Volume
/// Information" stays when deduplication was undone, its service knows only volumes that it was switched on for, and
/// `Get-DedupStatus` says what was so after the last job. Where the index cannot be read, the capture still refuses the volume.
pub fn deduplicated(files: &(impl Files + ?Sized), log: &Log, volumes: &[PathBuf]) -> Vec<String> {
    let has_some = |root: &&PathBuf| match files.reparse_tags(root) {
        Ok(tags) => tags.contains(&DEDUP),
        Err(error) => {
            log.warning(format!(
                "whether {} has deduplicated files is not known before the capture: {error:#}",
                root.display()
            ));
            false
        }
    };
    volumes
        .iter()
        .filter(has_some)
        .map(|root| refusal(root))
        .collect()
}

fn refusal(root: &Path) -> String {
    let shown = root.display().to_string();
    let volume = shown.trim_end_matches(['\\', '/']);
    format!(
        "the volume {volume} has deduplicated files, whose content lies in a store that an image does not hold: undo it in \
         PowerShell (Disable-DedupVolume -Volume {volume}, then Start-DedupJob -Volume {volume} -Type Unoptimization -Wait)"
    )
}

/// Whether this Windows is compressed by itself (CompactOS).
pub fn is_compressed(machine: &(impl Windows + ?Sized), log: &Log) -> bool {
    let root = machine.root();
    COMPRESSED.iter().any(|name| {
        machine.is_packed(&root.join(name)).unwrap_or_else(|error| {
            log.warning(format!(
                "whether CompactOS compresses this Windows is not certain: {error:#}"
            ));
            false
        })
    })
}

/// Unpacks a Windows that is compressed by itself. What somebody has compressed by name (`compact /exe`) stays, and the capture
/// names it.
///
/// # Errors
/// When it fails or takes too long.
pub fn unpack(machine: &(impl Windows + ?Sized), log: &Log, limit: Option<Duration>) -> Result<()> {
    log.info("this Windows is compressed (CompactOS) and is unpacked, because not every tool can apply an image of such files");
    let arguments = ["/compactos:never".to_owned()];
    tools::run(machine, log, "compact.exe", &arguments, Some(limit.unwrap_or(LIMIT))).context(
        "unpacking Windows, which CompactOS has compressed: it needs some gigabytes of free space; see that `compact \
         /compactos:never` succeeds in a command prompt of an administrator, and begin again",
    )?;
    if is_compressed(machine, log) {
        log.warning("some files of Windows are compressed although it was unpacked: the capture names them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use media_format::wim::reparse::WOF;

    use super::super::fake::Fake;
    use super::*;

    const LINK: u32 = 0xa000_000c;

    fn logged(act: impl Fn(&Log)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path());
        act(&log);
        let files = log.files();
        files
            .first()
            .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default()
    }

    #[test]
    fn only_a_volume_that_has_deduplicated_files_is_refused_and_told_how_to_undo_it() {
        let machine = Fake::default();
        for (root, tags) in [("C:/", vec![WOF, LINK]), ("D:/", vec![LINK, DEDUP])] {
            let tags = BTreeSet::from_iter(tags);
            machine.tags.borrow_mut().insert(root.to_lowercase(), tags);
        }
        let volumes = ["C:/", "D:/"].map(PathBuf::from);
        let reasons = deduplicated(&machine, &Log::default(), &volumes);
        let [reason] = &reasons[..] else {
            panic!("{reasons:?}")
        };
        for part in [
            "volume D: has",
            "Disable-DedupVolume -Volume D:,",
            "Start-DedupJob -Volume D: -Type Unoptimization",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }

    #[test]
    fn a_volume_that_does_not_say_is_left_to_the_capture_with_a_warning() {
        let log = logged(|log| {
            let reasons = deduplicated(&Fake::default(), log, &["E:/".into()]);
            assert!(reasons.is_empty(), "{reasons:?}");
        });
        assert!(
            log.contains("E:/ has deduplicated files is not known") && log.contains("Access is denied"),
            "{log}"
        );
    }

    fn compressed() -> Fake {
        let machine = Fake::default();
        // An update has brought the others.
        let name = "c:/windows/system32/shell32.dll".to_owned();
        machine.packed.borrow_mut().insert(name);
        machine
    }

    #[test]
    fn a_compressed_windows_is_unpacked_by_its_own_program() {
        assert!(!is_compressed(&Fake::default(), &Log::default()));
        let machine = compressed().does("compact.exe", |machine| machine.packed.borrow_mut().clear());
        assert!(is_compressed(&machine, &Log::default()));
        let log = logged(|log| unpack(&machine, log, None).unwrap());
        assert!(log.contains("compact.exe /compactos:never"), "{log}");
        assert!(!log.contains("although it was unpacked"), "{log}");
        let ran = machine.ran();
        assert_eq!(ran[0].arguments, ["/compactos:never"]);
        assert_eq!(ran[0].timeout, Some(LIMIT));
        // What somebody has compressed by name is none of it.
        let log = logged(|log| unpack(&compressed(), log, None).unwrap());
        assert!(log.contains("although it was unpacked"), "{log}");
    }

    #[test]
    fn windows_that_cannot_be_unpacked_fails_the_step_and_says_what_to_do() {
        let machine = compressed().ends("compact.exe", 1, "There is not enough space on the disk.\r\n");
        let limit = Some(Duration::from_secs(60));
        let error = format!("{:#}", unpack(&machine, &Log::default(), limit).unwrap_err());
        for part in [
            "free space",
            "begin again",
            "ended with 1 (0x00000001)",
            "not enough",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(machine.ran()[0].timeout, limit);
    }
}
