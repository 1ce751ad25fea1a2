//! exFAT.

use disk_image::exfat::{Params, plan};
use disk_image::read::Exfat;
use disk_image::{Content, FileTree};
use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};

use super::disks::{device, volume};
use super::{put, said, with};

const EXFAT: Parser = Parser {
    name: "exfat",
    read: |bytes| volume(&Exfat::open(device(bytes)).map_err(said)?),
};

/// For mutations, most of which would end at a checksum.
const SUMMED: Parser = Parser {
    name: "exfat-with-sums",
    read: |bytes| {
        let mut image = bytes.to_vec();
        for at in (0..image.len().saturating_sub(256 * 32)).step_by(32) {
            if image[at] == 0x85 {
                sum(&mut image, at);
            }
        }
        (EXFAT.read)(&image)
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![(EXFAT, vec![image()]), (SUMMED, vec![image()])]
}

pub(crate) fn check() -> usize {
    tests::hostile::check(EXFAT, cases())
}

/// A volume of 1 MiB: a folder, files with and without content, a name in several entries.
fn image() -> Vec<u8> {
    let mut tree = FileTree::default();
    for name in [
        "a",
        "deep/er/file",
        "deep/a name that needs more than one of the entries for names",
    ] {
        tree.insert(name, 5000, Content::Bytes(vec![b'x'; 5000])).unwrap();
    }
    tree.insert("empty", 0, Content::Bytes(vec![])).unwrap();
    let params = Params {
        size: 1 << 20,
        sector_size: 512,
        serial: 1,
        label: "DATA".into(),
        partition_offset: 0,
        timestamp: 1_700_000_000,
    };
    let layout = plan(&tree, &params).unwrap();
    let mut image = vec![0; 1 << 20];
    for extent in &layout.extents {
        if let Content::Bytes(bytes) = &extent.content {
            put(&mut image, extent.offset as usize, bytes);
        }
    }
    image
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Where the root folder's first entry of that kind lies.
fn entry(image: &[u8], kind: u8) -> usize {
    let cluster = 1 << (image[108] + image[109]);
    let root = number(image, 88) * 512 + (number(image, 96) - 2) * cluster;
    (root..image.len())
        .step_by(32)
        .find(|at| image[*at] == kind)
        .unwrap()
}

/// Makes the checksum of the entries that begin there fit again.
fn sum(image: &mut [u8], at: usize) {
    let length = 32 * (1 + usize::from(image[at + 1]));
    let set = &image[at..at + length];
    let covered = set.iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
    let sum = covered.fold(0_u16, |sum, (_, byte)| {
        sum.rotate_right(1).wrapping_add(u16::from(*byte))
    });
    put(image, at + 2, &sum.to_le_bytes());
}

/// The volume with a part of its first file's entries changed.
fn in_file(at: usize, part: &[u8]) -> Vec<u8> {
    let mut image = image();
    let file = entry(&image, 0x85);
    put(&mut image, file + at, part);
    sum(&mut image, file);
    image
}

/// The volume with another next cluster of the first file's cluster, which is found in the table.
fn linked(next: u32) -> Vec<u8> {
    let mut image = in_file(33, &[1]);
    let first = number(&image, entry(&image, 0x85) + 52);
    let at = number(&image, 80) * 512 + first * 4;
    put(&mut image, at, &next.to_le_bytes());
    image
}

fn cases() -> Vec<Case> {
    let good = image();
    let fields = [
        ("sectors of the volume", 72, 8),
        ("place of the table", 80, 4),
        ("sectors of the table", 84, 4),
        ("place of the clusters", 88, 4),
        ("clusters", 92, 4),
        ("the root's cluster", 96, 4),
        ("bits of a sector", 108, 1),
        ("bits of a cluster", 109, 1),
        ("tables", 110, 1),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    let file = entry(&good, 0x85);
    let fields = [
        ("written bytes of a file", file + 40, 8),
        ("the cluster of a file", file + 52, 4),
        ("bytes of a file", file + 56, 8),
        ("units of a name", file + 35, 1),
        ("flags of a file", file + 33, 1),
        ("attributes", file + 4, 2),
    ];
    cases.extend(extremes(&good, &fields, |image| sum(image, file)));
    let (bitmap, upcase) = (entry(&good, 0x81), entry(&good, 0x82));
    let fields = [
        ("the bitmap's cluster", bitmap + 20, 4),
        ("bytes of the bitmap", bitmap + 24, 8),
        ("the up-case table's cluster", upcase + 20, 4),
        ("bytes of the up-case table", upcase + 24, 8),
    ];
    cases.extend(extremes(&good, &fields, |_| ()));
    let first = number(&good, file + 52) as u32;
    let root = number(&good, 96) as u32;
    cases.extend([
        read("as the planner made it", good.clone()),
        refused("a chain that follows itself", linked(first)),
        refused("a chain into the root folder", linked(root)),
        refused("a chain into cluster 0", linked(0)),
        refused("a chain into a bad cluster", linked(0xFFFF_FFF7)),
        refused("a chain out of the volume", linked(0x00FF_FFFF)),
        refused("a run of 2^60 bytes", in_file(56, &(1_u64 << 60).to_le_bytes())),
        refused(
            "more bytes written than there are",
            in_file(40, &(1_u64 << 60).to_le_bytes()),
        ),
        refused("a folder that is the root folder", {
            let mut image = in_file(4, &[0x10, 0]);
            let file = entry(&image, 0x85);
            put(&mut image, file + 52, &root.to_le_bytes());
            put(&mut image, file + 33, &[1]);
            sum(&mut image, file);
            image
        }),
        refused("256 entries of one file", with(&good, file + 1, &[0xFF])),
        refused("one entry of one file", with(&good, file + 1, &[0])),
        refused("a name of 255 units in one entry", in_file(35, &[0xFF])),
        either("a name with a slash", in_file(66, b"/\0")),
        either("a name of dots", in_file(35, &[2])),
        either("a name of half a character", in_file(66, &[0, 0xD8])),
        refused("no bitmap", with(&good, bitmap, &[1])),
        refused("no up-case table", with(&good, upcase, &[2])),
        either(
            "a label of 255 units",
            with(&good, entry(&good, 0x83) + 1, &[0xFF]),
        ),
    ]);
    cases.extend(cuts(
        &good,
        [0, 1, 511, 512, 5000, 12_288, 100_000, (1 << 20) - 1],
    ));
    cases
}
