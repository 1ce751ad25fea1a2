//! Connections of NetworkManager (nm-settings-keyfile(5)).

use std::net::IpAddr;

use task_sequence::steps::Adapter;

use super::{family, uses_dhcp};

/// A profile wins over one that the image brings along.
const PRIORITY: u32 = 100;

/// One adapter as a keyfile. Its UUID comes from its name, as NetworkManager makes it.
pub(super) fn text(adapter: &Adapter, number: usize) -> String {
    let mut text = format!(
        "[connection]\nid=media-runtime-{number}\ntype=ethernet\nautoconnect-priority={PRIORITY}\n\n[ethernet]\n"
    );
    if let Some(mac) = &adapter.mac {
        text.push_str(&format!("mac-address={}\n", mac.to_uppercase().replace('-', ":")));
    }
    for (section, kind) in [("ipv4", "inet"), ("ipv6", "inet6")] {
        text.push_str(&format!("\n[{section}]\n{}", protocol(adapter, kind)));
    }
    text
}

fn protocol(adapter: &Adapter, kind: &str) -> String {
    let of_kind =
        |all: &[String]| -> Vec<String> { all.iter().filter(|one| family(one) == kind).cloned().collect() };
    let addresses = of_kind(&adapter.addresses);
    let method = match kind {
        _ if !addresses.is_empty() => "manual",
        _ if uses_dhcp(adapter) => "auto",
        // What routers announce counts without DHCP, too.
        "inet6" => "auto",
        // It accepts no servers or domains, which nothing could reach.
        _ => return "method=disabled\n".into(),
    };
    let mut lines = vec![format!("method={method}")];
    lines.extend(numbered("address", &addresses));
    let gateways = of_kind(&adapter.gateways);
    // A profile with a gateway and no address is not read at all.
    let own = usize::from(!addresses.is_empty());
    lines.extend(gateways.iter().take(own).map(|first| format!("gateway={first}")));
    let routes: Vec<String> = gateways
        .iter()
        .skip(own)
        .map(|gateway| default_route(gateway))
        .collect();
    lines.extend(numbered("route", &routes));
    let servers = of_kind(&adapter.dns);
    if !servers.is_empty() {
        lines.push(format!("dns={};", servers.join(";")));
    }
    if let Some(suffix) = &adapter.dns_suffix {
        lines.push(format!("dns-search={suffix};"));
    }
    lines.join("\n") + "\n"
}

fn numbered<'a>(key: &'a str, values: &'a [String]) -> impl Iterator<Item = String> + 'a {
    (1..)
        .zip(values)
        .map(move |(number, value)| format!("{key}{number}={value}"))
}

fn default_route(gateway: &str) -> String {
    let everything = if gateway.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
        "::/0"
    } else {
        "0.0.0.0/0"
    };
    format!("{everything},{gateway}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn each_protocol_has_its_addresses_gateways_and_servers() {
        let adapter = Adapter {
            mac: Some("52-54-00-ab-cd-ef".into()),
            addresses: texts(&["192.0.2.5/24", "2001:db8::5/64", "192.0.2.6/24"]),
            gateways: texts(&["2001:db8::1", "192.0.2.1", "192.0.2.2"]),
            dns: texts(&["192.0.2.53", "2001:db8::53", "192.0.2.54"]),
            dns_suffix: Some("lab.example".into()),
            ..Adapter::default()
        };
        assert_eq!(
            text(&adapter, 2),
            "[connection]\nid=media-runtime-2\ntype=ethernet\nautoconnect-priority=100\n\n\
             [ethernet]\nmac-address=52:54:00:AB:CD:EF\n\n\
             [ipv4]\nmethod=manual\naddress1=192.0.2.5/24\naddress2=192.0.2.6/24\ngateway=192.0.2.1\n\
             route1=0.0.0.0/0,192.0.2.2\ndns=192.0.2.53;192.0.2.54;\ndns-search=lab.example;\n\n\
             [ipv6]\nmethod=manual\naddress1=2001:db8::5/64\ngateway=2001:db8::1\ndns=2001:db8::53;\n\
             dns-search=lab.example;\n"
        );
    }

    #[test]
    fn without_addresses_of_a_protocol_its_method_follows_dhcp() {
        let end = |adapter: Adapter| text(&adapter, 0).split_once("[ipv4]").unwrap().1.to_owned();
        assert_eq!(end(Adapter::default()), "\nmethod=auto\n\n[ipv6]\nmethod=auto\n");
        let router = Adapter {
            gateways: texts(&["192.0.2.1"]),
            ..Adapter::default()
        };
        assert_eq!(
            end(router),
            "\nmethod=auto\nroute1=0.0.0.0/0,192.0.2.1\n\n[ipv6]\nmethod=auto\n"
        );
        let only_six = Adapter {
            addresses: texts(&["2001:db8::5/64"]),
            dns_suffix: Some("lab.example".into()),
            ..Adapter::default()
        };
        assert_eq!(
            end(only_six),
            "\nmethod=disabled\n\n[ipv6]\nmethod=manual\naddress1=2001:db8::5/64\ndns-search=lab.example;\n"
        );
    }
}
