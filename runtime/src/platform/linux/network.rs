//! Shares, mounted by the kernel.

use std::fs;
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::Linux;
use crate::platform::{Account, Command, Network, Processes as _, Result};

const SHARES: &str = "/run/media-runtime/shares";
/// DHCP and a slow link need some time after a start.
const REACHABLE_WITHIN: Duration = Duration::from_secs(60);
const TRY_EVERY: Duration = Duration::from_secs(1);

impl Network for Linux {
    fn connect(&self, share: &str, account: &Account, at: Option<&Path>) -> Result<PathBuf> {
        let known = self.connected(share, at);
        if let Some(folder) = known {
            return Ok(folder);
        }
        let name = share.trim_start_matches('/').replace('/', "-");
        let folder = at.map_or_else(|| Path::new(SHARES).join(name), Path::to_owned);
        fs::create_dir_all(&folder)?;
        let data = options(share, account)?;
        mount_when_reachable(share, &folder, &data)?;
        self.shares.borrow_mut().push((share.to_owned(), folder.clone()));
        Ok(folder)
    }

    fn disconnect(&self, folder: &Path) -> Result<()> {
        let known = self.shares.borrow().iter().any(|(_, known)| known == folder);
        if !known {
            return Ok(());
        }
        unmount(folder, UnmountFlags::empty())
            .with_context(|| format!("disconnecting the share on {}", folder.display()))?;
        self.shares.borrow_mut().retain(|(_, known)| known != folder);
        Ok(())
    }

    /// By `realmd`; a system without it is none that we know of.
    fn domain(&self) -> Result<Option<String>> {
        if !["/usr/sbin/realm", "/usr/bin/realm"]
            .iter()
            .any(|program| Path::new(program).exists())
        {
            return Ok(None);
        }
        let output = self.run(&Command {
            program: "realm".into(),
            arguments: vec!["list".into(), "-n".into()],
            ..Command::default()
        })?;
        let name = output.stdout.lines().next().filter(|name| !name.is_empty());
        Ok(name.map(str::to_owned))
    }
}

impl Linux {
    /// Where the share is mounted: in that place, where one is wanted.
    fn connected(&self, share: &str, at: Option<&Path>) -> Option<PathBuf> {
        let shares = self.shares.borrow();
        let mut folders = shares.iter().filter(|(known, _)| known == share);
        let found = folders.find(|(_, folder)| at.is_none_or(|at| at == folder))?;
        Some(found.1.clone())
    }
}

/// Options for the kernel's cifs. They go into the system call, so that the password is in no list of processes.
fn options(share: &str, account: &Account) -> Result<std::ffi::CString> {
    let (domain, user) = match account.user.split_once('\\') {
        Some((domain, user)) => (Some(domain), user),
        None => (None, account.user.as_str()),
    };
    let address = address(share)?;
    let unc = value("share", share)?.replace('/', "\\");
    let mut text = format!("ip={address},vers=3.1.1,unc={unc}");
    if user.is_empty() {
        text.push_str(",guest");
    } else {
        // A comma ends an option; doubled it is part of the password (kernel, fs_context of cifs).
        text.push_str(&format!(
            ",user={},pass={}",
            value("account", user)?,
            account.password.replace(',', ",,")
        ));
    }
    if let Some(domain) = domain {
        text.push_str(&format!(",domain={}", value("domain", domain)?));
    }
    Ok(std::ffi::CString::new(text)?)
}

/// Only a password may have commas: elsewhere the kernel would take what follows for an option of its own.
fn value<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.contains(',') {
        bail!("{what} {text} has a comma, which the kernel's cifs cannot take; use one without");
    }
    Ok(text)
}

/// The kernel wants an address.
fn address(share: &str) -> Result<String> {
    let server = share
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    if server.parse::<std::net::IpAddr>().is_ok() {
        return Ok(server.to_owned());
    }
    let mut found = (server, 445).to_socket_addrs().with_context(|| {
        format!(
            "looking up server {server} of share {share}; check its name and the boot image's network and DNS"
        )
    })?;
    found
        .next()
        .map(|address| address.ip().to_string())
        .with_context(|| format!("server {server} has no address"))
}

fn mount_when_reachable(share: &str, folder: &Path, data: &std::ffi::CStr) -> Result<()> {
    let end = Instant::now() + REACHABLE_WITHIN;
    loop {
        let Err(error) = mount(share, folder, "cifs", MountFlags::empty(), data) else {
            return Ok(());
        };
        if !is_refusal(error) && Instant::now() < end {
            std::thread::sleep(TRY_EVERY);
            continue;
        }
        bail!("connecting to {share}: {}", explain(error));
    }
}

/// Another try would end the same. Everything else passes: a network that is not up yet, a server that starts, or one that has too
/// little of something at the moment (`EREMOTEIO`).
fn is_refusal(error: Errno) -> bool {
    matches!(
        error,
        Errno::ACCESS
            | Errno::PERM
            | Errno::KEYREJECTED
            | Errno::NOENT
            | Errno::NXIO
            | Errno::INVAL
            | Errno::NODEV
            | Errno::OPNOTSUPP
    )
}

fn explain(error: Errno) -> String {
    match error {
        Errno::ACCESS | Errno::PERM | Errno::KEYREJECTED => {
            "the server refuses the account: check the user name and the password".into()
        }
        Errno::NOENT | Errno::NXIO | Errno::INVAL => {
            format!("the server has no such share, or the name of the share is wrong ({error})")
        }
        Errno::NODEV => "the kernel has no cifs".into(),
        Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::HOSTDOWN | Errno::TIMEDOUT => {
            format!("the server cannot be reached ({error}): check the cable, the addresses and the server")
        }
        Errno::CONNREFUSED => "the server does not answer on port 445".into(),
        Errno::OPNOTSUPP => format!(
            "the server does not speak SMB 3.1.1 ({error}): switch it on there, or capture to a stick or disk"
        ),
        Errno::REMOTEIO => {
            format!(
                "the server has too little of something ({error}): look at its log, its memory and its connections"
            )
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_where_it_is_wanted() {
        let machine = Linux::new();
        let (share, ours, theirs) = ("//server/share", Path::new("/ours"), Path::new("/mnt/Z"));
        machine.shares.borrow_mut().push((share.into(), ours.into()));
        assert_eq!(machine.connected(share, None).as_deref(), Some(ours));
        assert_eq!(machine.connected(share, Some(theirs)), None);
        machine.shares.borrow_mut().push((share.into(), theirs.into()));
        assert_eq!(machine.connected(share, Some(theirs)).as_deref(), Some(theirs));
        assert_eq!(machine.connected("//server/other", None), None);
    }

    #[test]
    fn what_would_become_an_option_of_the_mount_is_refused() {
        let account = |user: &str| Account {
            user: user.into(),
            password: String::new(),
        };
        for (share, user) in [
            ("//10.0.2.100/captures", "a,guest"),
            ("//10.0.2.100/captures", "LAB,guest\\capture"),
            ("//10.0.2.100/cap,tures", "capture"),
        ] {
            let refused = options(share, &account(user)).unwrap_err().to_string();
            assert!(refused.contains("comma"), "{share} {user}: {refused}");
        }
    }

    #[test]
    fn what_the_server_refuses_is_not_tried_again_and_what_may_pass_is() {
        for refusal in [Errno::ACCESS, Errno::NOENT, Errno::OPNOTSUPP] {
            assert!(is_refusal(refusal), "{refusal}");
        }
        for passing in [
            Errno::HOSTUNREACH,
            Errno::CONNREFUSED,
            Errno::REMOTEIO,
            Errno::AGAIN,
        ] {
            assert!(!is_refusal(passing), "{passing}");
        }
        assert!(explain(Errno::REMOTEIO).contains("look at its log"));
    }

    #[test]
    fn a_password_with_commas_stays_one_option() {
        let account = Account {
            user: "LAB\\capture".into(),
            password: "a,b".into(),
        };
        let text = options("//10.0.2.100/captures", &account)
            .unwrap()
            .into_string()
            .unwrap();
        assert_eq!(
            text,
            "ip=10.0.2.100,vers=3.1.1,unc=\\\\10.0.2.100\\captures,user=capture,pass=a,,b,domain=LAB"
        );
        assert!(!format!("{account:?}").contains("a,b"));
    }
}
