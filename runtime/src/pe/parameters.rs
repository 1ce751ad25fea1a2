//! What the boot menu tells the runtime on the kernel's command line.

use std::net::Ipv4Addr;

/// The parameters for the runtime; all others are the kernel's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `media.id=`: the media that this boot belongs to.
    pub media_id: Option<String>,
    /// `media.shell=1`: the media allows a shell.
    pub shell: bool,
    /// `media.ip=`: how the network is set up.
    pub network: NetworkKind,
    /// What could not be understood, for the log: a typing error must not stop a machine.
    pub problems: Vec<String>,
}

/// How the network is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NetworkKind {
    /// `dhcp`: an address for every Ethernet adapter.
    #[default]
    Dhcp,
    /// `none`: adapters stay down.
    None,
    /// `ADDRESS/PREFIX[,GATEWAY[,DNS…]]`: the first adapter with a link.
    Static {
        /// The address.
        address: Ipv4Addr,
        /// The length of the network's prefix.
        prefix: u8,
        /// Where everything else goes.
        gateway: Option<Ipv4Addr>,
        /// Name servers.
        dns: Vec<Ipv4Addr>,
    },
}

/// The parameters of this boot.
pub fn command_line() -> CommandLine {
    match std::fs::read_to_string("/proc/cmdline") {
        Ok(text) => CommandLine::parse(&text),
        Err(error) => {
            let problem = format!("reading the kernel's command line: {error}");
            CommandLine {
                problems: vec![problem],
                ..CommandLine::default()
            }
        }
    }
}

impl CommandLine {
    /// Reads the kernel's command line; of a parameter that is given twice the last one counts.
    pub fn parse(text: &str) -> Self {
        let mut result = Self::default();
        for word in text.split_whitespace() {
            let Some((name, value)) = word.strip_prefix("media.").and_then(|word| word.split_once('='))
            else {
                continue;
            };
            match (name, value) {
                ("id", id) => result.media_id = Some(id.to_owned()),
                ("shell", "1") => result.shell = true,
                ("shell", "0") => result.shell = false,
                ("ip", kind) => match parse_network(kind) {
                    Some(kind) => result.network = kind,
                    None => result.problems.push(format!(
                        "media.ip={kind} is not dhcp, none or ADDRESS/PREFIX[,GATEWAY[,DNS…]]"
                    )),
                },
                _ => result.problems.push(format!("unknown kernel parameter {word}")),
            }
        }
        result
    }
}

fn parse_network(text: &str) -> Option<NetworkKind> {
    match text {
        "dhcp" => return Some(NetworkKind::Dhcp),
        "none" => return Some(NetworkKind::None),
        _ => {}
    }
    let mut parts = text.split(',');
    let (address, prefix) = parts.next()?.split_once('/')?;
    let prefix = prefix.parse().ok().filter(|prefix| (1..=32).contains(prefix))?;
    let gateway = parts
        .next()
        .filter(|text| !text.is_empty())
        .map(str::parse)
        .transpose()
        .ok()?;
    let dns = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(NetworkKind::Static {
        address: address.parse().ok()?,
        prefix,
        gateway,
        dns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_among_the_kernels_own() {
        let line = CommandLine::parse(
            "BOOT_IMAGE=/vmlinuz quiet console=ttyS0 media.id=7f3a media.shell=1 media.ip=none\n",
        );
        assert_eq!(line.media_id.as_deref(), Some("7f3a"));
        assert!(line.shell && line.problems.is_empty());
        assert_eq!(line.network, NetworkKind::None);
    }

    #[test]
    fn nothing_given_means_dhcp_and_no_shell() {
        assert_eq!(CommandLine::parse("root=/dev/sda1"), CommandLine::default());
    }

    #[test]
    fn a_static_address() {
        let line = CommandLine::parse("media.ip=192.168.7.5/24,192.168.7.1,9.9.9.9,1.1.1.1");
        let NetworkKind::Static {
            address,
            prefix,
            gateway,
            dns,
        } = line.network
        else {
            panic!("{line:?}")
        };
        assert_eq!((address, prefix), (Ipv4Addr::new(192, 168, 7, 5), 24));
        assert_eq!(gateway, Some(Ipv4Addr::new(192, 168, 7, 1)));
        assert_eq!(dns.len(), 2);
        let line = CommandLine::parse("media.ip=10.0.0.2/8");
        assert!(matches!(line.network, NetworkKind::Static { gateway: None, .. }));
    }

    #[test]
    fn errors_are_kept_for_the_log() {
        for bad in [
            "media.ip=10.0.0.300/24",
            "media.ip=10.0.0.3",
            "media.ip=10.0.0.3/40",
            "media.ip=1.2.3.4/8,x",
            "media.shel=1",
        ] {
            let line = CommandLine::parse(bad);
            assert_eq!(line.problems.len(), 1, "{bad}");
            assert_eq!(line.network, NetworkKind::Dhcp);
        }
    }
}
