//! The network, in the background: no step waits for it unless it needs it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{NetworkKind, wait_for};

const ADAPTERS: &str = "/sys/class/net";
/// One file for each adapter that has an address; the DHCP client's script writes the same.
const LEASES: &str = "/run/network";
/// ARPHRD_ETHER
const ETHERNET: &str = "1";
const FOREVER: Duration = Duration::from_secs(u64::MAX / 4);

/// Sets the network up as the media says; returns at once.
pub fn start(kind: NetworkKind) -> io::Result<()> {
    fs::create_dir_all(LEASES)?;
    let run = move || match kind {
        NetworkKind::None => {}
        NetworkKind::Dhcp => dhcp(),
        NetworkKind::Static {
            address,
            prefix,
            gateway,
            dns,
        } => {
            let gateway = gateway.map(|gateway| gateway.to_string());
            let dns: String = dns
                .iter()
                .map(|server| format!("nameserver {server}\n"))
                .collect();
            fixed(&format!("{address}/{prefix}"), gateway.as_deref(), &dns);
        }
    };
    std::thread::Builder::new()
        .name("network".to_owned())
        .spawn(run)
        .map(drop)
}

/// The addresses with their prefixes that adapters have so far.
pub fn addresses() -> Vec<String> {
    let read = |item: fs::DirEntry| {
        fs::read_to_string(item.path())
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let mut addresses: Vec<String> = fs::read_dir(LEASES)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(read)
        .filter(|text| !text.is_empty())
        .collect();
    addresses.sort();
    addresses
}

/// Waits until an adapter has an address; false when none has in time.
pub fn wait_for_address(limit: Duration) -> bool {
    wait_for(limit, || addresses().pop()).is_some()
}

/// Ethernet adapters of real or virtual hardware, in a stable order.
fn adapters(folder: &Path) -> BTreeSet<String> {
    let is_adapter = |path: &Path| {
        let kind = fs::read_to_string(path.join("type")).unwrap_or_default();
        kind.trim() == ETHERNET && path.join("device").exists()
    };
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    items
        .filter(|item| is_adapter(&item.path()))
        .map(|item| item.file_name().to_string_lossy().into_owned())
        .collect()
}

/// A DHCP client for every adapter, also for those that appear later.
fn dhcp() {
    busybox(&["ip", "link", "set", "lo", "up"]);
    let mut served = BTreeSet::new();
    loop {
        let new = |served: &BTreeSet<String>| {
            adapters(Path::new(ADAPTERS))
                .into_iter()
                .find(|name| !served.contains(name))
        };
        let Some(name) = wait_for(FOREVER, || new(&served)) else {
            return;
        };
        let client = name.clone();
        // The client stays for as long as the lease has to be renewed; a thread collects it.
        let run = move || {
            busybox(&[
                "udhcpc", "-f", "-S", "-i", &client, "-t", "5", "-T", "2", "-A", "3", "-s", SCRIPT,
            ])
        };
        if std::thread::Builder::new()
            .name(format!("dhcp-{name}"))
            .spawn(run)
            .is_err()
        {
            return;
        }
        served.insert(name);
    }
}

const SCRIPT: &str = "/usr/share/udhcpc/default.script";

/// A fixed address on the first adapter that has a link, or on the first one when none has.
fn fixed(address: &str, gateway: Option<&str>, dns: &str) {
    busybox(&["ip", "link", "set", "lo", "up"]);
    // Else the first adapter whose driver is loaded would be taken for the only one.
    super::settle();
    let first = |want_link: bool| {
        let up = |name: &String| {
            busybox(&["ip", "link", "set", name, "up"]);
            let carrier = fs::read_to_string(Path::new(ADAPTERS).join(name).join("carrier"));
            !want_link || carrier.is_ok_and(|text| text.trim() == "1")
        };
        adapters(Path::new(ADAPTERS)).into_iter().find(up)
    };
    let found =
        wait_for(Duration::from_secs(10), || first(true)).or_else(|| wait_for(FOREVER, || first(false)));
    let Some(name) = found else { return };
    busybox(&["ip", "addr", "replace", address, "dev", &name]);
    if let Some(gateway) = gateway {
        busybox(&["ip", "route", "replace", "default", "via", gateway, "dev", &name]);
    }
    let _ = fs::write("/etc/resolv.conf", dns);
    let _ = fs::write(Path::new(LEASES).join(&name), address);
}

fn busybox(arguments: &[&str]) -> bool {
    let mut command = Command::new("/bin/busybox");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .env("PATH", "/usr/bin:/usr/sbin")
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_ethernet_adapters_count() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kind, device) in [
            ("eth1", "1", true),
            ("eth0", "1", true),
            ("lo", "772", false),
            ("veth", "1", false),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(if device { path.join("device") } else { path.clone() }).unwrap();
            fs::write(path.join("type"), format!("{kind}\n")).unwrap();
        }
        assert_eq!(
            adapters(folder.path()).into_iter().collect::<Vec<_>>(),
            ["eth0", "eth1"]
        );
    }
}
