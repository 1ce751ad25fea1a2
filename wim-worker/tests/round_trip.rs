//! Trees that go into a WIM come out the same, by our own apply and by wimlib-imagex.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use common::*;
use media_format::wim::protocol::{Apply, Compression, Message, Operation, Phase};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};

fn make_tree(root: &Path) {
    fs::create_dir_all(root.join("etc/deep/er")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("etc/config"), "setting = 1\n".repeat(5000)).unwrap();
    fs::hard_link(root.join("etc/config"), root.join("etc/deep/hard")).unwrap();
    fs::write(root.join("etc/nothing"), "").unwrap();
    fs::write(root.join("\u{fc}n\u{ef} \u{4f60}\u{597d} \u{1f600}"), "unicode").unwrap();
    fs::write(root.join("case"), "lower").unwrap();
    fs::write(root.join("CASE"), "upper").unwrap();
    fs::write(root.join("a:b?c*\\d"), "odd").unwrap();
    symlink("/etc/passwd", root.join("absolute")).unwrap();
    symlink("../case", root.join("etc/relative")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    fs::set_permissions(root.join("etc/config"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(root.join("etc/deep"), fs::Permissions::from_mode(0o2750)).unwrap();
    rustix::fs::setxattr(root.join("etc/config"), "user.note", b"kept", XattrFlags::empty()).unwrap();
    rustix::fs::mknodat(
        CWD,
        root.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o640),
        0,
    )
    .unwrap();
    drop(UnixListener::bind(root.join("socket")).unwrap());
    if rustix::process::geteuid().is_root() {
        make_what_only_root_can(root);
    }
}

fn make_what_only_root_can(root: &Path) {
    let node = |name, kind, device| {
        rustix::fs::mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(0o600), device).unwrap();
    };
    node("null", FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    node("disk", FileType::BlockDevice, rustix::fs::makedev(259, 70_000));
    chown(root.join("etc/deep/er"), Some(1234), Some(70_000)).unwrap();
}

#[test]
fn a_linux_tree_comes_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = (folder.path().join("tree"), folder.path().join("a.wim"));
    make_tree(&tree);
    let mut request = capture(&wim, vec![image(&tree, "Root")]);
    request.compression = Compression::Lzx;
    let messages = run(Operation::Capture(request));
    let summary = done(&messages);
    assert_eq!(warnings(&messages), Vec::<String>::new());
    assert_eq!(summary.wim_bytes, fs::metadata(&wim).unwrap().len());
    let digest = String::from_utf8(judge("sha256sum", &[text(&wim)])).unwrap();
    assert_eq!(summary.sha256.as_deref(), digest.split(' ').next());
    judge("wimlib-imagex", &["verify", text(&wim)]);

    let before = snapshot(&tree);
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    fs::create_dir(&ours).unwrap();
    let messages = run(Operation::Apply(apply(&wim, 1, &ours)));
    assert_eq!(done(&messages).files, summary.files);
    assert_eq!(before, snapshot(&ours));
    judge(
        "wimlib-imagex",
        &["apply", text(&wim), "1", text(&theirs), "--unix-data"],
    );
    assert_eq!(before, snapshot(&theirs));
}

#[test]
fn every_compression_verifies_and_equal_data_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let noise: Vec<u8> = (0u32..200_000)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(tree.join("noise"), &noise).unwrap();
    for compression in [
        Compression::None,
        Compression::Xpress,
        Compression::Lzx,
        Compression::Lzms,
    ] {
        let wim = folder.path().join(format!("{compression:?}.wim"));
        let images = vec![image(&tree, "One"), image(&tree, "Two")];
        let mut request = capture(&wim, images);
        request.compression = compression;
        let messages = run(Operation::Capture(request));
        let summary = done(&messages);
        assert!(
            summary.wim_bytes < 1_000_000,
            "{compression:?}: {}",
            summary.wim_bytes
        );
        let info = summary.info.as_ref().unwrap();
        assert_eq!(info.images.len(), 2);
        assert_eq!(info.solid, compression == Compression::Lzms);
        done(&verify(&wim));
        judge("wimlib-imagex", &["verify", text(&wim)]);
    }
}

#[test]
fn properties_and_exclusions_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = (folder.path().join("tree"), folder.path().join("a.wim"));
    for name in ["tmp/drop", "tmp/keep", "var/cache/x", "home/a.bak", "home/a"] {
        fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
        fs::write(tree.join(name), name).unwrap();
    }
    let mut one = image(&tree, "R&D <1>");
    one.description = Some("caf\u{e9}".into());
    one.display_name = Some("Display".into());
    one.flags = Some("Professional".into());
    one.creator = Some("An Engineer".into());
    one.version = Some("2026.11".into());
    one.mount_point = Some("/srv/my data".into());
    one.exclude = vec!["/tmp/*".into(), "/var/cache/*".into(), "*.bak".into()];
    one.exclude_exceptions = vec!["/tmp/keep".into()];
    let messages = run(Operation::Capture(capture(&wim, vec![one])));
    let info = done(&messages).info.clone().unwrap();
    let found = &info.images[0];
    assert_eq!(found.name, "R&D <1>");
    assert_eq!(found.description.as_deref(), Some("caf\u{e9}"));
    assert_eq!(found.creator.as_deref(), Some("An Engineer"));
    assert_eq!(found.version.as_deref(), Some("2026.11"));
    assert_eq!(found.flags.as_deref(), Some("Professional"));
    assert_eq!(found.mount_point.as_deref(), Some("/srv/my data"));
    let listed = String::from_utf8(judge("wimlib-imagex", &["dir", text(&wim), "1"])).unwrap();
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(
        listed,
        ["/", "/home", "/home/a", "/tmp", "/tmp/keep", "/var", "/var/cache"]
    );
}

#[test]
fn volumes_that_are_mounted_inside_the_target_are_flushed_too() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = (folder.path().join("tree"), folder.path().join("a.wim"));
    make_tree(&tree);
    done(&run(Operation::Capture(capture(
        &wim,
        vec![image(&tree, "Root")],
    ))));
    let target = folder.path().join("target");
    fs::create_dir_all(target.join("etc")).unwrap();
    let mut request = apply(&wim, 1, &target);
    request.inside = vec![target.join("etc")];
    done(&run(Operation::Apply(request.clone())));
    request.inside = vec![target.join("gone")];
    let (_, error, _) = failed(&run(Operation::Apply(request)));
    assert!(
        error.contains("flushing the volume of") && error.contains("gone"),
        "{error}"
    );
}

#[test]
fn a_sparse_file_over_4_gib_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim, out) = (
        folder.path().join("tree"),
        folder.path().join("a.wim"),
        folder.path().join("out"),
    );
    fs::create_dir(&tree).unwrap();
    fs::create_dir(&out).unwrap();
    let size = (4 << 30) + 12_345;
    let file = fs::File::create(tree.join("large")).unwrap();
    file.set_len(size).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"end", size - 3).unwrap();
    let mut request = capture(&wim, vec![image(&tree, "Large")]);
    request.verify = false;
    assert_eq!(done(&run(Operation::Capture(request))).bytes, size);
    let messages = run(Operation::Apply(apply(&wim, 1, &out)));
    assert_eq!(done(&messages).bytes, size);
    let total = |message: &Message| matches!(message, Message::Progress { phase: Phase::Extract, done, total } if done == total && *total == size);
    assert!(messages.iter().any(total), "the progress must reach {size}");
    let file = fs::File::open(out.join("large")).unwrap();
    let mut tail = [0; 5];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut tail, size - 5).unwrap();
    assert_eq!((&tail, file.metadata().unwrap().len()), (b"\0\0end", size));
}

#[test]
fn a_split_wim_needs_all_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = (folder.path().join("tree"), folder.path().join("a.wim"));
    fs::create_dir(&tree).unwrap();
    for number in 0..6u32 {
        let noise = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(number) >> 13) as u8);
        fs::write(tree.join(number.to_string()), noise.collect::<Vec<u8>>()).unwrap();
    }
    let mut request = capture(&wim, vec![image(&tree, "Split")]);
    request.compression = Compression::None;
    done(&run(Operation::Capture(request)));
    let first = folder.path().join("s.swm");
    judge("wimlib-imagex", &["split", text(&wim), text(&first), "1"]);
    let parts: Vec<_> = (2..)
        .map(|n| folder.path().join(format!("s{n}.swm")))
        .take_while(|p| p.exists())
        .collect();
    assert!(parts.len() >= 2, "the WIM must have been split");
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let whole = Apply {
        parts: parts.clone(),
        ..apply(&first, 1, &out)
    };
    let lacking = Apply {
        parts: parts[1..].to_vec(),
        ..apply(&first, 1, &out)
    };
    let (code, error, hint) = failed(&run(Operation::Apply(lacking)));
    assert!(code != 0 && !hint.is_empty(), "{error}");
    done(&run(Operation::Apply(whole)));
    assert_eq!(snapshot(&tree), snapshot(&out));
}
