//! What the program says and leaves behind when something is wrong.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Fixture, judge, text};

#[test]
fn an_unknown_key_is_shown_with_file_line_and_suggestion() {
    let fixture = Fixture::new();
    fixture.edit("media.toml", "source = \"tool\"", "sorce = \"tool\"");
    let said = fixture.fail(&["check"]);
    assert!(said.contains("media.toml:10:1"), "{said}");
    assert!(said.contains("did you mean `source`?"), "{said}");
    let fixture = Fixture::new();
    fixture.edit("copy.toml", "command =", "comand =");
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("copy.toml:7:1") && said.contains("did you mean `command`?"),
        "{said}"
    );
}

#[test]
fn everything_that_is_wrong_is_listed_at_once() {
    let fixture = Fixture::new();
    fixture.edit(
        "media.toml",
        "source = \"tool\"",
        "source = \"tol\"\ndepends = [\"nothing\"]",
    );
    fixture.edit(
        "media.toml",
        "boot-image = \"pe.tar\"",
        "boot-image = \"no.tar\"\nnetwork = \"dhpc\"",
    );
    fixture.edit("media.toml", "[\"copy.toml\"]", "[\"copy.toml\", \"gone.toml\"]");
    let said = fixture.fail(&["check"]);
    for part in [
        "tol",
        "no package `nothing`",
        "no.tar",
        "boot-image build",
        "dhpc",
        "gone.toml",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_package_that_a_sequence_needs_must_exist() {
    let fixture = Fixture::new();
    fixture.edit("copy.toml", "package = \"tool\"", "package = \"tool2\"");
    let said = fixture.fail(&["check"]);
    assert!(said.contains("tool2") && said.contains("Say hello"), "{said}");
}

#[test]
fn packages_that_depend_on_each_other_are_refused() {
    let fixture = Fixture::new();
    fixture.edit(
        "media.toml",
        "source = \"tool\"",
        "source = \"tool\"\ndepends = [\"stays-at-home\"]",
    );
    fixture.edit(
        "media.toml",
        "source = \"does/not/exist\"",
        "source = \"tool\"\ndepends = [\"tool\"]",
    );
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("depend on each other: tool → stays-at-home → tool"),
        "{said}"
    );
}

#[test]
fn a_wim_index_that_does_not_exist_is_refused() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("tree")).unwrap();
    fs::write(fixture.path("tree/file"), "1").unwrap();
    let (tree, wim) = (fixture.path("tree"), fixture.path("one.wim"));
    common::judge(
        "wimcapture",
        &[&tree.display().to_string(), &wim.display().to_string()],
    );
    let package =
        "[[packages]]\nid = \"os\"\nkind = \"image\"\nsource = \"one.wim\"\n[[packages]]\nid = \"tool\"";
    fixture.edit("media.toml", "[[packages]]\nid = \"tool\"", package);
    let step =
        "[[steps]]\ntype = \"apply-operating-system-image\"\nname = \"Apply\"\npackage = \"os\"\nindex = 2\n";
    fixture.write("copy.toml", &format!("{}{step}", common::SEQUENCE));
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("Apply: `index`: image 2 does not exist") && said.contains("index = 2"),
        "{said}"
    );
    fixture.edit("copy.toml", "index = 2", "index = 1");
    let said = text(&fixture.run(&["check"]).stderr);
    assert!(!said.contains("does not exist"), "{said}");
    fs::write(&wim, "not a wim").unwrap();
    let said = fixture.fail(&["check"]);
    assert!(said.contains("one.wim"), "{said}");
}

#[test]
fn a_link_out_of_a_package_is_refused() {
    let fixture = Fixture::new();
    fixture.write("private", "key");
    symlink("../private", fixture.path("tool/link")).unwrap();
    let said = fixture.fail(&["build", "-o", "media.iso"]);
    assert!(said.contains("outside of the package"), "{said}");
    assert!(!fixture.path("media.iso").exists());
}

#[test]
fn names_that_the_media_cannot_carry_are_refused() {
    let fixture = Fixture::new();
    fixture.write("tool/README", "1");
    fixture.write("tool/readme", "2");
    let said = fixture.fail(&["check"]);
    assert!(said.to_lowercase().contains("readme"), "{said}");
}

#[test]
fn a_damaged_boot_image_is_refused_and_leaves_nothing() {
    let fixture = Fixture::new();
    let mut image = fs::read(fixture.path("pe.tar")).unwrap();
    let middle = image.windows(7).position(|part| part == b"vmlinuz").unwrap() + 60_000;
    image[middle] ^= 1;
    fs::write(fixture.path("pe.tar"), image).unwrap();
    let said = fixture.fail(&["build", "-o", "media.iso"]);
    assert!(said.contains("damaged"), "{said}");
    assert!(!fixture.path("media.iso").exists() && !fixture.path("media.iso.partial").exists());
}

#[test]
fn a_secret_in_the_clear_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    fixture.edit(
        "media.toml",
        "[usb]",
        "[secrets]\nOSDJoinPassword = \"canary-7f3a\"\n[usb]",
    );
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("does not belong in media.toml") && !said.contains("canary-7f3a"),
        "{said}"
    );
}

#[test]
fn a_secret_comes_from_the_environment_and_is_never_printed() {
    let fixture = Fixture::new();
    fixture.edit(
        "media.toml",
        "[usb]",
        "[secrets]\nOSDJoinPassword = { env = \"PASSWORD\" }\n[usb]",
    );
    let said = fixture.fail(&["check"]);
    assert!(said.contains("PASSWORD is not set"), "{said}");
    let output = fixture
        .command(&["build", "-o", "media.iso"])
        .env("PASSWORD", "canary-7f3a")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("warning: whoever holds the media can read"));
    assert!(!text(&output.stderr).contains("canary") && !text(&output.stdout).contains("canary"));
    let image = fs::read(fixture.path("media.iso")).unwrap();
    assert!(image.windows(11).any(|part| part == b"canary-7f3a"));
}

#[test]
fn progress_is_quiet_without_a_terminal() {
    let fixture = Fixture::new();
    let output = fixture.run(&["build", "-o", "media.iso"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).lines().count(), 1);
}

#[test]
fn wrong_usage_has_its_own_exit_status() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.run(&["build", "--format", "floppy"]).status.code(),
        Some(2)
    );
    assert_eq!(fixture.run(&[]).status.code(), Some(2));
    assert_eq!(fixture.run(&["check", "nowhere"]).status.code(), Some(1));
}

#[test]
fn check_as_json_lists_the_problems() {
    let fixture = Fixture::new();
    let result: serde_json::Value = serde_json::from_str(&fixture.succeed(&["check", "--json"])).unwrap();
    assert_eq!(result["valid"], true);
    fixture.edit("media.toml", "source = \"tool\"", "source = \"tol\"");
    let output = fixture.run(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        result["valid"] == false && result["problems"].as_array().unwrap().len() == 1,
        "{result}"
    );
}

#[test]
fn an_unreadable_place_fails_before_anything_is_written() {
    let fixture = Fixture::new();
    let said = fixture.fail(&["build", "-o", "no/such/folder/media.iso"]);
    assert!(said.contains("no/such/folder"), "{said}");
}

#[test]
fn a_build_killed_at_any_time_leaves_the_old_image_or_the_new_one() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let old = fs::read(fixture.path("media.iso")).unwrap();
    fixture.write("tool/more", "changes every place in the image");
    fixture.succeed(&["build", "-o", "new.iso"]);
    let new = fs::read(fixture.path("new.iso")).unwrap();
    assert!(new != old);
    for delay in [5, 15, 30, 60] {
        let mut child = fixture
            .command(&["build", "-o", "media.iso"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = fs::read(fixture.path("media.iso")).unwrap();
        assert!(now == old || now == new, "killed after {delay} ms");
        fs::write(fixture.path("media.iso"), &old).unwrap();
    }
    fixture.succeed(&["build", "-o", "media.iso"]);
    assert!(!fixture.path("media.iso.partial").exists());
    assert!(fs::read(fixture.path("media.iso")).unwrap() == new);
}

/// What firmware looks for first: the mark of an MBR, and the descriptors of a disc.
fn may_boot(image: &Path) -> bool {
    let file = fs::File::open(image).unwrap();
    let mut start = vec![0; 40 << 10];
    file.read_exact_at(&mut start, 0).unwrap();
    start[510..512] == [0x55, 0xAA] || &start[0x8001..0x8006] == b"CD001"
}

#[test]
fn what_a_killed_build_leaves_does_not_boot() {
    let fixture = Fixture::new();
    let size = 300 << 20;
    let content: Vec<u8> = (0..size as u32 / 4).flat_map(u32::to_le_bytes).collect();
    fs::write(fixture.path("tool/large.bin"), content).unwrap();
    for (format, percent) in [("iso", 10), ("iso", 60), ("usb", 30), ("usb", 80)] {
        let mut child = fixture
            .command(&["build", "--format", format, "-o", "media"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let partial = fixture.path("media.partial");
        let written = || fs::metadata(&partial).map_or(0, |found| found.blocks() * 512);
        let started = Instant::now();
        while written() < size / 100 * percent {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{format}: {} bytes",
                written()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!may_boot(&partial), "{format}, killed at {percent} %");
        assert!(!fixture.path("media").exists(), "{format}, {percent} %");
    }
    for format in ["iso", "usb"] {
        fixture.succeed(&["build", "--format", format, "-o", "media"]);
        assert!(may_boot(&fixture.path("media")), "{format}");
    }
}

#[test]
fn a_source_that_grows_while_it_is_copied_stops_the_build() {
    let fixture = Fixture::new();
    let large = fixture.path("tool/large.bin");
    fs::File::options()
        .write(true)
        .open(&large)
        .unwrap()
        .set_len(400 << 20)
        .unwrap();
    let mut child = fixture
        .command(&["build", "-o", "media.iso"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !fixture.path("media.iso.partial").exists() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::File::options()
        .append(true)
        .open(&large)
        .unwrap()
        .set_len(401 << 20)
        .unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("changed while the media was built"), "{said}");
    assert!(!fixture.path("media.iso").exists() && !fixture.path("media.iso.partial").exists());
}

#[test]
fn schemas_completions_and_manual_are_printed() {
    let fixture = Fixture::new();
    for file in ["media", "task-sequence"] {
        let schema: serde_json::Value = serde_json::from_str(&fixture.succeed(&["schema", file])).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{file}");
    }
    assert!(
        fixture
            .succeed(&["completions", "bash"])
            .contains("media-builder")
    );
    assert!(fixture.succeed(&["man"]).contains(".TH media-builder"));
    fixture.succeed(&["man", "--output", "pages/man"]);
    assert!(fixture.path("pages/man/media-builder-build.1").exists());
}

#[test]
fn the_templates_are_valid_sequences() {
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let sequence = fs::read_to_string(&path).unwrap();
            let parsed = task_sequence::parse(&path.display().to_string(), &sequence);
            assert!(
                parsed.is_ok(),
                "{}",
                parsed.map_or_else(|found| task_sequence::render(&found), |_| String::new())
            );
        }
    }
}

#[test]
fn outputs_are_not_written_through_a_read_only_folder() {
    let fixture = Fixture::new();
    let folder = fixture.path("closed");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let command = fixture.command(&["build", "-o", "closed/media.iso"]);
    let output = without_roots_right(command).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("closed/media.iso.partial"), "{said}");
}

/// Root may write everywhere, unless it gives that right up.
fn without_roots_right(command: Command) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    let mut limited = Command::new("setpriv");
    limited
        .arg("--bounding-set=-dac_override")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

#[test]
fn an_image_is_written_into_a_file_and_over_nothing_that_it_is_made_from() {
    let fixture = Fixture::new();
    judge("mkfifo", &[&fixture.path("pipe.img").display().to_string()]);
    fs::create_dir(fixture.path("folder.iso")).unwrap();
    symlink("elsewhere.iso", fixture.path("link.iso")).unwrap();
    for (output, said) in [
        ("pipe.img", "is a device"),
        ("folder.iso", "is a folder"),
        ("link.iso", "is a symbolic link"),
        ("none/a.iso", "there is no folder none"),
        ("tool/deep/a.iso", "lies in the source of the package `tool`"),
        ("a.vhd", "end it in .iso or .img"),
    ] {
        let error = fixture.fail(&["build", "-o", output]);
        assert!(error.contains(said), "{output}: {error}");
    }
    for input in ["media.toml", "copy.toml", "pe.tar"] {
        let before = fs::read(fixture.path(input)).unwrap();
        let error = fixture.fail(&["build", "--format", "iso", "-o", input]);
        assert!(
            error.contains("one of the files that the image is made from"),
            "{error}"
        );
        assert_eq!(fs::read(fixture.path(input)).unwrap(), before, "{input}");
    }
    assert!(!fixture.path("tool/deep/a.iso").exists());
}

#[test]
fn what_may_be_a_secret_is_not_shown() {
    for (line, problem) in [
        ("[secrets]\nOSDJoinPassword = 12345678", "12345678"),
        ("[secrets]\nOSDJoinPassword = { value = \"hunter2\" }", "hunter2"),
        (
            "[secrets]\nA = { env = \"A\", evn = 1 }\nOther = \"swordfish\"",
            "swordfish",
        ),
    ] {
        let fixture = Fixture::new();
        fixture.edit("media.toml", "[usb]", &format!("{line}\n[usb]"));
        let said = fixture.fail(&["check"]) + &text(&fixture.run(&["check", "--json"]).stdout);
        assert!(said.contains("media.toml:") && !said.contains(problem), "{said}");
    }
}

#[test]
fn a_program_that_reads_gets_the_place_of_a_problem() {
    let fixture = Fixture::new();
    fixture.edit("copy.toml", "command =", "comand =");
    let output = fixture.run(&["check", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems: Vec<&str> = said["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let expected = |problem: &&str| {
        problem.starts_with("./copy.toml:7:1: ") && problem.contains("did you mean `command`?")
    };
    assert!(problems.iter().any(expected), "{problems:?}");
    assert!(!problems.concat().contains('\n'), "{problems:?}");
}

#[test]
fn a_file_in_another_encoding_is_named_as_such() {
    let fixture = Fixture::new();
    let text: Vec<u8> = common::MEDIA.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(fixture.path("media.toml"), [&[0xff, 0xfe][..], &text].concat()).unwrap();
    let said = fixture.fail(&["check"]);
    assert!(said.contains("it is not in UTF-8"), "{said}");
}

#[test]
fn nobody_who_reads_is_no_failure() {
    let fixture = Fixture::new();
    let mut running = fixture
        .command(&["check"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(running.stdout.take());
    assert!(running.wait().unwrap().success());
}

#[test]
fn what_is_wrong_with_the_sense_of_a_sequence_has_its_place_too() {
    let fixture = Fixture::new();
    let sequence = |group: &str| format!("{}[[steps]]\ngroup = \"{group}\"\n", common::SEQUENCE);
    fixture.write("copy.toml", &sequence("Later"));
    let said: serde_json::Value = serde_json::from_slice(&fixture.run(&["check", "--json"]).stdout).unwrap();
    let line = sequence("Later").lines().count();
    assert_eq!(said["valid"], true);
    assert_eq!(
        said["warnings"][0],
        format!("./copy.toml:{line}:9: Later: the group is empty")
    );
    let missing = "[[steps]]\ntype = \"install-package\"\npackage = \"tol\"\nprogram = \"x\"\n";
    fixture.write("copy.toml", &(sequence("Later") + missing));
    let said = fixture.fail(&["check"]);
    let line = line + 3;
    assert!(
        said.contains(&format!("copy.toml:{line}:11]")) && said.contains("package = \"tol\""),
        "{said}"
    );
}

#[test]
fn an_iso_is_not_built_for_a_sequence_that_captures_onto_it() {
    let fixture = Fixture::new();
    let steps = "[variables]\nOSDCaptureDestination = \"media:captures/a.wim\"\n\
                 [[steps]]\ntype = \"prepare-os-for-capture\"\n\
                 [[steps]]\ntype = \"capture-operating-system-image\"\nname = \"Capture\"\n";
    let sequence = format!("name = \"S\"\noperating-system = \"linux\"\n{steps}");
    fixture.write("copy.toml", &sequence);
    for arguments in [&["build", "--output", "a.iso"][..], &["plan", "--format", "iso"]] {
        let said = fixture.fail(arguments);
        assert!(
            said.contains("copy.toml: step \"Capture\"") && said.contains("--format usb"),
            "{said}"
        );
    }
    assert!(!fixture.path("a.iso").exists());
    fixture.succeed(&["check"]);
    fixture.succeed(&["build", "--output", "a.img"]);
    fixture.edit("copy.toml", "media:captures/a.wim", "//server/share/a.wim");
    fixture.succeed(&["build", "--output", "a.iso"]);
}

#[test]
fn a_program_that_reads_json_reads_why_it_failed() {
    let fixture = Fixture::new();
    fixture.edit("copy.toml", "package = \"tool\"", "package = \"tol\"");
    fixture.write("no.iso", "no media");
    for arguments in [
        &["build", "-o", "media.iso", "--json"][..],
        &["plan", "--json"],
        &["verify", "no.iso", "--json"],
        &["inspect", "no.iso", "--json"],
        &["boot-image", "inspect", "no.iso", "--json"],
        &["try", "none.iso", "--json"],
    ] {
        let output = fixture.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let first = said["problems"][0]
            .as_str()
            .unwrap_or_else(|| panic!("{arguments:?}: {said}"));
        assert!(!first.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}
