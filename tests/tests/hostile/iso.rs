//! ISO 9660, Joliet, Rock Ridge, El Torito.

use disk_image::read::Image;
use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};

use super::disks::{clean, device, volume};
use super::{put, run, said, with};

const ISO: Parser = Parser {
    name: "iso",
    read: |bytes| {
        let image = Image::new(device(bytes)).map_err(said)?;
        let iso = image.iso().ok_or("no ISO")?;
        volume(iso)?;
        iso.joliet().map_or(Ok(()), |joliet| volume(&joliet))?;
        clean(image.check())
    },
};
const SECTOR: usize = 2048;
const PRIMARY: usize = 16 * SECTOR;
const ROOT: usize = PRIMARY + 156;

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![(ISO, vec![image()])]
}

pub(crate) fn check() -> usize {
    tests::hostile::check(ISO, cases())
}

/// Folders, long names, a link, and an image that is started.
fn image() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (image, tree) = (folder.path().join("iso"), folder.path().join("tree"));
    std::fs::create_dir_all(tree.join("deep/er")).unwrap();
    for name in [
        "boot.img",
        "deep/er/file",
        "deep/a rather long name with spaces.text",
    ] {
        std::fs::write(tree.join(name), vec![b'x'; 5000]).unwrap();
    }
    std::fs::write(tree.join("n".repeat(200)), "long").unwrap();
    std::os::unix::fs::symlink("../deep/er/file", tree.join("deep/link")).unwrap();
    let (image, tree) = (image.to_str().unwrap(), tree.to_str().unwrap());
    let names = [
        "-as",
        "mkisofs",
        "-quiet",
        "-r",
        "-J",
        "-joliet-long",
        "-V",
        "LABEL",
    ];
    let boot = ["-b", "boot.img", "-no-emul-boot", "-o", image, tree];
    run("xorriso", &[&names[..], &boot].concat());
    std::fs::read(image).unwrap()
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// A number in both byte orders.
fn both(number: u32) -> Vec<u8> {
    [number.to_le_bytes(), number.to_be_bytes()].concat()
}

/// A record of a folder with that system use area.
fn record(name: &[u8], flags: u8, sector: u32, size: u32, area: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 33];
    put(&mut record, 2, &both(sector));
    put(&mut record, 10, &both(size));
    (record[25], record[28], record[32]) = (flags, 1, name.len() as u8);
    record.extend(name);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record.extend(area);
    record[0] = record.len() as u8;
    record
}

/// The image with a root folder of so many sectors at its end that has these records, and no Joliet.
fn rooted(records: &[Vec<u8>], sectors: usize) -> Vec<u8> {
    let mut image = image();
    image.resize(image.len().next_multiple_of(SECTOR), 0);
    let place = (image.len() / SECTOR) as u32;
    put(&mut image, ROOT + 2, &both(place));
    put(&mut image, ROOT + 10, &both((sectors * SECTOR) as u32));
    put(&mut image, PRIMARY + SECTOR + 1, b"CD001");
    for descriptor in 17..24 {
        if image[descriptor * SECTOR] == 2 {
            image[descriptor * SECTOR] = 3;
        }
    }
    let begin = image.len();
    image.resize(begin + sectors * SECTOR, 0);
    let mut at = begin;
    for record in records {
        if at % SECTOR + record.len() > SECTOR {
            at = at.next_multiple_of(SECTOR);
        }
        put(&mut image, at, record);
        at += record.len();
    }
    image
}

/// Where the records of [`rooted`] lie, by the sector.
fn place() -> u32 {
    image().len().div_ceil(SECTOR) as u32
}

/// An area that leads to a continuation.
fn continued(sector: u32, offset: u32, length: u32) -> Vec<u8> {
    [b"CE\x1c\x01".to_vec(), both(sector), both(offset), both(length)].concat()
}

/// A continuation of names that leads to itself again, and as many files as fit that have it.
fn names_without_end() -> Vec<u8> {
    const SECTORS: usize = 200;
    let sector = place() + SECTORS as u32;
    let files = vec![record(b"F", 0, 20, 1, &continued(sector, 0, 2048)); 30 * SECTORS];
    let mut image = rooted(&files, SECTORS);
    let part = [b"NM\xFF\x01\x00".to_vec(), vec![b'n'; 250]].concat();
    let mut area = part.repeat(7);
    area.extend(continued(sector, 0, 2048));
    area.resize(SECTOR, 0);
    image.extend(area);
    image
}

fn cases() -> Vec<Case> {
    let good = image();
    let root = number(&good, ROOT + 2) * SECTOR;
    // Behind "." and "..".
    let first = root + usize::from(good[root]) + usize::from(good[root + usize::from(good[root])]);
    let fields = [
        ("the root's sector", ROOT + 2, 4),
        ("bytes of the root", ROOT + 10, 4),
        ("sectors of the image", PRIMARY + 80, 4),
        ("bytes of a sector", PRIMARY + 128, 2),
        ("length of a record", first, 1),
        ("attribute sectors of a record", first + 1, 1),
        ("flags of a record", first + 25, 1),
        ("interleaving of a record", first + 26, 2),
        ("length of a name", first + 32, 1),
        ("place of the boot catalogue", PRIMARY + SECTOR + 71, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    for (name, at) in [("sector", 2), ("bytes", 10)] {
        for number in [0, 1, i32::MAX as u32, u32::MAX] {
            let of = |what: &str, place: usize| {
                either(
                    format!("{name} of {what} is {number} in both orders"),
                    with(&good, place + at, &both(number)),
                )
            };
            cases.extend([of("the root", ROOT), of("a record", first)]);
        }
    }
    let one = |record: Vec<u8>| rooted(&[record], 1);
    let area = |area: &[u8]| one(record(b"F", 0, 20, 1, area));
    cases.extend([
        read("as xorriso made it", good.clone()),
        refused(
            "one of the byte orders differs",
            with(&good, ROOT + 6, &[1, 2, 3, 4]),
        ),
        refused("no primary descriptor", with(&good, PRIMARY, &[3])),
        refused("descriptors without end", {
            let mut image = good.clone();
            let primary = image[PRIMARY..PRIMARY + SECTOR].to_vec();
            (17..90).for_each(|sector| put(&mut image, sector * SECTOR, &primary));
            image
        }),
        refused("a root of 4 GiB", with(&good, ROOT + 10, &both(u32::MAX))),
        refused("a root that is nowhere", with(&good, ROOT + 2, &both(u32::MAX))),
        refused(
            "a folder that is the root",
            one(record(b"D", 2, place(), 2048, &[])),
        ),
        refused("two folders that are the root", {
            rooted(
                &[
                    record(b"D", 2, place(), 2048, &[]),
                    record(b"E", 2, place(), 2048, &[]),
                ],
                1,
            )
        }),
        refused("20,000 folders that are the same large one", {
            let large = record(b"D", 2, place() + 400, 8 << 20, &[]);
            let mut image = rooted(&vec![large; 20_000], 400);
            image.resize(image.len() + (8 << 20), 0);
            image
        }),
        refused(
            "a file that leaves the image",
            one(record(b"F", 0, 20, u32::MAX, &[])),
        ),
        refused("a record that leaves its folder", {
            let mut image = one(record(b"F", 0, 20, 1, &[]));
            let end = image.len() - 10;
            image[end] = 200;
            image[end - 2038..end].fill(0);
            put(&mut image, end - 2038, &[0]);
            image[place() as usize * SECTOR] = 255;
            image.truncate(place() as usize * SECTOR + SECTOR);
            with(&image, ROOT + 10, &both(100))
        }),
        refused(
            "a name that leaves its record",
            with(
                &one(record(b"F", 0, 20, 1, &[])),
                place() as usize * SECTOR + 32,
                &[200],
            ),
        ),
        refused("a file whose next extent is missing", {
            rooted(&[record(b"F", 0x80, 20, 1, &[]), record(b"G", 0, 20, 1, &[])], 1)
        }),
        either(
            "a file whose last extent is missing",
            one(record(b"F", 0x80, 20, 1, &[])),
        ),
        refused("a continuation that is itself", area(&continued(place(), 34, 28))),
        refused(
            "a continuation that is nowhere",
            area(&continued(u32::MAX, u32::MAX, 28)),
        ),
        refused("a continuation of 4 GiB", area(&continued(20, 0, u32::MAX))),
        refused(
            "a continuation that leaves the image",
            area(&continued(place() + 1, 0, 2048)),
        ),
        refused("names without end", names_without_end()),
        either("a field of no bytes", area(b"NM\0\x01\0")),
        either("a field that leaves its area", area(b"NM\xFF\x01\0")),
        either("a name of no letters", area(b"NM\x05\x01\0")),
        either("a name with a slash", area(b"NM\x09\x01\0../x")),
        either("a name that is no UTF-8", area(b"NM\x07\x01\0\xFF\xFE")),
        read("a link out of the image", area(b"SL\x0A\x01\0\x08\0\x04\0\0")),
        either("a link whose component leaves it", area(b"SL\x07\x01\0\0\xFF")),
        refused("a boot catalogue that is nowhere", {
            let boot = (17..24).find(|sector| good[sector * SECTOR] == 0).unwrap();
            with(&good, boot * SECTOR + 71, &[0xFF; 4])
        }),
        refused("a boot catalogue without entries", {
            let boot = (17..24).find(|sector| good[sector * SECTOR] == 0).unwrap();
            let catalogue = number(&good, boot * SECTOR + 71) * SECTOR;
            with(&good, catalogue, &[0; 64])
        }),
        either(
            "two files of one name",
            rooted(&[record(b"F", 0, 20, 1, &[]), record(b"F", 0, 21, 1, &[])], 1),
        ),
        either(
            "names that differ in case",
            rooted(&[record(b"F", 0, 20, 1, &[]), record(b"f", 0, 21, 1, &[])], 1),
        ),
    ]);
    cases.extend(cuts(
        &good,
        [
            0,
            1,
            PRIMARY,
            PRIMARY + 6,
            PRIMARY + SECTOR,
            18 * SECTOR,
            root,
            root + 40,
        ],
    ));
    cases
}
