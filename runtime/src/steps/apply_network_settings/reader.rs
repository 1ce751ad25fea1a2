//! What in a Linux reads the settings of network adapters.

use crate::context::Failure;

/// The program that sets the adapters up when the system starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Networkd,
    Ifupdown,
    NetworkManager,
}

const NETWORKD: [&str; 2] = [
    "/usr/lib/systemd/systemd-networkd",
    "/lib/systemd/systemd-networkd",
];
const NETWORKD_ENABLED: [&str; 2] = [
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
    "/usr/lib/systemd/system/multi-user.target.wants/systemd-networkd.service",
];
/// Of Debian's ifupdown: other distributions have programs of that name for other files.
const IFUPDOWN: [&str; 3] = ["/usr/sbin/ifup", "/sbin/ifup", "/usr/bin/ifup"];
const INTERFACES: [&str; 1] = ["/etc/network"];
/// Where `/usr/sbin` is a link, an image has the program beside all others.
const NETWORK_MANAGER: [&str; 2] = ["/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"];
/// It starts networkd, whether that is enabled or not.
const NETPLAN: [&str; 3] = ["/usr/sbin/netplan", "/sbin/netplan", "/usr/bin/netplan"];
/// Ubuntu's desktop leaves all adapters to NetworkManager by one of these; its server lets NetworkManager have none with a cable.
const MANAGES_ALL: [&str; 3] = [
    "/etc/netplan/01-network-manager-all.yaml",
    "/usr/lib/netplan/00-network-manager-all.yaml",
    "/etc/NetworkManager/conf.d/10-globally-managed-devices.conf",
];

impl Reader {
    /// Everything that a system is asked for.
    pub(super) fn paths() -> Vec<&'static str> {
        let all: [&[&str]; 7] = [
            &NETWORKD,
            &NETWORKD_ENABLED,
            &IFUPDOWN,
            &INTERFACES,
            &NETWORK_MANAGER,
            &NETPLAN,
            &MANAGES_ALL,
        ];
        all.concat()
    }

    /// What reads the settings in a system that has some of those paths.
    pub(super) fn of(has: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        let any = |paths: &[&str]| paths.iter().any(|path| has(path));
        let planned = any(&NETWORKD) && any(&NETPLAN);
        if any(&NETWORKD) && any(&NETWORKD_ENABLED) {
            Ok(Self::Networkd)
        } else if any(&IFUPDOWN) && any(&INTERFACES) {
            Ok(Self::Ifupdown)
        } else if any(&NETWORK_MANAGER) && (!planned || any(&MANAGES_ALL)) {
            Ok(Self::NetworkManager)
        } else if planned {
            Ok(Self::Networkd)
        } else {
            Err(Failure::new(
                "nothing in the system reads the settings of its adapters: enable systemd-networkd in the reference, or install \
                 ifupdown or NetworkManager there",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_go_to_what_sets_the_adapters_up() {
        let of = |paths: &[&str]| Reader::of(|path| paths.contains(&path)).ok();
        let (networkd, enabled) = (NETWORKD[1], NETWORKD_ENABLED[0]);
        let (ifup, manager) = (IFUPDOWN[0], NETWORK_MANAGER[0]);
        assert_eq!(of(&[networkd, enabled, ifup, manager]), Some(Reader::Networkd));
        assert_eq!(
            of(&[networkd, ifup, "/etc/network", manager]),
            Some(Reader::Ifupdown)
        );
        // The `ifup` of another distribution.
        assert_eq!(of(&[networkd, ifup, manager]), Some(Reader::NetworkManager));
        assert_eq!(of(&[networkd, NETPLAN[0], manager]), Some(Reader::Networkd));
        let desktop = [networkd, NETPLAN[0], manager, MANAGES_ALL[0]];
        assert_eq!(of(&desktop), Some(Reader::NetworkManager));
        assert_eq!(
            of(&[networkd, "/usr/bin/NetworkManager"]),
            Some(Reader::NetworkManager)
        );
        assert_eq!(of(&[networkd, NETPLAN[0]]), Some(Reader::Networkd));
        assert_eq!(of(&[networkd, ifup]), None);
        let known = Reader::paths();
        assert!(
            [networkd, enabled, ifup, manager, NETPLAN[0]]
                .iter()
                .all(|path| known.contains(path))
        );
    }
}
