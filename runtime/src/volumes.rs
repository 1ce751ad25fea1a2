//! The volumes of a Linux system as one tree: which lies inside which, and how the tree is put together.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;

use crate::context::find_partition;
use crate::journal::{Target, Volume};
use crate::platform::{Platform, Result};

/// File systems that keep the owners, modes and links of a Linux system.
pub const KINDS: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Whether the volume can be a part of a Linux system's tree.
pub fn holds_linux(volume: &Volume) -> bool {
    KINDS.contains(&volume.file_system.as_str())
}

/// The volumes of the tree besides its root, each after those that it lies in.
pub fn inside(target: &Target) -> Vec<&Volume> {
    let mut volumes: Vec<&Volume> = target
        .volumes
        .iter()
        .filter(|volume| volume.id != target.system && holds_linux(volume))
        .filter(|volume| volume.mount_point.len() > 1)
        .collect();
    volumes.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    volumes
}

/// Mounts the system's volume, and inside it all others at their mount points; gives the folder. Doing it again
/// changes nothing.
///
/// # Errors
/// When a volume is not there or cannot be mounted.
pub fn assemble(platform: &dyn Platform, target: &Target, writable: bool) -> Result<PathBuf> {
    let (_, device, _) = find_partition(platform, &target.system)?;
    if writable && (target.ours || target.opened) {
        platform.recover(&device)?;
    }
    let root = platform.mount(&device, writable)?;
    for volume in inside(target) {
        let at = place(platform, &root, &volume.mount_point)?;
        if !writable && !platform.is_folder(&at) {
            continue;
        }
        let (_, device, _) = find_partition(platform, &volume.id)?;
        let folder = platform.mount(&device, writable)?;
        platform.mount_inside(&folder, &at)?;
    }
    Ok(root)
}

/// Takes out of the system's volume what is mounted inside it.
///
/// # Errors
/// When something cannot be unmounted.
pub fn take_apart(platform: &dyn Platform, target: &Target, root: &Path) -> Result<()> {
    inside(target)
        .iter()
        .rev()
        .try_for_each(|volume| platform.unmount_inside(&below(root, &volume.mount_point)))
}

/// Where a mount point is below a root. A link on the way would lead out of the system, into the boot image.
///
/// # Errors
/// When there is one, or the mount point is no plain path.
pub fn place(platform: &dyn Platform, root: &Path, mount_point: &str) -> Result<PathBuf> {
    let mut at = root.to_owned();
    for part in Path::new(mount_point).components() {
        match part {
            Component::RootDir => continue,
            Component::Normal(name) => at.push(name),
            _ => bail!("the mount point {mount_point} is no plain path"),
        }
        if platform.is_link(&at) {
            bail!(
                "the mount point {mount_point} leads over a symbolic link, so nothing can be mounted there"
            );
        }
    }
    Ok(at)
}

/// `/var` below `/root` is `/root/var`.
pub fn below(root: &Path, mount_point: &str) -> PathBuf {
    root.join(mount_point.trim_start_matches('/'))
}

/// A path of the system as a path of the volume with that mount point; nothing when it lies on none of its places.
pub fn relative(path: &str, mount_point: &str) -> Option<String> {
    if mount_point == "/" {
        return Some(path.to_owned());
    }
    let rest = path.strip_prefix(mount_point)?;
    rest.starts_with('/').then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(id: &str, mount_point: &str, file_system: &str) -> Volume {
        Volume {
            id: id.into(),
            mount_point: mount_point.into(),
            file_system: file_system.into(),
            applied: false,
        }
    }

    #[test]
    fn volumes_come_after_those_that_they_lie_in() {
        let target = Target {
            system: "root".into(),
            volumes: vec![
                volume("log", "/var/log", "xfs"),
                volume("root", "/", "ext4"),
                volume("swap", "", "swap"),
                volume("photos", "/photos", "exfat"),
                volume("var", "/var", "ext4"),
                volume("spare", "", "ext4"),
            ],
            ..Target::default()
        };
        let ids: Vec<_> = inside(&target).iter().map(|volume| volume.id.clone()).collect();
        assert_eq!(ids, ["var", "log"]);
    }

    #[test]
    fn a_path_is_taken_from_the_volume_that_it_lies_on() {
        assert_eq!(relative("/var/swap", "/").as_deref(), Some("/var/swap"));
        assert_eq!(relative("/var/swap", "/var").as_deref(), Some("/swap"));
        assert_eq!(relative("/variable", "/var"), None);
        assert_eq!(relative("/tmp/*", "/var"), None);
    }
}
