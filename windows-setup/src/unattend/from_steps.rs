//! From the settings of the steps `apply-os-settings` and `apply-network-settings`, with variables expanded.

use base64ct::{Base64, Encoding};
use task_sequence::Secret;
use task_sequence::steps::{self, AdministratorState, ApplyNetworkSettings, ApplyOsSettings, JoinKind};

use super::Error;
use super::settings::{Adapter, Administrator, Languages, Licensing, Membership, Settings};

/// What the machine adds to the settings of the sequence.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The MAC addresses of its network adapters, in its order.
    pub macs: Vec<String>,
    /// Random bytes for a password that nobody knows.
    pub random: [u8; 24],
}

impl Settings {
    /// What two resolved steps say. A step that the sequence does not have is given as its default.
    pub fn from_steps(
        os: &ApplyOsSettings,
        network: &ApplyNetworkSettings,
        machine: &Machine,
    ) -> Result<Self, Error> {
        Ok(Self {
            computer_name: os.computer_name.clone(),
            registered_user: os.registered_user.clone(),
            registered_organization: os.registered_organization.clone(),
            product_key: os.product_key.clone(),
            licensing: licensing(os)?,
            administrator: administrator(os, machine)?,
            time_zone: os.time_zone.clone(),
            languages: languages(os),
            hide_first_start: true,
            prevent_device_encryption: false,
            membership: membership(network)?,
            dns_domain: network.dns_domain.clone(),
            dns_suffixes: network.dns_suffixes.clone(),
            adapters: adapters(&network.adapters, &machine.macs)?,
            driver_paths: Vec::new(),
            commands: Vec::new(),
        })
    }
}

fn languages(os: &ApplyOsSettings) -> Languages {
    Languages {
        input_locale: os.input_locale.clone(),
        system_locale: os.system_locale.clone(),
        ui_language: os.ui_language.clone(),
        ui_language_fallback: os.ui_language_fallback.clone(),
        user_locale: os.user_locale.clone(),
    }
}

fn licensing(os: &ApplyOsSettings) -> Result<Option<Licensing>, Error> {
    match os.licensing.get() {
        Some(steps::Licensing::PerSeat) => Ok(Some(Licensing::PerSeat)),
        Some(steps::Licensing::PerServer) => match os.license_connections.get() {
            Some(connections) => Ok(Some(Licensing::PerServer(*connections))),
            None => Err(Error::setting(
                "license-connections",
                "a licence per server is for a number of connections",
            )),
        },
        Some(steps::Licensing::None) | None => Ok(None),
    }
}

fn administrator(os: &ApplyOsSettings, machine: &Machine) -> Result<Option<Administrator>, Error> {
    let random = os.random_administrator_password.unwrap_or(false);
    match (os.administrator.get(), &os.administrator_password) {
        _ if random => Ok(Some(Administrator::Disabled(unknown_password(machine)))),
        (Some(AdministratorState::Disabled), None) => {
            Ok(Some(Administrator::Disabled(unknown_password(machine))))
        }
        (Some(AdministratorState::Disabled), Some(_)) => Err(Error::setting(
            "administrator",
            "the account is disabled, so nobody could use the password that is given (also by OSDLocalAdminPassword): \
             write \"enabled\", or `random-administrator-password = true`",
        )),
        (_, Some(password)) => Ok(Some(Administrator::Enabled(password.clone()))),
        (Some(AdministratorState::Enabled), None) => Err(Error::setting(
            "administrator-password",
            "an enabled administrator needs a password: give one, for example by OSDLocalAdminPassword",
        )),
        (None, None) => Ok(None),
    }
}

/// Long, and with every kind of character that a policy may ask for.
fn unknown_password(machine: &Machine) -> Secret {
    Secret::new(format!("{}aA1!", Base64::encode_string(&machine.random)))
}

fn membership(network: &ApplyNetworkSettings) -> Result<Option<Membership>, Error> {
    let missing = |setting: &str, why: &str| Error::setting(setting, why);
    match (network.join.get(), &network.workgroup) {
        (Some(JoinKind::Domain), _) => {
            let name = network.domain.clone();
            let account = network.account.clone();
            let password = network.password.clone();
            Ok(Some(Membership::Domain {
                name: name.ok_or_else(|| missing("domain", "there is no domain to join"))?,
                unit: network.organizational_unit.clone(),
                account: account
                    .ok_or_else(|| missing("account", "nobody is named who may join the domain"))?,
                password: password
                    .ok_or_else(|| missing("password", "the account that joins has no password"))?,
            }))
        }
        (_, Some(workgroup)) => Ok(Some(Membership::Workgroup(workgroup.clone()))),
        (Some(JoinKind::Workgroup), None) => Err(missing("workgroup", "there is no workgroup to join")),
        (None, None) => Ok(None),
    }
}

/// Adapters without a MAC address take those of the machine that no other adapter names, in order.
fn adapters(written: &[steps::Adapter], macs: &[String]) -> Result<Vec<Adapter>, Error> {
    let plain = |mac: &str| mac.replace([':', '-'], "").to_ascii_uppercase();
    let named: Vec<String> = written
        .iter()
        .filter_map(|one| one.mac.as_deref().map(plain))
        .collect();
    let mut free = macs.iter().filter(|mac| !named.contains(&plain(mac)));
    let with_mac = |one: &steps::Adapter| {
        let mac = one.mac.as_ref().or_else(|| free.next());
        let mac = mac.ok_or_else(|| {
            Error::setting(
                "adapters",
                format!(
                    "the machine has {} network adapters, fewer than are configured",
                    macs.len()
                ),
            )
        })?;
        Ok(adapter(one, mac.clone()))
    };
    written.iter().map(with_mac).collect()
}

fn adapter(written: &steps::Adapter, mac: String) -> Adapter {
    Adapter {
        mac,
        name: written.name.clone(),
        dhcp: written.dhcp.unwrap_or(written.addresses.is_empty()),
        addresses: written.addresses.clone(),
        gateways: written.gateways.clone(),
        gateway_metric: written.gateway_metric.get().copied(),
        dns: written.dns.clone(),
        dns_suffix: written.dns_suffix.clone(),
        register_in_dns: written.register_in_dns.get().copied(),
        wins: written.wins.clone(),
        netbios: written.netbios.get().copied(),
    }
}
