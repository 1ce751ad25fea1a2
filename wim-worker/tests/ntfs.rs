//! NTFS volumes, applied to and captured from without a mount; the judges are the tools of ntfs-3g.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use media_format::wim::protocol::{Apply, CaptureImage, Extract, Find, Operation, Volume};
use media_format::wim::warnings::leaves_content_whole;

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
    CaptureImage::new(Volume::NtfsVolume(volume.into()), "Windows")
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
    make_volume(&volume, 64);
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

fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Where in the volume those bytes are.
fn places(volume: &[u8], bytes: &[u8]) -> Vec<usize> {
    let found = volume.windows(bytes.len()).enumerate();
    found
        .filter(|(_, window)| *window == bytes)
        .map(|(at, _)| at)
        .collect()
}

/// Makes a file read-only, hidden and a file of the system, by the standard information of its record, which comes first there.
fn set_attributes(volume: &mut [u8], name: &str) {
    let mut set = 0;
    for record in volume.chunks_exact_mut(1024) {
        if record.starts_with(b"FILE") && !places(record, &utf16(name)).is_empty() {
            let first = usize::from(record[0x14]);
            assert_eq!(record[first], 0x10, "its standard information");
            record[first + usize::from(record[first + 0x14]) + 0x20] |= 0x7;
            set += 1;
        }
    }
    assert_eq!(set, 1, "records of {name}");
}

/// What are two links of a file becomes the long and the short name of one, in its record and in its folder: in front of a name are its
/// length and its kind.
fn make_short_name(volume: &mut [u8], long: &str, short: &str) {
    for (name, kind) in [(long, 1), (short, 2)] {
        let length = u8::try_from(name.encode_utf16().count()).unwrap();
        let places = places(volume, &[&[length, 0], &utf16(name)[..]].concat());
        assert!(places.len() >= 2, "{name} is at {places:?}");
        places.iter().for_each(|at| volume[at + 1] = kind);
    }
}

/// The runtime puts up with these on FAT, and with nothing else.
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
    let (long, short) = ("A long name.txt", "ALONGN~1.TXT");
    fs::write(tree.join(long), "text").unwrap();
    fs::hard_link(tree.join(long), tree.join(short)).unwrap();
    make_volume(&volume, 64);
    done(&run(Operation::Capture(capture(
        &first,
        vec![image(&tree, "Windows")],
    ))));
    done(&run(to_volume(&first, &volume)));
    let mut content = fs::read(&volume).unwrap();
    set_attributes(&mut content, "PageFile.sys");
    make_short_name(&mut content, long, short);
    fs::write(&volume, content).unwrap();
    done(&run(Operation::Capture(capture(
        &second,
        vec![from_volume(&volume)],
    ))));
    let out = path("out");
    fs::create_dir(&out).unwrap();
    let messages = run(Operation::Apply(Apply {
        unix_data: false,
        ..apply(&second, 1, &out)
    }));
    let count = done(&messages).warnings;
    let warnings = warnings(&messages);
    for lost in [
        "FILE_ATTRIBUTE_READONLY of 1 ",
        "FILE_ATTRIBUTE_HIDDEN of 1 ",
        "FILE_ATTRIBUTE_SYSTEM of 1 ",
        "security descriptors of ",
        "DOS names of 1 ",
    ] {
        assert!(
            warnings.iter().any(|text| text.contains(lost)),
            "{lost}: {warnings:?}"
        );
    }
    assert_eq!((count, warnings.len()), (5, 5), "{warnings:?}");
    let known = |text: &String| text.strip_prefix("-: ").is_some_and(leaves_content_whole);
    assert!(warnings.iter().all(known), "{warnings:?}");
    assert_eq!(fs::read(out.join(long)).unwrap(), b"text");
    assert!(!out.join(short).exists(), "it is no file of its own");
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

/// A tree of which no compression makes less than some megabytes.
fn make_large_tree(tree: &Path) {
    make_tree(tree);
    let mut state = 1_u32;
    for number in 0..3 {
        let noise = (0..900_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        fs::write(tree.join(format!("noise{number}")), noise.collect::<Vec<u8>>()).unwrap();
    }
}

#[track_caller]
fn assert_holds(volume: &Path, tree: &Path) {
    for name in ["Windows/System32/kernel.dll", "noise0", "noise2"] {
        let content = judge("ntfscat", &[text(volume), name]);
        assert!(content == fs::read(tree.join(name)).unwrap(), "{name} differs");
    }
    judge("ntfsinfo", &["-m", text(volume)]);
}

#[test]
fn the_parts_of_a_split_image_are_applied_to_a_volume() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, wim, volume) = (path("tree"), path("install.wim"), path("volume"));
    make_large_tree(&tree);
    make_volume(&volume, 64);
    judge(
        "wimlib-imagex",
        &["capture", text(&tree), text(&wim), "Windows", "--quiet"],
    );
    judge(
        "wimlib-imagex",
        &["split", text(&wim), text(&path("install.swm")), "1"],
    );
    fs::remove_file(&wim).unwrap();
    let parts = |numbers: std::ops::RangeInclusive<u32>| -> Vec<_> {
        numbers
            .map(|number| path(&format!("install{number}.swm")))
            .collect()
    };
    let count = fs::read_dir(folder.path()).unwrap().count() as u32 - 2;
    assert!(count >= 3, "{count} parts");
    let from = |parts: Vec<std::path::PathBuf>| {
        Operation::Apply(Apply {
            parts,
            target: Volume::NtfsVolume(volume.clone()),
            unix_data: false,
            ..apply(&path("install.swm"), 1, &volume)
        })
    };
    let (_, error, _) = failed(&run(from(parts(2..=count - 1))));
    assert!(error.contains("install.swm"), "{error}");
    make_volume(&volume, 64);
    done(&run(from(parts(2..=count))));
    assert_holds(&volume, &tree);
}

/// As Windows' own media have it: an ESD.
#[test]
fn a_solid_image_is_applied_to_a_volume() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tree, esd, volume) = (path("tree"), path("install.esd"), path("volume"));
    make_large_tree(&tree);
    make_volume(&volume, 64);
    let arguments = [
        "capture",
        text(&tree),
        text(&esd),
        "Windows",
        "--solid",
        "--quiet",
    ];
    judge("wimlib-imagex", &arguments);
    let info = String::from_utf8(judge("wimlib-imagex", &["info", text(&esd), "--header"])).unwrap();
    // LZMS, in a version of the format that only solid images have.
    assert!(
        info.contains("COMPRESS_LZMS") && info.contains("= 0xe00"),
        "{info}"
    );
    done(&run(to_volume(&esd, &volume)));
    assert_holds(&volume, &tree);
}

/// Gives a file of the volume a reparse point of that kind, as Windows' filters do. A mount needs a namespace of its own, and ntfs-3g
/// one in which it can give up its groups.
fn pack(volume: &Path, file: &str, tag: &str) {
    let script = "mkdir -p \"$0.mount\"; ntfs-3g \"$0\" \"$0.mount\"; echo text >\"$0.mount/$1\"; \
                  setfattr -n system.ntfs_reparse_data -v \"0x${2}1000000001000000020000000100000000000000\" \"$0.mount/$1\"; \
                  umount \"$0.mount\"";
    let shell = ["--mount", "sh", "-ec", script, text(volume), file, tag];
    let as_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
    let mapped = if as_root {
        &[][..]
    } else {
        &["--map-root-user", "--map-auto"][..]
    };
    judge("unshare", &[mapped, &shell[..]].concat());
}

#[test]
fn what_windows_has_packed_is_named_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (volume, wim) = (path("volume"), path("a.wim"));
    make_volume(&volume, 64);
    pack(&volume, "compressed.dll", "17000080");
    let messages = run(Operation::Capture(capture(&wim, vec![from_volume(&volume)])));
    done(&messages);
    let warnings = warnings(&messages);
    assert!(
        warnings.iter().any(|text| text.contains("compactos:never")),
        "{warnings:?}"
    );
    pack(&path("volume"), "deduplicated.txt", "13000080");
    fs::remove_file(&wim).unwrap();
    let (_, error, hint) = failed(&run(Operation::Capture(capture(
        &wim,
        vec![from_volume(&volume)],
    ))));
    assert!(error.contains("such as /deduplicated.txt"), "{error}");
    assert!(hint.contains("Unoptimization"), "{hint}");
    assert!(!wim.exists());
}
