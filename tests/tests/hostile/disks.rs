//! Partition tables and FAT, as the readers that judge media see them.

use std::io::{Cursor, Read as _};

use disk_image::read::{Device, Fat, Image, PartitionTable, Volume};
use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};

use super::{crc32, put, run, said, with};

const TABLE: Parser = Parser {
    name: "gpt",
    read: |bytes| {
        let table = PartitionTable::read(&device(bytes)).map_err(said)?;
        clean(table.problems)
    },
};
/// For mutations, most of which would end at a checksum.
const SUMMED: Parser = Parser {
    name: "gpt-with-sums",
    read: |bytes| {
        let mut disk = bytes.to_vec();
        if disk.len() > 64 << 10 {
            sum(&mut disk);
        }
        (TABLE.read)(&disk)
    },
};
const FAT: Parser = Parser {
    name: "fat",
    read: |bytes| volume(&Fat::open(device(bytes)).map_err(said)?),
};
const DISK: Parser = Parser {
    name: "disk",
    read: |bytes| {
        let image = Image::new(device(bytes)).map_err(said)?;
        image.volumes().try_for_each(volume)?;
        clean(image.check())
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    let (fats, disk) = (vec![fat("12"), fat("32")], disk());
    vec![
        (TABLE, vec![gpt()]),
        (SUMMED, vec![gpt()]),
        (FAT, fats),
        (DISK, vec![disk]),
    ]
}

pub(crate) fn check() -> usize {
    use tests::hostile::check;
    check(TABLE, tables()) + check(FAT, fats()) + check(DISK, disks())
}

pub(crate) fn device(bytes: &[u8]) -> Device {
    Device::new(Cursor::new(bytes.to_vec())).unwrap()
}

/// All that verifying media does with a volume.
pub(crate) fn volume(volume: &dyn Volume) -> Result<(), String> {
    let problems = volume.check();
    for found in volume.walk().map_err(said)? {
        if !found.node.is_folder() {
            let content = volume.content(&found.node).map_err(said)?;
            content.take(1 << 20).read_to_end(&mut Vec::new()).map_err(said)?;
        }
    }
    let _there_may_be_none = volume.find("deep/er/file");
    clean(problems)
}

pub(crate) fn clean(problems: Vec<String>) -> Result<(), String> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.join("; "))
}

const SECTOR: usize = 512;
/// Of the entries of the primary table.
const ENTRIES: usize = 2 * SECTOR;

/// A disk of 1 MiB with two partitions.
fn gpt() -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 20).unwrap();
    let path = file.path().to_str().unwrap();
    let parts = [
        "-a",
        "8",
        "-n",
        "1:64:+256",
        "-n",
        "2:512:+512",
        "-c",
        "1:boot",
        path,
    ];
    run("sgdisk", &parts);
    std::fs::read(path).unwrap()
}

/// Makes the checksums of the entries and of both headers fit again; what counts is the primary table.
fn sum(disk: &mut [u8]) {
    let entries = crc32(&disk[ENTRIES..ENTRIES + 128 * 128]);
    let last = disk.len() - SECTOR;
    let copy = disk[ENTRIES..ENTRIES + 128 * 128].to_vec();
    put(disk, last - 32 * SECTOR, &copy);
    for header in [SECTOR, last] {
        put(disk, header + 88, &entries.to_le_bytes());
        sum_header(disk, header);
    }
}

fn sum_header(disk: &mut [u8], header: usize) {
    put(disk, header + 16, &[0; 4]);
    let sum = crc32(&disk[header..header + 92]);
    put(disk, header + 16, &sum.to_le_bytes());
}

/// The disk with a field of both headers changed.
fn in_both(at: usize, part: &[u8]) -> Vec<u8> {
    let mut disk = gpt();
    for header in [SECTOR, disk.len() - SECTOR] {
        put(&mut disk, header + at, part);
        sum_header(&mut disk, header);
    }
    disk
}

/// The disk with a field of an entry changed.
fn in_entry(at: usize, part: &[u8]) -> Vec<u8> {
    let mut disk = with(&gpt(), ENTRIES + at, part);
    sum(&mut disk);
    disk
}

fn tables() -> Vec<Case> {
    let fields = [
        ("revision", 8, 4),
        ("length of the header", 12, 4),
        ("own place", 24, 8),
        ("place of the other table", 32, 8),
        ("first usable sector", 40, 8),
        ("last usable sector", 48, 8),
        ("place of the entries", 72, 8),
        ("number of entries", 80, 4),
        ("size of an entry", 84, 4),
    ];
    let fields = fields.map(|(name, at, length)| (name, SECTOR + at, length));
    let mut cases = extremes(&gpt(), &fields, |disk| sum_header(disk, SECTOR));
    let most = u32::MAX.to_le_bytes();
    cases.extend([
        read("as sgdisk made it", gpt()),
        refused("nothing", []),
        refused("zeros", vec![0; 1 << 20]),
        refused("2^32 entries", in_both(80, &most)),
        refused("2^32 entries of no bytes", in_both(80, &[most, [0; 4]].concat())),
        refused("2^32 entries of 2^32 bytes", in_both(80, &[most, most].concat())),
        refused("an entry of no bytes", in_both(84, &[0; 4])),
        refused("an entry of 129 bytes", in_both(84, &129_u32.to_le_bytes())),
        refused("entries beyond every disk", in_both(72, &[0xFF; 8])),
        refused(
            "entries beyond this disk",
            in_both(72, &(1_u64 << 40).to_le_bytes()),
        ),
        refused("a header of no bytes", in_both(12, &[0; 4])),
        refused("a header of 2^32 bytes", in_both(12, &most)),
        refused("a partition that ends before it begins", in_entry(40, &[0; 8])),
        refused("a partition that begins at 2^64", in_entry(32, &[0xFF; 8])),
        refused(
            "a partition of all sectors",
            in_entry(32, &[[0; 8], [0xFF; 8]].concat()),
        ),
        refused(
            "a partition that ends at 2^64 bytes",
            in_entry(32, &[(u64::MAX / 512).to_le_bytes(); 2].concat()),
        ),
        read(
            "a name of broken UTF-16",
            in_entry(56, &[0, 0xD8, 0, 0xD8, b'a', 0]),
        ),
        read("a name of 36 units", in_entry(56, &[b'a'; 72])),
    ]);
    cases.extend(cuts(
        &gpt(),
        [0, 1, 511, 512, 520, 603, 604, 1024, 4096, (1 << 20) - 1],
    ));
    cases
}

/// A volume: FAT12 with names of all kinds, or an empty FAT32.
fn fat(bits: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (image, file) = (folder.path().join("image"), folder.path().join("file"));
    let length = if bits == "12" { 512 << 10 } else { 2 << 20 };
    std::fs::File::create(&image).unwrap().set_len(length).unwrap();
    std::fs::write(&file, vec![b'x'; 5000]).unwrap();
    let (image, file) = (image.to_str().unwrap(), file.to_str().unwrap());
    run("mkfs.fat", &["-F", bits, "-s", "1", "-n", "LABEL", image]);
    // So small a FAT32 is none for mtools.
    if bits == "32" {
        return std::fs::read(image).unwrap();
    }
    run("mmd", &["-i", image, "::/deep", "::/deep/er", "::/empty"]);
    for name in [
        "SHORT.TXT",
        "deep/er/file",
        "deep/a rather long name with spaces.text",
    ] {
        run("mcopy", &["-i", image, file, &format!("::/{name}")]);
    }
    std::fs::read(image).unwrap()
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// FAT12 as mkfs.fat lays it out: where its root folder and its clusters begin.
struct Places {
    tables: [usize; 2],
    root: usize,
    heap: usize,
    cluster: usize,
}

fn places(fat: &[u8]) -> Places {
    let (reserved, table) = (word(fat, 14) * 512, word(fat, 22) * 512);
    let root = reserved + 2 * table;
    Places {
        tables: [reserved, reserved + table],
        root,
        heap: root + word(fat, 17) * 32,
        cluster: usize::from(fat[13]) * 512,
    }
}

/// Lets a cluster be followed by another one, in both tables.
fn link(fat: &mut [u8], cluster: usize, next: usize) {
    for table in places(fat).tables {
        let at = table + cluster * 3 / 2;
        let old = word(fat, at);
        let new = match cluster % 2 {
            0 => old & 0xF000 | next,
            _ => old & 0x000F | next << 4,
        };
        put(fat, at, &(new as u16).to_le_bytes());
    }
}

/// A short entry.
fn entry(name: &[u8; 11], attributes: u8, cluster: usize, size: u32) -> Vec<u8> {
    let mut entry = name.to_vec();
    entry.resize(32, 0);
    entry[11] = attributes;
    put(&mut entry, 26, &(cluster as u16).to_le_bytes());
    put(&mut entry, 28, &size.to_le_bytes());
    entry
}

/// The volume with only these entries in its root folder.
fn rooted(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut fat = fat("12");
    let Places { root, heap, .. } = places(&fat);
    fat[root..heap].fill(0);
    put(&mut fat, root, &entries.concat());
    fat
}

/// A part of a long name.
fn long(order: u8, sum: u8, unit: u16) -> Vec<u8> {
    let mut entry = vec![0; 32];
    (entry[0], entry[11], entry[13]) = (order, 0x0F, sum);
    for at in (1..11)
        .chain(14..26)
        .chain(28..32)
        .step_by(1)
        .filter(|at| at % 2 == 1 - usize::from(*at > 11))
    {
        put(&mut entry, at, &unit.to_le_bytes());
    }
    entry
}

const FOLDER: u8 = 0x10;

/// FAT16 of 31 MiB with one chain of nearly all clusters, and a folder of 20,000 files that begin at one of it each.
fn files_in_one_chain() -> Vec<u8> {
    const CLUSTERS: usize = 60_000;
    const FILES: usize = 20_000;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(31 << 20).unwrap();
    run(
        "mkfs.fat",
        &["-F", "16", "-s", "1", file.path().to_str().unwrap()],
    );
    let mut fat = std::fs::read(file.path()).unwrap();
    let Places {
        tables,
        root,
        heap,
        cluster,
    } = places(&fat);
    let folder = FILES * 32 / cluster;
    for number in 2..CLUSTERS {
        let ends = number == CLUSTERS - 1 || number == 1 + folder;
        let next = if ends { 0xFFFF } else { number + 1 } as u16;
        tables
            .iter()
            .for_each(|table| put(&mut fat, table + 2 * number, &next.to_le_bytes()));
    }
    put(&mut fat, root, &entry(b"D          ", FOLDER, 2, 0));
    for number in 0..FILES {
        let name = format!("F{number:010}");
        let file = entry(name.as_bytes().try_into().unwrap(), 0, 2 + folder + number, 1);
        put(&mut fat, heap + 32 * number, &file);
    }
    fat
}

fn fats() -> Vec<Case> {
    let good = fat("12");
    let Places { heap, cluster, .. } = places(&good);
    let fields = [
        ("bytes of a sector", 11, 2),
        ("sectors of a cluster", 13, 1),
        ("reserved sectors", 14, 2),
        ("tables", 16, 1),
        ("entries of the root", 17, 2),
        ("sectors", 19, 2),
        ("sectors of a table", 22, 2),
        ("sectors, the long number", 32, 4),
        ("sectors of a table, the long number", 36, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    let fields32 = [
        ("the root's cluster", 44, 4),
        ("the other boot sector", 50, 2),
        ("sectors of a table", 36, 4),
    ];
    cases.extend(extremes(&fat("32"), &fields32, |_| ()));
    let linked = |from: usize, to: usize| {
        let mut fat = rooted(&[entry(b"A          ", 0, 2, 5000)]);
        for cluster in 2..12 {
            link(&mut fat, cluster, cluster + 1);
        }
        link(&mut fat, from, to);
        fat
    };
    let mut itself = rooted(&[entry(b"A          ", FOLDER, 2, 0)]);
    link(&mut itself, 2, 0xFFF);
    itself[heap..heap + cluster].fill(0);
    put(&mut itself, heap, &entry(b"A          ", FOLDER, 2, 0));
    let mut twice = rooted(&[entry(b"A          ", 0, 2, 100), entry(b"B          ", 0, 2, 100)]);
    link(&mut twice, 2, 0xFFF);
    let mut same_names = rooted(&[entry(b"A          ", 0, 2, 100), entry(b"A          ", 0, 3, 100)]);
    link(&mut same_names, 2, 0xFFF);
    link(&mut same_names, 3, 0xFFF);
    cases.extend([
        read("as mtools made it", good.clone()),
        read("FAT32 as mkfs.fat made it", fat("32")),
        refused("a chain that follows itself", linked(5, 5)),
        refused("a chain that goes back", linked(10, 3)),
        refused("a chain into a free cluster", linked(5, 0)),
        refused("a chain into cluster 1", linked(5, 1)),
        refused("a chain into a bad cluster", linked(5, 0xFF7)),
        refused("a chain out of the volume", linked(5, 0xFF0)),
        refused("a chain that is too short", linked(3, 0xFFF)),
        refused("a file in cluster 0", rooted(&[entry(b"A          ", 0, 0, 1)])),
        refused("a file in cluster 1", rooted(&[entry(b"A          ", 0, 1, 1)])),
        refused(
            "a file in cluster 65535",
            rooted(&[entry(b"A          ", 0, 0xFFFF, 1)]),
        ),
        refused(
            "a folder in cluster 0",
            rooted(&[entry(b"A          ", FOLDER, 0, 0)]),
        ),
        refused(
            "a file of 4 GiB",
            rooted(&[entry(b"A          ", 0, 2, u32::MAX)]),
        ),
        refused("a folder that holds itself", itself),
        refused("two files in the same clusters", twice),
        refused("20,000 files in one chain", files_in_one_chain()),
        either("two files of the same name", same_names),
        either("names with a slash, a zero and dots", {
            let names: [&[u8; 11]; 4] = [b"../../ETC  ", b"A/B        ", b"A\0B        ", b"..         "];
            rooted(&names.map(|name| entry(name, 0, 0, 0)))
        }),
        either("a long name whose parts are in the wrong order", {
            rooted(&[long(1, 0, 97), long(0x42, 0, 98), entry(b"A          ", 0, 0, 0)])
        }),
        either("a long name of 31 parts of which one is there", {
            rooted(&[long(0x5F, 0, 97), entry(b"A          ", 0, 0, 0)])
        }),
        either("a long name of half characters", {
            rooted(&[long(0x41, 0, 0xD800), entry(b"A          ", 0, 0, 0)])
        }),
        either(
            "long names without any file",
            rooted(&vec![long(0x41, 0, 97); 500]),
        ),
        refused("tables that differ", {
            with(&good, places(&good).tables[1] + 300, &[0xFF])
        }),
        refused(
            "another file system's name",
            with(&good, 3, b"EXFAT   ").split_off(512),
        ),
    ]);
    cases.extend(cuts(&good, [0, 1, 511, 512, 1000, 3000, 6000]));
    cases
}

/// A disk whose only partition, of 600 KiB, is that volume.
fn around(fat: &[u8]) -> Vec<u8> {
    let mut disk = gpt();
    let (first, last) = (128_u64, 128 + 1200 - 1_u64);
    disk[ENTRIES + 128..ENTRIES + 256].fill(0);
    put(
        &mut disk,
        ENTRIES + 32,
        &[first.to_le_bytes(), last.to_le_bytes()].concat(),
    );
    sum(&mut disk);
    put(&mut disk, 128 * SECTOR, fat);
    disk
}

fn disk() -> Vec<u8> {
    around(&fat("12"))
}

fn disks() -> Vec<Case> {
    let mut overlapping = gpt();
    let first = overlapping[ENTRIES + 32..ENTRIES + 48].to_vec();
    for number in 1..128 {
        let whole = overlapping[ENTRIES..ENTRIES + 128].to_vec();
        put(&mut overlapping, ENTRIES + number * 128, &whole);
        put(&mut overlapping, ENTRIES + number * 128 + 32, &first);
    }
    sum(&mut overlapping);
    let mut outside = disk();
    put(&mut outside, ENTRIES + 40, &(1_u64 << 40).to_le_bytes());
    sum(&mut outside);
    vec![
        read("a disk with a volume", disk()),
        refused("128 partitions of the same sectors", overlapping),
        refused("a partition that leaves the disk", outside),
        refused(
            "a volume that is longer than its partition",
            around(&with(&fat("12"), 19, &[0xFF, 0xFF])),
        ),
        refused("no partition table", fat("12")),
    ]
}
