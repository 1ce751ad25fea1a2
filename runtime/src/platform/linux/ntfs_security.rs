//! Who may do what with a file that the runtime makes on an NTFS volume. The drivers of Linux let everybody do everything with a new
//! file, and what runs as SYSTEM later must not be in everybody's hands.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, setxattr};
use rustix::io::Errno;

/// The attribute of the kernel's ntfs3, and of NTFS-3G.
const ATTRIBUTES: [&str; 2] = ["system.ntfs_security", "system.ntfs_acl"];
/// The part of a mode that is about everybody.
const OTHERS: u32 = 0o007;

/// S-1-5-18, S-1-5-32-544, S-1-5-32-545 (MS-DTYP 2.4.2.4).
const SYSTEM: &[u32] = &[18];
const ADMINISTRATORS: &[u32] = &[32, 544];
const USERS: &[u32] = &[32, 545];
/// `FILE_ALL_ACCESS`, and to read and run.
const ALL: u32 = 0x001F_01FF;
const READ: u32 = 0x0012_00A9;

/// SYSTEM and administrators may do everything; users may read where the mode lets everybody. Nothing happens on other file
/// systems.
pub(super) fn protect_file(file: impl AsFd, mode: u32) -> std::io::Result<()> {
    let descriptor = descriptor(mode, false);
    set(|name| fsetxattr(&file, name, &descriptor, XattrFlags::empty()))
}

/// The same for a folder, and for what is made in it later.
pub(super) fn protect_folder(path: &Path) -> std::io::Result<()> {
    let descriptor = descriptor(0o755, true);
    set(|name| setxattr(path, name, &descriptor, XattrFlags::empty()))
}

fn set(attempt: impl Fn(&str) -> rustix::io::Result<()>) -> std::io::Result<()> {
    for name in ATTRIBUTES {
        match attempt(name) {
            Ok(()) => return Ok(()),
            Err(Errno::NOTSUP | Errno::INVAL | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A self-relative security descriptor (MS-DTYP 2.4.6) whose list inherits nothing.
fn descriptor(mode: u32, folder: bool) -> Vec<u8> {
    const HEADER: u32 = 20;
    const PRESENT_PROTECTED_RELATIVE: u16 = 0x0004 | 0x1000 | 0x8000;
    let mut entries = vec![entry(SYSTEM, ALL, folder), entry(ADMINISTRATORS, ALL, folder)];
    if mode & OTHERS != 0 {
        entries.push(entry(USERS, READ, folder));
    }
    let (owner, count) = (sid(ADMINISTRATORS), entries.len() as u16);
    let list = entries.concat();
    let length = owner.len() as u32;
    let places = [HEADER, HEADER + length, 0, HEADER + 2 * length];
    let mut bytes = vec![1, 0];
    bytes.extend(PRESENT_PROTECTED_RELATIVE.to_le_bytes());
    places.iter().for_each(|place| bytes.extend(place.to_le_bytes()));
    bytes.extend(&owner);
    bytes.extend(&owner);
    bytes.extend([2, 0]);
    bytes.extend((8 + list.len() as u16).to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(list);
    bytes
}

/// An entry that allows.
fn entry(who: &[u32], rights: u32, folder: bool) -> Vec<u8> {
    const INHERITED_BY_FILES_AND_FOLDERS: u8 = 3;
    let sid = sid(who);
    let flags = if folder { INHERITED_BY_FILES_AND_FOLDERS } else { 0 };
    let mut bytes = vec![0, flags];
    bytes.extend((8 + sid.len() as u16).to_le_bytes());
    bytes.extend(rights.to_le_bytes());
    bytes.extend(sid);
    bytes
}

fn sid(parts: &[u32]) -> Vec<u8> {
    let mut bytes = vec![1, parts.len() as u8, 0, 0, 0, 0, 0, 5];
    parts.iter().for_each(|part| bytes.extend(part.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As Windows encodes `O:BAG:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)`.
    #[test]
    fn what_is_secret_is_for_administrators() {
        let owner = "01020000000000052000000020020000";
        let expected = format!(
            "01000490{}{owner}{owner}{}",
            "14000000240000000000000034000000",
            "0200340002000000\
             00001400ff011f00010100000000000512000000\
             00001800ff011f0001020000000000052000000020020000"
        );
        assert_eq!(hex(&descriptor(0o600, false)), expected);
    }

    #[test]
    fn users_may_read_what_everybody_may() {
        let open = hex(&descriptor(0o644, false));
        assert!(
            open.ends_with("00001800a900120001020000000000052000000021020000"),
            "{open}"
        );
        let folder = hex(&descriptor(0o755, true));
        assert!(folder.contains("00031400ff011f00"), "{folder}");
    }

    #[test]
    fn other_file_systems_have_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        protect_file(file.as_file(), 0o600).unwrap();
        let folder = tempfile::tempdir().unwrap();
        protect_folder(folder.path()).unwrap();
    }
}
