//! Membership and network adapters.

use std::net::IpAddr;

use task_sequence::steps::NetBios;
use task_sequence::validate::workgroup_name;

use super::Error;
use super::commands::powershell;
use super::settings::{Adapter, Membership, Settings, SetupCommand};
use super::tree::{Element, Meets};

/// The children of Microsoft-Windows-UnattendedJoin. They count as one value: half of the file's and half of
/// ours would join nothing.
pub(super) fn membership(settings: &Settings) -> Result<Vec<Element>, Error> {
    let Some(membership) = &settings.membership else {
        return Ok(Vec::new());
    };
    let children = match membership {
        Membership::Workgroup(name) => {
            workgroup_name(name).map_err(|why| Error::setting("workgroup", why))?;
            vec![Element::text("JoinWorkgroup", name)]
        }
        Membership::Domain {
            name,
            unit,
            account,
            password,
        } => {
            let unit = unit
                .as_deref()
                .map(|unit| unit.strip_prefix("LDAP://").unwrap_or(unit));
            let mut children = vec![
                Element::group("Credentials", credentials(name, account, password.expose())?),
                Element::text("JoinDomain", given("domain", name)?),
            ];
            children.extend(unit.map(|unit| Element::text("MachineObjectOU", unit)));
            children
        }
    };
    Ok(vec![Element::whole("Identification", children)])
}

fn given<'a>(setting: &str, text: &'a str) -> Result<&'a str, Error> {
    if text.trim().is_empty() {
        return Err(Error::setting(setting, "it is empty"));
    }
    Ok(text)
}

/// `domain\user` names the domain of the account; `user@domain` is complete as it is.
fn credentials(domain: &str, account: &str, password: &str) -> Result<Vec<Element>, Error> {
    let account = given("account", account)?;
    let (domain, user) = match account.split_once('\\') {
        Some((domain, user)) => (Some(given("account", domain)?), given("account", user)?),
        None if account.contains('@') => (None, account),
        None => (Some(domain), account),
    };
    let domain = domain.map(|domain| Element::text("Domain", domain));
    let rest = [
        Element::text("Password", password),
        Element::text("Username", user),
    ];
    Ok(domain.into_iter().chain(rest).collect())
}

/// Windows finds an adapter by its address with hyphens in it.
fn identifier(adapter: &Adapter) -> Result<String, Error> {
    let digits: Vec<char> = adapter.mac.chars().filter(|c| !matches!(c, ':' | '-')).collect();
    if digits.len() != 12 || !digits.iter().all(char::is_ascii_hexdigit) {
        let why = format!(
            "`{}` is not a MAC address: write \"00:11:22:33:44:55\"",
            adapter.mac
        );
        return Err(Error::setting("adapters.mac", why));
    }
    let pairs = digits
        .chunks(2)
        .map(|pair| pair.iter().collect::<String>().to_ascii_uppercase());
    Ok(pairs.collect::<Vec<_>>().join("-"))
}

/// What each adapter says, in the list that three components have alike.
fn interfaces(
    settings: &Settings,
    describe: fn(&Adapter) -> Result<Vec<Element>, Error>,
) -> Result<Option<Element>, Error> {
    let mut found = Vec::new();
    for adapter in &settings.adapters {
        let children = describe(adapter)?;
        if !children.is_empty() {
            let interface = Element::whole("Interface", children).attribute("wcm:action", "add");
            found.push(interface.meets(Meets::Item("Identifier")));
        }
    }
    Ok((!found.is_empty()).then(|| Element::group("Interfaces", found)))
}

/// The children of Microsoft-Windows-TCPIP.
pub(super) fn addresses(settings: &Settings) -> Result<Vec<Element>, Error> {
    Ok(interfaces(settings, addresses_of)?.into_iter().collect())
}

/// The order of these children matters to Windows.
fn addresses_of(adapter: &Adapter) -> Result<Vec<Element>, Error> {
    if !adapter.dhcp && adapter.addresses.is_empty() {
        return Err(Error::setting(
            "adapters.addresses",
            format!("the adapter {} has neither DHCP nor addresses", adapter.mac),
        ));
    }
    let addresses = adapter
        .addresses
        .iter()
        .map(|text| with_prefix(text))
        .collect::<Result<Vec<_>, _>>()?;
    let dhcp = |family: &'static str| {
        Element::group(
            family,
            vec![Element::text("DhcpEnabled", adapter.dhcp.to_string())],
        )
    };
    let mut children = Vec::new();
    if adapter.dhcp || addresses.iter().any(IpAddr::is_ipv4) {
        children.push(dhcp("Ipv4Settings"));
    }
    if addresses.iter().any(IpAddr::is_ipv6) {
        children.push(dhcp("Ipv6Settings"));
    }
    children.push(Element::text("Identifier", identifier(adapter)?));
    children.extend(numbered("UnicastIpAddresses", &adapter.addresses));
    children.extend(routes(adapter)?);
    Ok(children)
}

fn with_prefix(text: &str) -> Result<IpAddr, Error> {
    let wrong = || {
        Error::setting(
            "adapters.addresses",
            format!("`{text}` is not an address with a prefix length, such as 192.0.2.5/24"),
        )
    };
    let (address, length) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match length.parse::<u8>() {
        Ok(length) if length <= longest => Ok(address),
        _ => Err(wrong()),
    }
}

fn address(setting: &'static str, text: &str) -> Result<IpAddr, Error> {
    text.parse()
        .map_err(|_| Error::setting(setting, format!("`{text}` is not an address")))
}

fn numbered(name: &'static str, texts: &[String]) -> Option<Element> {
    let items = (1_usize..).zip(texts).map(|(number, text)| {
        Element::text("IpAddress", text)
            .attribute("wcm:action", "add")
            .attribute("wcm:keyValue", number.to_string())
    });
    (!texts.is_empty()).then(|| Element::group(name, items.collect()))
}

fn routes(adapter: &Adapter) -> Result<Option<Element>, Error> {
    let route = |(number, gateway): (usize, &String)| {
        let everything = if address("adapters.gateways", gateway)?.is_ipv4() {
            "0.0.0.0/0"
        } else {
            "::/0"
        };
        let metric = adapter.gateway_metric.map(|metric| metric.to_string());
        let children = [
            Some(Element::text("Identifier", number.to_string())),
            metric.map(|metric| Element::text("Metric", metric)),
            Some(Element::text("NextHopAddress", gateway)),
            Some(Element::text("Prefix", everything)),
        ];
        Ok(Element::group("Route", children.into_iter().flatten().collect()).attribute("wcm:action", "add"))
    };
    let routes = (1_usize..)
        .zip(&adapter.gateways)
        .map(route)
        .collect::<Result<Vec<_>, Error>>()?;
    Ok((!routes.is_empty()).then(|| Element::group("Routes", routes)))
}

/// The children of Microsoft-Windows-DNS-Client.
pub(super) fn names(settings: &Settings) -> Result<Vec<Element>, Error> {
    let domain = settings
        .dns_domain
        .as_ref()
        .map(|domain| Element::text("DNSDomain", domain));
    let suffixes = (1_usize..).zip(&settings.dns_suffixes).map(|(number, suffix)| {
        Element::text("DomainName", suffix)
            .attribute("wcm:action", "add")
            .attribute("wcm:keyValue", number.to_string())
    });
    // The order of a list is its meaning: the file's list stays as it is.
    let order = (!settings.dns_suffixes.is_empty())
        .then(|| Element::whole("DNSSuffixSearchOrder", suffixes.collect()));
    Ok([domain, order, interfaces(settings, names_of)?]
        .into_iter()
        .flatten()
        .collect())
}

fn names_of(adapter: &Adapter) -> Result<Vec<Element>, Error> {
    adapter
        .dns
        .iter()
        .try_for_each(|server| address("adapters.dns", server).map(drop))?;
    let register = adapter.register_in_dns;
    let said = [
        adapter
            .dns_suffix
            .as_ref()
            .map(|suffix| Element::text("DNSDomain", suffix)),
        numbered("DNSServerSearchOrder", &adapter.dns),
        register.map(|register| Element::text("DisableDynamicUpdate", (!register).to_string())),
    ];
    with_identifier(adapter, said.into_iter().flatten().collect())
}

/// The children of Microsoft-Windows-NetBT.
pub(super) fn netbios(settings: &Settings) -> Result<Vec<Element>, Error> {
    Ok(interfaces(settings, netbios_of)?.into_iter().collect())
}

fn netbios_of(adapter: &Adapter) -> Result<Vec<Element>, Error> {
    adapter
        .wins
        .iter()
        .try_for_each(|server| address("adapters.wins", server).map(drop))?;
    let number = |netbios| match netbios {
        NetBios::Dhcp => "0",
        NetBios::Enabled => "1",
        NetBios::Disabled => "2",
    };
    let said = [
        numbered("NameServerList", &adapter.wins),
        adapter
            .netbios
            .map(|netbios| Element::text("NetbiosOptions", number(netbios))),
    ];
    with_identifier(adapter, said.into_iter().flatten().collect())
}

fn with_identifier(adapter: &Adapter, said: Vec<Element>) -> Result<Vec<Element>, Error> {
    if said.is_empty() {
        return Ok(said);
    }
    let identifier = Element::text("Identifier", identifier(adapter)?);
    Ok(std::iter::once(identifier).chain(said).collect())
}

/// The commands that give connections their names: no setting of an answer file does.
pub(super) fn renames(settings: &Settings) -> Result<Vec<SetupCommand>, Error> {
    let named = settings
        .adapters
        .iter()
        .filter_map(|adapter| Some((adapter, adapter.name.as_deref()?)));
    let rename = |(adapter, name): (&Adapter, &str)| {
        let forbidden = |c: &char| c.is_control() || "\\/:*?\"<>|%".contains(*c);
        if let Some(bad) = name.chars().find(forbidden) {
            return Err(Error::setting(
                "adapters.name",
                format!("`{name}` has `{bad}` in it, which no connection can have"),
            ));
        }
        let script = format!(
            "Get-NetAdapter | Where-Object {{$_.MacAddress -eq '{}'}} | Rename-NetAdapter -NewName '{}'",
            identifier(adapter)?,
            name.replace('\'', "''")
        );
        Ok(SetupCommand {
            description: format!("name the connection {name}"),
            line: powershell(&script),
        })
    };
    named.map(rename).collect()
}
