//! A look into a FAT volume without mounting it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use disk_image::read::{Device, Fat, ReadError, Volume as _};

use crate::platform::Result;

/// Nothing that is looked at this way is longer.
const LONGEST: u64 = 4 << 20;

/// The content of a small file, if the volume is FAT and has it.
pub(super) fn peek(device: &Path, file: &str) -> Result<Option<Vec<u8>>> {
    let what = || format!("looking for {file} on {}", device.display());
    let volume = open(device).with_context(what)?;
    if !Fat::is_here(&volume) {
        return Ok(None);
    }
    let content = Fat::open(volume).and_then(|volume| volume.open(file));
    let content = match content {
        Ok(content) => content,
        Err(ReadError::NotFound(_)) => return Ok(None),
        // A damaged volume is not ours to judge here, and must not stop a run on another disk.
        Err(_) => return Ok(None),
    };
    let mut bytes = Vec::new();
    let read = content.take(LONGEST).read_to_end(&mut bytes);
    Ok(read.ok().map(|_| bytes))
}

/// The paths of what is read-only, hidden or of the system on a FAT volume. The kernel shows only the first of these, in the mode of a file.
pub(super) fn marked(device: &Path) -> Result<Vec<String>> {
    let what = || format!("reading the attributes of files on {}", device.display());
    let volume = open(device).and_then(|volume| Ok(Fat::open(volume)?));
    volume.and_then(|volume| Ok(volume.marked()?)).with_context(what)
}

fn open(device: &Path) -> Result<Device> {
    Ok(Device::new(File::open(device)?)?)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    fn run(program: &str, arguments: &[&OsStr]) {
        let output = Command::new(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {output:?}");
    }

    /// An empty FAT32 volume, and a file to be copied to it.
    fn volume_and_file(folder: &Path) -> (PathBuf, PathBuf) {
        let (volume, file) = (folder.join("volume"), folder.join("state.env"));
        File::create(&volume).unwrap().set_len(300 << 20).unwrap();
        std::fs::write(&file, "content").unwrap();
        run("mkfs.fat", &["-F".as_ref(), "32".as_ref(), volume.as_os_str()]);
        (volume, file)
    }

    #[test]
    fn a_file_that_other_tools_wrote_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (volume, file) = volume_and_file(folder.path());
        run(
            "mmd",
            &["-i".as_ref(), volume.as_os_str(), "::/media-runtime".as_ref()],
        );
        let target = "::/media-runtime/state.env".as_ref();
        run(
            "mcopy",
            &["-i".as_ref(), volume.as_os_str(), file.as_os_str(), target],
        );
        let seen = peek(&volume, "media-runtime/state.env").unwrap();
        assert_eq!(seen.as_deref(), Some(b"content".as_slice()));
        assert_eq!(peek(&volume, "media-runtime/other").unwrap(), None);
        assert_eq!(peek(&file, "x").unwrap(), None, "no FAT volume at all");
    }

    #[test]
    fn what_is_read_only_hidden_or_of_the_system_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (volume, file) = volume_and_file(folder.path());
        let names = [
            "plain.txt",
            "hidden.txt",
            "A file with a long name.txt",
            "system.txt",
        ];
        run("mmd", &["-i".as_ref(), volume.as_os_str(), "::/Folder".as_ref()]);
        for name in names {
            let to = format!("::/Folder/{name}");
            run(
                "mcopy",
                &["-i".as_ref(), volume.as_os_str(), file.as_os_str(), to.as_ref()],
            );
        }
        for (attribute, path) in [
            ("+h", "::/Folder"),
            ("+h", "::/Folder/hidden.txt"),
            ("+r", "::/Folder/A file with a long name.txt"),
            ("+s", "::/Folder/system.txt"),
        ] {
            run(
                "mattrib",
                &[
                    "-i".as_ref(),
                    volume.as_os_str(),
                    attribute.as_ref(),
                    path.as_ref(),
                ],
            );
        }
        let mut found = marked(&volume).unwrap();
        found.sort();
        let expected = [
            "Folder",
            "Folder/A file with a long name.txt",
            "Folder/hidden.txt",
            "Folder/system.txt",
        ];
        assert_eq!(found, expected);
        assert!(marked(&file).is_err(), "no FAT volume at all");
    }
}
