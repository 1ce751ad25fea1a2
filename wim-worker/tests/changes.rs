//! Extracts, injects and splits; judged by wimlib-imagex.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{done, failed, judge, run, text};
use media_format::wim::header::CompressionType;
use media_format::wim::protocol::{Extract, Inject, Operation, Split, Summary};

fn file(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Two images: what a Windows PE has, and another.
fn foreign_wim(folder: &Path, compression: &str) -> PathBuf {
    let wim = folder.join(format!("{compression}.wim"));
    for (number, name) in ["First", "Windows PE"].into_iter().enumerate() {
        let tree = folder.join(format!("tree{number}"));
        file(&tree.join("Windows/System32/startnet.cmd"), "wpeinit");
        file(
            &tree.join("Windows/Boot/EFI/bootmgfw.efi"),
            vec![number as u8; 50_000],
        );
        file(&tree.join("Windows/notepad.exe"), "MZ");
        let verb = if number == 0 { "capture" } else { "append" };
        let mut arguments = vec![verb, text(&tree), text(&wim), name, "--quiet"];
        let compress = format!("--compress={compression}");
        if number == 0 {
            arguments.push(&compress);
        }
        judge("wimlib-imagex", &arguments);
    }
    wim
}

fn inject(wim: &Path, index: u32, add: &Path, into: &Path) -> Operation {
    Operation::Inject(Inject {
        wim: wim.into(),
        index,
        add: add.into(),
        into: into.into(),
        guid: "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap(),
        time: 1_577_836_800,
    })
}

/// Reading a file changes the time of its last access, which is in the image.
fn settle(path: &Path) {
    if path.is_dir() {
        fs::read_dir(path)
            .unwrap()
            .for_each(|entry| settle(&entry.unwrap().path()));
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800);
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    File::open(path).unwrap().set_times(times).unwrap();
}

fn injected(wim: &Path, into: &Path) -> Summary {
    let add = wim.with_file_name("add");
    file(&add.join("windows/system32/winpeshl.ini"), "[LaunchApps]");
    file(&add.join("WINDOWS/Notepad.exe"), "MZ and more");
    file(&add.join("media-runtime/media-runtime.exe"), "MZ");
    settle(&add);
    done(&run(inject(wim, 2, &add, into))).clone()
}

#[test]
fn an_injected_wim_has_one_bootable_image_with_the_files_in_the_folders_that_were_there() {
    let folder = tempfile::tempdir().unwrap();
    let wim = foreign_wim(folder.path(), "lzx");
    let into = folder.path().join("boot.wim");
    let before = fs::read(&wim).unwrap();
    let summary = injected(&wim, &into);
    assert!(before == fs::read(&wim).unwrap(), "the source is not changed");
    judge("wimlib-imagex", &["verify", text(&into)]);
    let info = String::from_utf8(judge("wimlib-imagex", &["info", text(&into)])).unwrap();
    for line in [
        "Image Count:    1",
        "Boot Index:     1",
        "Compression:    LZX",
        "Chunk Size:     32768 bytes",
        "Name:                   Windows PE",
        "Last Modification Time: Wed Jan 01 00:00:00 2020 UTC",
        "GUID:           0x33221100554477668899aabbccddeeff",
    ] {
        assert!(info.contains(line), "{line}: {info}");
    }
    let listed = String::from_utf8(judge("wimlib-imagex", &["dir", text(&into), "1"])).unwrap();
    let mut lines: Vec<&str> = listed.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "/",
            "/Windows",
            "/Windows/Boot",
            "/Windows/Boot/EFI",
            "/Windows/Boot/EFI/bootmgfw.efi",
            "/Windows/Notepad.exe",
            "/Windows/System32",
            "/Windows/System32/startnet.cmd",
            "/Windows/System32/winpeshl.ini",
            "/media-runtime",
            "/media-runtime/media-runtime.exe",
        ]
    );
    let replaced = judge(
        "wimlib-imagex",
        &["extract", text(&into), "1", "/Windows/Notepad.exe", "--to-stdout"],
    );
    assert_eq!(replaced, b"MZ and more");
    let info = summary.info.unwrap();
    assert_eq!(
        (info.boot_index, info.compression),
        (Some(1), CompressionType::Lzx)
    );
    assert_eq!(summary.sha256.unwrap().len(), 64);
}

#[test]
fn the_same_inputs_give_the_same_wim() {
    let folder = tempfile::tempdir().unwrap();
    let wim = foreign_wim(folder.path(), "xpress");
    let (first, second) = (folder.path().join("first.wim"), folder.path().join("second.wim"));
    injected(&wim, &first);
    settle(&folder.path().join("add"));
    done(&run(inject(&wim, 2, &folder.path().join("add"), &second)));
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap());
}

#[test]
fn what_no_boot_manager_reads_is_compressed_anew() {
    let folder = tempfile::tempdir().unwrap();
    for (source, expected) in [
        ("none", CompressionType::None),
        ("xpress", CompressionType::Xpress),
        ("lzms", CompressionType::Lzx),
    ] {
        let into = folder.path().join("boot.wim");
        let info = injected(&foreign_wim(folder.path(), source), &into).info.unwrap();
        assert_eq!(info.compression, expected, "{source}");
    }
}

#[test]
fn an_image_that_is_not_there_leaves_no_wim_behind() {
    let folder = tempfile::tempdir().unwrap();
    let wim = foreign_wim(folder.path(), "lzx");
    let into = folder.path().join("boot.wim");
    let (_, error, _) = failed(&run(inject(&wim, 3, folder.path(), &into)));
    assert!(error.contains("taking image 3 out of"), "{error}");
    let (_, error, _) = failed(&run(inject(&wim, 1, &folder.path().join("gone"), &into)));
    assert!(error.contains("adding"), "{error}");
    assert!(!into.exists());
}

#[test]
fn files_and_folders_are_extracted_whatever_their_case_and_missing_ones_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let wim = foreign_wim(folder.path(), "lzx");
    let target = folder.path().join("out");
    let paths = [
        "/windows/boot/efi/BOOTMGFW.EFI",
        "/Windows/System32",
        "/Windows/Boot/DVD",
    ];
    let messages = run(Operation::Extract(Extract {
        wim,
        parts: vec![],
        index: 2,
        paths: paths.map(PathBuf::from).to_vec(),
        folder: target.clone(),
    }));
    assert_eq!(
        done(&messages).found,
        [PathBuf::from(paths[0]), PathBuf::from(paths[1])]
    );
    let extracted = fs::read(target.join("bootmgfw.efi")).unwrap();
    assert!(extracted == vec![1; 50_000]);
    assert!(target.join("System32/startnet.cmd").is_file());
    assert!(!target.join("notepad.exe").exists());
}

#[test]
fn a_split_wim_has_parts_below_the_limit_that_join_again() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("large");
    for number in 0..6_u32 {
        let noise: Vec<u8> = (0..400_000_u32)
            .map(|i| ((i ^ number).wrapping_mul(2_654_435_761) >> 11) as u8)
            .collect();
        file(&tree.join(number.to_string()), noise);
    }
    let wim = folder.path().join("install.wim");
    judge(
        "wimlib-imagex",
        &["capture", text(&tree), text(&wim), "--compress=none", "--quiet"],
    );
    let first = folder.path().join("install.swm");
    let summary = run(Operation::Split(Split {
        wim: wim.clone(),
        first: first.clone(),
        part_bytes: 1_000_000,
    }));
    let parts = done(&summary).info.as_ref().unwrap().total_parts;
    assert_eq!(parts, 3);
    let names = ["install.swm", "install2.swm", "install3.swm"];
    let paths = names.map(|name| folder.path().join(name));
    assert!(
        paths
            .iter()
            .all(|path| path.metadata().unwrap().len() <= 1_000_000)
    );
    let joined = folder.path().join("joined.wim");
    let arguments = [
        "join",
        text(&joined),
        text(&paths[0]),
        text(&paths[1]),
        text(&paths[2]),
    ];
    judge("wimlib-imagex", &arguments);
    judge("wimlib-imagex", &["verify", text(&joined)]);
    let (_, error, _) = failed(&run(Operation::Split(Split {
        wim: paths[1].clone(),
        first,
        part_bytes: 1_000_000,
    })));
    assert!(error.contains("splitting"), "{error}");
}
