//! Every type of step, from the fewest settings and from all of them.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use task_sequence::steps::{ALL, find, variables_of};
use task_sequence::{Action, AfterCut, Place, Setting, Variables, parse, render, schema};

/// Type, the settings that it cannot do without, and all of its settings.
const STEPS: &[(&str, &str, &str)] = &[
    (
        "restart-computer",
        "",
        "target = 'os'\nmessage = 'Restarting'\ndelay = '30s'",
    ),
    (
        "format-and-partition-disk",
        "",
        "disk = { serial = 'S1', min-size = '20 GB', max-size = '2 TB', bus = 'nvme', removable = false }\n\
         style = 'gpt'\nerase-existing = true\nboot-disk = true\nefi-volume = 'S:'\n\
         partitions = [{ kind = 'primary', size = 'rest', file-system = 'ntfs', label = 'Windows', variable = 'OSDISK', \
         quick = true, bootable = false, mount-point = '/' }]",
    ),
    (
        "apply-operating-system-image",
        "package = 'p'",
        "package = 'p'\nindex = '%OSDImageIndex%'\nall-volumes = false\nanswer-package = 'a'\n\
         answer-file = 'unattend.xml'\ndestination = { disk = 0, partition = 2 }",
    ),
    (
        "apply-data-image",
        "package = 'p'",
        "package = 'p'\nindex = 2\nall-volumes = false\ndestination = { variable = 'DATA' }\nwipe = false",
    ),
    (
        "apply-os-settings",
        "",
        "computer-name = 'PC1'\nregistered-user = 'u'\nregistered-organization = 'o'\n\
         product-key = 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE'\nlicensing = 'per-server'\nlicense-connections = 5\n\
         administrator = 'enabled'\nrandom-administrator-password = false\nadministrator-password = '%P%'\n\
         time-zone = 'UTC'\ninput-locale = 'nl-NL'\nsystem-locale = 'nl-NL'\nui-language = 'nl-NL'\n\
         ui-language-fallback = 'en-US'\nuser-locale = 'nl-NL'\nkeyboard = 'us'",
    ),
    (
        "apply-network-settings",
        "",
        "join = 'domain'\nworkgroup = 'W'\ndomain = 'd.example'\norganizational-unit = 'OU=a,DC=d,DC=example'\n\
         account = 'd\\j'\npassword = '%P%'\ndns-domain = 'd.example'\ndns-suffixes = ['d.example']\nadapters = [{ mac = '00:11:22:33:44:55', name = 'LAN', dhcp = false, \
         addresses = ['192.0.2.5/24'], gateways = ['192.0.2.1'], dns = ['192.0.2.2'], dns-suffix = 'd.example', \
         register-in-dns = true, wins = ['192.0.2.3'], netbios = 'disabled' }]",
    ),
    (
        "auto-apply-drivers",
        "",
        "categories = ['net']\nbest-match = true\npackages = ['p']",
    ),
    (
        "apply-driver-package",
        "package = 'p'",
        "package = 'p'\nallow-unsigned = true",
    ),
    (
        "setup-os",
        "",
        "client-package = 'c'\nclient-properties = 'A=B'\nboot-files = '2023'",
    ),
    ("install-updates", "", "target = 'all'\npackages = ['u']"),
    (
        "install-applications",
        "applications = ['a']",
        "applications = ['a', 'b']\nbase-variable = 'APP'\ncontinue-with-next = true",
    ),
    (
        "install-package",
        "package = 'p'\nprogram = 'x'",
        "base-variable = 'PKG'\ncontinue-with-next = true",
    ),
    (
        "join-domain-or-workgroup",
        "",
        "join = 'workgroup'\nworkgroup = 'W'\ndomain = 'd'\norganizational-unit = 'OU=a'\naccount = 'a'\n\
         password = '%P%'\nskip-restart = true",
    ),
    ("prepare-client-for-capture", "", "treatment = 'remove-agent'"),
    (
        "prepare-os-for-capture",
        "",
        "keep-activation = true\nshut-down = false\nsysprep-package = 's'",
    ),
    (
        "capture-operating-system-image",
        "",
        "destination = { disk = { number = 1 }, partition = 1, path = 'x.wim' }\naccount = 'a'\npassword = '%P%'\n\
         image-name = 'n'\nimage-description = 'd'\nimage-version = '1'\nimage-creator = 'c'\ncompression = 'lzx'\n\
         system-root = '/'\nexclude = ['/var/tmp']\nallow-repeated-capture = true",
    ),
    (
        "run-command-line",
        "command = 'true'",
        "command = 'true'\npackage = 'p'\nworking-folder = 'w'\noutput-variable = 'OUT'\nsuccess-codes = [0, 3010]\n\
         account = 'a'\npassword = '%P%'\nhide-command = true",
    ),
    (
        "run-script",
        "interpreter = 'sh'\ninline = 'true'",
        "interpreter = 'powershell'\npackage = 'p'\nfile = 'x.ps1'\narguments = ['-a']\nworking-folder = 'w'\n\
         output-variable = 'OUT'\nsuccess-codes = [0]\naccount = 'a'\npassword = '%P%'",
    ),
    (
        "set-variables",
        "",
        "variables = { A = 'x', B = { value = 'y', secret = true } }\n\
         rules = [{ make = 'Dell*', model = 'L*', computer = 'S1', when = { firmware = 'uefi' }, variables = { C = 1 } }]",
    ),
    (
        "connect-to-network-folder",
        "path = '\\\\s\\x'\nat = 'Z:'",
        "path = '\\\\s\\x'\nat = 'Z:'\naccount = 'a'\npassword = '%P%'",
    ),
    (
        "check-readiness",
        "",
        "memory = '2 GB'\nprocessor-speed = 1000\nprocessor-cores = 2\ndisk = '20 GB'\nfree-space = '1 GB'\n\
         firmware = 'uefi'\npower = true\nnetwork = 'wired'\ntpm = '2.0'",
    ),
    ("run-task-sequence", "sequence = 'other'", "sequence = 'other'"),
];

const COMMON: &str = "name = 'n'\ndescription = 'd'\ndisabled = true\ncontinue-on-error = true\n\
    when = { memory = '1 GB' }\nretry = { count = 1 }\ntimeout = '1 h'\nafter-cut = 'stop'";

fn step(type_name: &str, settings: &str) -> task_sequence::Step {
    let text =
        format!("name = 's'\noperating-system = 'linux'\n[[steps]]\ntype = '{type_name}'\n{settings}\n");
    let sequence = parse("s.toml", &text).unwrap_or_else(|found| panic!("{}", render(&found)));
    let again = parse("written.toml", &sequence.to_toml().expect("valid"));
    let again = again.unwrap_or_else(|found| panic!("{}", render(&found)));
    assert_eq!(again.all_steps()[0].name(), sequence.all_steps()[0].name());
    sequence.all_steps()[0].clone()
}

#[test]
fn every_type_is_read_from_few_and_from_all_settings() {
    assert_eq!(STEPS.len(), ALL.len());
    for (kind, (type_name, few, all)) in ALL.iter().zip(STEPS) {
        assert_eq!(kind.name, *type_name);
        let minimal = step(type_name, few);
        assert_eq!(
            (minimal.name(), minimal.after_cut()),
            (kind.title, kind.after_cut)
        );
        let full = step(type_name, &format!("{COMMON}\n{all}"));
        assert_eq!((full.name(), full.after_cut()), ("n", AfterCut::Stop));
        assert!(full.common.disabled && full.common.when.is_some() && full.timeout.is_some());
        assert!(
            full.action.resolve(&Variables::new()).is_ok() || *type_name == "apply-operating-system-image"
        );
    }
}

#[test]
fn the_full_examples_use_every_setting_of_the_schema() {
    let schema = schema();
    let variants = schema["$defs"]["Node"]["oneOf"].as_array().unwrap();
    assert_eq!(variants.len(), STEPS.len() + 1);
    for (variant, (type_name, few, all)) in variants[1..].iter().zip(STEPS) {
        assert_eq!(variant["properties"]["type"]["const"], *type_name);
        for key in variant["properties"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "type")
        {
            let given = format!("\n{few}\n{all}\n{COMMON}").contains(&format!("\n{key} = "));
            // Settings that exclude each other are split over the two examples.
            assert!(given, "{type_name}: {key} is in no example");
        }
    }
}

#[test]
fn declarations_follow_the_table() {
    let places = |place| {
        ALL.iter()
            .filter(|kind| kind.place == place)
            .map(|kind| kind.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(places(Place::PeToOs), ["setup-os"]);
    assert_eq!(places(Place::OsToPe), ["prepare-os-for-capture"]);
    let destructive: Vec<_> = ALL
        .iter()
        .filter(|kind| kind.destructive)
        .map(|kind| kind.name)
        .collect();
    assert_eq!(
        destructive,
        [
            "format-and-partition-disk",
            "apply-operating-system-image",
            "apply-data-image"
        ]
    );
    assert_eq!(find("run-command-line").unwrap().after_cut, AfterCut::Stop);
    assert!(find("run-command").is_none());
    let mapped = variables_of("apply-os-settings");
    assert!(
        mapped
            .iter()
            .any(|one| one.variable == "OSDTimeZone" && one.setting == "time-zone")
    );
    assert!(
        variables_of("format-and-partition-disk")
            .iter()
            .any(|one| one.variable == "OSDPartitions#Size")
    );
}

#[test]
fn a_variable_fills_an_absent_setting_and_only_that() {
    let mut variables = Variables::new();
    for (name, value) in [
        ("OSDImageIndex", "3"),
        ("OSDTargetSystemDrive", "D:"),
        ("Image", "debian"),
    ] {
        variables.set(name, value).unwrap();
    }
    let absent = step("apply-operating-system-image", "package = '%image%'")
        .action
        .resolve(&variables)
        .unwrap();
    let Action::ApplyOperatingSystemImage(options) = absent else {
        panic!("an image")
    };
    assert_eq!(
        (options.package.as_str(), &options.index),
        ("debian", &Setting::Value(3))
    );
    assert_eq!(options.destination.volume.as_deref(), Some("D:"));
    let given = step("apply-operating-system-image", "package = 'p'\nindex = 1")
        .action
        .resolve(&variables)
        .unwrap();
    let Action::ApplyOperatingSystemImage(options) = given else {
        panic!("an image")
    };
    assert_eq!(options.index.get(), Some(&1));
    variables.set("OSDImageIndex", "first").unwrap();
    let wrong = step("apply-operating-system-image", "package = 'p'")
        .action
        .resolve(&variables)
        .unwrap_err();
    assert!(
        wrong.to_string().contains("`index`") && wrong.to_string().contains("OSDImageIndex"),
        "{wrong}"
    );
}

#[test]
fn the_spellings_of_configmgr_are_understood_in_variables() {
    let mut variables = Variables::new();
    for (name, value) in [("SMSRebootTarget", "WinPE"), ("SMSRebootTimeout", "60")] {
        variables.set(name, value).unwrap();
    }
    let Action::RestartComputer(options) = step("restart-computer", "").action.resolve(&variables).unwrap()
    else {
        panic!("a restart")
    };
    assert_eq!(options.target.get().unwrap().as_str(), "pe");
    assert_eq!(options.delay.get().unwrap().duration().as_secs(), 60);
}
