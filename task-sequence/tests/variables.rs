//! Which ConfigMgr variables give which settings where the sequence gives none: each does what the setting would.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use task_sequence::steps::{ALL, variables_of};
use task_sequence::{Action, Variables, parse, render, schema};

/// By line: type, variable, its value, and the setting that means the same.
const SINGLE: &str = r"
restart-computer | SMSRebootTarget | WinPE | target = 'pe'
restart-computer | SMSRebootTarget | HD | target = 'os'
restart-computer | SMSRebootMessage | soon | message = 'soon'
restart-computer | SMSRebootTimeout | 60 | delay = '60s'
format-and-partition-disk | OSDDiskIndex | 1 | disk = { number = 1 }
format-and-partition-disk | OSDPartitionStyle | GPT | style = 'gpt'
format-and-partition-disk | OSDGPTBootDisk | true | boot-disk = true
format-and-partition-disk | TSUEFIDrive | S: | efi-volume = 'S:'
apply-operating-system-image | OSDImageIndex | 3 | index = 3
apply-operating-system-image | OSDTargetSystemDrive | D: | destination = { volume = 'D:' }
apply-operating-system-image | OSDConfigFileName | a.xml | answer-file = 'a.xml'
apply-data-image | OSDDataImageIndex | 2 | index = 2
apply-data-image | OSDWipeDestinationPartition | false | wipe = false
apply-os-settings | OSDComputerName | PC1 | computer-name = 'PC1'
apply-os-settings | OSDRegisteredUserName | u | registered-user = 'u'
apply-os-settings | OSDRegisteredOrgName | o | registered-organization = 'o'
apply-os-settings | OSDProductKey | AAAAA-BBBBB-CCCCC-DDDDD-EEEEE | product-key = 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE'
apply-os-settings | OSDServerLicenseMode | PerSeat | licensing = 'per-seat'
apply-os-settings | OSDServerLicenseMode | PerServer | licensing = 'per-server'
apply-os-settings | OSDServerLicenseConnectionLimit | 5 | license-connections = 5
apply-os-settings | OSDRandomAdminPassword | true | random-administrator-password = true
apply-os-settings | OSDLocalAdminPassword | p | administrator-password = 'p'
apply-os-settings | OSDTimeZone | UTC | time-zone = 'UTC'
apply-os-settings | OSDWindowsSettingsInputLocale | nl-NL | input-locale = 'nl-NL'
apply-os-settings | OSDWindowsSettingsSystemLocale | nl-NL | system-locale = 'nl-NL'
apply-os-settings | OSDWindowsSettingsUILanguage | nl-NL | ui-language = 'nl-NL'
apply-os-settings | OSDWindowsSettingsUILanguageFallback | nl-NL | ui-language-fallback = 'nl-NL'
apply-os-settings | OSDWindowsSettingsUserLocale | nl-NL | user-locale = 'nl-NL'
apply-network-settings | OSDNetworkJoinType | 0 | join = 'domain'
apply-network-settings | OSDNetworkJoinType | 1 | join = 'workgroup'
apply-network-settings | OSDWorkgroupName | LAB | workgroup = 'LAB'
apply-network-settings | OSDDomainName | d.example | domain = 'd.example'
apply-network-settings | OSDDomainOUName | OU=a | organizational-unit = 'OU=a'
apply-network-settings | OSDJoinAccount | j | account = 'j'
apply-network-settings | OSDJoinPassword | p | password = 'p'
apply-network-settings | OSDDNSDomain | d.example | dns-domain = 'd.example'
apply-network-settings | OSDDNSSuffixSearchOrder | a.example, b.example | dns-suffixes = ['a.example', 'b.example']
auto-apply-drivers | OSDAutoApplyDriverCategoryList | net,disk | categories = ['net', 'disk']
auto-apply-drivers | OSDAutoApplyDriverBestMatch | true | best-match = true
setup-os | SMSClientInstallProperties | A=B | client-properties = 'A=B'
install-updates | SMSInstallUpdateTarget | All | target = 'all'
install-updates | SMSInstallUpdateTarget | Mandatory | target = 'required'
join-domain-or-workgroup | OSDJoinType | 0 | join = 'domain'
join-domain-or-workgroup | OSDJoinType | 1 | join = 'workgroup'
join-domain-or-workgroup | OSDJoinDomainName | d.example | domain = 'd.example'
join-domain-or-workgroup | OSDJoinDomainOUName | OU=a | organizational-unit = 'OU=a'
join-domain-or-workgroup | OSDJoinWorkgroupName | LAB | workgroup = 'LAB'
join-domain-or-workgroup | OSDJoinAccount | j | account = 'j'
join-domain-or-workgroup | OSDJoinPassword | p | password = 'p'
join-domain-or-workgroup | OSDJoinSkipReboot | true | skip-restart = true
prepare-os-for-capture | OSDKeepActivation | true | keep-activation = true
prepare-os-for-capture | OSDShutdownPreparedOs | true | shut-down = true
capture-operating-system-image | OSDCaptureDestination | \\s\x\r.wim | destination = '\\s\x\r.wim'
capture-operating-system-image | OSDCaptureAccount | a | account = 'a'
capture-operating-system-image | OSDCaptureAccountPassword | p | password = 'p'
capture-operating-system-image | OSDImageCreator | c | image-creator = 'c'
capture-operating-system-image | OSDImageDescription | d | image-description = 'd'
capture-operating-system-image | OSDImageVersion | 1 | image-version = '1'
capture-operating-system-image | OSDTargetSystemRoot | / | system-root = '/'
connect-to-network-folder | SMSConnectNetworkFolderAccount | a | account = 'a'
connect-to-network-folder | SMSConnectNetworkFolderPassword | p | password = 'p'
";

/// The lines of the table.
fn single() -> impl Iterator<Item = [&'static str; 4]> {
    let lines = SINGLE.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split(" | ").collect::<Vec<_>>().try_into().expect(line))
}

/// What a type cannot do without.
fn few(type_name: &str) -> &'static str {
    match type_name {
        "apply-operating-system-image" | "apply-data-image" => "package = 'p'",
        "connect-to-network-folder" => "path = '\\\\s\\x'\nat = 'Z:'",
        _ => "",
    }
}

/// Type, its variables and their values, and the setting that means the same as all of them.
type Numbered = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// Variables with a number.
const NUMBERED: &[Numbered] = &[
    (
        "format-and-partition-disk",
        &[
            ("OSDPartitions", "6"),
            ("OSDPartitions0Type", "EFI"),
            ("OSDPartitions0Size", "499"),
            ("OSDPartitions0SizeUnits", "MB"),
            ("OSDPartitions1Type", "Primary"),
            ("OSDPartitions1Size", "50"),
            ("OSDPartitions1SizeUnits", "Percent"),
            ("OSDPartitions1FileSystem", "NTFS"),
            ("OSDPartitions1QuickFormat", "True"),
            ("OSDPartitions1VolumeName", "System"),
            ("OSDPartitions1VolumeLetterVariable", "OSDISK"),
            ("OSDPartitions1Bootable", "False"),
            ("OSDPartitions2Type", "Primary"),
            ("OSDPartitions3Type", "Hidden"),
            ("OSDPartitions3Size", "1"),
            ("OSDPartitions3SizeUnits", "GB"),
            ("OSDPartitions4Type", "Extended"),
            ("OSDPartitions4Size", "40"),
            ("OSDPartitions4SizeUnits", "Percent"),
            ("OSDPartitions5Type", "Logical"),
            ("OSDPartitions5Size", "100"),
            ("OSDPartitions5SizeUnits", "Percent"),
        ],
        "partitions = [{ kind = 'efi', size = '499 MB' }, { kind = 'primary', size = '50%', file-system = 'ntfs', \
         quick = true, label = 'System', variable = 'OSDISK', bootable = false }, { kind = 'primary', size = 'rest' }, \
         { kind = 'hidden', size = '1 GB' }, { kind = 'extended', size = '40%' }, { kind = 'logical', size = '100%' }]",
    ),
    (
        "apply-network-settings",
        &[
            ("OSDAdapterCount", "2"),
            ("OSDAdapter0MACAddress", "00:11:22:33:44:55"),
            ("OSDAdapter0Name", "LAN"),
            ("OSDAdapter0EnableDHCP", "false"),
            ("OSDAdapter0IPAddressList", "192.0.2.5"),
            ("OSDAdapter0SubnetMask", "255.255.255.0"),
            ("OSDAdapter0Gateways", "192.0.2.1"),
            ("OSDAdapter0GatewayCostMetric", "5"),
            ("OSDAdapter0DNSServerList", "192.0.2.2,192.0.2.3"),
            ("OSDAdapter0DNSDomain", "d.example"),
            ("OSDAdapter0EnableDNSRegistration", "true"),
            ("OSDAdapter0EnableWINS", "true"),
            ("OSDAdapter0WINSServerList", "192.0.2.4"),
            ("OSDAdapter0TcpipNetbiosOptions", "2"),
            ("OSDAdapter1DNSSuffix", "e.example"),
            ("OSDAdapter1EnableFullDNSRegistration", "true"),
        ],
        "adapters = [{ mac = '00:11:22:33:44:55', name = 'LAN', dhcp = false, addresses = ['192.0.2.5/24'], \
         gateways = ['192.0.2.1'], gateway-metric = 5, dns = ['192.0.2.2', '192.0.2.3'], dns-suffix = 'd.example', \
         register-in-dns = true, wins = ['192.0.2.4'], netbios = 'disabled' }, { dns-suffix = 'e.example', \
         register-in-dns = true }]",
    ),
];

fn resolved(type_name: &str, settings: &str, variables: &[(&str, &str)]) -> Action {
    let text =
        format!("name = 's'\noperating-system = 'windows'\n[[steps]]\ntype = '{type_name}'\n{settings}\n");
    let sequence = parse("s.toml", &text).unwrap_or_else(|found| panic!("{}", render(&found)));
    let mut known = Variables::new();
    variables
        .iter()
        .for_each(|(name, value)| known.set(name, *value).unwrap());
    sequence.all_steps()[0].action.resolve(&known).unwrap()
}

#[test]
fn every_variable_does_what_its_setting_would() {
    for [type_name, variable, value, setting] in single() {
        let few = few(type_name);
        let of_variable = resolved(type_name, few, &[(variable, value)]);
        let written = resolved(type_name, &format!("{few}\n{setting}"), &[]);
        assert_eq!(of_variable, written, "{variable} of {type_name}");
        assert_ne!(
            written,
            resolved(type_name, few, &[]),
            "{setting} changes nothing"
        );
    }
    for (type_name, variables, settings) in NUMBERED {
        let of_variables = resolved(type_name, "", variables);
        assert_eq!(of_variables, resolved(type_name, settings, &[]), "{type_name}");
    }
}

/// By type and variable; numbers are written as `#`.
fn tried() -> BTreeSet<(String, String)> {
    let single = single().map(|[type_name, variable, ..]| (type_name, variable));
    let numbered = NUMBERED
        .iter()
        .flat_map(|(type_name, variables, _)| variables.iter().map(|(name, _)| (*type_name, *name)));
    let plain = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "#");
    let all = single.chain(numbered);
    all.map(|(type_name, name)| (type_name.to_owned(), plain(name)))
        .collect()
}

#[test]
fn the_table_has_every_variable_and_every_variable_is_declared() {
    let mut declared = BTreeSet::new();
    for kind in ALL {
        for mapping in variables_of(kind.name) {
            declared.insert((kind.name.to_owned(), mapping.variable.to_owned()));
        }
    }
    assert_eq!(tried(), declared);
}

/// The reference is made from the schema.
#[test]
fn the_schema_says_which_variables_give_a_setting() {
    let schema = schema();
    let variants = schema["$defs"]["Node"]["oneOf"].as_array().unwrap();
    for (kind, variant) in ALL.iter().zip(&variants[1..]) {
        let expected = serde_json::to_value(variables_of(kind.name)).unwrap();
        assert_eq!(variant["x-variables"], expected, "{}", kind.name);
    }
}
