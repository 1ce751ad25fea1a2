//! Where the packages come from: the host's own Debian mirror where it has one.

use std::process::Command;

use super::{Result, tool};

const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY_MIRROR: &str = "http://deb.debian.org/debian-security";
/// Suites that get their security fixes without a suite of their own.
const WITHOUT_SECURITY: [&str; 4] = ["sid", "unstable", "experimental", "rc-buggy"];

/// The repositories that a private apt root reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources {
    mirror: String,
    security: String,
}

impl Sources {
    /// What the host's apt is configured with, else Debian's own addresses.
    pub(super) fn of_host() -> Result<Self> {
        let mut command = Command::new("apt-get");
        command.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
        Ok(Self::from_uris(&tool::output(
            &mut command,
            "reading the host's package sources",
        )?))
    }

    fn from_uris(uris: &str) -> Self {
        let uris: Vec<&str> = uris
            .lines()
            .map(|line| line.trim().trim_end_matches('/'))
            .collect();
        let first = |ending: &str, default: &str| {
            uris.iter()
                .find(|uri| uri.ends_with(ending))
                .copied()
                .unwrap_or(default)
                .to_owned()
        };
        Self {
            mirror: first("/debian", MIRROR),
            security: first("/debian-security", SECURITY_MIRROR),
        }
    }

    /// The text of `sources.list` for a suite.
    pub(super) fn list(&self, suite: &str, keyring: &str) -> String {
        let mut list = format!("deb [signed-by={keyring}] {} {suite} main\n", self.mirror);
        if !WITHOUT_SECURITY.contains(&suite) {
            list += &format!(
                "deb [signed-by={keyring}] {} {suite}-security main\n",
                self.security
            );
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_mirror_is_preferred() {
        let sources = Sources::from_uris(
            "https://example.org/other\nhttp://mirror.lan/debian/\nhttp://s.lan/debian-security/",
        );
        let list = sources.list("trixie", "/k.gpg");
        assert!(
            list.contains("deb [signed-by=/k.gpg] http://mirror.lan/debian trixie main\n"),
            "{list}"
        );
        assert!(
            list.contains("http://s.lan/debian-security trixie-security main\n"),
            "{list}"
        );
    }

    #[test]
    fn without_one_it_is_debians_own() {
        let sources = Sources::from_uris("http://archive.ubuntu.com/ubuntu/\n");
        assert_eq!(
            sources.list("sid", "/k"),
            "deb [signed-by=/k] http://deb.debian.org/debian sid main\n"
        );
    }
}
