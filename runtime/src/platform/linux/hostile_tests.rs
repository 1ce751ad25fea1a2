//! What is read of disks and volumes before anything is mounted, and that a stranger may have prepared. The other parsers:
//! `tests/tests/hostile`.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use disk_image::read::{Device, Fat};
use tempfile::NamedTempFile;
use tests::hostile::{Case, Parser, check, either, extremes, fuzz, read, refused};

use super::{fat_peek, probe, recovery, table};

const TABLE: Parser = Parser {
    name: "tables-of-the-runtime",
    read: |bytes| {
        let table = table::read(on_disk(bytes).as_file(), 512).ok_or("no table")?;
        if table.entries.len() > 4096 {
            Err("too many".into())
        } else {
            Ok(())
        }
    },
};
const NTFS: Parser = Parser {
    name: "ntfs",
    read: |bytes| unclean(bytes, "ntfs"),
};
const XFS: Parser = Parser {
    name: "xfs",
    read: |bytes| unclean(bytes, "xfs"),
};
const EXT4: Parser = Parser {
    name: "ext4",
    read: |bytes| unclean(bytes, "ext4"),
};
const SIGNATURES: Parser = Parser {
    name: "signatures",
    read: |bytes| {
        let disk = on_disk(bytes);
        let found = probe::probe_open(disk.as_file());
        let _either_is_right = (
            probe::volume_set(disk.as_file()),
            probe::edges_are_zero(disk.as_file(), u64::MAX),
        );
        if found.kind.is_empty() {
            Err("nothing known".into())
        } else {
            Ok(())
        }
    },
};
const PEEK: Parser = Parser {
    name: "fat-peek",
    read: |bytes| {
        let found = fat_peek::peek(on_disk(bytes).path(), "a/file").map_err(|error| error.to_string())?;
        found.map(drop).ok_or("no such file".into())
    },
};

fn on_disk(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn unclean(bytes: &[u8], kind: &str) -> Result<(), String> {
    let found = recovery::unclean(on_disk(bytes).path(), kind);
    found.map(drop).map_err(|error| error.to_string())
}

#[test]
fn hostile_disks_are_harmless() {
    let count = check(TABLE, tables())
        + check(NTFS, ntfs())
        + check(XFS, xfs())
        + check(EXT4, ext4())
        + check(PEEK, fats());
    println!("{count} hostile disks");
}

#[test]
fn mutated_disks_are_harmless() {
    fuzz(&[
        (TABLE, vec![mbr(&[]), chain(&[2048, 4096])]),
        (NTFS, vec![made_ntfs()]),
        (XFS, vec![made_xfs()]),
        (EXT4, vec![made_ext4()]),
        (SIGNATURES, vec![made_ext4(), made_ntfs(), made_fat()]),
        (PEEK, vec![made_fat()]),
    ]);
}

/// 64 GB whose root folder goes to and fro between two distant clusters for ever.
#[test]
fn the_chains_of_large_volumes_are_followed_no_further_than_folders_go() {
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(64 << 30).unwrap();
    let mut boot = vec![0; 512];
    let mut put = |at: usize, part: &[u8]| boot[at..at + part.len()].copy_from_slice(part);
    put(11, &512_u16.to_le_bytes());
    put(13, &[1, 32, 0, 1]);
    put(32, &(1_u32 << 27).to_le_bytes());
    put(36, &((1_u32 << 20) + 8).to_le_bytes());
    put(44, &2_u32.to_le_bytes());
    put(510, &[0x55, 0xAA]);
    let far = 100_000_000_u32;
    for (at, part) in [
        (0, boot),
        (TABLE_AT + 8, far.to_le_bytes().into()),
        (TABLE_AT + u64::from(far) * 4, 2_u32.to_le_bytes().into()),
    ] {
        file.as_file().write_all_at(&part, at).unwrap();
    }
    assert!(Fat::is_here(&Device::new(file.reopen().unwrap()).unwrap()));
    let begin = Instant::now();
    assert_eq!(fat_peek::peek(file.path(), "a/file").unwrap(), None);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

/// Behind 32 reserved sectors.
const TABLE_AT: u64 = 32 * 512;

fn run(program: &str, arguments: &[&str], file: &NamedTempFile) {
    let mut command = Command::new(program);
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .args(arguments)
        .arg(file.path());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{program}");
}

/// The beginning of a volume that a program makes.
fn made(program: &str, arguments: &[&str], megabytes: u64, length: usize) -> Vec<u8> {
    use std::io::Read as _;
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(megabytes << 20).unwrap();
    run(program, arguments, &file);
    let mut bytes = Vec::new();
    File::open(file.path())
        .unwrap()
        .take(length as u64)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// Master file table and log of so small a volume lie in its first half.
fn made_ntfs() -> Vec<u8> {
    let arguments = [
        "-F", "-Q", "-q", "-p", "2048", "-H", "255", "-S", "63", "-s", "512",
    ];
    made("mkntfs", &arguments, 2, 2 << 20)
}

/// Without the log, which lies behind: that it cannot be read is an error.
fn made_xfs() -> Vec<u8> {
    made("mkfs.xfs", &["-q"], 320, 64 << 10)
}

fn made_ext4() -> Vec<u8> {
    made("mkfs.ext4", &["-q"], 8, 128 << 10)
}

fn made_fat() -> Vec<u8> {
    made("mkfs.fat", &["-F", "12"], 1, 256 << 10)
}

/// A first sector with these entries: kind, first sector, sectors.
fn mbr(entries: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut sector = vec![0; 512];
    for (entry, (kind, start, count)) in sector[446..510].chunks_exact_mut(16).zip(entries) {
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&count.to_le_bytes());
    }
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    sector
}

/// An extended partition from sector 8 on whose tables, one a sector, name a partition and the next table each.
fn chain(next: &[u32]) -> Vec<u8> {
    let mut disk = mbr(&[(0x0F, 8, 1 << 20), (0x83, 1, 1)]);
    disk.resize(8 * 512, 0);
    for next in next {
        disk.extend(mbr(&[(0x83, 1, 1), (0x05, *next, 1)]));
    }
    disk.extend(mbr(&[(0x83, 1, 1)]));
    disk
}

fn tables() -> Vec<Case> {
    let four = |kind, start, count| mbr(&[(kind, start, count); 4]);
    let rings = (0..4).map(|_| (0x05_u8, 1_u32, 9_u32)).collect::<Vec<_>>();
    let mut both = four(0x05, 1, 9);
    both.extend(mbr(&rings));
    vec![
        read("an empty table", mbr(&[])),
        refused("nothing", []),
        refused("zeros", vec![0; 4096]),
        refused("cut off", &mbr(&[])[..511]),
        read("partitions of all sectors", four(0x83, u32::MAX, u32::MAX)),
        read(
            "extended partitions beyond every disk",
            four(0x05, u32::MAX, u32::MAX),
        ),
        read("an extended partition that is the first sector", four(0x05, 0, 1)),
        read("extended partitions that lead to each other", both),
        read("a chain that follows itself", chain(&[0])),
        read("a chain that goes back", chain(&[1, 2, 3, 1])),
        read("a chain of 2,000 tables", chain(&(1..2000).collect::<Vec<_>>())),
        read("a chain that leads out", chain(&[u32::MAX])),
        refused(
            "a table that is an NTFS volume",
            [&b"\xEB\x52\x90NTFS    "[..], &mbr(&[])[11..]].concat(),
        ),
        read("2^32 entries of a GPT", gpt(u32::MAX, 128)),
        read("2^32 entries of no bytes", gpt(u32::MAX, 0)),
        read("2^32 entries of 2^32 bytes", gpt(u32::MAX, u32::MAX)),
    ]
}

/// A protective table and a header with a checksum that fits: it says where entries lie that nobody has written.
fn gpt(count: u32, size: u32) -> Vec<u8> {
    let mut header = b"EFI PART\0\0\x01\0\x5C\0\0\0".to_vec();
    header.resize(92, 0);
    for (at, number) in [(24, 1_u64), (32, 2047), (40, 34), (48, 2014), (72, 2)] {
        header[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    header[80..84].copy_from_slice(&count.to_le_bytes());
    header[84..88].copy_from_slice(&size.to_le_bytes());
    let bit = |crc: u32, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1));
    let sum = !header
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit));
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    let mut disk = mbr(&[(0xEE, 1, 2047)]);
    disk.extend(header);
    disk.resize(1 << 20, 0);
    disk
}

fn ntfs() -> Vec<Case> {
    let good = made_ntfs();
    let number = |at: usize| u64::from_le_bytes(good[at..at + 8].try_into().unwrap());
    let cluster = u64::from(good[0x0D]) * 512;
    let table = (number(0x30) * cluster) as usize;
    let (log, volume) = (table + 2 * 1024, table + 3 * 1024);
    let fields = [
        ("bytes of a sector", 0x0B, 2),
        ("sectors of a cluster", 0x0D, 1),
        ("place of the file table", 0x30, 8),
        ("clusters of a record", 0x40, 1),
        ("place of the update sequence", volume + 4, 2),
        ("length of the update sequence", volume + 6, 2),
        ("place of the attributes", volume + 0x14, 2),
        ("place of the attributes of the log", log + 0x14, 2),
        ("length of an attribute", log + 0x38 + 4, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    let changed = |at: usize, part: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + part.len()].copy_from_slice(part);
        bytes
    };
    cases.extend([
        read("as mkntfs made it", good.clone()),
        refused("nothing", []),
        refused("clusters of 2^63 sectors", changed(0x0D, &[193])),
        refused("clusters of 2^127 sectors", changed(0x0D, &[129])),
        refused(
            "clusters of 2^16 sectors of 65,535 bytes",
            changed(0x0B, &[0xFF, 0xFF, 240]),
        ),
        refused(
            "records of 127 clusters of 2^16 sectors",
            [changed(0x0D, &[240]), vec![]].concat(),
        ),
        refused("records of 2^63 bytes", changed(0x40, &[193])),
        refused("a file table at 2^64", changed(0x30, &[0xFF; 8])),
        refused(
            "a file table at 2^63",
            changed(0x30, &(1_u64 << 52).to_le_bytes()),
        ),
        refused(
            "attributes without end",
            changed(volume + 0x38, &[0, 0, 0, 0, 0x10, 0, 0, 0].repeat(8)),
        ),
        refused("an attribute of no bytes", changed(volume + 0x38 + 4, &[0; 4])),
    ]);
    cases.extend((4..=8).map(|length| {
        either(
            format!("a log that begins at 2^{}", 8 * length),
            log_at(&good, log, length),
        )
    }));
    cases.extend([511, 512, table, volume + 100].map(|at| refused(format!("cut off at {at}"), &good[..at])));
    cases
}

/// The volume with a log whose first run begins at the largest number of that many bytes.
fn log_at(good: &[u8], record: usize, length: usize) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let mut at = record + usize::from(bytes[record + 0x14]);
    while bytes[at] != 0x80 {
        at += usize::from(bytes[at + 4]);
    }
    let runs = at + usize::from(bytes[at + 0x20]);
    bytes[runs] = (length as u8) << 4 | 1;
    bytes[runs + 2..runs + 2 + length].fill(0xFF);
    bytes
}

fn xfs() -> Vec<Case> {
    let fields = [
        ("bytes of a block", 4, 4),
        ("first block of the log", 48, 8),
        ("blocks of a group", 84, 4),
        ("blocks of the log", 96, 4),
        ("bits of a group", 124, 1),
    ];
    let mut cases = extremes(&made_xfs(), &fields, |_| ());
    cases.push(refused("nothing", []));
    cases.push(refused("a log that is not there", made_xfs()));
    cases
}

fn ext4() -> Vec<Case> {
    vec![
        read("as mkfs.ext4 made it", made_ext4()),
        refused("nothing", []),
        refused("cut off", &made_ext4()[..0x461]),
    ]
}

/// What is looked for on every FAT volume of the machine. Its chains are followed no further than a folder can be long.
fn fats() -> Vec<Case> {
    let good = made_fat();
    let fields = [
        ("bytes of a sector", 11, 2),
        ("entries of the root", 17, 2),
        ("sectors of a table", 22, 2),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    cases.push(refused("no such file", good));
    cases
}
