//! The kernel's own file systems.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::{MountFlags, mount};

use super::Error;

/// The firmware's variables, where the firmware is UEFI.
const FIRMWARE: &str = "/sys/firmware/efi";
const VARIABLES: &str = "/sys/firmware/efi/efivars";

struct Entry {
    kind: &'static str,
    path: &'static str,
    flags: MountFlags,
    options: Option<&'static std::ffi::CStr>,
}

const fn safe() -> MountFlags {
    MountFlags::NOSUID
        .union(MountFlags::NOEXEC)
        .union(MountFlags::NODEV)
}

const ENTRIES: [Entry; 5] = [
    Entry {
        kind: "proc",
        path: "/proc",
        flags: safe(),
        options: None,
    },
    Entry {
        kind: "sysfs",
        path: "/sys",
        flags: safe(),
        options: None,
    },
    Entry {
        kind: "devtmpfs",
        path: "/dev",
        flags: MountFlags::NOSUID,
        options: Some(c"mode=0755"),
    },
    Entry {
        kind: "tmpfs",
        path: "/run",
        flags: MountFlags::NOSUID.union(MountFlags::NODEV),
        options: Some(c"mode=0755"),
    },
    Entry {
        kind: "tmpfs",
        path: "/tmp",
        flags: MountFlags::NOSUID.union(MountFlags::NODEV),
        options: Some(c"mode=1777"),
    },
];

/// Mounts them all; returns whether the firmware is UEFI.
pub(super) fn kernel_file_systems(warnings: &mut Vec<String>) -> Result<bool, Error> {
    for entry in &ENTRIES {
        mount_one(entry).map_err(|source| Error::Mount {
            what: entry.kind,
            path: entry.path,
            source,
        })?;
    }
    // Shells and scripts expect these names; a devtmpfs does not have them.
    for (path, target) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
    ] {
        if let Err(error) = symlink(target, path) {
            warnings.push(format!("linking {path}: {error}"));
        }
    }
    Ok(Path::new(FIRMWARE).exists())
}

fn mount_one(entry: &Entry) -> io::Result<()> {
    fs::create_dir_all(entry.path)?;
    match mount(entry.kind, entry.path, entry.kind, entry.flags, entry.options) {
        // A kernel with CONFIG_DEVTMPFS_MOUNT has done it.
        Err(rustix::io::Errno::BUSY) => Ok(()),
        result => Ok(result?),
    }
}

/// Mounts the firmware's variables; its driver is loaded on demand.
pub(super) fn firmware_variables(warnings: &mut Vec<String>) -> bool {
    match mount("efivarfs", VARIABLES, "efivarfs", safe(), None) {
        Ok(()) => true,
        Err(error) => {
            warnings.push(format!(
                "mounting the firmware's variables: {error}; boot entries cannot be registered"
            ));
            false
        }
    }
}
