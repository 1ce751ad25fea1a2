//! How the kinds of installers are started, without a window and without a restart of their own.

use std::path::Path;

use anyhow::bail;

use super::path;
use crate::platform::{Command, Result};

/// The command that installs a file; `properties` are those of an MSI, and the arguments of a script.
///
/// # Errors
/// When Windows does not know its kind.
pub fn command(file: &Path, properties: &str) -> Result<Command> {
    let path = path::text(file);
    let kind = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let silent = ["/qn", "/norestart"];
    Ok(match kind.as_str() {
        "msi" => program("msiexec.exe", &[&["/i", &path], &silent[..]].concat(), properties),
        "msp" => program("msiexec.exe", &[&["/p", &path], &silent[..]].concat(), properties),
        "msu" => program("wusa.exe", &[&path, "/quiet", "/norestart"], ""),
        "cab" => dism("/Add-Package", &path, &["/NoRestart"]),
        // For everybody who comes: what is only one user's stands in the way of sysprep.
        "msix" | "msixbundle" | "appx" | "appxbundle" => {
            dism("/Add-ProvisionedAppxPackage", &path, &["/SkipLicense"])
        }
        "ps1" => {
            let words = [
                "-NoProfile",
                "-NonInteractive",
                "-ExecutionPolicy",
                "Bypass",
                "-File",
                &path,
            ];
            program("powershell.exe", &words, properties)
        }
        _ => bail!("Windows does not know how {path} is installed; the package needs a command"),
    })
}

fn dism(verb: &str, path: &str, more: &[&str]) -> Command {
    let package = format!("/PackagePath:{path}");
    program(
        "dism.exe",
        &[&["/Online", verb, &package, "/Quiet"], more].concat(),
        "",
    )
}

fn program(name: &str, arguments: &[&str], raw: &str) -> Command {
    Command {
        program: name.into(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        raw: raw.trim().to_owned(),
        ..Command::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(file: &str, properties: &str) -> String {
        let command = command(Path::new(file), properties).unwrap();
        let line = format!(
            "{} {} {}",
            command.program,
            command.arguments.join(" "),
            command.raw
        );
        line.trim().to_owned()
    }

    #[test]
    fn every_kind_is_installed_silently_and_does_not_restart() {
        let properties = r#"INSTALLDIR="C:\a b" "#;
        assert_eq!(
            line(r"D:\packages/t/t.MSI", properties),
            r#"msiexec.exe /i D:\packages\t\t.MSI /qn /norestart INSTALLDIR="C:\a b""#
        );
        assert_eq!(line("t.msp", ""), "msiexec.exe /p t.msp /qn /norestart");
        assert_eq!(line("t.msu", ""), "wusa.exe t.msu /quiet /norestart");
        assert_eq!(
            line("t.cab", ""),
            "dism.exe /Online /Add-Package /PackagePath:t.cab /Quiet /NoRestart"
        );
        assert_eq!(
            line("t.msixbundle", ""),
            "dism.exe /Online /Add-ProvisionedAppxPackage /PackagePath:t.msixbundle /Quiet /SkipLicense"
        );
        assert!(line("t.ps1", "-Fast").ends_with("-ExecutionPolicy Bypass -File t.ps1 -Fast"));
        assert!(command(Path::new("t.exe"), "").is_err());
    }

    #[test]
    fn every_kind_that_the_builder_lets_pass_is_known() {
        for kind in media_format::manifest::WINDOWS_INSTALLERS {
            command(Path::new(&format!("t.{kind}")), "").unwrap();
        }
    }
}
