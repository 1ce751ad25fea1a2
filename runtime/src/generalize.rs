//! What makes an installed Linux this one machine, and how it is taken out of a view of its volume.

use std::path::Path;

use crate::platform::{Platform, Result};
use crate::{selinux, staging};

/// Files and folders that are removed whole. What a package needs and makes anew is here; what a user may have put
/// there by hand is not.
const REMOVED: &[&str] = &[
    // Who the machine is.
    "etc/ssh/ssh_host_*",
    "etc/hostname",
    "var/lib/dbus/machine-id",
    "etc/nvme/hostid",
    "etc/nvme/hostnqn",
    "etc/krb5.keytab",
    "var/lib/samba/private/*.tdb",
    "var/lib/samba/private/*.ldb",
    "var/lib/sss/secrets/*",
    "var/lib/sss/db/*",
    // Registrations with a distributor: a copy would be taken for this machine.
    "etc/pki/consumer/*",
    "etc/pki/entitlement/*",
    "etc/zypp/credentials.d/SCCcredentials",
    "var/lib/zypp/AnonymousUniqueId",
    // Debian's self-signed certificate: made anew when the system is deployed, as the SSH host keys are.
    "etc/ssl/private/ssl-cert-snakeoil.key",
    "etc/ssl/certs/ssl-cert-snakeoil.pem",
    "var/lib/systemd/random-seed",
    "var/lib/urandom/random-seed",
    "var/lib/systemd/credential.secret",
    // Hardware and networks that it has seen.
    "etc/adjtime",
    "etc/udev/rules.d/70-persistent-net.rules",
    "etc/NetworkManager/system-connections/*",
    "etc/systemd/network/*-media-runtime*.network",
    "etc/network/interfaces.d/media-runtime*",
    "var/lib/dhcp/*",
    "var/lib/dhclient/*",
    "var/lib/dhcpcd/*",
    "var/lib/NetworkManager/*",
    "var/lib/systemd/network/*",
    "var/lib/systemd/rfkill/*",
    "var/lib/systemd/backlight/*",
    "var/lib/bluetooth/*",
    "etc/lvm/devices/system.devices",
    "boot/grub/grubenv",
    // Ubuntu's cloud images: GRUB's menu would name the root of this machine for ever.
    "etc/default/grub.d/40-force-partuuid.cfg",
    // What happened on it: backups of the account files hold old passwords.
    "etc/passwd-",
    "etc/shadow-",
    "etc/group-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/.pwd.lock",
    "etc/.updated",
    "var/.updated",
    "var/lib/systemd/timers/*",
    "var/lib/systemd/timesync/*",
    "var/lib/systemd/catalog/database",
    "var/lib/systemd/linger/*",
    "var/lib/systemd/coredump/*",
    "var/lib/logrotate/status",
    "var/lib/cloud/*",
    "var/crash/*",
    "var/spool/abrt/*",
    "root/.bash_history",
    "root/.lesshst",
    "root/.ssh/known_hosts",
    "home/*/.bash_history",
];

/// Identities of management agents that are common on Linux.
pub const AGENTS: &[&str] = &[
    "etc/salt/pki/minion",
    "etc/salt/minion_id",
    "etc/puppetlabs/puppet/ssl",
    "var/lib/puppet/ssl",
    "etc/chef/client.pem",
];

/// Folders whose content is removed and that stay.
const EMPTIED: &[&str] = &[
    "tmp",
    "var/tmp",
    "run",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/cache/dnf",
    "var/cache/libdnf5",
    "var/cache/yum",
    "var/cache/zypp",
    "var/cache/ldconfig",
    "var/cache/man",
    "var/spool/cron/atjobs",
];

/// Files that stay, without content: their programs expect them.
const TRUNCATED: &[&str] = &["etc/resolv.conf"];

/// Logs: files are removed, the folders of the packages stay, since daemons expect them.
const LOGS: &str = "var/log";

/// Patterns that no capture holds, besides what was removed.
pub const NOT_CAPTURED: &[&str] = &[
    "/proc/*",
    "/sys/*",
    "/dev/*",
    "/run/*",
    "/tmp/*",
    "/swapfile",
    "/swap.img",
    "/var/swap",
];

/// Generalizes the system in `root`, which is a view whose changes stay in memory.
///
/// # Errors
/// When something cannot be removed.
pub fn generalize(platform: &dyn Platform, root: &Path, ours: bool) -> Result<()> {
    for pattern in REMOVED.iter().chain(AGENTS) {
        remove_matching(platform, root, pattern)?;
    }
    for folder in EMPTIED {
        empty(platform, &root.join(folder))?;
    }
    for file in TRUNCATED
        .iter()
        .map(|file| root.join(file))
        .filter(|file| is_plain_file(platform, file))
    {
        platform.write(&file, b"", 0o644)?;
    }
    forget_initiator(platform, root)?;
    remove_logs(platform, &root.join(LOGS))?;
    // Empty, not absent: systemd then makes a new one without taking the start for a first boot's set-up.
    platform.write(&root.join("etc/machine-id"), b"", 0o444)?;
    staging::remove_runtime(platform, root)?;
    // What was written here and by the run has no labels.
    selinux::relabel(platform, root)?;
    if ours {
        platform.write(&root.join("etc/fstab"), b"", 0o644)?;
        lock_root(platform, root)?;
    }
    Ok(())
}

fn is_plain_file(platform: &dyn Platform, path: &Path) -> bool {
    platform.exists(path) && !platform.is_folder(path) && !platform.is_link(path)
}

/// The password that the run gave to the administrator must not travel: its hash can be guessed at leisure.
fn lock_root(platform: &dyn Platform, root: &Path) -> Result<()> {
    let path = root.join("etc/shadow");
    let Some(bytes) = platform.read(&path)? else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    platform.write(
        &path,
        crate::shadow::set_password(&text, "root", "!*").as_bytes(),
        0o640,
    )
}

/// The name by which iSCSI targets know the machine. Debian's service makes a new one only where its file says so; that
/// of others does where there is no file.
fn forget_initiator(platform: &dyn Platform, root: &Path) -> Result<()> {
    let path = root.join("etc/iscsi/initiatorname.iscsi");
    if is_plain_file(platform, &path) && platform.exists(&root.join("usr/lib/open-iscsi/startup-checks.sh")) {
        return platform.write(&path, b"GenerateName=yes\n", 0o600);
    }
    platform.remove(&path)
}

fn empty(platform: &dyn Platform, folder: &Path) -> Result<()> {
    if !platform.is_folder(folder) || platform.is_link(folder) {
        return Ok(());
    }
    platform
        .list(folder)?
        .iter()
        .try_for_each(|name| platform.remove(&folder.join(name)))
}

fn remove_logs(platform: &dyn Platform, folder: &Path) -> Result<()> {
    // A link could lead out of the view.
    if !platform.is_folder(folder) || platform.is_link(folder) {
        return Ok(());
    }
    for name in platform.list(folder)? {
        let path = folder.join(&name);
        if name == "journal" {
            empty(platform, &path)?;
        } else if platform.is_folder(&path) && !platform.is_link(&path) {
            remove_logs(platform, &path)?;
        } else {
            platform.remove(&path)?;
        }
    }
    Ok(())
}

/// Removes what a pattern with `*` inside its components matches.
fn remove_matching(platform: &dyn Platform, root: &Path, pattern: &str) -> Result<()> {
    let (first, rest) = pattern
        .split_once('/')
        .map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    let names = if first.contains('*') {
        let fits = |name: &String| task_sequence::condition::like(name, first);
        platform.list(root)?.into_iter().filter(fits).collect()
    } else {
        vec![first.to_owned()]
    };
    for path in names.iter().map(|name| root.join(name)) {
        match rest {
            // A link on the way could lead out of the view: it is not followed.
            Some(rest) if platform.is_folder(&path) && !platform.is_link(&path) => {
                remove_matching(platform, &path, rest)?;
            }
            Some(_) => {}
            None => platform.remove(&path)?,
        }
    }
    Ok(())
}
