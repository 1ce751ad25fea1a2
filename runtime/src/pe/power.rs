//! Ends the machine's run without losing anything that was written.

use std::convert::Infallible;
use std::fs;
use std::io;

use rustix::mount::{UnmountFlags, unmount};
use rustix::system::{RebootCommand, reboot};

/// Mounts that hold nothing to lose.
const KEPT: [&str; 5] = ["/", "/proc", "/sys", "/dev", "/run"];

/// Restarts the machine.
pub fn restart() -> io::Result<Infallible> {
    end(RebootCommand::Restart)
}

/// Switches the machine off.
pub fn power_off() -> io::Result<Infallible> {
    end(RebootCommand::PowerOff)
}

fn end(command: RebootCommand) -> io::Result<Infallible> {
    rustix::fs::sync();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for path in to_unmount(&mounts) {
        if unmount(path.as_str(), UnmountFlags::empty()).is_err() {
            // Something still uses it: its data is flushed below, and no new use can begin.
            let _ = unmount(path.as_str(), UnmountFlags::DETACH);
        }
    }
    rustix::fs::sync();
    reboot(command)?;
    // The call does not return when it succeeds.
    Err(io::Error::other("the kernel did not end the machine's run"))
}

/// The mount points to release, the last mounted first.
fn to_unmount(mounts: &str) -> Vec<String> {
    let paths = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(unescape);
    let mut paths: Vec<String> = paths.filter(|path| !is_kept(path)).collect();
    paths.reverse();
    paths
}

fn is_kept(path: &str) -> bool {
    KEPT.contains(&path) || path.starts_with("/sys/") || path.starts_with("/dev/")
}

/// The kernel writes blanks and the like as three octal digits.
fn unescape(path: &str) -> String {
    let mut result = path.to_owned();
    for (code, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        result = result.replace(code, plain);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mounted_goes_first() {
        let mounts = "rootfs / rootfs rw 0 0\nsysfs /sys sysfs rw 0 0\nefivarfs /sys/firmware/efi/efivars efivarfs rw 0 0\n\
                      /dev/sda2 /mnt/target ext4 rw 0 0\n/dev/sda1 /mnt/target/boot/my\\040esp vfat rw 0 0\n";
        assert_eq!(to_unmount(mounts), ["/mnt/target/boot/my esp", "/mnt/target"]);
    }
}
