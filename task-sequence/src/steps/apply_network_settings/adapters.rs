//! The adapters of `apply-network-settings`, also as ConfigMgr's OSDAdapter… variables give them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApplyNetworkSettings;
use crate::setting::{FromText, ResolveError, Setting, settings, words};
use crate::validate::{Check, Join};
use crate::variables::Variables;

/// The configuration of one network adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adapter {
    /// The MAC address; without it, the adapters are taken in the order of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The name that the connection gets; only in Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is configured by DHCP; true where no addresses are given.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub dhcp: Setting<bool>,
    /// Its addresses with the length of the prefix, such as `192.0.2.5/24`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Its gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// How much the way over its gateways costs: Windows takes the cheapest one; only in Windows.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub gateway_metric: Setting<u32>,
    /// The servers that it asks for names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// The domain that short names belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_suffix: Option<String>,
    /// Whether the machine registers its addresses in DNS; only in Windows.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub register_in_dns: Setting<bool>,
    /// The WINS servers; only in Windows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wins: Vec<String>,
    /// Whether NetBIOS is spoken over TCP/IP; only in Windows.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub netbios: Setting<NetBios>,
}

words! {
    /// Whether NetBIOS is spoken over TCP/IP. ConfigMgr's variables say 0, 1, 2.
    NetBios {
        /// As the DHCP server says.
        Dhcp = "dhcp" | "0",
        /// Yes.
        Enabled = "enabled" | "1",
        /// No.
        Disabled = "disabled" | "2",
    }
}

settings!(Adapter { mac, name, dhcp, addresses, gateways, gateway_metric, dns, dns_suffix, register_in_dns, wins, netbios });

/// How many adapters there are, and the variables of the n-th; `#` stands for n, counted from 0.
pub(super) const MAPPED: &[(&str, &str)] = &[
    ("OSDAdapterCount", "adapters"),
    ("OSDAdapter#MACAddress", "adapters.mac"),
    ("OSDAdapter#Name", "adapters.name"),
    ("OSDAdapter#EnableDHCP", "adapters.dhcp"),
    ("OSDAdapter#IPAddressList", "adapters.addresses"),
    ("OSDAdapter#SubnetMask", "adapters.addresses"),
    ("OSDAdapter#Gateways", "adapters.gateways"),
    ("OSDAdapter#GatewayCostMetric", "adapters.gateway_metric"),
    ("OSDAdapter#DNSServerList", "adapters.dns"),
    ("OSDAdapter#DNSDomain", "adapters.dns_suffix"),
    // MDT's name of the same.
    ("OSDAdapter#DNSSuffix", "adapters.dns_suffix"),
    ("OSDAdapter#EnableDNSRegistration", "adapters.register_in_dns"),
    ("OSDAdapter#EnableFullDNSRegistration", "adapters.register_in_dns"),
    ("OSDAdapter#EnableWINS", "adapters.wins"),
    ("OSDAdapter#WINSServerList", "adapters.wins"),
    ("OSDAdapter#TcpipNetbiosOptions", "adapters.netbios"),
];

const MOST_ADAPTERS: u32 = 64;

/// The adapters that OSDAdapterCount and its companions describe.
pub(super) fn from_variables(variables: &Variables) -> Result<Vec<Adapter>, ResolveError> {
    let Some(count) = variables.get("OSDAdapterCount").filter(|count| !count.is_empty()) else {
        return Ok(Vec::new());
    };
    let count = u32::from_text(count).map_err(|why| wrong("OSDAdapterCount", why))?;
    if count > MOST_ADAPTERS {
        return Err(wrong("OSDAdapterCount", format!("{count} adapters are more than {MOST_ADAPTERS}")));
    }
    (0..count).map(|number| adapter(number, variables)).collect()
}

fn wrong(variable: &str, why: String) -> ResolveError {
    ResolveError {
        setting: "adapters".into(),
        why: format!("the value of variable {variable} is wrong: {why}"),
    }
}

fn adapter(number: u32, variables: &Variables) -> Result<Adapter, ResolveError> {
    let text = |part: &str| {
        variables.get(&format!("OSDAdapter{number}{part}")).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    // The list counts only where its switch is on.
    let uses_wins = setting::<bool>(text("EnableWINS"), "OSDAdapter…EnableWINS")?.unwrap_or(false);
    let list = |part: &str| text(part).map(|text| items(&text)).unwrap_or_default();
    let dhcp: Setting<bool> = setting(text("EnableDHCP"), "OSDAdapter…EnableDHCP")?;
    // Addresses and gateways count only where it is off.
    let own = |part: &str| if dhcp.get() == Some(&true) { Vec::new() } else { list(part) };
    Ok(Adapter {
        mac: text("MACAddress"),
        name: text("Name"),
        addresses: with_prefixes(&own("IPAddressList"), &list("SubnetMask"))?,
        gateways: own("Gateways"),
        gateway_metric: setting(list("GatewayCostMetric").into_iter().next(), "OSDAdapter…GatewayCostMetric")?,
        dhcp,
        dns: list("DNSServerList"),
        dns_suffix: text("DNSDomain").or_else(|| text("DNSSuffix")),
        register_in_dns: registration(&text)?,
        wins: if uses_wins { list("WINSServerList") } else { Vec::new() },
        netbios: setting(text("TcpipNetbiosOptions"), "OSDAdapter…TcpipNetbiosOptions")?,
    })
}

/// Two switches ask for it, the second one for the full name of the computer, under which Windows registers in any case.
fn registration(text: &impl Fn(&str) -> Option<String>) -> Result<Setting<bool>, ResolveError> {
    let plain = setting::<bool>(text("EnableDNSRegistration"), "OSDAdapter…EnableDNSRegistration")?;
    let full = setting::<bool>(text("EnableFullDNSRegistration"), "OSDAdapter…EnableFullDNSRegistration")?;
    Ok(if plain.is_absent() || full == Setting::Value(true) { full } else { plain })
}

fn setting<T: FromText>(text: Option<String>, variable: &str) -> Result<Setting<T>, ResolveError> {
    let Some(text) = text else { return Ok(Setting::Absent) };
    T::from_variable(&text).map(Setting::Value).map_err(|why| wrong(variable, why))
}

fn items(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// ConfigMgr keeps addresses and masks in two lists.
fn with_prefixes(addresses: &[String], masks: &[String]) -> Result<Vec<String>, ResolveError> {
    let joined = addresses.iter().enumerate().map(|(at, address)| {
        if address.contains('/') {
            return Ok(address.clone());
        }
        let mask = masks.get(at).or(masks.first());
        let mask = mask.ok_or_else(|| wrong("OSDAdapter…SubnetMask", format!("{address} has no mask")))?;
        let length = prefix_length(mask).map_err(|why| wrong("OSDAdapter…SubnetMask", why))?;
        Ok(format!("{address}/{length}"))
    });
    joined.collect()
}

fn prefix_length(mask: &str) -> Result<u32, String> {
    let bits = mask.parse::<std::net::Ipv4Addr>().map_err(|_| format!("`{mask}` is not a mask"))?.to_bits();
    if bits.leading_ones() + bits.trailing_zeros() != 32 {
        return Err(format!("`{mask}` is not a mask: its ones are not at the beginning"));
    }
    Ok(bits.leading_ones())
}

pub(super) fn check(options: &ApplyNetworkSettings, check: &mut Check<'_>) {
    let join = Join {
        kind: &options.join,
        kind_variable: "OSDNetworkJoinType",
        workgroup: options.workgroup.is_some() || check.is_given("OSDWorkgroupName"),
        domain: options.domain.is_some() || check.is_given("OSDDomainName"),
        account: options.account.is_some() || check.is_given("OSDJoinAccount"),
        unit: options.organizational_unit.as_deref(),
    };
    check.join(&join);
    check.workgroup(options.workgroup.as_deref(), "OSDWorkgroupName");
    check.secret("password", options.password.as_ref());
    for adapter in &options.adapters {
        check_adapter(adapter, check);
    }
}

fn check_adapter(adapter: &Adapter, check: &mut Check<'_>) {
    if adapter.dhcp.get() == Some(&false) && adapter.addresses.is_empty() {
        check.error("an adapter without DHCP has no `addresses`");
    }
    if adapter.dhcp.get() == Some(&true) && !adapter.addresses.is_empty() {
        check.error("an adapter has `addresses` and `dhcp = true`");
    }
    for address in &adapter.addresses {
        if !crate::setting::has_variable(address) && !is_address_with_prefix(address) {
            check.error(format!("`{address}` is not an address with a prefix length: write \"192.0.2.5/24\""));
        }
    }
    for server in adapter.gateways.iter().chain(&adapter.dns) {
        if !crate::setting::has_variable(server) && server.parse::<std::net::IpAddr>().is_err() {
            check.error(format!("`{server}` is not an IP address"));
        }
    }
    if let Some(mac) = adapter.mac.as_deref().filter(|mac| !crate::setting::has_variable(mac)) {
        let digits = mac.chars().filter(char::is_ascii_hexdigit).count();
        if digits != 12 || !mac.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '-') {
            check.error(format!("`{mac}` is not a MAC address: write \"00:11:22:33:44:55\""));
        }
    }
}

fn is_address_with_prefix(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let longest = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    prefix.parse::<u8>().is_ok_and(|length| length <= longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_come_from_variables() {
        let mut variables = Variables::new();
        for (name, value) in [
            ("OSDAdapterCount", "1"),
            ("OSDAdapter0EnableDHCP", "false"),
            ("OSDAdapter0IPAddressList", "192.0.2.5, 192.0.2.6"),
            ("OSDAdapter0SubnetMask", "255.255.255.0,255.255.0.0"),
            ("OSDAdapter0Gateways", "192.0.2.1"),
            ("OSDAdapter0GatewayCostMetric", "5"),
            ("OSDAdapter0DNSDomain", "lab.example"),
            ("OSDAdapter0EnableDNSRegistration", "TRUE"),
            ("OSDAdapter0EnableWINS", "true"),
            ("OSDAdapter0WINSServerList", "192.0.2.7"),
            ("OSDAdapter0TcpipNetbiosOptions", "2"),
        ] {
            variables.set(name, value).unwrap();
        }
        let adapters = from_variables(&variables).unwrap();
        assert_eq!(adapters[0].addresses, ["192.0.2.5/24", "192.0.2.6/16"]);
        assert_eq!((adapters[0].dns_suffix.as_deref(), adapters[0].wins.as_slice()), (Some("lab.example"), ["192.0.2.7".to_owned()].as_slice()));
        assert_eq!((adapters[0].register_in_dns.get(), adapters[0].netbios.get()), (Some(&true), Some(&NetBios::Disabled)));
        assert_eq!((adapters[0].gateways.as_slice(), adapters[0].gateway_metric.get()), (["192.0.2.1".to_owned()].as_slice(), Some(&5)));
        variables.set("OSDAdapter0EnableDNSRegistration", "false").unwrap();
        variables.set("OSDAdapter0EnableFullDNSRegistration", "true").unwrap();
        variables.set("OSDAdapter0EnableDHCP", "true").unwrap();
        let adapters = from_variables(&variables).unwrap();
        assert_eq!(adapters[0].register_in_dns.get(), Some(&true));
        assert!(adapters[0].addresses.is_empty() && adapters[0].gateways.is_empty(), "as ConfigMgr does it");
        variables.set("OSDAdapter0EnableDHCP", "false").unwrap();
        variables.set("OSDAdapter0SubnetMask", "255.0.255.0").unwrap();
        assert!(from_variables(&variables).is_err());
        variables.set("OSDAdapterCount", "9999999").unwrap();
        assert!(from_variables(&variables).is_err());
    }
}
