//! How the kinds of installers are started, without a window and without a restart of their own.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::path;
use crate::platform::{Command, Result};

const APPS: [&str; 4] = ["msix", "msixbundle", "appx", "appxbundle"];

/// What lies beside an app in its package and belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// Packages that it needs, such as those of Visual C++.
    pub dependencies: Vec<PathBuf>,
    /// Its license.
    pub license: Option<PathBuf>,
}

impl Beside {
    /// Of the files of a package in a folder, those that are no installers themselves. A license is one app's, and which, nobody
    /// says where there are several of either.
    pub fn of(folder: &Path, files: &[&str], installers: &[String]) -> Self {
        let slashed = |name: &str| name.replace('\\', "/").to_lowercase();
        let is_installer = |file: &str| installers.iter().any(|name| slashed(name) == slashed(file));
        let others: Vec<&str> = files.iter().copied().filter(|file| !is_installer(file)).collect();
        let is_app = |file: &str| APPS.contains(&kind(Path::new(file)).as_str());
        let needed = others
            .iter()
            .filter(|file| is_app(file) && !is_for_arm(&slashed(file)));
        let licenses: Vec<&&str> = others
            .iter()
            .filter(|file| kind(Path::new(file)) == "xml")
            .collect();
        let apps = installers.iter().filter(|file| is_app(file)).count();
        let license = match licenses[..] {
            [license] if apps == 1 => Some(folder.join(license)),
            _ => None,
        };
        Self {
            dependencies: needed.map(|file| folder.join(file)).collect(),
            license,
        }
    }

    fn words(&self) -> Vec<String> {
        let dependencies = self.dependencies.iter();
        let mut words: Vec<String> = dependencies
            .map(|file| format!("/DependencyPackagePath:{}", path::text(file)))
            .collect();
        words.push(match &self.license {
            Some(file) => format!("/LicensePath:{}", path::text(file)),
            None => "/SkipLicense".to_owned(),
        });
        words
    }
}

/// Downloads have a package for each processor, in a folder or by its name; those for x86 are needed too.
fn is_for_arm(file: &str) -> bool {
    let mut parts = file.split(['/', '_', '.']);
    parts.any(|part| ["arm", "arm64"].contains(&part))
}

fn kind(file: &Path) -> String {
    let extension = file.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

/// The command that installs a file; `properties` are those of an MSI, and the arguments of a script.
///
/// # Errors
/// When Windows does not know its kind.
pub fn command(file: &Path, properties: &str, beside: &Beside) -> Result<Command> {
    let path = path::text(file);
    let kind = kind(file);
    let silent = ["/qn", "/norestart"];
    Ok(match kind.as_str() {
        "msi" => program("msiexec.exe", &[&["/i", &path], &silent[..]].concat(), properties),
        "msp" => program("msiexec.exe", &[&["/p", &path], &silent[..]].concat(), properties),
        "msu" => program("wusa.exe", &[&path, "/quiet", "/norestart"], ""),
        "cab" => dism("/Add-Package", &path, &["/NoRestart"]),
        // For everybody who comes: what is only one user's stands in the way of sysprep.
        kind if APPS.contains(&kind) => {
            let words = beside.words();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            dism("/Add-ProvisionedAppxPackage", &path, &words)
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
        let command = command(Path::new(file), properties, &Beside::default()).unwrap();
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
        assert!(command(Path::new("t.exe"), "", &Beside::default()).is_err());
    }

    #[test]
    fn an_app_takes_along_what_it_needs_and_its_license() {
        let folder = Path::new(r"D:\packages/tool");
        let files = [
            "Tool.msixbundle",
            "Dependencies/x64/VCLibs.140.00_14.0_x64__8wekyb3d8bbwe.appx",
            "Dependencies/x86/VCLibs.appx",
            "Dependencies/arm64/VCLibs.appx",
            "Native_1.7_arm__8wekyb3d8bbwe.Appx",
            "abc_License1.xml",
            "readme.txt",
        ];
        let beside = Beside::of(folder, &files, &["tool.msixbundle".to_owned()]);
        let app = command(&folder.join("Tool.msixbundle"), "", &beside).unwrap();
        let words = [
            "/Online",
            "/Add-ProvisionedAppxPackage",
            r"/PackagePath:D:\packages\tool\Tool.msixbundle",
            "/Quiet",
            r"/DependencyPackagePath:D:\packages\tool\Dependencies\x64\VCLibs.140.00_14.0_x64__8wekyb3d8bbwe.appx",
            r"/DependencyPackagePath:D:\packages\tool\Dependencies\x86\VCLibs.appx",
            r"/LicensePath:D:\packages\tool\abc_License1.xml",
        ];
        assert_eq!(app.arguments, words);
        // Each app that is installed by itself, and more licenses than one, belong to nobody.
        let apps = ["a.msix", r"sub\b.msix"].map(str::to_owned);
        let beside = Beside::of(folder, &["a.msix", "sub/b.msix", "a.xml"], &apps);
        assert_eq!(beside, Beside::default());
        let beside = Beside::of(folder, &["a.msix", "a.xml", "b.xml"], &apps[..1]);
        assert_eq!(beside, Beside::default());
    }

    #[test]
    fn every_kind_that_the_builder_lets_pass_is_known() {
        for kind in media_format::manifest::WINDOWS_INSTALLERS {
            command(Path::new(&format!("t.{kind}")), "", &Beside::default()).unwrap();
        }
    }
}
