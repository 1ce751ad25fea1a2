//! What the worker is asked for when a Linux is captured: the settings of the step arrive there.

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::MediaLayout;
use media_format::wim::protocol::{Capture, CaptureImage, Compression, OnBadName, Operation};

use runtime::platform::Firmware;

use crate::driver::run_to_end;
use crate::fixture::{CAPTURE_CANARY, MediaBuilder, SHARE, build_and_capture, installed, machine};
use crate::outcome;
use crate::runs::{to_share, with_account};
use crate::world::{Volume, World, file};

const SEQUENCE: &str = r#"
name = "Capture it"
operating-system = "linux"
[variables]
OSDImageCreator = "of a variable"
OSDImageDescription = "described in a variable"
OSDImageVersion = "0.1"
OSDCaptureDestination = '\\server\captures\ref.wim'
OSDCaptureAccount = "capturer"
[[steps]]
type = "prepare-os-for-capture"
[[steps]]
type = "capture-operating-system-image"
"#;

/// An installed system with a volume of its own for `/data`, and the step that captures it.
fn captures(settings: &str) -> World {
    let text = format!("{SEQUENCE}{settings}\n");
    let media =
        MediaBuilder::new(MediaLayout::Iso, &text).secret("OSDCaptureAccountPassword", CAPTURE_CANARY);
    let mut world = installed(&media);
    let root = &mut world.drives[0].parts[1].volume;
    let fstab = "PARTUUID=part-root / ext4 defaults 0 1\nPARTUUID=part-data /data ext4 defaults 0 2\n";
    for (path, text) in [
        ("etc/fstab", fstab),
        ("srv/cache/big", "big"),
        ("srv/kept", "kept"),
        ("data/hidden", "below a mount point"),
    ] {
        root.put(path, file(text));
    }
    let mut data = Volume::new("ext4", 1 << 30);
    for path in ["junk/old", "srv/cache/kept", "kept"] {
        data.put(path, file("data"));
    }
    let drive = world.drives[0].clone();
    world.drives[0] = drive.with("part-data", data);
    world
}

/// Where the boot image has connected the share, in this order, and where else it was connected.
fn connections(world: &World) -> (Vec<&str>, usize) {
    let all = world.connections.iter();
    let (here, elsewhere): (Vec<_>, Vec<_>) = all.partition(|(.., in_boot_image)| *in_boot_image);
    assert!(here.iter().all(|(share, ..)| share == SHARE));
    let places = here.iter().map(|(_, folder, _)| folder.to_str().unwrap());
    (places.collect(), elsewhere.len())
}

const OWN_PLACE: &str = "/run/media-runtime/shares/__server_captures";

/// Once to see before anything is erased that it can be written to, and, after the restart of which that connection dies, to capture.
#[test]
fn the_share_of_the_capture_is_connected_in_the_boot_image_by_the_capture_itself() {
    let (world, report) = run_to_end(to_share(Firmware::Uefi, MediaLayout::Iso));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os, Pe]);
    assert_eq!(connections(&world), (vec![OWN_PLACE; 2], 0));
    assert!(outcome::captured(&world, "ref.wim").is_some());
}

/// One connection is enough: the capture goes through it.
#[test]
fn a_step_connects_the_share_that_the_capture_goes_to() {
    let text = build_and_capture(r"\\server\captures\ref.wim");
    let at = text.find("type = \"capture-operating-system-image\"").unwrap();
    let (before, capture) = text.split_at(text[..at].rfind("[[").unwrap());
    let header = capture.lines().next().unwrap();
    let connect = "type = \"connect-to-network-folder\"\npath = '\\\\server\\captures'\nat = \"/mnt/notes\"\n\
                   account = \"capturer\"\npassword = \"%OSDCaptureAccountPassword%\"";
    let write = "type = \"run-command-line\"\ncommand = \"touch /mnt/notes/there\"";
    let steps = format!("{header}\n{connect}\n{header}\n{write}\n");
    let media = with_account(MediaLayout::Iso, &format!("{before}{steps}{capture}"));
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    // First come the checks of both steps.
    assert_eq!(
        connections(&world),
        (vec!["/mnt/notes", OWN_PLACE, "/mnt/notes"], 0)
    );
    let captures = world
        .requests
        .iter()
        .filter_map(|request| match &request.operation {
            Operation::Capture(capture) => Some(capture.wim.to_str().unwrap()),
            _ => None,
        });
    assert_eq!(captures.collect::<Vec<_>>(), ["/mnt/notes/ref.wim.partial"]);
    let line = r"\\server\captures is at /mnt/notes";
    assert_eq!(report.log.matches(line).count(), 2, "{}", report.log);
    let share = &world.shares[SHARE].volume;
    assert!(share.bytes("there").is_some());
    assert!(outcome::captured(&world, "ref.wim").is_some());
}

/// The one capture that the worker was asked for, with the cap on its memory.
fn asked(settings: &str) -> (Capture, u64, World) {
    let (world, report) = run_to_end(captures(settings));
    report.assert_succeeded();
    let captures = world
        .requests
        .iter()
        .filter_map(|request| match &request.operation {
            Operation::Capture(capture) => Some((capture.clone(), request.memory_limit.expect("a cap"))),
            _ => None,
        });
    let all: Vec<_> = captures.collect();
    let [(capture, limit)] = &all[..] else {
        panic!("{all:?}")
    };
    (capture.clone(), *limit, world)
}

fn about(image: &CaptureImage) -> [&str; 4] {
    let text = |text: &'_ Option<String>| text.is_some();
    assert!(text(&image.description) && text(&image.creator) && text(&image.version));
    [
        &image.name,
        image.description.as_deref().unwrap_or_default(),
        image.version.as_deref().unwrap_or_default(),
        image.creator.as_deref().unwrap_or_default(),
    ]
}

#[test]
fn every_compression_arrives_at_the_worker() {
    let (_, usual, _) = asked("");
    for (settings, expected) in [
        ("", Compression::Xpress),
        ("compression = \"none\"", Compression::None),
        ("compression = \"xpress\"", Compression::Xpress),
        ("compression = \"lzx\"", Compression::Lzx),
        ("compression = \"lzms\"", Compression::Lzms),
    ] {
        let (capture, limit, _) = asked(settings);
        assert_eq!(capture.compression, expected, "{settings}");
        // A solid image takes gigabytes by itself.
        assert_eq!(limit > usual, expected == Compression::Lzms, "{settings}");
        assert_eq!((capture.on_bad_name, capture.verify), (OnBadName::Refuse, true));
    }
}

#[test]
fn what_is_said_of_an_image_comes_from_the_step_or_from_the_variables() {
    let own = "image-name = \"Reference\"\nimage-description = \"described\"\nimage-version = \"2.3\"\n\
               image-creator = \"somebody\"\n";
    let (capture, ..) = asked(own);
    let said: Vec<_> = capture.images.iter().map(about).collect();
    let rest = ["described", "2.3", "somebody"];
    let of = |name| [name, rest[0], rest[1], rest[2]];
    assert_eq!(said, [of("Reference"), of("Reference (/data)")]);
    let (capture, ..) = asked("");
    assert_eq!(
        about(&capture.images[0]),
        ["Capture it", "described in a variable", "0.1", "of a variable"]
    );
    let points = capture.images.iter().map(|image| image.mount_point.as_deref());
    assert_eq!(points.collect::<Vec<_>>(), [Some("/"), Some("/data")]);
    assert!(capture.images.iter().all(|image| image.unix_data));
}

#[test]
fn what_the_step_excludes_is_left_out_of_the_volume_that_it_lies_on() {
    let (capture, _, world) = asked("exclude = [\"/srv/cache/*\", \"/data/junk\", \"*.bak\"]");
    let [root, data] = &capture.images[..] else {
        panic!("{capture:?}")
    };
    let excludes = |image: &CaptureImage, pattern: &str| image.exclude.iter().any(|known| known == pattern);
    for (pattern, of_root, of_data) in [
        ("/srv/cache/*", true, false),
        ("/junk", false, true),
        // A name without a folder is meant wherever it is.
        ("*.bak", true, true),
        ("/tmp/*", true, false),
        ("/data/*", true, false),
        ("/lost+found", true, true),
    ] {
        assert_eq!(excludes(root, pattern), of_root, "{pattern}: {:?}", root.exclude);
        assert_eq!(excludes(data, pattern), of_data, "{pattern}: {:?}", data.exclude);
    }
    let tree = outcome::captured(&world, "ref.wim").expect("an image");
    assert!(tree.contains_key("srv/kept") && !tree.contains_key("srv/cache/big"));
    assert!(tree.contains_key("data") && !tree.contains_key("data/hidden"));
}
