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
    let volume = Device::new(File::open(device).with_context(what)?).with_context(what)?;
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_that_other_tools_wrote_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (volume, file) = (folder.path().join("volume"), folder.path().join("state.env"));
        File::create(&volume).unwrap().set_len(300 << 20).unwrap();
        std::fs::write(&file, "content").unwrap();
        let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
            let output = Command::new(program).args(arguments).output();
            let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
            assert!(output.status.success(), "{program}: {output:?}");
        };
        run("mkfs.fat", &["-F".as_ref(), "32".as_ref(), volume.as_os_str()]);
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
}
