//! What an answer file can say, and about which image.

use task_sequence::Secret;
use task_sequence::steps::NetBios;

/// The processor that an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// 32 bits.
    X86,
    /// 64 bits.
    Amd64,
    /// 64 bits of Arm.
    Arm64,
}

impl Architecture {
    /// The architecture that the XML of a WIM means by a number.
    pub fn from_wim(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::X86),
            9 => Some(Self::Amd64),
            12 => Some(Self::Arm64),
            _ => None,
        }
    }

    /// The number by which the XML of a WIM means it.
    pub const fn wim(self) -> u32 {
        match self {
            Self::X86 => 0,
            Self::Amd64 => 9,
            Self::Arm64 => 12,
        }
    }

    /// The word that stands for it in an answer file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// The Windows that reads the answer file: a setting that it does not know would end its set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Components are named together with it.
    pub architecture: Architecture,
    /// Major and minor version: `(6, 1)` is Windows 7, `(10, 0)` are Windows 10 and 11.
    pub version: (u32, u32),
}

/// All that our steps say to Windows set-up, with every variable expanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The name of the machine.
    pub computer_name: Option<String>,
    /// The registered user.
    pub registered_user: Option<String>,
    /// The registered organization.
    pub registered_organization: Option<String>,
    /// The product key.
    pub product_key: Option<Secret>,
    /// How a server is licensed.
    pub licensing: Option<Licensing>,
    /// What becomes of the built-in administrator; `None` leaves it as the image has it.
    pub administrator: Option<Administrator>,
    /// The time zone, in the spelling of Windows or of the tz database.
    pub time_zone: Option<String>,
    /// The languages.
    pub languages: Languages,
    /// Whether the pages of the first start are passed over, so that nobody has to sit there.
    pub hide_first_start: bool,
    /// Whether Windows is kept from encrypting its volume by itself.
    pub prevent_device_encryption: bool,
    /// What the machine becomes a member of.
    pub membership: Option<Membership>,
    /// The DNS domain of the machine.
    pub dns_domain: Option<String>,
    /// The domains that short names are looked up in.
    pub dns_suffixes: Vec<String>,
    /// The network adapters that are configured; others keep what Windows gives them.
    pub adapters: Vec<Adapter>,
    /// Folders with driver packages, as the new Windows sees them. They stand in the pass `offlineServicing`,
    /// which only a servicing tool reads (DISM, in WinPE); a Windows that starts looks at its DevicePath instead.
    pub driver_paths: Vec<String>,
    /// Commands that run as SYSTEM before the first start is over, in order.
    pub commands: Vec<SetupCommand>,
}

/// How a server is licensed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Licensing {
    /// For each device or user.
    PerSeat,
    /// For so many connections to this server.
    PerServer(u32),
}

/// What becomes of the built-in administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Administrator {
    /// The account is enabled.
    Enabled(Secret),
    /// The account is disabled, and has a password that nobody knows.
    Disabled(Secret),
}

/// Languages and formats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Languages {
    /// Input languages with the layouts of keyboards.
    pub input_locale: Option<String>,
    /// The language of programs without Unicode.
    pub system_locale: Option<String>,
    /// The language of the user interface.
    pub ui_language: Option<String>,
    /// The language of what is not translated.
    pub ui_language_fallback: Option<String>,
    /// The formats of dates, times and numbers.
    pub user_locale: Option<String>,
}

impl Languages {
    /// One language for everything that the first start would ask for.
    #[must_use]
    pub fn of(language: &str) -> Self {
        let language = || Some(language.to_owned());
        Self {
            input_locale: language(),
            system_locale: language(),
            ui_language: language(),
            ui_language_fallback: None,
            user_locale: language(),
        }
    }
}

/// What a machine becomes a member of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// A workgroup.
    Workgroup(String),
    /// A domain.
    Domain {
        /// Its name.
        name: String,
        /// The LDAP name of the organizational unit.
        unit: Option<String>,
        /// Who joins: `domain\user`, `user@domain`, or a user of that domain.
        account: String,
        /// The account's password. Windows reads it in clear text only: remove it after use.
        password: Secret,
    },
}

/// The configuration of one network adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// The MAC address, by which Windows finds it.
    pub mac: String,
    /// The name that the connection gets.
    pub name: Option<String>,
    /// Whether it is configured by DHCP.
    pub dhcp: bool,
    /// Its addresses with the length of the prefix.
    pub addresses: Vec<String>,
    /// Its gateways.
    pub gateways: Vec<String>,
    /// How much the way over them costs.
    pub gateway_metric: Option<u32>,
    /// The servers that it asks for names.
    pub dns: Vec<String>,
    /// The domain that short names belong to.
    pub dns_suffix: Option<String>,
    /// Whether its addresses are registered in DNS.
    pub register_in_dns: Option<bool>,
    /// The WINS servers.
    pub wins: Vec<String>,
    /// Whether NetBIOS is spoken over TCP/IP.
    pub netbios: Option<NetBios>,
}

/// A command of Windows set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupCommand {
    /// What it is for, as set-up shows it.
    pub description: String,
    /// The program with its arguments.
    pub line: String,
}
