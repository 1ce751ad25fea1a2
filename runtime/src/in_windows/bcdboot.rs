//! What starts an applied Windows, in Windows PE: put onto the firmware's partition by the program that the image itself has for
//! that. It is as old as the image, so it knows all of its boot files.

use anyhow::Context as _;
use windows_setup::secure_boot::BootFiles;

use super::tools;
use crate::log::Log;
use crate::platform::{Firmware, Processes, Result};

/// Copies the boot files of the Windows on the volume with that letter (`W:\`) and makes its boot configuration store.
///
/// # Errors
/// When the image has no such program, or it fails.
pub fn install(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    firmware: Firmware,
    (windows, system): (&str, &str),
    locale: &str,
    files: BootFiles,
) -> Result<()> {
    let (kind, newer) = match firmware {
        Firmware::Uefi => ("UEFI", files == BootFiles::Ca2023),
        Firmware::Bios => ("BIOS", false),
    };
    let program = format!(r"{windows}Windows\System32\bcdboot.exe");
    let mut words = vec![format!("{windows}Windows")];
    words.extend(["/s", system.trim_end_matches('\\'), "/f", kind, "/l", locale].map(str::to_owned));
    words.extend(newer.then(|| "/bootex".to_owned()));
    tools::run(processes, log, &program, &words, None)
        .with_context(|| format!("copying the boot files of {windows}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn the_program_of_the_image_is_called_with_its_volumes_and_its_language() {
        let machine = Fake::default();
        for (firmware, files) in [
            (Firmware::Uefi, BootFiles::Pca2011),
            (Firmware::Uefi, BootFiles::Ca2023),
            (Firmware::Bios, BootFiles::Ca2023),
        ] {
            let log = Log::default();
            install(&machine, &log, firmware, (r"W:\", r"S:\"), "nl-NL", files).unwrap();
        }
        let ran = machine.ran();
        let words = [r"W:\Windows", "/s", "S:", "/f", "UEFI", "/l", "nl-NL", "/bootex"];
        assert_eq!(ran[0].program, r"W:\Windows\System32\bcdboot.exe");
        assert_eq!(ran[0].arguments, words[..7]);
        assert_eq!(ran[1].arguments, words);
        assert_eq!(
            ran[2].arguments,
            [r"W:\Windows", "/s", "S:", "/f", "BIOS", "/l", "nl-NL"]
        );
        let refuses = Fake::default().ends("bcdboot.exe", 193, "Failure when attempting to copy boot files.");
        let done = install(
            &refuses,
            &Log::default(),
            Firmware::Uefi,
            (r"W:\", r"S:\"),
            "nl-NL",
            BootFiles::Pca2011,
        );
        let error = format!("{:#}", done.unwrap_err());
        assert!(
            error.contains("copying the boot files of W:") && error.contains("Failure when"),
            "{error}"
        );
    }
}
