//! Every setting stands where Windows looks for it.
//!
//! The golden files are renewed with `RENEW_GOLDEN=1 cargo test -p windows-setup --test unattend`: look at the
//! difference before it is committed.

use std::fs;
use std::path::Path;

use roxmltree::{Document, Node};
use task_sequence::Secret;
use task_sequence::steps::{ApplyNetworkSettings, ApplyOsSettings};
use windows_setup::unattend::{
    Adapter, Administrator, Architecture, Error, Image, Licensing, Machine, Membership, Settings,
    SetupCommand, answer_file,
};

use crate::AMD64;
use crate::each_setting::{
    Example, OF_ADAPTERS, OF_NETWORK_SETTINGS, OF_NO_SETTING, OF_OS_SETTINGS, Place, all,
};

#[test]
fn every_setting_is_as_its_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let renew = std::env::var_os("RENEW_GOLDEN").is_some();
    let examples = all();
    for example in &examples {
        let path = folder.join(format!("{}.xml", example.name));
        let made = answer_file(&example.settings, &AMD64).unwrap();
        if renew {
            fs::write(&path, &made).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), made, "{}", example.name);
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(
        files,
        examples.len(),
        "a golden file without an example, or two examples of one name"
    );
}

const NAMESPACE: &str = "urn:schemas-microsoft-com:unattend";

/// The places of all values in a file, by an independent reader.
fn places(document: &Document<'_>, architecture: &str) -> Vec<(String, String, String)> {
    let root = document.root_element();
    assert_eq!(
        (root.tag_name().name(), root.tag_name().namespace()),
        ("unattend", Some(NAMESPACE))
    );
    let mut found = Vec::new();
    for node in document.descendants().filter(Node::is_element) {
        assert_eq!(node.tag_name().namespace(), Some(NAMESPACE));
        if node.tag_name().name() == "component" {
            check_component(node, architecture);
        }
        if !node.children().any(|child| child.is_element()) {
            found.push(place(node));
        }
    }
    found
}

fn check_component(node: Node<'_, '_>, architecture: &str) {
    let wanted = [
        ("publicKeyToken", "31bf3856ad364e35"),
        ("language", "neutral"),
        ("versionScope", "nonSxS"),
        ("processorArchitecture", architecture),
    ];
    for (attribute, value) in wanted {
        assert_eq!(node.attribute(attribute), Some(value), "{attribute}");
    }
}

fn place(node: Node<'_, '_>) -> (String, String, String) {
    let mut around: Vec<Node<'_, '_>> = node.ancestors().filter(Node::is_element).collect();
    around.reverse();
    let names: Vec<&str> = around[3..].iter().map(|one| one.tag_name().name()).collect();
    let attribute = |node: Node<'_, '_>, name: &str| node.attribute(name).unwrap().to_owned();
    (
        attribute(around[1], "pass"),
        attribute(around[2], "name"),
        names.join("/"),
    )
}

#[test]
fn every_setting_stands_in_its_pass_and_component_for_every_architecture() {
    let architectures = [
        (Architecture::X86, "x86"),
        (Architecture::Amd64, "amd64"),
        (Architecture::Arm64, "arm64"),
    ];
    for (architecture, word) in architectures {
        // Windows for x86 has no such setting.
        let has = |example: &Example| {
            architecture != Architecture::X86 || !example.settings.prevent_device_encryption
        };
        let image = Image {
            architecture,
            ..AMD64
        };
        for example in all().into_iter().filter(has) {
            let made = answer_file(&example.settings, &image).unwrap();
            let document = Document::parse(&made).unwrap();
            let found = places(&document, word);
            // The parts of a command beside its line stand where it stands.
            let parts = |place: &&(String, String, String)| {
                !place.2.ends_with("Order") && !place.2.ends_with("Description")
            };
            let found: Vec<Place> = found
                .iter()
                .filter(parts)
                .map(|(a, b, c)| (leak(a), leak(b), leak(c)))
                .collect();
            assert_eq!(found, example.places, "{}", example.name);
        }
    }
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}

#[test]
fn the_architecture_of_a_wim_is_understood() {
    let known = [0, 9, 12, 5].map(Architecture::from_wim);
    assert_eq!(
        known,
        [
            Some(Architecture::X86),
            Some(Architecture::Amd64),
            Some(Architecture::Arm64),
            None
        ]
    );
}

#[test]
fn a_password_is_encoded_as_windows_decodes_it() {
    use base64ct::{Base64, Encoding};
    let settings = Settings {
        administrator: Some(Administrator::Enabled(Secret::new("Pa$$w0rd é🗝"))),
        ..Settings::default()
    };
    let made = answer_file(&settings, &AMD64).unwrap();
    let document = Document::parse(&made).unwrap();
    let value = document
        .descendants()
        .find(|node| node.tag_name().name() == "Value")
        .unwrap();
    let bytes = Base64::decode_vec(value.text().unwrap()).unwrap();
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    assert_eq!(
        String::from_utf16(&units).unwrap(),
        "Pa$$w0rd é🗝AdministratorPassword"
    );
    assert!(!made.contains("Pa$$"));
}

#[test]
fn an_older_windows_is_told_only_what_it_knows() {
    let settings = Settings {
        hide_first_start: true,
        prevent_device_encryption: true,
        ..Settings::default()
    };
    let seven = answer_file(
        &settings,
        &Image {
            version: (6, 1),
            ..AMD64
        },
    )
    .unwrap();
    assert!(seven.contains("NetworkLocation") && seven.contains("HideWireless"));
    assert!(!seven.contains("PreventDeviceEncryption"));
    assert!(!seven.contains("HideOnlineAccountScreens") && !seven.contains("HideLocalAccount"));
    assert!(
        !answer_file(&settings, &AMD64)
            .unwrap()
            .contains("NetworkLocation")
    );
}

fn refused(settings: Settings) -> String {
    answer_file(&settings, &AMD64).unwrap_err().to_string()
}

#[test]
fn what_windows_would_not_accept_is_refused() {
    let name = |name: &str| Settings {
        computer_name: Some(name.into()),
        ..Settings::default()
    };
    assert!(refused(name("SIXTEEN-CHARS-XX")).contains("16 characters"));
    assert!(refused(name("a_b")).contains("`_`"));
    let key = Settings {
        product_key: Some(Secret::new("BCDFG-HJKMN")),
        ..Settings::default()
    };
    let why = refused(key);
    assert!(
        why.contains("five groups of five") && !why.contains("HJKMN"),
        "{why}"
    );
    let zone = Settings {
        time_zone: Some("Europe/Atlantis".into()),
        ..Settings::default()
    };
    assert!(refused(zone).contains("time-zone"));
    let workgroup = Settings {
        membership: Some(Membership::Workgroup("a/b".into())),
        ..Settings::default()
    };
    assert!(refused(workgroup).contains("workgroup"));
    let line = SetupCommand {
        description: "long".into(),
        line: "x".repeat(260),
    };
    assert!(
        refused(Settings {
            commands: vec![line],
            ..Settings::default()
        })
        .contains("260 characters")
    );
    let empty = Settings {
        registered_user: Some(String::new()),
        ..Settings::default()
    };
    assert!(refused(empty).contains("leave the setting out"));
    let paths = vec!["x".repeat(260)];
    assert!(
        refused(Settings {
            driver_paths: paths,
            ..Settings::default()
        })
        .contains("260 characters")
    );
}

#[test]
fn an_adapter_that_cannot_be_is_refused() {
    let good = Adapter {
        mac: "00-11-22-33-44-55".into(),
        dhcp: true,
        ..Adapter::default()
    };
    let refused = |change: fn(&mut Adapter)| {
        let mut adapter = good.clone();
        change(&mut adapter);
        refused(Settings {
            adapters: vec![adapter],
            ..Settings::default()
        })
    };
    assert!(refused(|a| a.mac = "00:11".into()).contains("MAC"));
    assert!(refused(|a| a.dhcp = false).contains("neither DHCP nor addresses"));
    assert!(refused(|a| a.addresses = vec!["192.0.2.5".into()]).contains("prefix length"));
    assert!(refused(|a| a.addresses = vec!["192.0.2.5/33".into()]).contains("prefix length"));
    assert!(refused(|a| a.gateways = vec!["gateway".into()]).contains("gateways"));
    assert!(refused(|a| a.dns = vec!["dns.example".into()]).contains("dns"));
    assert!(refused(|a| a.wins = vec!["x".into()]).contains("wins"));
    assert!(refused(|a| a.name = Some("a\"b".into())).contains("no connection"));
}

fn machine() -> Machine {
    Machine {
        macs: vec!["02:00:00:00:00:01".into(), "02:00:00:00:00:02".into()],
        random: [7; 24],
    }
}

fn os(text: &str) -> ApplyOsSettings {
    match resolved("apply-os-settings", text) {
        task_sequence::Action::ApplyOsSettings(options) => options,
        other => panic!("{other:?}"),
    }
}

fn network(text: &str) -> ApplyNetworkSettings {
    match resolved("apply-network-settings", text) {
        task_sequence::Action::ApplyNetworkSettings(options) => options,
        other => panic!("{other:?}"),
    }
}

fn resolved(type_name: &str, text: &str) -> task_sequence::Action {
    let text = format!("name = 's'\noperating-system = 'windows'\n[[steps]]\ntype = '{type_name}'\n{text}");
    let sequence = task_sequence::parse("s.toml", &text).unwrap();
    sequence.all_steps()[0]
        .action
        .resolve(&task_sequence::Variables::new())
        .unwrap()
}

fn from(os: &ApplyOsSettings, network: &ApplyNetworkSettings) -> Result<Settings, Error> {
    Settings::from_steps(os, network, &machine())
}

/// The example as the steps say it, by one setting or a few and nothing else.
fn written(name: &str) -> Option<(ApplyOsSettings, ApplyNetworkSettings)> {
    let of = |examples: &[(&str, &'static str)]| {
        let mut examples = examples.iter();
        examples.find(|(known, _)| *known == name).map(|(_, text)| *text)
    };
    let adapters =
        of(&OF_ADAPTERS).map(|text| format!("adapters = [{{ mac = '00:11:22:aa:bb:cc', {text} }}]"));
    let of_network = of(&OF_NETWORK_SETTINGS).map(str::to_owned).or(adapters);
    of(&OF_OS_SETTINGS)
        .map(|text| (os(text), ApplyNetworkSettings::default()))
        .or_else(|| of_network.map(|text| (ApplyOsSettings::default(), network(&text))))
}

/// What the answer file of a step would be, when nothing of it were lost or put in another's place.
#[test]
fn every_setting_of_a_step_becomes_the_one_of_its_example() {
    for example in all() {
        let name = example.name;
        let Some((os, network)) = written(name) else {
            assert!(OF_NO_SETTING.contains(&name), "no step says {name}");
            continue;
        };
        let mut expected = example.settings;
        expected.hide_first_start = true;
        let mut said = from(&os, &network).unwrap();
        // This password is another one each time.
        if let (Some(Administrator::Disabled(password)), Some(Administrator::Disabled(any))) =
            (&mut said.administrator, &expected.administrator)
        {
            *password = any.clone();
        }
        assert_eq!(said, expected, "{name}");
    }
}

#[test]
fn the_settings_of_the_steps_become_those_of_an_answer_file() {
    let os = os(
        "computer-name = 'REF'\nlicensing = 'per-server'\nlicense-connections = 5\ntime-zone = 'UTC'\n\
                 administrator-password = 'secret'\nuser-locale = 'nl-NL'",
    );
    let network = network(
        "join = 'workgroup'\nworkgroup = 'LAB'\nadapters = [{ addresses = ['192.0.2.5/24'] }, { mac = '02-00-00-00-00-01' }]",
    );
    let settings = from(&os, &network).unwrap();
    assert_eq!(settings.computer_name.as_deref(), Some("REF"));
    assert_eq!(settings.licensing, Some(Licensing::PerServer(5)));
    assert_eq!(
        settings.administrator,
        Some(Administrator::Enabled(Secret::new("secret")))
    );
    assert_eq!(settings.membership, Some(Membership::Workgroup("LAB".into())));
    assert_eq!(settings.languages.user_locale.as_deref(), Some("nl-NL"));
    assert!(settings.hide_first_start);
    let adapters: Vec<(&str, bool)> = settings
        .adapters
        .iter()
        .map(|one| (one.mac.as_str(), one.dhcp))
        .collect();
    // The adapter without an address takes the one that no other names.
    assert_eq!(
        adapters,
        [("02:00:00:00:00:02", false), ("02-00-00-00-00-01", true)]
    );
}

#[test]
fn a_disabled_administrator_has_a_password_that_only_the_machine_knows() {
    for text in [
        "administrator = 'disabled'",
        "random-administrator-password = true",
    ] {
        let settings = from(&os(text), &ApplyNetworkSettings::default()).unwrap();
        let Some(Administrator::Disabled(password)) = settings.administrator else {
            panic!("disabled")
        };
        assert!(password.expose().len() > 30 && password.expose().ends_with("aA1!"));
    }
    let why = from(&os("administrator = 'enabled'"), &ApplyNetworkSettings::default()).unwrap_err();
    assert!(why.to_string().contains("administrator-password"));
    let dropped = "administrator = 'disabled'\nadministrator-password = 'known'";
    let why = from(&os(dropped), &ApplyNetworkSettings::default()).unwrap_err();
    assert!(why.to_string().contains("random-administrator-password") && !why.to_string().contains("known'"));
    let named = os(&format!("{dropped}\nrandom-administrator-password = true"));
    let settings = from(&named, &ApplyNetworkSettings::default()).unwrap();
    assert!(matches!(settings.administrator, Some(Administrator::Disabled(_))));
    let nothing = from(&ApplyOsSettings::default(), &ApplyNetworkSettings::default()).unwrap();
    assert_eq!((nothing.administrator, nothing.membership), (None, None));
}

#[test]
fn what_the_steps_do_not_say_in_full_is_refused() {
    let none = ApplyOsSettings::default();
    for (text, wanted) in [
        ("join = 'domain'", "domain"),
        ("join = 'domain'\ndomain = 'd'", "account"),
        ("join = 'domain'\ndomain = 'd'\naccount = 'a'", "password"),
        ("join = 'workgroup'", "workgroup"),
        ("adapters = [{}, {}, {}]", "2 network adapters"),
    ] {
        let why = from(&none, &network(text)).unwrap_err().to_string();
        assert!(why.contains(wanted), "{wanted} in {why}");
    }
    let why = from(&os("licensing = 'per-server'"), &network(""))
        .unwrap_err()
        .to_string();
    assert!(why.contains("license-connections"));
}
