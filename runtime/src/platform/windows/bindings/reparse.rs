//! Files whose content Windows keeps elsewhere.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_REPARSE_POINT_INFORMATION, FileReparsePointInformation, NtQueryDirectoryFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, ERROR_OBJECT_NOT_EXTERNALLY_BACKED, GENERIC_READ,
    RtlNtStatusToDosError, STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE,
};
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_BACKUP_SEMANTICS;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::Ioctl::FSCTL_GET_EXTERNAL_BACKING;

use super::ask;

/// The index that NTFS keeps of all reparse points of a volume: the one folder that answers `FileReparsePointInformation`.
const INDEX: &str = r"$Extend\$Reparse:$R:$INDEX_ALLOCATION";

/// Whether an external provider has the content of a file: a compressed one of CompactOS, or a WIM. The file itself does not
/// say so: its provider hides the reparse point from whoever asks.
pub(in super::super) fn is_externally_backed(file: &Path) -> Result<bool> {
    /// A file system without providers, or a Windows without them (before 8.1).
    const NO_PROVIDER: [u32; 2] = [ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED];
    let name = file.display().to_string();
    match ask(&name, GENERIC_READ, FSCTL_GET_EXTERNAL_BACKING, &[]) {
        Ok(_) => Ok(true),
        Err(error) => match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_OBJECT_NOT_EXTERNALLY_BACKED) => Ok(false),
            Some(code) if NO_PROVIDER.contains(&code) => Ok(false),
            _ => Err(error),
        },
    }
}

/// The tags of all reparse points of the volume with that root, which ends with a backslash.
pub(in super::super) fn reparse_tags(root: &str) -> Result<BTreeSet<u32>> {
    let prefix = if root.starts_with(r"\\") { "" } else { r"\\?\" };
    let index = OpenOptions::new()
        .read(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(format!("{prefix}{root}{INDEX}"))?;
    let mut tags = BTreeSet::new();
    while let Some(tag) = next_tag(&index)? {
        tags.insert(tag);
    }
    Ok(tags)
}

/// One entry a call, so nothing depends on how several are packed.
fn next_tag(index: &File) -> Result<Option<u32>> {
    let mut status = IO_STATUS_BLOCK::default();
    let mut entry = FILE_REPARSE_POINT_INFORMATION::default();
    let length = u32::try_from(size_of_val(&entry)).unwrap_or(0);
    // SAFETY: the entry's length goes along, the file is open and synchronous, so nothing is written after the call; what is not
    // wanted is null, as the call allows.
    let answer = unsafe {
        NtQueryDirectoryFile(
            index.as_raw_handle(),
            null_mut(),
            None,
            null(),
            &mut status,
            (&raw mut entry).cast(),
            length,
            FileReparsePointInformation,
            true,
            null(),
            false,
        )
    };
    match answer {
        // The second where there has never been one.
        STATUS_NO_MORE_FILES | STATUS_NO_SUCH_FILE => Ok(None),
        // SAFETY: takes a number and gives one.
        failed if failed < 0 => Err(Error::from_raw_os_error(
            unsafe { RtlNtStatusToDosError(failed) }.cast_signed(),
        )),
        _ => Ok(Some(entry.Tag)),
    }
}
