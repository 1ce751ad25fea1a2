//! A writer of layouts, sources whose bytes are computed, and calls of foreign tools: for tests only.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use disk_image::{Content, Extent, FileTree, Layout, Node, SourceId};

/// The bytes of a source: unlike for every source and every block.
pub(crate) fn source_bytes(source: SourceId, offset: u64, length: u64) -> Vec<u8> {
    let seed = source.0 as u64;
    (offset..offset + length)
        .map(|at| (at ^ (at >> 8) ^ (at >> 17) ^ seed ^ (seed >> 8)) as u8)
        .collect()
}

/// A file of the numbered source.
pub(crate) fn source(number: usize) -> Content {
    Content::Source {
        source: SourceId(number),
        offset: 0,
    }
}

/// What a file's bytes should be.
pub(crate) fn expected(size: u64, content: &Content) -> Vec<u8> {
    match content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Source { source, offset } => source_bytes(*source, *offset, size),
        Content::Zero | Content::Late(_) => vec![0; size as usize],
    }
}

/// Writes a layout, sparse. Zeroes and late content stay holes.
pub(crate) fn write(layout: &Layout, path: &Path) {
    let file = File::create(path).expect("creating the image");
    write_at(&file, layout, 0);
    file.set_len(layout.size).expect("sizing the image");
}

/// Writes a layout into an open image.
pub(crate) fn write_at(mut file: &File, layout: &Layout, base: u64) {
    for Extent {
        offset,
        length,
        content,
        ..
    } in &layout.extents
    {
        if matches!(content, Content::Zero | Content::Late(_)) {
            continue;
        }
        let bytes = expected(*length, content);
        assert_eq!(
            bytes.len() as u64,
            *length,
            "the content at {offset} has another length"
        );
        file.seek(SeekFrom::Start(base + offset)).expect("seeking");
        file.write_all(&bytes).expect("writing");
    }
}

/// How many bytes the planner computed.
pub(crate) fn planned_bytes(layout: &Layout) -> usize {
    let bytes = |extent: &Extent| {
        if let Content::Bytes(bytes) = &extent.content {
            bytes.len()
        } else {
            0
        }
    };
    layout.extents.iter().map(bytes).sum()
}

/// Runs a tool that must succeed; gives what it said.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> String {
    let (status, said) = try_run(tool, arguments);
    assert_eq!(status, 0, "{tool} {arguments:?} said:\n{said}");
    said
}

/// Runs a tool; gives its exit status and what it said.
pub(crate) fn try_run(tool: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(tool)
        .args(arguments)
        .env("MTOOLS_SKIP_CHECK", "0")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("starting {tool}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Compares a tree with an extracted folder: every entry there, nothing else, every byte equal.
pub(crate) fn assert_extracted(entries: &BTreeMap<String, Node>, folder: &Path) {
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .expect("listing the extracted folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a Unicode name")
        })
        .collect();
    found.sort_unstable();
    let wanted: Vec<&String> = entries.keys().collect();
    assert_eq!(
        found.iter().collect::<Vec<_>>(),
        wanted,
        "in {}",
        folder.display()
    );
    for (name, node) in entries {
        let path = folder.join(name);
        match node {
            Node::Folder(inner) => assert_extracted(inner, &path),
            Node::File { size, content } => {
                let bytes = std::fs::read(&path).expect("reading an extracted file");
                assert!(bytes == expected(*size, content), "{} differs", path.display());
            }
        }
    }
}

/// `folders` folders with `files` small files each.
pub(crate) fn many(folders: usize, files: usize) -> FileTree {
    let mut tree = FileTree::default();
    for number in 0..folders * files {
        let path = format!("folder {:03}/small file {number:05}.dat", number / files);
        tree.insert(&path, (number % 5000) as u64, source(number))
            .expect("unique paths");
    }
    tree
}

/// Everything that is awkward, and small.
pub(crate) fn awkward() -> FileTree {
    let mut tree = FileTree::default();
    let files = [
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/BOOT/grubx64.efi",
        "boot/grub/grub.cfg",
        "日本語/ファイル 1.txt",
        "Ünïcödé/ÿ straße ψ.TXT",
        "LONGFI~1.TXT",
        "Long file name.txt",
        "no extension",
        ".hidden",
        "many.dots.in.one.name",
        "a+b,c;d=e[f].x y",
        "~1",
    ];
    for (number, path) in files.into_iter().enumerate() {
        tree.insert(path, 1 + number as u64 * 777, source(number))
            .expect("unique paths");
    }
    tree.insert("empty.txt", 0, Content::Bytes(Vec::new()))
        .expect("unique");
    tree.insert("bytes.bin", 5, Content::Bytes(b"12345".to_vec()))
        .expect("unique");
    tree.insert(
        "part",
        70_000,
        Content::Source {
            source: SourceId(99),
            offset: 4097,
        },
    )
    .expect("unique");
    tree.insert(&"n".repeat(255), 10, source(50)).expect("unique");
    for length in [12, 13, 14, 25, 26, 27, 30, 31, 45] {
        tree.insert(&"é".repeat(length), length as u64, source(length))
            .expect("unique");
    }
    for number in 0..25 {
        tree.insert(
            &format!("similar/a similar name {number}.text"),
            3,
            source(number),
        )
        .expect("unique");
    }
    tree.insert_folder("empty folder/another").expect("unique");
    tree.insert(&format!("{}file", "deep/".repeat(40)), 9, source(7))
        .expect("unique");
    tree
}
