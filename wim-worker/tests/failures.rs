//! What goes wrong ends early, says why, and leaves nothing that could be taken for a good WIM.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use common::*;
use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{
    Apply, Capture, CaptureImage, Compression, OnBadName, Operation, Request, Volume,
};

/// Data that hardly compresses.
fn noise(bytes: u32) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn sample(folder: &Path) -> (PathBuf, PathBuf) {
    let tree = folder.join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("noise"), noise(3_000_000)).unwrap();
    (tree, folder.join("a.wim"))
}

fn sample_wim(folder: &Path) -> PathBuf {
    let (tree, wim) = sample(folder);
    done(&run(Operation::Capture(capture(
        &wim,
        vec![image(&tree, "Image")],
    ))));
    wim
}

/// The worker behind a shell command that prepares its surroundings.
fn behind(shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("{shell}; exec \"$0\""),
        env!("CARGO_BIN_EXE_wim-worker"),
    ]);
    command
}

#[test]
fn names_that_are_not_utf8_are_all_named_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = sample(folder.path());
    fs::write(tree.join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    symlink(OsStr::from_bytes(b"\xff"), tree.join("link")).unwrap();
    let mut request = capture(&wim, vec![image(&tree, "Image")]);
    let messages = run(Operation::Capture(request.clone()));
    assert!(failed(&messages).1.starts_with("2 file names"));
    let named = warnings(&messages).join("\n");
    assert!(
        named.contains("tree/caf\\xe9") && named.contains("tree/link"),
        "{named}"
    );
    assert!(!wim.exists());

    request.on_bad_name = OnBadName::Skip;
    let messages = run(Operation::Capture(request.clone()));
    assert_eq!((done(&messages).files, done(&messages).warnings), (1, 2));
    request.on_bad_name = OnBadName::Refuse;
    request.images[0].exclude = vec!["/caf*".into(), "/link".into()];
    assert_eq!(done(&run(Operation::Capture(request))).warnings, 0);
}

#[test]
fn an_image_that_does_not_exist_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wim = sample_wim(folder.path());
    for index in [0, 2, u32::MAX] {
        let (_, error, hint) = failed(&run(Operation::Apply(apply(&wim, index, folder.path()))));
        assert!(error.contains(&format!("no image {index}")), "{error}");
        assert!(hint.contains("1 (Image)"), "{hint}");
    }
}

#[test]
fn damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let wim = sample_wim(folder.path());
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let file = fs::File::options().read(true).write(true).open(&wim).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1_500_000).unwrap();
    file.write_all_at(&[!byte[0]], 1_500_000).unwrap();
    for messages in [verify(&wim), run(Operation::Apply(apply(&wim, 1, &out)))] {
        let (code, error, hint) = failed(&messages);
        assert!(
            code != 0 && error.contains("a.wim") && hint.contains("damaged"),
            "{code} {error} {hint}"
        );
    }
    file.set_len(2_000_000).unwrap();
    assert!(failed(&verify(&wim)).1.contains("cut off"));
    fs::write(&wim, "not a WIM").unwrap();
    failed(&verify(&wim));
    fs::remove_file(&wim).unwrap();
    assert!(failed(&verify(&wim)).1.contains("No such file"));
}

#[test]
fn a_file_size_limit_ends_the_capture_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = sample(folder.path());
    let request = request(Operation::Capture(capture(&wim, vec![image(&tree, "Image")])));
    let (messages, output) = messages_of(behind("trap '' XFSZ; ulimit -f 1000"), &request);
    let (code, error, hint) = failed(&messages);
    assert!(
        code != 0 && error.contains("File too large") && hint.contains("FAT32"),
        "{error}: {hint}"
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(!wim.exists());
}

/// Needs user namespaces, or root, to mount a small tmpfs that only the worker sees.
#[test]
fn a_full_destination_ends_the_capture_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, _) = sample(folder.path());
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let request = request(Operation::Capture(capture(
        &small.join("a.wim"),
        vec![image(&tree, "Image")],
    )));
    let inner = format!(
        "mount -t tmpfs -o size=1m none '{0}' || exit 9; \"$0\"; status=$?; ls -A '{0}' >&2; exit $status",
        text(&small)
    );
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &inner, env!("CARGO_BIN_EXE_wim-worker")]);
    let (messages, output) = messages_of(command, &request);
    assert_ne!(
        output.status.code(),
        Some(9),
        "no tmpfs: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (_, error, hint) = failed(&messages);
    assert!(
        error.contains("No space left") && hint.contains("full"),
        "{error}: {hint}"
    );
    assert_eq!(output.stderr, b"", "nothing may be left at the destination");
}

#[test]
fn a_killed_capture_leaves_no_valid_wim_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = sample(folder.path());
    fs::write(tree.join("more"), noise(150_000_000)).unwrap();
    let request = request(Operation::Capture(capture(&wim, vec![image(&tree, "Image")])));
    let mut child = start(&mut worker(), &request);
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let seen = lines.take_while(|line| !line.contains("\"write\"")).count();
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(seen > 0 && wim.exists(), "it must be killed while it writes");
    assert!(WimInfo::read(&mut fs::File::open(&wim).unwrap()).is_err());
    assert!(failed(&verify(&wim)).1.contains("a.wim"));
    assert!(done(&messages_of(worker(), &request).0).wim_bytes > 150_000_000);
}

#[test]
fn a_crafted_header_fails_within_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let wim = sample_wim(folder.path());
    let file = fs::File::options().write(true).open(&wim).unwrap();
    // The blob table is said to take 50 GB after decompression.
    file.write_all_at(&50_000_000_000u64.to_le_bytes(), 64).unwrap();
    file.write_all_at(&[2 | 4], 55).unwrap();
    let operation = Operation::Apply(apply(&wim, 1, folder.path()));
    let capped = Request {
        memory_limit: Some(512 << 20),
        operation,
    };
    let (messages, output) = messages_of(worker(), &capped);
    assert_eq!(output.status.code(), Some(1));
    let (code, error, hint) = failed(&messages);
    assert!(
        code != 0 && error.contains("a.wim") && !hint.is_empty(),
        "{code} {error} {hint}"
    );
}

/// Work with no more memory than is promised, with all that a program only reserves counted.
fn within_512_mb(operation: Operation) {
    let capped = Request {
        memory_limit: Some(512 << 20),
        operation,
    };
    done(&messages_of(worker(), &capped).0);
}

/// That many small files, and a large one.
fn make_tree_of(tree: &Path, files: u32) {
    for number in 0..files {
        let within = tree.join(format!("{}", number % 100));
        if number < 100 {
            fs::create_dir_all(&within).unwrap();
        }
        fs::write(
            within.join(format!("{number}.txt")),
            format!("{number} ").repeat(50),
        )
        .unwrap();
    }
    let large: Vec<u8> = (0..16_000_000_u32).map(|byte| (byte / 3 % 251) as u8).collect();
    fs::write(tree.join("large"), large).unwrap();
}

/// As many threads as a large machine has.
fn lzx(wim: &Path, image: CaptureImage) -> Operation {
    Operation::Capture(Capture {
        compression: Compression::Lzx,
        threads: Some(16),
        ..capture(wim, vec![image])
    })
}

/// What is promised for an LZX capture and for the apply.
#[test]
fn an_lzx_capture_and_its_apply_fit_in_512_mb() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, wim, target) = (path("tree"), path("lzx.wim"), path("target"));
    make_tree_of(&tree, 10_000);
    within_512_mb(lzx(&wim, image(&tree, "Image")));
    fs::create_dir(&target).unwrap();
    within_512_mb(Operation::Apply(apply(&wim, 1, &target)));
    assert_eq!(
        fs::read(target.join("large")).unwrap(),
        fs::read(tree.join("large")).unwrap()
    );
}

/// As Windows' own media have it: an ESD, which is unpacked in chunks of 64 MiB.
#[test]
fn a_solid_image_is_applied_in_512_mb() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, esd, volume) = (path("tree"), path("install.esd"), path("volume"));
    fs::create_dir(&tree).unwrap();
    let lines: String = (0..9_000_000).map(|number| format!("{number}\n")).collect();
    fs::write(tree.join("large"), &lines).unwrap();
    let mut pack = Command::new("wimlib-imagex");
    pack.arg("capture").args([&tree, &esd]);
    pack.args([
        "Windows",
        "--solid",
        "--solid-compress=LZMS:10",
        "--solid-chunk-size=64M",
        "--quiet",
    ]);
    assert!(pack.status().unwrap().success());
    make_volume(&volume, 256);
    within_512_mb(Operation::Apply(Apply {
        target: Volume::NtfsVolume(volume.clone()),
        unix_data: false,
        ..apply(&esd, 1, &volume)
    }));
    let target = path("target");
    fs::create_dir(&target).unwrap();
    within_512_mb(Operation::Apply(apply(&esd, 1, &target)));
    assert!(fs::read(target.join("large")).unwrap() == lines.as_bytes());
}

/// The same for a volume of Windows, which is large by the number of its files.
#[test]
fn an_ntfs_volume_with_many_files_is_applied_and_captured_in_512_mb() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, wim, volume, again) = (path("tree"), path("lzx.wim"), path("volume"), path("again.wim"));
    make_tree_of(&tree, 50_000);
    let mut plain = image(&tree, "Windows");
    plain.unix_data = false;
    within_512_mb(lzx(&wim, plain));
    make_volume(&volume, 512);
    let target = Volume::NtfsVolume(volume.clone());
    within_512_mb(Operation::Apply(Apply {
        target: target.clone(),
        unix_data: false,
        ..apply(&wim, 1, &volume)
    }));
    within_512_mb(lzx(&again, CaptureImage::new(target, "Windows")));
    let of = |wim: &Path| {
        let info = WimInfo::read(&mut fs::File::open(wim).unwrap()).unwrap();
        (info.images[0].file_count, info.images[0].total_bytes)
    };
    assert_eq!((of(&again), of(&wim).0), (of(&wim), 50_001));
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = sample(folder.path());
    assert!(
        failed(&run(Operation::Capture(capture(&wim, Vec::new()))))
            .1
            .contains("at least one")
    );
    let twice = vec![image(&tree, "Same"), image(&tree, "Same")];
    assert_eq!(failed(&run(Operation::Capture(capture(&wim, twice)))).0, 11);
    let control = vec![image(&tree, "a\u{1}b")];
    assert!(
        failed(&run(Operation::Capture(capture(&wim, control))))
            .1
            .contains("control character")
    );
    let missing = vec![image(&tree.join("missing"), "Image")];
    assert!(
        failed(&run(Operation::Capture(capture(&wim, missing))))
            .1
            .contains("missing")
    );
    assert!(!wim.exists());
    assert_eq!(worker().arg("--help").status().unwrap().code(), Some(2));
}

#[test]
fn the_worker_ends_with_the_program_that_started_it() {
    let mut shell = Command::new("sh")
        .args([
            "-c",
            "exec 3<&0; \"$0\" <&3 & echo $!; wait",
            env!("CARGO_BIN_EXE_wim-worker"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Open to the end: the worker must not end because its input does.
    let _input = shell.stdin.take().unwrap();
    let mut output = BufReader::new(shell.stdout.take().unwrap());
    let mut number = String::new();
    output.read_line(&mut number).unwrap();
    // It waits for its request, which is not to come.
    let stat = format!("/proc/{}/stat", number.trim());
    let waits = || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains("(wim-worker) S"));
    let begun = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        waits()
    });
    assert!(begun, "the worker does not wait for its request");
    shell.kill().unwrap();
    shell.wait().unwrap();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(output.read_to_end(&mut Vec::new()).is_ok()));
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(true));
}
