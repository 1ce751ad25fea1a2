//! Passwords are nowhere where they could be found later.

use media_format::event::Event;
use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{Report, run_to_cut, run_to_end};
use crate::fixture::{ADMIN_CANARY, CAPTURE_CANARY, JOIN_CANARY, build_and_capture, deploy, machine};
use crate::frames::deploys_then;
use crate::images::Wim;
use crate::runs::with_account;
use crate::world::{Node, Tree, World};

fn with_password(text: &str) -> String {
    let disabled = "administrator = \"disabled\"";
    assert!(text.contains(disabled));
    text.replace(disabled, "administrator-password = \"%OSDLocalAdminPassword%\"")
}

fn begin(layout: MediaLayout) -> World {
    let text = with_password(&build_and_capture(r"\\server\captures\ref.wim"));
    let steps = "\n[[steps]]\ntype = \"run-command-line\"\ncommand = \"true\"\n";
    let media = with_account(layout, &(text + steps)).secret("OSDLocalAdminPassword", ADMIN_CANARY);
    machine(Firmware::Uefi, &media)
}

/// Text, UTF-16, and base64 of the text at each of the three alignments.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = (0..3).map(|skip| base64(&secret.as_bytes()[skip..]));
    let mut forms = vec![secret.as_bytes().to_vec(), wide.clone()];
    forms.extend(encoded);
    // As answer files have it: the password is where the encoding begins.
    forms.push(base64(&wide));
    forms
}

/// The whole groups only: what follows depends on what follows.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let all = group
            .iter()
            .fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| DIGITS[all >> shift & 63])
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

#[track_caller]
fn absent(place: &str, bytes: &[u8]) {
    for form in [ADMIN_CANARY, CAPTURE_CANARY, JOIN_CANARY]
        .into_iter()
        .flat_map(forms)
    {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(
            !found,
            "a password is in {place} as {}",
            String::from_utf8_lossy(&form)
        );
    }
}

fn absent_in_tree(place: &str, tree: &Tree) {
    for (path, node) in tree {
        match node {
            Node::File(bytes, _) if path.ends_with(".wim") && place.contains("server") => {
                if let Ok(wim) = Wim::parse(bytes) {
                    wim.images
                        .iter()
                        .for_each(|image| absent_in_tree("the captured image", &image.tree()));
                }
            }
            // Mostly zeroes: nothing hides behind the slots' ends.
            Node::File(bytes, _) => bytes
                .chunk_by(|a, b| (*a == 0) == (*b == 0))
                .filter(|c| c[0] != 0 && c.len() > 8)
                .for_each(|c| absent(&format!("{place} {path}"), c)),
            Node::Link(to) => absent(&format!("{place} {path}"), to.as_bytes()),
            Node::Folder => {}
        }
    }
}

pub(crate) fn absent_in_world(world: &World, report: &Report) {
    let parts = world
        .drives
        .iter()
        .filter(|drive| !drive.is_media)
        .flat_map(|drive| &drive.parts);
    for part in parts {
        absent_in_tree(&part.id, &part.volume.tree);
        let freed = &part.volume.freed.0;
        freed
            .iter()
            .for_each(|bytes| absent(&format!("what was removed from {}", part.id), bytes));
    }
    world
        .shares
        .iter()
        .for_each(|(name, share)| absent_in_tree(name, &share.volume.tree));
    absent("the log", report.log.as_bytes());
    report
        .events
        .iter()
        .for_each(|event| absent("an event", event.to_line().as_bytes()));
    for command in &world.commands {
        absent(
            "the arguments of a command",
            command.arguments.join(" ").as_bytes(),
        );
        let environment = command
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        absent(
            "the environment of a command",
            environment.collect::<String>().as_bytes(),
        );
    }
}

#[test]
fn the_search_finds_what_is_there() {
    for form in forms(ADMIN_CANARY) {
        let hidden = [b"before ".as_slice(), &form, b" after"].concat();
        assert!(std::panic::catch_unwind(|| absent("a test", &hidden)).is_err());
    }
}

#[test]
fn no_password_is_left_anywhere_at_the_end_or_at_a_cut() {
    let world = begin(MediaLayout::Iso);
    let (done, report) = run_to_end(world.clone());
    report.assert_succeeded();
    absent_in_world(&done, &report);
    assert!(!done.commands.is_empty());
    for cut in (1..done.operations.len()).step_by(9) {
        let mut world = world.clone();
        world.cuts.insert(cut);
        let (off, report) = run_to_cut(world);
        absent_in_world(&off, &report);
    }
}

#[test]
fn the_administrators_password_reaches_the_system_as_a_hash_only() {
    let world = begin(MediaLayout::Iso);
    let (done, _) = run_to_end(world);
    let shadow = done.drives[0].parts[1].volume.bytes("etc/shadow").unwrap();
    assert!(String::from_utf8_lossy(shadow).starts_with("root:$6$"));
    let captured = crate::outcome::captured(&done, "ref.wim").unwrap();
    let Some(Node::File(shadow, _)) = captured.get("etc/shadow") else {
        panic!("no shadow")
    };
    assert!(
        String::from_utf8_lossy(shadow).starts_with("root:!*:"),
        "the hash is not captured either"
    );
}

/// A deployment that uses a share in both places; the password of the administrator goes into a variable of another name, too.
fn begin_deploy(layout: MediaLayout) -> World {
    let share = "type = \"connect-to-network-folder\"\npath = '\\\\server\\captures'\nat = \"/mnt/share\"\n\
                 account = \"%OSDCaptureAccount%\"\npassword = \"%OSDCaptureAccountPassword%\"\n";
    let text = with_password(&deploy());
    let first = "[[steps]]\ngroup = ";
    assert!(text.contains(first));
    let before = format!(
        "[[steps]]\ntype = \"set-variables\"\nvariables = {{ Copied = {{ value = \"is %OSDLocalAdminPassword%\", secret = true }} \
         }}\n\n[[steps]]\n{share}\n{first}"
    );
    let after =
        format!("\n[[steps]]\n{share}\n[[steps]]\ntype = \"run-command-line\"\ncommand = \"touch /done\"\n");
    let text = text.replacen(first, &before, 1) + &after;
    machine(
        Firmware::Uefi,
        &with_account(layout, &text).secret("OSDLocalAdminPassword", ADMIN_CANARY),
    )
}

#[test]
fn a_deployed_machine_has_no_password_but_the_hash_of_its_own() {
    for layout in [MediaLayout::Iso, MediaLayout::Usb] {
        let (done, report) = run_to_end(begin_deploy(layout));
        report.assert_succeeded();
        absent_in_world(&done, &report);
        assert!(done.system_bytes(0, 1, "done").is_some());
        let volumes = done.drives[0].parts.iter().map(|part| &part.volume.tree);
        let mut with_hash = volumes.flatten().filter_map(|(path, node)| match node {
            Node::File(bytes, _) if bytes.windows(3).any(|part| part == b"$6$") => Some(path.as_str()),
            _ => None,
        });
        assert_eq!((with_hash.next(), with_hash.next()), (Some("etc/shadow"), None));
    }
}

#[test]
fn a_deployment_that_is_cut_leaves_no_password_either() {
    let world = begin_deploy(MediaLayout::Iso);
    let (done, _) = run_to_end(world.clone());
    for cut in (1..done.operations.len()).step_by(5) {
        let mut world = world.clone();
        world.cuts.insert(cut);
        let (off, report) = run_to_cut(world);
        absent_in_world(&off, &report);
    }
}

#[test]
fn what_the_machine_says_before_a_restart_shows_no_password() {
    let step = "[[steps]]\ntype = \"restart-computer\"\n";
    for (message, variable) in [
        ("message = \"for %OSDLocalAdminPassword%\"\n", ""),
        ("", "SMSRebootMessage"),
    ] {
        let mut media =
            deploys_then(&format!("{step}{message}")).secret("OSDLocalAdminPassword", ADMIN_CANARY);
        if !variable.is_empty() {
            let variables = &mut media.options.variables;
            variables.insert(variable.into(), "for %OSDLocalAdminPassword%".into());
        }
        let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
        report.assert_succeeded();
        let mut phases = report.events.iter().filter_map(|event| match event {
            Event::Progress { phase, .. } => Some(phase.as_str()),
            _ => None,
        });
        assert!(
            phases.any(|phase| phase.contains("********")),
            "{:?}",
            report.events
        );
        absent_in_world(&world, &report);
    }
}

#[test]
fn a_key_of_several_lines_is_masked_wherever_a_program_shows_a_line_of_it() {
    const LINES: [&str; 4] = [
        "-----BEGIN-KEY-----",
        "Canary-Key-1",
        "Canary-Key-2",
        "-----END-KEY-----",
    ];
    let shows = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"print %Key%\"\n";
    let fails = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"no-such-program %Key%\"\n";
    let media = deploys_then(&format!("{shows}{fails}continue-on-error = true\n"));
    let media = media.secret("Key", &LINES.join("\n"));
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    let shown = report.log.matches("<![LOG[********]LOG]!>").count();
    assert!(shown >= LINES.len(), "{}", report.log);
    let events: String = report.events.iter().map(Event::to_line).collect();
    for line in LINES {
        assert!(!report.log.contains(line), "{line} in {}", report.log);
        assert!(!events.contains(line), "{line} in {events}");
    }
}
