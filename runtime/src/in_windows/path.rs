//! Paths as programs of Windows and people write them. Our own are put together with `/`, which Windows itself takes, but `msiexec`,
//! `wusa`, DISM and what scripts do with a path often do not.

use std::path::{Path, PathBuf};

use crate::platform::{Command, System};

/// A path for a program of Windows.
pub fn text(path: &Path) -> String {
    path.display().to_string().replace('/', "\\")
}

/// A path for the system that runs.
pub fn text_in(system: System, path: &Path) -> String {
    match system {
        System::Linux => path.display().to_string(),
        System::Windows => text(path),
    }
}

/// A command whose working folder is written as the system writes it: scripts put names behind it.
pub fn in_folder_of(system: System, mut command: Command) -> Command {
    command.folder = command
        .folder
        .map(|folder| PathBuf::from(text_in(system, &folder)));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_has_backslashes_only_and_linux_keeps_its_own() {
        let mixed = Path::new(r"D:\packages/tool/sub");
        assert_eq!(text(mixed), r"D:\packages\tool\sub");
        assert_eq!(text(Path::new("//server/share/a b")), r"\\server\share\a b");
        assert_eq!(text_in(System::Linux, Path::new("/run/a\\b")), "/run/a\\b");
        let command = Command {
            folder: Some(mixed.to_owned()),
            ..Command::default()
        };
        let command = in_folder_of(System::Windows, command);
        assert_eq!(command.folder, Some(PathBuf::from(r"D:\packages\tool\sub")));
    }
}
