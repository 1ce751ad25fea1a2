//! Who may do what with a file that the runtime makes on an NTFS volume. The drivers of Linux let everybody do everything with a new
//! file, and what runs as SYSTEM later must not be in everybody's hands.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FsWord, XattrFlags, fsetxattr, fstatfs, setxattr, statfs};
use rustix::io::Errno;

/// What a volume is by `statfs` that the kernel's ntfs3 has mounted, and one of a driver like NTFS-3G.
const NTFS3: FsWord = 0x7366_746E;
const FUSE: FsWord = 0x6573_5546;
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
///
/// # Errors
/// When NTFS does not take it: the file would be in everybody's hands.
pub(super) fn protect_file(file: impl AsFd, mode: u32) -> std::io::Result<()> {
    let descriptor = descriptor(mode, false);
    let file_system = fstatfs(&file)?.f_type;
    set(file_system, |name| {
        fsetxattr(&file, name, &descriptor, XattrFlags::empty())
    })
}

/// The same for a folder, and for what is made in it later.
///
/// # Errors
/// As [`protect_file`].
pub(super) fn protect_folder(path: &Path) -> std::io::Result<()> {
    let descriptor = descriptor(0o755, true);
    let file_system = statfs(path)?.f_type;
    set(file_system, |name| {
        setxattr(path, name, &descriptor, XattrFlags::empty())
    })
}

/// Each driver has a name of its own for it, and keeps others as attributes that mean nothing.
fn set(file_system: FsWord, attempt: impl Fn(&str) -> rustix::io::Result<()>) -> std::io::Result<()> {
    let name = match file_system {
        NTFS3 => "system.ntfs_security",
        FUSE => "system.ntfs_acl",
        _ => return Ok(()),
    };
    match attempt(name) {
        // The driver of another file system.
        Err(Errno::NOTSUP | Errno::INVAL | Errno::PERM) if file_system == FUSE => Ok(()),
        Err(error) => Err(std::io::Error::new(
            error.kind(),
            format!("NTFS does not take who may change it, so everybody could: {error}"),
        )),
        Ok(()) => Ok(()),
    }
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
    use std::process::Command;

    use super::super::namespace_tests;
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

    #[test]
    fn what_ntfs_does_not_take_is_an_error() {
        for error in [Errno::NOTSUP, Errno::INVAL, Errno::PERM] {
            let refuses = |_: &str| Err(error);
            set(FUSE, refuses).unwrap();
            let why = set(NTFS3, refuses).unwrap_err().to_string();
            assert!(why.contains("everybody could"), "{why}");
        }
        let full = |_: &str| Err(Errno::NOSPC);
        assert!(set(FUSE, full).is_err() && set(NTFS3, full).is_err());
        let known = |name: &str| {
            (name == "system.ntfs_security")
                .then_some(())
                .ok_or(Errno::NOTSUP)
        };
        set(NTFS3, known).unwrap();
    }

    /// What libwim reads from a volume onto which NTFS-3G has put it.
    #[test]
    fn a_volume_keeps_it() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("NTFS-3G mounts in a namespace of its own for root only");
            return;
        }
        namespace_tests::apart(module_path!(), "a_volume_keeps_it", |room| {
            let path = |name: &str| room.join(name);
            let (volume, mount) = (path("volume"), path("mount"));
            std::fs::create_dir(&mount).unwrap();
            std::fs::File::create(&volume).unwrap().set_len(32 << 20).unwrap();
            let geometry = ["-p", "2048", "-H", "255", "-S", "63", "-s", "512"];
            let format = [&["-F", "-Q", "-q"], &geometry[..]].concat();
            run(Command::new("mkntfs").args(format).arg(&volume));
            run(Command::new("ntfs-3g").args([&volume, &mount]));
            std::fs::create_dir(mount.join("folder")).unwrap();
            protect_folder(&mount.join("folder")).unwrap();
            let file = std::fs::File::create(mount.join("file")).unwrap();
            protect_file(&file, 0o600).unwrap();
            drop(file);
            run(Command::new("umount").arg(&mount));
            let wim = path("volume.wim");
            run(Command::new("wimlib-imagex").arg("capture").args([&volume, &wim]));
            let list = ["1", "--detailed"];
            let listed = run(Command::new("wimlib-imagex").arg("dir").arg(&wim).args(list));
            for (name, expected) in [
                ("folder", descriptor(0o755, true)),
                ("file", descriptor(0o600, false)),
            ] {
                let entry = listed.split(&format!("\"/{name}\"")).nth(1).unwrap();
                let line = entry.lines().find(|line| line.starts_with("Security Descriptor"));
                let expected = format!("Security Descriptor = {}", hex(&expected));
                assert_eq!(line, Some(expected.as_str()), "{name}");
            }
        });
    }

    fn run(command: &mut Command) -> String {
        let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
