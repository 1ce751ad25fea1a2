//! The recovery environment of an applied Windows, in Windows PE: registered by the program that the image itself has for that.

use anyhow::Context as _;

use super::tools;
use crate::log::Log;
use crate::platform::{Processes, Result};

/// Registers `\Recovery\WindowsRE` of one volume (`R:\`) for the Windows on another one (`W:\`).
///
/// # Errors
/// When the image has no such program, or it fails.
pub fn register(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    windows: &str,
    recovery: &str,
) -> Result<()> {
    let program = format!(r"{windows}Windows\System32\ReAgentc.exe");
    let words = [
        "/setreimage".to_owned(),
        "/path".to_owned(),
        format!(r"{recovery}Recovery\WindowsRE"),
        "/target".to_owned(),
        format!("{windows}Windows"),
    ];
    tools::run(processes, log, &program, &words, None)
        .with_context(|| format!("registering the recovery environment of {windows}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn the_program_of_the_image_is_called_with_both_volumes() {
        let machine = Fake::default();
        register(&machine, &Log::default(), r"W:\", r"R:\").unwrap();
        let ran = machine.ran();
        assert_eq!(ran[0].program, r"W:\Windows\System32\ReAgentc.exe");
        let words = [
            "/setreimage",
            "/path",
            r"R:\Recovery\WindowsRE",
            "/target",
            r"W:\Windows",
        ];
        assert_eq!(ran[0].arguments, words);
        let refuses = Fake::default().ends("reagentc.exe", 2, "Operation failed");
        let done = register(&refuses, &Log::default(), r"W:\", r"R:\");
        assert!(format!("{:#}", done.unwrap_err()).contains("Operation failed"));
    }
}
