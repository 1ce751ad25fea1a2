//! Adapters and workgroup of the applied Linux. A domain is joined by a step in the installed system.

use std::path::Path;

use reader::Reader;
use task_sequence::Action;
use task_sequence::steps::{Adapter, ApplyNetworkSettings, ApplyOsSettings, JoinKind};
use windows_setup::unattend::{Machine, Settings};

use super::applied_images::AppliedImages;
use super::join_domain_or_workgroup::set_workgroup;
use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::platform::{self, Platform};
use crate::volumes;

mod keyfile;
mod reader;
mod windows;

/// Windows' set-up would end at a setting that it does not accept.
pub(super) fn check(options: &ApplyNetworkSettings, context: &Context<'_>) -> Check {
    if context.is_windows() {
        return windows::check(options, context);
    }
    refuse_domain(options)?;
    with_macs(&options.adapters, &context.macs())?;
    check_reader(options, context)
}

/// Settings that nothing in the image would read are found before anything is erased.
fn check_reader(options: &ApplyNetworkSettings, context: &Context<'_>) -> Check {
    let is_this = |action: &Action| matches!(action, Action::ApplyNetworkSettings(_));
    if options.adapters.is_empty() {
        return Ok(());
    }
    if let Some(images) = AppliedImages::before(context, is_this) {
        let having = images.having(context, &Reader::paths())?;
        Reader::of(|path| having.contains(path))?;
    }
    Ok(())
}

/// Nothing of a Linux can be joined to a domain from outside.
fn refuse_domain(options: &ApplyNetworkSettings) -> Check {
    if options.join.get() == Some(&JoinKind::Domain) {
        return Err(Failure::new(
            "a Linux system joins a domain while it runs: use a join-domain-or-workgroup step after setup-os",
        ));
    }
    Ok(())
}

pub(super) fn run(options: &ApplyNetworkSettings, context: &mut Context<'_>) -> Result {
    if context.is_windows() {
        return windows::run(options, context);
    }
    refuse_domain(options)?;
    let root = context.system_root(true)?;
    if let Some(workgroup) = &options.workgroup {
        set_workgroup(context, &root, workgroup)?;
    }
    let adapters = with_macs(&options.adapters, &context.macs())?;
    write_adapters(context, &root, &adapters)?;
    Ok(Outcome::Done)
}

/// The adapters with the MAC addresses that they are known by: those that the sequence tells by their order get the machine's.
/// The only one of a machine that has no other keeps to every card, as the one that may come after it.
fn with_macs(adapters: &[Adapter], macs: &[String]) -> platform::Result<Vec<Adapter>> {
    if let [only] = adapters
        && only.mac.is_none()
        && macs.len() < 2
    {
        return Ok(adapters.to_vec());
    }
    let machine = Machine {
        macs: macs.to_vec(),
        random: [0; 24],
    };
    let network = ApplyNetworkSettings {
        adapters: adapters.to_vec(),
        ..ApplyNetworkSettings::default()
    };
    let settings = Settings::from_steps(&ApplyOsSettings::default(), &network, &machine)?;
    let found = adapters.iter().zip(settings.adapters);
    Ok(found
        .map(|(written, found)| Adapter {
            mac: Some(found.mac),
            ..written.clone()
        })
        .collect())
}

fn write_adapters(context: &Context<'_>, root: &Path, adapters: &[Adapter]) -> Check {
    if adapters.is_empty() {
        return Ok(());
    }
    let platform = context.platform;
    let reader = Reader::of(|path| platform.exists(&volumes::below(root, path)))?;
    context.log.info(format!("the adapters are set up by {reader:?}"));
    match reader {
        Reader::Networkd => write_networkd(platform, root, adapters)?,
        Reader::NetworkManager => write_keyfiles(platform, root, adapters)?,
        Reader::Ifupdown => write_interfaces(platform, root, adapters)?,
    }
    Ok(())
}

/// ifupdown reads the folder where its file says so, which is not so in every image.
fn write_interfaces(platform: &dyn Platform, root: &Path, adapters: &[Adapter]) -> platform::Result<()> {
    let path = root.join("etc/network/interfaces.d/media-runtime");
    platform.write(&path, interfaces(adapters).as_bytes(), 0o644)?;
    let file = root.join("etc/network/interfaces");
    let text = platform.read(&file)?.unwrap_or_default();
    let mut text = String::from_utf8_lossy(&text).into_owned();
    // Some read only files with an ending that ours has not.
    let reads_folder = |line: &str| {
        let mut words = line.split_whitespace();
        let place = words
            .next()
            .filter(|word| word.starts_with("source"))
            .and(words.next());
        let place = place.and_then(|place| place.split_once("interfaces.d"));
        place.is_some_and(|(_, rest)| ["", "/", "/*"].contains(&rest))
    };
    if text.lines().any(reads_folder) {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str("source /etc/network/interfaces.d/*\n");
    platform.write(&file, text.as_bytes(), 0o644)
}

/// NetworkManager passes over files that others than root can read.
fn write_keyfiles(platform: &dyn Platform, root: &Path, adapters: &[Adapter]) -> platform::Result<()> {
    let folder = root.join("etc/NetworkManager/system-connections");
    for (number, adapter) in adapters.iter().enumerate() {
        let path = folder.join(format!("media-runtime-{number}.nmconnection"));
        platform.write(&path, keyfile::text(adapter, number).as_bytes(), 0o600)?;
    }
    Ok(())
}

fn write_networkd(platform: &dyn Platform, root: &Path, adapters: &[Adapter]) -> platform::Result<()> {
    for (number, adapter) in adapters.iter().enumerate() {
        // All of them stand before what netplan writes, `10-netplan-…`: the first one that fits an adapter counts.
        let name = match number {
            0 => "10-media-runtime".to_owned(),
            more => format!("10-media-runtime-{}", more + 1),
        };
        let path = root.join(format!("etc/systemd/network/{name}.network"));
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
    let adapters = adapters.iter().enumerate();
    adapters
        .map(|(number, adapter)| {
            let pattern = match &adapter.mac {
                Some(mac) => format!("mac/{}", mac.to_lowercase().replace('-', ":")),
                None => "/e[nt]*/1".into(),
            };
            let stanzas: String = stanzas(adapter)
                .iter()
                .map(|stanza| stanza.text(number))
                .collect();
            format!("auto {pattern}=media{number}\n{stanzas}")
        })
        .collect()
}

/// A part of an adapter's configuration: each has one address of one family.
struct Stanza {
    family: &'static str,
    method: &'static str,
    lines: Vec<String>,
}

impl Stanza {
    fn text(&self, number: usize) -> String {
        let lines: String = self.lines.iter().map(|line| format!("\t{line}\n")).collect();
        format!("iface media{number} {} {}\n{lines}", self.family, self.method)
    }

    /// A stanza takes one gateway, of its own family.
    fn takes_gateway(&self, family: &str) -> bool {
        let has_one = self.lines.iter().any(|line| line.starts_with("gateway "));
        self.method == "static" && self.family == family && !has_one
    }
}

fn stanzas(adapter: &Adapter) -> Vec<Stanza> {
    let stanza = |family, method, lines| Stanza {
        family,
        method,
        lines,
    };
    let mut stanzas: Vec<Stanza> = adapter
        .addresses
        .iter()
        .map(|address| stanza(family(address), "static", vec![format!("address {address}")]))
        .collect();
    if uses_dhcp(adapter) {
        stanzas.insert(0, stanza("inet", "dhcp", vec![]));
    }
    if stanzas.is_empty() {
        stanzas.push(stanza("inet", "manual", vec![]));
    }
    for gateway in &adapter.gateways {
        let taker = stanzas
            .iter_mut()
            .find(|stanza| stanza.takes_gateway(family(gateway)));
        match taker {
            Some(stanza) => stanza.lines.push(format!("gateway {gateway}")),
            // A further one comes after all addresses are there.
            None => {
                let last = stanzas.last_mut().into_iter();
                last.for_each(|last| {
                    let line = format!("up ip route append default via {gateway} dev $IFACE");
                    last.lines.push(line);
                });
            }
        }
    }
    if !adapter.dns.is_empty() {
        stanzas[0]
            .lines
            .push(format!("dns-nameservers {}", adapter.dns.join(" ")));
    }
    if let Some(suffix) = &adapter.dns_suffix {
        stanzas[0].lines.push(format!("dns-search {suffix}"));
    }
    stanzas
}

fn family(address: &str) -> &'static str {
    if address.contains(':') { "inet6" } else { "inet" }
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
        let text = interfaces(&[adapter]);
        assert_eq!(
            text,
            "auto mac/52:54:00:12:34:56=media0\niface media0 inet static\n\taddress 192.0.2.5/24\n\tgateway 192.0.2.1\n\
             \tdns-nameservers 192.0.2.53\n"
        );
        assert!(networkd(&Adapter::default()).contains("Type=ether\n\n[Network]\nDHCP=yes"));
        assert_eq!(
            interfaces(&[Adapter::default()]),
            "auto /e[nt]*/1=media0\niface media0 inet dhcp\n"
        );
    }

    #[test]
    fn every_address_has_a_stanza_of_its_family() {
        let text = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let adapter = Adapter {
            addresses: text(&["192.0.2.5/24", "192.0.2.6/24", "2001:db8::5/64"]),
            gateways: text(&["2001:db8::1", "192.0.2.1", "192.0.2.2"]),
            dns: text(&["192.0.2.53", "2001:db8::53"]),
            dns_suffix: Some("lab.example".into()),
            ..Adapter::default()
        };
        assert_eq!(
            interfaces(&[adapter]),
            "auto /e[nt]*/1=media0\n\
             iface media0 inet static\n\taddress 192.0.2.5/24\n\tgateway 192.0.2.1\n\
             \tdns-nameservers 192.0.2.53 2001:db8::53\n\tdns-search lab.example\n\
             iface media0 inet static\n\taddress 192.0.2.6/24\n\tgateway 192.0.2.2\n\
             iface media0 inet6 static\n\taddress 2001:db8::5/64\n\tgateway 2001:db8::1\n"
        );
    }

    #[test]
    fn adapters_without_a_mac_are_the_machines_in_its_order() {
        let machine = ["52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"].map(str::to_owned);
        let with = |mac: Option<&str>| Adapter {
            mac: mac.map(str::to_owned),
            ..Adapter::default()
        };
        let found = |adapters: &[Adapter], macs: &[String]| -> Vec<Option<String>> {
            let found = with_macs(adapters, macs).unwrap().into_iter();
            found.map(|adapter| adapter.mac).collect()
        };
        let named = "52-54-00-00-00-01";
        let expected = [&machine[1], named, &machine[2]].map(|mac: &str| Some(mac.to_owned()));
        let adapters = [with(None), with(Some(named)), with(None)];
        assert_eq!(found(&adapters, &machine), expected);
        assert_eq!(found(&[with(None)], &machine), [Some(machine[0].clone())]);
        // The only card may be exchanged for another.
        assert_eq!(found(&[with(None)], &machine[..1]), [None]);
        let error = with_macs(&adapters, &machine[..2]).unwrap_err().to_string();
        assert!(error.contains("2 network adapters"), "{error}");
    }
}
