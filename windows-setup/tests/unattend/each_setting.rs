//! One example for each setting, from which the golden files and the table of places are made.

use task_sequence::Secret;
use task_sequence::steps::NetBios;
use windows_setup::unattend::{
    Adapter, Administrator, Languages, Licensing, Membership, Settings, SetupCommand,
};

/// Where a setting has to stand: pass, component, the elements inside it.
pub(crate) type Place = (&'static str, &'static str, &'static str);

pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) settings: Settings,
    pub(crate) places: &'static [Place],
}

const SHELL: &str = "Microsoft-Windows-Shell-Setup";
const INTERNATIONAL: &str = "Microsoft-Windows-International-Core";
const DEPLOYMENT: &str = "Microsoft-Windows-Deployment";
const JOIN: &str = "Microsoft-Windows-UnattendedJoin";
const TCPIP: &str = "Microsoft-Windows-TCPIP";
const DNS: &str = "Microsoft-Windows-DNS-Client";
const NETBT: &str = "Microsoft-Windows-NetBT";
const COMMAND: Place = (
    "specialize",
    DEPLOYMENT,
    "RunSynchronous/RunSynchronousCommand/Path",
);

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|one| (*one).to_owned()).collect()
}

fn example(name: &'static str, places: &'static [Place], set: impl FnOnce(&mut Settings)) -> Example {
    let mut settings = Settings::default();
    set(&mut settings);
    Example {
        name,
        settings,
        places,
    }
}

fn languages(name: &'static str, places: &'static [Place], set: impl FnOnce(&mut Languages)) -> Example {
    example(name, places, |settings| set(&mut settings.languages))
}

fn adapter(name: &'static str, places: &'static [Place], set: impl FnOnce(&mut Adapter)) -> Example {
    let mut adapter = Adapter {
        mac: "00:11:22:aa:bb:cc".into(),
        dhcp: true,
        ..Adapter::default()
    };
    set(&mut adapter);
    example(name, places, |settings| settings.adapters = vec![adapter])
}

fn domain(account: &str, unit: Option<&str>) -> Option<Membership> {
    Some(Membership::Domain {
        name: "lab.example".into(),
        unit: unit.map(str::to_owned),
        account: account.into(),
        password: Secret::new("p<&>w"),
    })
}

pub(crate) fn all() -> Vec<Example> {
    let mut all = names();
    all.extend(system());
    all.extend(set_up());
    all.extend(membership());
    all.extend(adapters());
    all.extend(names_of_adapters());
    all
}

fn names() -> Vec<Example> {
    vec![
        example("computer-name", &[("specialize", SHELL, "ComputerName")], |s| {
            s.computer_name = text("REF-01")
        }),
        example(
            "registered-user",
            &[("specialize", SHELL, "RegisteredOwner")],
            |s| s.registered_user = text("A & B"),
        ),
        example(
            "registered-organization",
            &[("specialize", SHELL, "RegisteredOrganization")],
            |s| {
                s.registered_organization = text("Éire <\"Lab\">");
            },
        ),
        example("product-key", &[("specialize", SHELL, "ProductKey")], |s| {
            s.product_key = Some(Secret::new("BCDFG-HJKMN-PQRTV-WXY23-46789"));
        }),
        example(
            "time-zone",
            &[
                ("specialize", SHELL, "TimeZone"),
                ("oobeSystem", SHELL, "TimeZone"),
            ],
            |s| s.time_zone = text("Europe/Amsterdam"),
        ),
        languages(
            "input-locale",
            &[("oobeSystem", INTERNATIONAL, "InputLocale")],
            |l| l.input_locale = text("0413:00020409"),
        ),
        languages(
            "system-locale",
            &[("oobeSystem", INTERNATIONAL, "SystemLocale")],
            |l| l.system_locale = text("nl-NL"),
        ),
        languages(
            "ui-language",
            &[("oobeSystem", INTERNATIONAL, "UILanguage")],
            |l| l.ui_language = text("nl-NL"),
        ),
        languages(
            "ui-language-fallback",
            &[("oobeSystem", INTERNATIONAL, "UILanguageFallback")],
            |l| {
                l.ui_language_fallback = text("en-US");
            },
        ),
        languages(
            "user-locale",
            &[("oobeSystem", INTERNATIONAL, "UserLocale")],
            |l| l.user_locale = text("nl-NL"),
        ),
    ]
}

fn system() -> Vec<Example> {
    vec![
        example("licensing-per-seat", &[COMMAND], |s| {
            s.licensing = Some(Licensing::PerSeat)
        }),
        example("licensing-per-server", &[COMMAND, COMMAND], |s| {
            s.licensing = Some(Licensing::PerServer(25))
        }),
        example(
            "administrator-enabled",
            &[
                COMMAND,
                ("oobeSystem", SHELL, "UserAccounts/AdministratorPassword/Value"),
                (
                    "oobeSystem",
                    SHELL,
                    "UserAccounts/AdministratorPassword/PlainText",
                ),
            ],
            |s| s.administrator = Some(Administrator::Enabled(Secret::new("Pa$$w0rd"))),
        ),
        example(
            "administrator-disabled",
            &[
                COMMAND,
                ("oobeSystem", SHELL, "UserAccounts/AdministratorPassword/Value"),
                (
                    "oobeSystem",
                    SHELL,
                    "UserAccounts/AdministratorPassword/PlainText",
                ),
            ],
            |s| s.administrator = Some(Administrator::Disabled(Secret::new("random"))),
        ),
    ]
}

fn set_up() -> Vec<Example> {
    vec![
        example(
            "hide-first-start",
            &[
                COMMAND,
                ("oobeSystem", SHELL, "OOBE/HideEULAPage"),
                ("oobeSystem", SHELL, "OOBE/HideWirelessSetupInOOBE"),
                ("oobeSystem", SHELL, "OOBE/HideLocalAccountScreen"),
                ("oobeSystem", SHELL, "OOBE/HideOEMRegistrationScreen"),
                ("oobeSystem", SHELL, "OOBE/HideOnlineAccountScreens"),
                ("oobeSystem", SHELL, "OOBE/ProtectYourPC"),
            ],
            |s| s.hide_first_start = true,
        ),
        example(
            "prevent-device-encryption",
            &[(
                "specialize",
                "Microsoft-Windows-SecureStartup-FilterDriver",
                "PreventDeviceEncryption",
            )],
            |s| s.prevent_device_encryption = true,
        ),
        example(
            "driver-paths",
            &[
                (
                    "offlineServicing",
                    "Microsoft-Windows-PnpCustomizationsNonWinPE",
                    "DriverPaths/PathAndCredentials/Path",
                ),
                (
                    "offlineServicing",
                    "Microsoft-Windows-PnpCustomizationsNonWinPE",
                    "DriverPaths/PathAndCredentials/Path",
                ),
            ],
            |s| s.driver_paths = texts(&[r"C:\Drivers\net", r"C:\Drivers\disk"]),
        ),
        example("commands", &[COMMAND, COMMAND], |s| {
            s.commands = [
                ("first", "cmd /c echo \"a\" > b & exit"),
                ("second", "reg add HKLM\\X /f"),
            ]
            .map(|(description, line)| SetupCommand {
                description: description.into(),
                line: line.into(),
            })
            .into();
        }),
    ]
}

fn membership() -> Vec<Example> {
    const IN: Place = ("specialize", JOIN, "Identification/JoinDomain");
    const DOMAIN: Place = ("specialize", JOIN, "Identification/Credentials/Domain");
    const USER: Place = ("specialize", JOIN, "Identification/Credentials/Username");
    const PASSWORD: Place = ("specialize", JOIN, "Identification/Credentials/Password");
    const UNIT: Place = ("specialize", JOIN, "Identification/MachineObjectOU");
    vec![
        example(
            "workgroup",
            &[("specialize", JOIN, "Identification/JoinWorkgroup")],
            |s| {
                s.membership = Some(Membership::Workgroup("WORKGROUP".into()));
            },
        ),
        example("domain", &[DOMAIN, PASSWORD, USER, IN, UNIT], |s| {
            s.membership = domain(r"LAB\joiner", Some("LDAP://OU=Machines,DC=lab,DC=example"));
        }),
        example("domain-account-as-address", &[PASSWORD, USER, IN], |s| {
            s.membership = domain("joiner@lab.example", None)
        }),
        example(
            "domain-account-without-domain",
            &[DOMAIN, PASSWORD, USER, IN],
            |s| s.membership = domain("joiner", None),
        ),
    ]
}

const DHCP: Place = (
    "specialize",
    TCPIP,
    "Interfaces/Interface/Ipv4Settings/DhcpEnabled",
);
const DHCP6: Place = (
    "specialize",
    TCPIP,
    "Interfaces/Interface/Ipv6Settings/DhcpEnabled",
);
const FOUND: Place = ("specialize", TCPIP, "Interfaces/Interface/Identifier");
const ADDRESS: Place = (
    "specialize",
    TCPIP,
    "Interfaces/Interface/UnicastIpAddresses/IpAddress",
);
const HOP: Place = (
    "specialize",
    TCPIP,
    "Interfaces/Interface/Routes/Route/NextHopAddress",
);
const METRIC: Place = ("specialize", TCPIP, "Interfaces/Interface/Routes/Route/Metric");
const ROUTE: Place = (
    "specialize",
    TCPIP,
    "Interfaces/Interface/Routes/Route/Identifier",
);
const PREFIX: Place = ("specialize", TCPIP, "Interfaces/Interface/Routes/Route/Prefix");
const NAMED: Place = ("specialize", DNS, "Interfaces/Interface/Identifier");
const NETBIOS: Place = ("specialize", NETBT, "Interfaces/Interface/Identifier");

fn adapters() -> Vec<Example> {
    vec![
        adapter("adapter-dhcp", &[DHCP, FOUND], |_| {}),
        adapter(
            "adapter-static",
            &[
                DHCP, DHCP6, FOUND, ADDRESS, ADDRESS, ROUTE, HOP, PREFIX, ROUTE, HOP, PREFIX,
            ],
            |a| {
                a.dhcp = false;
                a.addresses = texts(&["192.0.2.5/24", "2001:db8::5/64"]);
                a.gateways = texts(&["192.0.2.1", "2001:db8::1"]);
            },
        ),
        adapter(
            "adapter-metric",
            &[DHCP, FOUND, ADDRESS, ROUTE, METRIC, HOP, PREFIX],
            |a| {
                a.dhcp = false;
                a.addresses = texts(&["192.0.2.5/24"]);
                a.gateways = texts(&["192.0.2.1"]);
                a.gateway_metric = Some(5);
            },
        ),
        adapter("adapter-name", &[COMMAND, DHCP, FOUND], |a| {
            a.name = text("Lab's LAN")
        }),
    ]
}

fn names_of_adapters() -> Vec<Example> {
    vec![
        adapter(
            "adapter-dns",
            &[
                DHCP,
                FOUND,
                NAMED,
                ("specialize", DNS, "Interfaces/Interface/DNSDomain"),
                (
                    "specialize",
                    DNS,
                    "Interfaces/Interface/DNSServerSearchOrder/IpAddress",
                ),
                (
                    "specialize",
                    DNS,
                    "Interfaces/Interface/DNSServerSearchOrder/IpAddress",
                ),
                ("specialize", DNS, "Interfaces/Interface/DisableDynamicUpdate"),
            ],
            |a| {
                a.dns = texts(&["192.0.2.53", "2001:db8::53"]);
                a.dns_suffix = text("lab.example");
                a.register_in_dns = Some(false);
            },
        ),
        adapter(
            "adapter-netbios",
            &[
                DHCP,
                FOUND,
                NETBIOS,
                (
                    "specialize",
                    NETBT,
                    "Interfaces/Interface/NameServerList/IpAddress",
                ),
                ("specialize", NETBT, "Interfaces/Interface/NetbiosOptions"),
            ],
            |a| {
                a.wins = texts(&["192.0.2.7"]);
                a.netbios = Some(NetBios::Disabled);
            },
        ),
        example("dns-domain", &[("specialize", DNS, "DNSDomain")], |s| {
            s.dns_domain = text("lab.example")
        }),
        example(
            "dns-suffixes",
            &[
                ("specialize", DNS, "DNSSuffixSearchOrder/DomainName"),
                ("specialize", DNS, "DNSSuffixSearchOrder/DomainName"),
            ],
            |s| s.dns_suffixes = texts(&["lab.example", "example"]),
        ),
    ]
}

/// What no setting of a step says: the run itself does.
pub(crate) const OF_NO_SETTING: [&str; 4] = [
    "hide-first-start",
    "prevent-device-encryption",
    "driver-paths",
    "commands",
];

/// How `apply-os-settings` says an example.
pub(crate) const OF_OS_SETTINGS: [(&str, &str); 14] = [
    ("computer-name", "computer-name = 'REF-01'"),
    ("registered-user", "registered-user = 'A & B'"),
    (
        "registered-organization",
        "registered-organization = 'Éire <\"Lab\">'",
    ),
    ("product-key", "product-key = 'BCDFG-HJKMN-PQRTV-WXY23-46789'"),
    ("time-zone", "time-zone = 'Europe/Amsterdam'"),
    ("input-locale", "input-locale = '0413:00020409'"),
    ("system-locale", "system-locale = 'nl-NL'"),
    ("ui-language", "ui-language = 'nl-NL'"),
    ("ui-language-fallback", "ui-language-fallback = 'en-US'"),
    ("user-locale", "user-locale = 'nl-NL'"),
    ("licensing-per-seat", "licensing = 'per-seat'"),
    (
        "licensing-per-server",
        "licensing = 'per-server'\nlicense-connections = 25",
    ),
    (
        "administrator-enabled",
        "administrator = 'enabled'\nadministrator-password = 'Pa$$w0rd'",
    ),
    ("administrator-disabled", "administrator = 'disabled'"),
];

/// How `apply-network-settings` says an example without adapters.
pub(crate) const OF_NETWORK_SETTINGS: [(&str, &str); 6] = [
    ("workgroup", "join = 'workgroup'\nworkgroup = 'WORKGROUP'"),
    (
        "domain",
        "join = 'domain'\ndomain = 'lab.example'\naccount = 'LAB\\joiner'\npassword = 'p<&>w'\n\
         organizational-unit = 'LDAP://OU=Machines,DC=lab,DC=example'",
    ),
    (
        "domain-account-as-address",
        "join = 'domain'\ndomain = 'lab.example'\naccount = 'joiner@lab.example'\npassword = 'p<&>w'",
    ),
    (
        "domain-account-without-domain",
        "join = 'domain'\ndomain = 'lab.example'\naccount = 'joiner'\npassword = 'p<&>w'",
    ),
    ("dns-domain", "dns-domain = 'lab.example'"),
    ("dns-suffixes", "dns-suffixes = ['lab.example', 'example']"),
];

/// How it says an example of an adapter, beside its MAC address.
pub(crate) const OF_ADAPTERS: [(&str, &str); 6] = [
    ("adapter-dhcp", "dhcp = true"),
    (
        "adapter-static",
        "addresses = ['192.0.2.5/24', '2001:db8::5/64'], gateways = ['192.0.2.1', '2001:db8::1']",
    ),
    (
        "adapter-metric",
        "addresses = ['192.0.2.5/24'], gateways = ['192.0.2.1'], gateway-metric = 5",
    ),
    ("adapter-name", "name = \"Lab's LAN\""),
    (
        "adapter-dns",
        "dns = ['192.0.2.53', '2001:db8::53'], dns-suffix = 'lab.example', register-in-dns = false",
    ),
    ("adapter-netbios", "wins = ['192.0.2.7'], netbios = 'disabled'"),
];
