//! NTFS volumes, applied to and captured from without a mount; the judges are the tools of ntfs-3g.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use media_format::wim::protocol::{Apply, CaptureImage, Extract, Find, Operation, Volume};

fn make_volume(path: &Path) {
    fs::File::create(path).unwrap().set_len(64 << 20).unwrap();
    judge(
        "mkntfs",
        &[
            "-F",
            "-q",
            "-Q",
            "-p",
            "2048",
            "-H",
            "255",
            "-S",
            "63",
            "-s",
            "512",
            "-L",
            "Windows",
            text(path),
        ],
    );
}

fn make_tree(tree: &Path) {
    fs::create_dir_all(tree.join("Windows/System32")).unwrap();
    fs::write(tree.join("Windows/System32/kernel.dll"), "MZ".repeat(100_000)).unwrap();
    fs::hard_link(
        tree.join("Windows/System32/kernel.dll"),
        tree.join("Windows/kernel.dll"),
    )
    .unwrap();
    fs::write(tree.join("PageFile.sys"), vec![0; 100_000]).unwrap();
    fs::write(tree.join("na\u{ef}ve \u{4f60}.txt"), "text").unwrap();
}

fn from_volume(volume: &Path) -> CaptureImage {
    let source = Volume::NtfsVolume(volume.into());
    CaptureImage {
        source,
        unix_data: false,
        ..image(volume, "Windows")
    }
}

fn to_volume(wim: &Path, volume: &Path) -> Operation {
    let target = Volume::NtfsVolume(volume.into());
    Operation::Apply(Apply {
        target,
        unix_data: false,
        ..apply(wim, 1, volume)
    })
}

#[test]
fn a_volume_is_applied_and_captured_without_a_mount() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, first, volume, second) = (
        path("tree"),
        path("first.wim"),
        path("volume"),
        path("second.wim"),
    );
    make_tree(&tree);
    make_volume(&volume);
    let mut plain = image(&tree, "Windows");
    plain.unix_data = false;
    done(&run(Operation::Capture(capture(&first, vec![plain]))));
    let paths = ["/windows/SYSTEM32/Kernel.dll", "/Windows/Boot", "/Windows"].map(Into::into);
    let find = Operation::Find(Find {
        wim: first.clone(),
        index: 1,
        paths: paths.to_vec(),
    });
    assert_eq!(done(&run(find)).found, [paths[0].clone(), paths[2].clone()]);
    let folder = path("copied");
    let extract = Operation::Extract(Extract {
        wim: first.clone(),
        parts: vec![],
        index: 1,
        paths: [paths[0].clone(), "/no/such.file".into()].into(),
        folder: folder.clone(),
    });
    assert_eq!(done(&run(extract)).found, [paths[0].clone()]);
    let copied = fs::read(folder.join("kernel.dll")).unwrap();
    assert_eq!(copied, fs::read(tree.join("Windows/kernel.dll")).unwrap());
    done(&run(to_volume(&first, &volume)));

    let content = judge("ntfscat", &[text(&volume), "Windows/System32/kernel.dll"]);
    assert_eq!(content, fs::read(tree.join("Windows/kernel.dll")).unwrap());
    let listed = String::from_utf8(judge("ntfsls", &[text(&volume)])).unwrap();
    assert!(
        listed.lines().any(|name| name == "na\u{ef}ve \u{4f60}.txt"),
        "{listed}"
    );
    judge("ntfsinfo", &["-m", text(&volume)]);

    let mut one = from_volume(&volume);
    one.exclude = vec!["/pagefile.sys".into(), "/System Volume Information".into()];
    done(&run(Operation::Capture(capture(&second, vec![one]))));
    judge("wimlib-imagex", &["verify", text(&second)]);
    let listed = String::from_utf8(judge("wimlib-imagex", &["dir", text(&second), "1"])).unwrap();
    assert!(!listed.to_lowercase().contains("pagefile"), "{listed}");

    let out = path("out");
    fs::create_dir(&out).unwrap();
    done(&run(Operation::Apply(Apply {
        unix_data: false,
        ..apply(&second, 1, &out)
    })));
    let kernel = out.join("Windows/System32/kernel.dll");
    assert_eq!(fs::read(kernel).unwrap(), content);
    assert_eq!(fs::read(out.join("na\u{ef}ve \u{4f60}.txt")).unwrap(), b"text");
}

#[test]
fn what_a_folder_cannot_hold_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, first, volume, second) = (
        path("tree"),
        path("first.wim"),
        path("volume"),
        path("second.wim"),
    );
    make_tree(&tree);
    make_volume(&volume);
    done(&run(Operation::Capture(capture(
        &first,
        vec![image(&tree, "Windows")],
    ))));
    done(&run(to_volume(&first, &volume)));
    done(&run(Operation::Capture(capture(
        &second,
        vec![from_volume(&volume)],
    ))));
    let out = path("out");
    fs::create_dir(&out).unwrap();
    let messages = run(Operation::Apply(apply(&second, 1, &out)));
    let count = done(&messages).warnings;
    let warnings = warnings(&messages);
    assert!(
        warnings.iter().any(|text| text.contains("security descriptors")),
        "{warnings:?}"
    );
    assert_eq!(count, warnings.len() as u64);
}

#[test]
fn what_is_no_ntfs_volume_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, wim) = (folder.path().join("zero"), folder.path().join("a.wim"));
    fs::write(&volume, vec![0; 1 << 20]).unwrap();
    let (code, error, hint) = failed(&run(Operation::Capture(capture(
        &wim,
        vec![from_volume(&volume)],
    ))));
    assert_eq!(code, 46, "{error}");
    assert!(error.contains("zero") && hint.contains("NTFS"), "{error}: {hint}");
    assert!(!wim.exists());
    let mut unix = from_volume(&volume);
    unix.unix_data = true;
    assert!(
        failed(&run(Operation::Capture(capture(&wim, vec![unix]))))
            .1
            .contains("Unix")
    );
}
