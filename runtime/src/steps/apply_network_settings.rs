//! Adapters and workgroup of the applied Linux. A domain is joined by a step in the installed system.

use std::path::Path;

use task_sequence::steps::{Adapter, ApplyNetworkSettings, JoinKind};

use super::join_domain_or_workgroup::set_workgroup;
use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::platform::{self, Platform};

mod windows;

/// Windows' set-up would end at a setting that it does not accept.
pub(super) fn check(options: &ApplyNetworkSettings, context: &Context<'_>) -> Check {
    if context.is_windows() {
        return windows::check(options, context);
    }
    Ok(())
}

pub(super) fn run(options: &ApplyNetworkSettings, context: &mut Context<'_>) -> Result {
    if context.is_windows() {
        return windows::run(options, context);
    }
    let root = context.system_root(true)?;
    match options.join.get() {
        Some(JoinKind::Domain) => {
            return Err(Failure::new(
                "a Linux system joins a domain while it runs: use a join-domain-or-workgroup step after setup-os",
            ));
        }
        Some(JoinKind::Workgroup) | None => {
            if let Some(workgroup) = &options.workgroup {
                set_workgroup(context, &root, workgroup)?;
            }
        }
    }
    write_adapters(context.platform, &root, &options.adapters)?;
    Ok(Outcome::Done)
}

fn write_adapters(platform: &dyn Platform, root: &Path, adapters: &[Adapter]) -> platform::Result<()> {
    let has = |path: &str| platform.exists(&root.join(path));
    let networkd = has("usr/lib/systemd/systemd-networkd")
        && has("etc/systemd/system/multi-user.target.wants/systemd-networkd.service");
    if networkd || !has("sbin/ifup") {
        return write_networkd(platform, root, adapters);
    }
    let text = interfaces(adapters);
    platform.write(
        &root.join("etc/network/interfaces.d/media-runtime"),
        text.as_bytes(),
        0o644,
    )
}

fn write_networkd(platform: &dyn Platform, root: &Path, adapters: &[Adapter]) -> platform::Result<()> {
    for (number, adapter) in adapters.iter().enumerate() {
        let path = root.join(format!(
            "etc/systemd/network/{:02}-media-runtime.network",
            10 + number
        ));
        platform.write(&path, networkd(adapter).as_bytes(), 0o644)?;
    }
    Ok(())
}

/// A `.network` file (systemd.network(5)).
fn networkd(adapter: &Adapter) -> String {
    let matched = match &adapter.mac {
        Some(mac) => format!("MACAddress={}", mac.replace('-', ":")),
        None => "Type=ether".into(),
    };
    let mut text = format!("[Match]\n{matched}\n\n[Network]\n");
    if uses_dhcp(adapter) {
        text.push_str("DHCP=yes\n");
    }
    let mut add =
        |key: &str, values: &[String]| values.iter().for_each(|v| text.push_str(&format!("{key}={v}\n")));
    add("Address", &adapter.addresses);
    add("Gateway", &adapter.gateways);
    add("DNS", &adapter.dns);
    if let Some(suffix) = &adapter.dns_suffix {
        text.push_str(&format!("Domains={suffix}\n"));
    }
    text
}

/// A fragment for ifupdown (interfaces(5)).
fn interfaces(adapters: &[Adapter]) -> String {
    let stanza = |(number, adapter): (usize, &Adapter)| {
        let name = match &adapter.mac {
            Some(mac) => format!("/mac/{}=media{number}", mac.to_lowercase().replace('-', ":")),
            None => format!("/{}/en*=media{number}", number + 1),
        };
        let method = if uses_dhcp(adapter) { "dhcp" } else { "static" };
        let mut text = format!("auto {name}\niface media{number} inet {method}\n");
        adapter
            .addresses
            .iter()
            .for_each(|address| text.push_str(&format!("\taddress {address}\n")));
        adapter
            .gateways
            .iter()
            .for_each(|gateway| text.push_str(&format!("\tgateway {gateway}\n")));
        if !adapter.dns.is_empty() {
            text.push_str(&format!("\tdns-nameservers {}\n", adapter.dns.join(" ")));
        }
        text
    };
    adapters.iter().enumerate().map(stanza).collect()
}

fn uses_dhcp(adapter: &Adapter) -> bool {
    adapter.dhcp.unwrap_or(adapter.addresses.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_is_matched_by_mac_and_gets_its_addresses() {
        let adapter = Adapter {
            mac: Some("52-54-00-12-34-56".into()),
            addresses: vec!["192.0.2.5/24".into()],
            gateways: vec!["192.0.2.1".into()],
            dns: vec!["192.0.2.53".into()],
            ..Adapter::default()
        };
        let text = networkd(&adapter);
        assert_eq!(
            text,
            "[Match]\nMACAddress=52:54:00:12:34:56\n\n[Network]\nAddress=192.0.2.5/24\nGateway=192.0.2.1\nDNS=192.0.2.53\n"
        );
        assert!(interfaces(&[adapter]).contains("inet static\n\taddress 192.0.2.5/24"));
        assert!(networkd(&Adapter::default()).contains("Type=ether\n\n[Network]\nDHCP=yes"));
    }
}
