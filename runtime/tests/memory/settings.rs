//! What the settings of a step become in the applied Linux.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine, reference};
use crate::frames::with_first;
use crate::images::{Image, Wim};
use crate::refusals::refused;
use crate::world::{Node, Volume, World, file};

const SETTINGS: &str = "system-locale = \"C.UTF-8\"\n";

/// The template that deploys, with those lines in its step of settings.
fn with_settings(lines: &str) -> String {
    let text = deploy();
    assert!(text.contains(SETTINGS));
    text.replace(SETTINGS, lines)
}

/// A machine onto which a reference with more files is deployed.
fn deploys(text: &str, files: &[(&str, &str)]) -> World {
    let mut media = MediaBuilder::new(MediaLayout::Iso, text);
    let mut volume = Volume {
        tree: reference(),
        ..Volume::new("ext4", 0)
    };
    files
        .iter()
        .for_each(|(path, text)| volume.put(path, file(*text)));
    let wim = Wim {
        images: vec![Image::new("Debian", &volume.tree)],
    };
    media.put_image("reference", &wim.to_bytes());
    machine(Firmware::Uefi, &media)
}

fn deployed(text: &str, files: &[(&str, &str)]) -> (World, Report) {
    let (world, report) = run_to_end(deploys(text, files));
    report.assert_succeeded();
    (world, report)
}

#[track_caller]
fn content(world: &World, path: &str) -> String {
    let bytes = world.system_bytes(0, 1, path);
    String::from_utf8(bytes.unwrap_or_else(|| panic!("no {path}")).clone()).unwrap()
}

#[test]
fn a_locale_is_written_as_the_system_knows_it() {
    let lines = "system-locale = \"C.UTF-8\"\nuser-locale = \"nl-NL\"\n";
    let (world, _) = deployed(&with_settings(lines), &[]);
    let expected = "LANG=C.UTF-8\nLC_TIME=nl_NL.UTF-8\nLC_NUMERIC=nl_NL.UTF-8\nLC_MONETARY=nl_NL.UTF-8\n";
    for path in ["etc/default/locale", "etc/locale.conf"] {
        assert_eq!(content(&world, path), expected, "{path}");
    }
}

#[test]
fn a_locale_that_the_system_does_not_have_is_in_the_log() {
    const MISSING: &str = "does not seem to have the locale en_US.UTF-8";
    let archive = ("usr/lib/locale/locale-archive", "binary");
    let c = ("usr/lib/locale/C.utf8/LC_TIME", "binary");
    let folder = ("usr/lib/locale/en_US.utf8/LC_TIME", "binary");
    let list = ("etc/locale.gen", "# nl_NL.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n");
    let other = ("etc/locale.gen", "nl_NL.UTF-8 UTF-8\n# en_US.UTF-8 UTF-8\n");
    for (files, missing) in [
        (vec![c], true),
        (vec![c, folder], false),
        (vec![archive, list], false),
        (vec![archive, other], true),
        // Nothing is known.
        (vec![archive], false),
        (vec![], false),
    ] {
        let (_, report) = deployed(&with_settings("system-locale = \"en-US\"\n"), &files);
        assert_eq!(report.log.contains(MISSING), missing, "{files:?}");
    }
}

fn with_zone(zone: &str) -> String {
    let text = deploy();
    assert!(text.contains("OSDTimeZone = \"Etc/UTC\""));
    text.replace("OSDTimeZone = \"Etc/UTC\"", &format!("OSDTimeZone = \"{zone}\""))
}

#[test]
fn a_time_zone_that_the_image_does_not_have_is_refused_before_anything_is_erased() {
    for zone in ["Europe/Atlantis", "../../../etc/shadow", ""] {
        refused(
            &deploys(&with_zone(zone), &[]),
            &["Apply the settings of the system", "knows no time zone", zone],
        );
    }
    let (world, _) = deployed(&with_zone("Europe/Amsterdam"), &[]);
    assert_eq!(content(&world, "etc/timezone"), "Europe/Amsterdam\n");
}

#[test]
fn a_time_zone_may_lie_on_any_volume_or_come_by_a_command() {
    let zones = "usr/share/zoneinfo";
    let mut root = reference();
    let on_root = |path: &String| path.starts_with(zones);
    let moved: Vec<String> = root.keys().filter(|path| on_root(path)).cloned().collect();
    moved.iter().for_each(|path| drop(root.remove(path)));
    let mut usr = Volume::new("ext4", 0);
    usr.put("share/zoneinfo/Europe/Amsterdam", file("zone"));
    let mut media = MediaBuilder::new(MediaLayout::Iso, &with_zone("Europe/Amsterdam"));
    let images = vec![Image::of_volume("/", &root), Image::of_volume("/usr", &usr.tree)];
    media.put_image("reference", &Wim { images }.to_bytes());
    run_to_end(machine(Firmware::Uefi, &media)).1.assert_succeeded();

    let command = "  [[steps.steps]]\n  type = \"run-command-line\"\n  command = \"append \
                   %OSDTargetSystemDrive%/usr/share/zoneinfo/Own/Zone\"\n\n";
    let step = "  [[steps.steps]]\n  type = \"apply-os-settings\"";
    let text = with_zone("Own/Zone");
    assert!(text.contains(step));
    deployed(&text.replace(step, &format!("{command}{step}")), &[]);
}

/// The template that deploys, with an adapter of a fixed address.
fn with_adapter() -> String {
    let join = "  join = \"workgroup\"\n";
    assert!(deploy().contains(join));
    let adapters = "  adapters = [{ mac = \"52:54:00:00:00:01\", addresses = [\"192.0.2.5/24\"] }]\n";
    deploy().replace(join, &format!("{join}{adapters}"))
}

const MANAGER: (&str, &str) = ("usr/sbin/NetworkManager", "program");
const NETWORKD: (&str, &str) = ("usr/lib/systemd/systemd-networkd", "program");

#[test]
fn network_manager_gets_a_profile_that_only_root_can_read() {
    let path = "etc/NetworkManager/system-connections/media-runtime-0.nmconnection";
    let (world, _) = deployed(
        &with_adapter(),
        &[MANAGER, NETWORKD, ("usr/sbin/ifup", "of NetworkManager")],
    );
    assert!(content(&world, path).contains("\nmethod=manual\naddress1=192.0.2.5/24\n"));
    let Some(Node::File(_, mode)) = world.drives[0].parts[1].volume.tree.get(path) else {
        panic!("no profile")
    };
    assert_eq!(*mode, 0o600);
    let others = ["etc/systemd/network", "etc/network"];
    let tree = &world.drives[0].parts[1].volume.tree;
    assert!(
        tree.keys()
            .all(|path| others.iter().all(|other| !path.starts_with(other)))
    );
}

#[test]
fn networkd_and_ifupdown_get_theirs() {
    let enabled = (
        "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
        "unit",
    );
    let (world, _) = deployed(&with_adapter(), &[MANAGER, NETWORKD, enabled]);
    assert!(content(&world, "etc/systemd/network/10-media-runtime.network").contains("Address=192.0.2.5/24"));
    for (before, after) in [
        (
            "iface lo inet loopback",
            "iface lo inet loopback\nsource /etc/network/interfaces.d/*\n",
        ),
        (
            "source-directory /etc/network/interfaces.d",
            "source-directory /etc/network/interfaces.d",
        ),
    ] {
        let files = [("sbin/ifup", "program"), ("etc/network/interfaces", before)];
        let (world, _) = deployed(&with_adapter(), &[MANAGER, NETWORKD, files[0], files[1]]);
        let fragment = content(&world, "etc/network/interfaces.d/media-runtime");
        assert!(fragment.contains("address 192.0.2.5/24"));
        assert_eq!(content(&world, "etc/network/interfaces"), after);
    }
}

#[test]
fn adapters_that_nothing_would_set_up_are_refused_before_anything_is_erased() {
    for files in [vec![], vec![NETWORKD]] {
        refused(
            &deploys(&with_adapter(), &files),
            &["Apply the network settings", "nothing in the system reads"],
        );
    }
    // Nothing is asked for.
    deployed(&deploy(), &[]);
}

#[test]
fn the_keyboard_of_an_input_locale_is_one_of_linux() {
    let (world, _) = deployed(&with_settings("input-locale = \"0409:00020409\"\n"), &[]);
    let text = content(&world, "etc/default/keyboard");
    assert!(text.contains("XKBLAYOUT=\"us\"\nXKBVARIANT=\"intl\"\n"), "{text}");
    assert_eq!(content(&world, "etc/vconsole.conf"), "KEYMAP=us-intl\n");
    let (world, _) = deployed(
        &with_settings("keyboard = \"nl\"\ninput-locale = \"0409:00140C00\"\n"),
        &[],
    );
    assert_eq!(content(&world, "etc/vconsole.conf"), "KEYMAP=nl\n");
    let unknown = with_settings("input-locale = \"0409:00140C00\"\n");
    refused(&deploys(&unknown, &[]), &["Windows' keyboard 00140C00"]);
}

#[test]
fn the_registered_user_comes_beside_what_is_there() {
    let before = "PRETTY_HOSTNAME=\"Lab\"\nREGISTERED_USER=\"old\"\nDEPLOYMENT=lab";
    let lines = "registered-user = \"New \\\"user\"\n";
    let (world, _) = deployed(&with_settings(lines), &[("etc/machine-info", before)]);
    assert_eq!(
        content(&world, "etc/machine-info"),
        "PRETTY_HOSTNAME=\"Lab\"\nDEPLOYMENT=lab\nREGISTERED_USER=\"New user\"\n"
    );
}

#[test]
fn an_administrator_without_a_password_is_not_enabled() {
    let disabled = "administrator = \"disabled\"";
    assert!(deploy().contains(disabled));
    let text = deploy().replace(disabled, "administrator = \"enabled\"");
    refused(
        &deploys(&text, &[]),
        &["Apply the settings of the system", "has no password"],
    );

    // A step gives it before.
    let gives = "[[steps]]\ntype = \"set-variables\"\nvariables = { OSDLocalAdminPassword = \"given\" }\n";
    let (world, _) = deployed(&with_first(&text, gives), &[]);
    assert!(
        content(&world, "etc/shadow").contains("root:$"),
        "{}",
        content(&world, "etc/shadow")
    );
}
