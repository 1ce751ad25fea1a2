//! Every template is read and has no problem.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use task_sequence::{
    MediaFacts, Node, OperatingSystem, PackageFacts, PackageId, PackageKind, TaskSequence, parse, render,
    validate,
};

/// The packages that the head of a template tells its user to make.
const PACKAGES: &[(&str, PackageKind)] = &[
    ("reference", PackageKind::Image),
    ("windows", PackageKind::Image),
    ("drivers", PackageKind::Drivers),
    ("updates", PackageKind::Updates),
    ("library", PackageKind::Application),
    ("editor", PackageKind::Application),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates")
}

fn read(path: &Path) -> TaskSequence {
    let text = std::fs::read_to_string(path).unwrap();
    parse(&path.display().to_string(), &text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

/// The secrets that it tells them to name, which are asked for at the machine.
const SECRETS: &[&str] = &["OSDLocalAdminPassword"];

fn media() -> MediaFacts {
    let packages = PACKAGES.iter().map(|(id, kind)| {
        let facts = PackageFacts {
            kind: Some(*kind),
            images: (*kind == PackageKind::Image).then(|| vec!["Windows".into()]),
            ..PackageFacts::default()
        };
        (PackageId::new(*id), facts)
    });
    MediaFacts {
        packages: packages.collect(),
        secrets: SECRETS.iter().map(|name| (*name).to_owned()).collect(),
        asked: SECRETS.iter().map(|name| (*name).to_owned()).collect(),
        ..MediaFacts::default()
    }
}

#[test]
fn every_template_is_read_and_has_no_problem() {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let sequence = read(&path);
        assert_eq!(validate(&sequence, &media()), [], "{name}");
        let system = sequence.operating_system;
        assert!(name.starts_with(system.as_str()), "{name} is for {system}");
        seen.push(name);
    }
    seen.sort();
    let kinds = ["build-and-capture", "capture-existing", "deploy"];
    let systems = [OperatingSystem::Linux, OperatingSystem::Windows];
    let wanted: Vec<String> = systems
        .iter()
        .flat_map(|system| kinds.map(|kind| format!("{system}-{kind}")))
        .collect();
    assert_eq!(seen, wanted);
}

#[test]
fn a_deployed_windows_can_be_logged_on_to_by_whoever_has_the_secret() {
    let sequence = read(&folder().join("windows-deploy.toml"));
    let without = MediaFacts {
        secrets: [].into(),
        asked: [].into(),
        ..media()
    };
    let problems = validate(&sequence, &without);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].message.contains("needs `administrator-password`"));
}

/// The types of the steps, group by group.
fn groups(name: &str) -> Vec<Vec<&'static str>> {
    let sequence = read(&folder().join(name));
    let of_group = |node: &Node| {
        let Node::Group(group) = node else {
            panic!("a group")
        };
        let types = group.steps.iter().map(|node| match node {
            Node::Step(step) => step.action.kind().name,
            Node::Group(_) => panic!("a step"),
        });
        types.collect()
    };
    sequence.steps.iter().map(of_group).collect()
}

#[test]
fn the_steps_of_the_windows_templates_stand_in_the_order_of_the_reference_page() {
    let deploy = [
        "restart-computer",
        "format-and-partition-disk",
        "apply-operating-system-image",
        "apply-os-settings",
        "apply-network-settings",
        "auto-apply-drivers",
        "setup-os",
    ];
    let install = ["install-updates", "install-applications"];
    let capture = [
        "join-domain-or-workgroup",
        "prepare-client-for-capture",
        "prepare-os-for-capture",
        "capture-operating-system-image",
    ];
    let build = [&deploy[..], &install].concat();
    assert_eq!(
        groups("windows-build-and-capture.toml"),
        [&build[..], &capture[..]]
    );
    assert_eq!(groups("windows-deploy.toml"), [deploy]);
    assert_eq!(groups("windows-capture-existing.toml"), [&capture[1..]]);
}

/// What the demonstration has in the place of lines of the template, as its head says.
const DIFFERENCES: [(&str, &str); 6] = [
    (
        "  name = \"Apply the drivers that fit the machine\"\n",
        "  name = \"Apply the device drivers\"\n  packages = [\"drivers\"]\n",
    ),
    (
        "  [[steps.steps]]\n  type = \"run-command-line\"\n  name = \"Put a file into Windows\"\n  command = \"mkdir -p \
         %OSDTargetSystemDrive%/Tools && echo 'From the boot image' >%OSDTargetSystemDrive%/Tools/origin.txt\"\n\n",
        "",
    ),
    (
        "  # Of the image's two sets: without this line the one that the firmware starts.\n  boot-files = \"2023\"\n",
        "",
    ),
    (
        "  [[steps.steps]]\n  type = \"run-command-line\"\n  name = \"Look for the driver\"\n  package = \"checks\"\n  \
         command = \"cmd.exe /c driver.cmd\"\n\n",
        "",
    ),
    (
        "  ui-language = \"en-US\"\n",
        "  # ui-language = \"nl-NL\"   one that the image has; without it, its own\n",
    ),
    ("  target = \"required\"\n", "  target = \"all\"\n"),
];

/// What is shown in virtual machines is what a user starts from.
#[test]
fn the_windows_demonstration_is_the_template_but_for_what_its_head_says() {
    let text = |path: &str| {
        let text = std::fs::read_to_string(folder().join(path)).unwrap();
        let at = text.find("name = ").unwrap();
        text[at..].to_owned()
    };
    let mut demonstration = text("../demo/windows-sequence.toml");
    for (own, of_template) in DIFFERENCES {
        assert_eq!(demonstration.matches(own).count(), 1, "{own}");
        demonstration = demonstration.replace(own, of_template);
    }
    assert_eq!(demonstration, text("windows-build-and-capture.toml"));
}
