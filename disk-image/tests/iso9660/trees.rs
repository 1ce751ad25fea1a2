//! Shapes of trees that readers and planners stumble over.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use disk_image::Content;
use disk_image::iso9660::plan;
use tempfile::tempdir;

use crate::judges::{extracts_to, isoinfo, path_text, run, seven_zip_is_content, sgdisk_is_content, xorriso};
use crate::sample::{Sample, late, params};

const GIB: u64 = 1 << 30;

#[test]
fn empty_volume() {
    judge(&Sample::default());
}

#[test]
fn empty_files_and_folders() {
    let mut sample = Sample::default();
    sample.file("zero", "");
    sample.file("a/zero too", "");
    sample.folder("a/empty");
    sample.folder("empty");
    judge(&sample);
}

#[test]
fn sizes_around_sectors() {
    let mut sample = Sample::default();
    for size in [1_usize, 2047, 2048, 2049, 4095, 4096, 4097, 100_000] {
        sample.file(
            &format!("size-{size}.bin"),
            (0..size).map(|at| (at * 7 + size) as u8).collect::<Vec<_>>(),
        );
    }
    judge(&sample);
}

#[test]
fn unicode_and_odd_names() {
    let mut sample = Sample::default();
    for name in [
        "Größe.txt",
        "文件.wim",
        "приве́т",
        "emoji 😀.txt",
        ".hidden",
        "a.b.c.tar.gz",
        "[x]{y}(z)",
        "%41 & ' $",
    ] {
        sample.file(&format!("ümlaute/{name}"), name);
    }
    sample.file(&"x".repeat(64), "longest Joliet name");
    judge(&sample);
}

#[test]
fn twelve_folders_deep() {
    let mut sample = Sample::default();
    let mut path = String::new();
    for level in 1..=12 {
        path = format!("{path}level {level}/");
        sample.file(&format!("{path}file"), path.clone());
    }
    judge(&sample);
}

#[test]
fn many_small_files() {
    let mut sample = Sample::default();
    for at in 0..20_000 {
        sample.file(
            &format!("folder-{:03}/file-{at:05}.dat", at % 200),
            format!("content {at}"),
        );
    }
    judge(&sample);
}

#[test]
fn flat_folder() {
    let mut sample = Sample::default();
    for at in 0..20_000 {
        // Equal in the 30 characters that an ISO name keeps.
        sample.file(
            &format!("flat/a name that is too long for its ISO name {at}"),
            format!("{at}"),
        );
    }
    judge(&sample);
}

#[test]
fn names_in_continuation_areas() {
    let mut sample = Sample::default();
    for length in [
        100, 127, 128, 129, 130, 131, 132, 140, 180, 249, 250, 251, 252, 253,
    ] {
        let name = format!("{length}-{}", "n".repeat(length - 4));
        sample.file(&format!("long/{name}"), name.clone());
        sample.file(&format!("{name}/file"), name);
    }
    for at in 0..100 {
        sample.file(&format!("many/{at:03}{}", "ö".repeat(120)), format!("{at}"));
    }
    let folder = tempdir().unwrap();
    let image = folder.path().join("long.iso");
    let mut params = params();
    params.joliet = false;
    sample.write(&params, &image);
    seven_zip_is_content(&image);
    let listing = isoinfo(&image, &["-R", "-f"]);
    for path in sample.files.keys() {
        assert!(
            listing.lines().any(|line| line == format!("/{path}")),
            "{path} is not in\n{listing}"
        );
    }
    let out = folder.path().join("out");
    xorriso(&image, &["-osirrox", "on", "-extract", "/", path_text(&out)]);
    run("chmod", "coreutils", &["-R", "u+w", path_text(&out)]);
    for (path, bytes) in &sample.files {
        assert_eq!(&std::fs::read(out.join(path)).unwrap(), bytes, "{path}");
    }
}

#[test]
fn file_over_four_gib_is_one_extent() {
    let folder = tempdir().unwrap();
    let (source, image) = (folder.path().join("source"), folder.path().join("big.iso"));
    let mut file = File::create(&source).unwrap();
    file.set_len(5 * GIB + 1).unwrap();
    let marks = [
        (0, "start"),
        (4 * GIB - 2048 - 2, "section"),
        (4 * GIB - 3, "4 GiB"),
        (5 * GIB - 2, "end"),
    ];
    for (at, mark) in marks {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(mark.as_bytes()).unwrap();
    }
    let mut sample = Sample::default();
    sample.source("data/install.wim", source);
    sample.file("data/z-after.txt", "after the big file");
    let layout = sample.write(&params(), &image);
    let sourced = |extent: &&disk_image::Extent| matches!(extent.content, Content::Source { .. });
    assert_eq!(
        layout
            .extents
            .iter()
            .filter(sourced)
            .map(|e| e.length)
            .collect::<Vec<_>>(),
        [5 * GIB + 1]
    );
    sgdisk_is_content(&image);
    assert!(isoinfo(&image, &["-R", "-l"]).contains("install.wim"));
    let listing = run("7z", "p7zip-full", &["l", path_text(&image)]);
    assert!(listing.contains(&format!("{}", 5 * GIB + 1)), "{listing}");
    // xorriso reads all that lies before, so the last one is enough.
    let (at, mark) = marks[3];
    let cut = folder.path().join("cut");
    let (from, count) = (at.to_string(), mark.len().to_string());
    let extract = ["-osirrox", "on", "-extract_cut", "/data/install.wim"];
    xorriso(
        &image,
        &[&extract[..], &[&from, &count, path_text(&cut)]].concat(),
    );
    assert_eq!(std::fs::read_to_string(&cut).unwrap(), mark);
    stream_by_7z_has(&image, "data/install.wim", 5 * GIB + 1, &marks);
}

/// The file has that length, and nothing but zeros between the marks.
fn stream_by_7z_has(image: &Path, file: &str, length: u64, marks: &[(u64, &str)]) {
    let mut running = Command::new("7z")
        .args(["e", "-so", path_text(image), file])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("7z; install the package p7zip-full");
    let mut content = BufReader::with_capacity(1 << 20, running.stdout.take().unwrap());
    let mut at = 0;
    for (start, mark) in marks {
        assert_zeros(&mut content, start - at);
        let mut found = vec![0; mark.len()];
        content.read_exact(&mut found).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), *mark, "at {start}");
        at = start + mark.len() as u64;
    }
    assert_zeros(&mut content, length - at);
    assert!(content.fill_buf().unwrap().is_empty(), "{file} is longer");
    assert!(running.wait().unwrap().success());
}

fn assert_zeros(content: &mut impl Read, count: u64) {
    let zeros = vec![0; 1 << 20];
    let mut found = zeros.clone();
    let mut left = count;
    while left > 0 {
        let part = left.min(zeros.len() as u64) as usize;
        content.read_exact(&mut found[..part]).unwrap();
        assert!(found[..part] == zeros[..part], "not zeros, {left} bytes before");
        left -= part as u64;
    }
}

#[test]
fn late_content() {
    let mut sample = Sample::default();
    sample.file("a.txt", "before");
    sample
        .tree
        .insert("manifest.json", 5000, Content::Late("manifest".to_owned()))
        .unwrap();
    sample
        .files
        .insert("manifest.json".to_owned(), late("manifest", 5000));
    judge(&sample);
}

#[test]
fn equal_inputs_give_equal_plans() {
    let mut sample = Sample::default();
    for name in ["b/Same Name", "b/same_name", "a/x", "c"] {
        sample.file(name, name);
    }
    let first = plan(&sample.tree, &params()).unwrap();
    assert_eq!(first, plan(&sample.tree.clone(), &params()).unwrap());
    let offsets: Vec<_> = first
        .extents
        .iter()
        .rev()
        .skip(1)
        .take(4)
        .map(|extent| extent.length)
        .collect();
    assert_eq!(offsets, [1, 11, 11, 3], "files lie in tree order");
}

#[test]
fn boot_areas_are_written_last() {
    let mut sample = Sample::default();
    sample.file("a", "a");
    let layout = plan(&sample.tree, &params()).unwrap();
    let last: Vec<_> = layout
        .extents
        .iter()
        .filter(|extent| extent.last)
        .map(|extent| extent.offset)
        .collect();
    assert_eq!(
        last,
        [0, 16 * 2048, layout.size - 33 * 512],
        "system area, descriptors, backup table"
    );
}

#[test]
fn texts_and_dates() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("texts.iso");
    Sample::default().write(&params(), &image);
    let text = isoinfo(&image, &["-d"]);
    for line in [
        "System id: LINUX",
        "Volume id: MEDIA_TEST",
        "Volume set id: 6F0C2D7E_93E5_5C55_9D2B_0C8F0A6B7E11",
        "Publisher id: TESTS",
        "Application id: MEDIA-BUILDER",
        "Joliet with UCS level 3 found",
        "Rock Ridge signatures version 1 found",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let dates = xorriso(&image, &["-pvd_info"]);
    assert!(dates.contains("Creation Time: 2023111422132000"), "{dates}");
    assert!(run("file", "file", &[path_text(&image)]).contains("ISO 9660 CD-ROM filesystem data"));
}

/// Every judge on a sample, with and without Joliet.
fn judge(sample: &Sample) {
    let folder = tempdir().unwrap();
    for joliet in [true, false] {
        let image = folder.path().join(format!("joliet-{joliet}.iso"));
        let mut params = params();
        params.joliet = joliet;
        sample.write(&params, &image);
        seven_zip_is_content(&image);
        sgdisk_is_content(&image);
        extracts_to(&image, sample);
        listed(&isoinfo(&image, &["-R", "-f"]), sample, "", '\u{ffff}');
        if joliet {
            listed(&isoinfo(&image, &["-J", "-f"]), sample, ";1", '\u{7f}');
        }
    }
}

/// isoinfo shows no characters beyond 16 bits, and of Joliet names only ASCII; 7z and xorriso have judged the others.
fn listed(listing: &str, sample: &Sample, version: &str, last: char) {
    let lines: std::collections::HashSet<_> = listing.lines().collect();
    for path in sample.files.keys().filter(|path| path.chars().all(|c| c <= last)) {
        assert!(
            lines.contains(format!("/{path}{version}").as_str()),
            "{path} is not in\n{listing}"
        );
    }
}
