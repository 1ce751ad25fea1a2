//! El Torito and the hybrid partition table.

use std::fs;
use std::path::Path;

use disk_image::iso9660::{BiosImage, Error, Params, SECTOR, plan};
use disk_image::{Content, Extent, Layout};
use tempfile::tempdir;

use crate::judges::{extracts_to, isoinfo, path_text, run, seven_zip_is_content, sgdisk_is_content, xorriso};
use crate::sample::{Sample, params};

const MIB: u64 = 1 << 20;

/// Stands in for GRUB's image: the planner only patches it.
fn grub_image() -> Vec<u8> {
    (0..100_001_u32).map(|at| ((at * 31) >> 3) as u8).collect()
}

/// A FAT file system with one file.
fn efi_image(folder: &Path, size: u64) -> Layout {
    let (image, file) = (folder.join("efi.img"), folder.join("BOOTX64.EFI"));
    fs::File::create(&image).unwrap().set_len(size).unwrap();
    fs::write(&file, "the loader").unwrap();
    run("mkfs.fat", "dosfstools", &["-i", "12345678", path_text(&image)]);
    run(
        "mcopy",
        "mtools",
        &["-i", path_text(&image), path_text(&file), "::"],
    );
    Layout {
        size,
        extents: vec![Extent::bytes(0, fs::read(image).unwrap())],
    }
}

fn bootable(folder: &Path, efi_size: u64) -> Params {
    let mut params = params();
    params.boot.bios_image = Some(BiosImage::Bytes(grub_image()));
    params.boot.efi_image = Some(efi_image(folder, efi_size));
    params.boot.hybrid_mbr = Some((0..512_u16).map(|at| at as u8).collect());
    params
}

fn sample() -> Sample {
    let mut sample = Sample::default();
    sample.file("boot/grub/grub.cfg", "echo");
    sample.file("data/payload", vec![7; 300_000]);
    sample
}

/// The columns of the first line of a report that starts with `label`.
fn columns(report: &str, label: &str) -> Vec<String> {
    let line = report.lines().find(|line| line.starts_with(label));
    let line = line.unwrap_or_else(|| panic!("{label} is not in\n{report}"));
    line[label.len()..]
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[test]
fn hybrid_image_for_bios_and_uefi() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("hybrid.iso");
    sample().write(&bootable(folder.path(), 2 * MIB), &image);
    seven_zip_is_content(&image);
    sgdisk_is_content(&image);
    extracts_to(&image, &sample());
    let report = xorriso(
        &image,
        &["-report_el_torito", "plain", "-report_system_area", "plain"],
    );
    let bios = columns(&report, "El Torito boot img :   1");
    assert_eq!(bios[..6], ["BIOS", "y", "none", "0x0000", "0x00", "4"]);
    let efi = columns(&report, "El Torito boot img :   2");
    assert_eq!(efi[..6], ["UEFI", "y", "none", "0x0000", "0x00", "4096"]);
    let summary = columns(&report, "System area summary:").join(" ");
    assert_eq!(summary, "MBR protective-msdos-label grub2-mbr cyl-align-off GPT");
    let efi_sector: u64 = efi[6].parse().unwrap();
    assert_eq!(efi_sector * SECTOR % MIB, 0, "the partition is aligned");
    assert_eq!(
        columns(&report, "GPT start and size :   2"),
        [(efi_sector * 4).to_string(), "4096".to_owned()]
    );
    let list = run("sgdisk", "gdisk", &["-i", "2", path_text(&image)]);
    assert!(list.contains("EFI system partition"), "{list}");
    let file = format!("{}@@{}", path_text(&image), efi_sector * SECTOR);
    assert!(run("mdir", "mtools", &["-b", "-i", &file, "::"]).contains("BOOTX64.EFI"));
}

#[test]
fn grub_learns_where_it_lies() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("patches.iso");
    sample().write(&bootable(folder.path(), MIB), &image);
    let sector: u64 = columns(
        &xorriso(&image, &["-report_el_torito", "plain"]),
        "El Torito boot img :   1",
    )[6]
    .parse()
    .unwrap();
    let bytes = fs::read(&image).unwrap();
    assert_eq!(number(&bytes, 0x1b0, 8), sector * 4 + 4);
    assert_eq!(
        &bytes[..0x1b0],
        &(0..0x1b0_u16).map(|at| at as u8).collect::<Vec<_>>()
    );
    let start = (sector * SECTOR) as usize;
    let grub = &bytes[start..start + grub_image().len()];
    assert_eq!(number(grub, 2548, 8), sector * 4 + 5);
    assert_eq!(
        [number(grub, 8, 4), number(grub, 12, 4), number(grub, 16, 4)],
        [16, sector, 100_001]
    );
    assert!(grub[24..64].iter().all(|byte| *byte == 0));
    let original = grub_image();
    assert!(
        [0..8, 64..2548, 2556..grub.len()]
            .into_iter()
            .all(|part| grub[part.clone()] == original[part])
    );
    let sum = (64..grub.len())
        .step_by(4)
        .fold(0_u64, |sum, at| sum + number(grub, at, 4.min(grub.len() - at)));
    assert_eq!(number(grub, 20, 4), sum & 0xffff_ffff);
}

/// The same image made by xorriso, which GRUB's own grub-mkrescue uses.
#[test]
fn patches_equal_those_of_xorriso() {
    let folder = tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.iso"), folder.path().join("theirs.iso"));
    let (tree, grub) = (folder.path().join("tree"), folder.path().join("tree/grub.img"));
    fs::create_dir(&tree).unwrap();
    fs::write(&grub, grub_image()).unwrap();
    let mut sample = Sample::default();
    sample
        .tree
        .insert(
            "grub.img",
            grub_image().len() as u64,
            Content::Bytes(grub_image()),
        )
        .unwrap();
    let mut params = params();
    params.boot.bios_image = Some(BiosImage::File("grub.img".to_owned()));
    sample.write(&params, &ours);
    let options = [
        "-as",
        "mkisofs",
        "-o",
        path_text(&theirs),
        "-b",
        "grub.img",
        "-no-emul-boot",
    ];
    let patches = [
        "-boot-load-size",
        "4",
        "-boot-info-table",
        "--grub2-boot-info",
        path_text(&tree),
    ];
    run("xorriso", "xorriso", &[&options[..], &patches].concat());
    let mut images = [&ours, &theirs].map(|image| {
        let out = image.with_extension("img");
        xorriso(
            image,
            &["-osirrox", "on", "-extract", "/grub.img", path_text(&out)],
        );
        let report = xorriso(image, &["-report_el_torito", "plain"]);
        assert!(report.contains("boot-info-table grub2-boot-info"), "{report}");
        let sector: u64 = columns(&report, "El Torito boot img :   1")[6].parse().unwrap();
        (fs::read(out).unwrap(), sector)
    });
    for (bytes, sector) in &mut images {
        // What depends on the place: take it out, from the checksum too.
        let grub = number(bytes, 2548, 8);
        assert_eq!((grub, number(bytes, 12, 4)), (*sector * 4 + 5, *sector));
        let sum = (number(bytes, 20, 4) as u32).wrapping_sub(grub as u32);
        bytes[20..24].copy_from_slice(&sum.to_le_bytes());
        bytes[2548..2556].fill(0);
        bytes[12..16].fill(0);
    }
    assert!(images[0].0 == images[1].0, "the patched images differ");
}

#[test]
fn efi_image_alone_and_larger_than_its_count() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("efi.iso");
    let mut params = bootable(folder.path(), 40 * MIB);
    (params.boot.bios_image, params.boot.hybrid_mbr) = (None, None);
    sample().write(&params, &image);
    seven_zip_is_content(&image);
    sgdisk_is_content(&image);
    let report = xorriso(
        &image,
        &["-report_el_torito", "plain", "-report_system_area", "plain"],
    );
    let efi = columns(&report, "El Torito boot img :   1");
    assert_eq!(
        efi[..6],
        ["UEFI", "y", "none", "0x0000", "0x00", "1"],
        "to the end of the disc"
    );
    assert_eq!(columns(&report, "GPT start and size :   2")[1], "81920");
}

/// As oscdimg writes discs of Windows: a program that is loaded as a whole, names without version, no partition table.
#[test]
fn a_disc_that_windows_boot_programs_read() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("disc.iso");
    let program: Vec<u8> = (0..4096_u32).map(|at| ((at * 7) >> 2) as u8).collect();
    let mut params = params();
    (params.plain_names, params.guids) = (true, None);
    params.boot.bios_image = Some(BiosImage::Program(program.clone()));
    params.boot.efi_image = Some(efi_image(folder.path(), 1_474_560));
    let mut sample = sample();
    sample.file("bootmgr", "the boot manager");
    sample.file("efi/microsoft/boot/bcd", "the store");
    sample.write(&params, &image);
    seven_zip_is_content(&image);
    extracts_to(&image, &sample);
    let report = xorriso(
        &image,
        &["-report_el_torito", "plain", "-report_system_area", "plain"],
    );
    let bios = columns(&report, "El Torito boot img :   1");
    assert_eq!(bios[..6], ["BIOS", "y", "none", "0x0000", "0x00", "8"]);
    let efi = columns(&report, "El Torito boot img :   2");
    assert_eq!(efi[..6], ["UEFI", "y", "none", "0x0000", "0x00", "2880"]);
    assert!(!report.contains("GPT") && !report.contains("MBR"), "{report}");
    let bytes = fs::read(&image).unwrap();
    let start = bios[6].parse::<usize>().unwrap() * SECTOR as usize;
    assert!(
        bytes[start..start + program.len()] == program,
        "nothing of it is changed"
    );
    let names = isoinfo(&image, &["-f"]);
    for name in ["/BOOTMGR\n", "/EFI/MICROSOFT/BOOT/BCD\n", "/DATA/PAYLOAD\n"] {
        assert!(names.contains(name), "{name}: {names}");
    }
    let joliet = isoinfo(&image, &["-J", "-f"]);
    assert!(joliet.contains("/efi/microsoft/boot/bcd\n"), "{joliet}");
    let opened = disk_image::read::Image::open(&image).unwrap();
    assert_eq!(opened.check(), Vec::<String>::new());
    assert!(opened.partitions().is_empty());
}

#[test]
fn boot_parts_that_do_not_fit_together() {
    let folder = tempdir().unwrap();
    let error = |change: &dyn Fn(&mut Params)| {
        let mut params = bootable(folder.path(), MIB);
        change(&mut params);
        plan(&sample().tree, &params).unwrap_err()
    };
    assert_eq!(
        error(&|params| params.boot.bios_image = None),
        Error::HybridWithoutBios
    );
    assert_eq!(
        error(&|params| params.boot.hybrid_mbr = Some(vec![0; 440])),
        Error::HybridSize(440)
    );
    let tiny = BiosImage::Bytes(vec![0; 2555]);
    assert_eq!(
        error(&|params| params.boot.bios_image = Some(tiny.clone())),
        Error::BiosImageSize(2555)
    );
    let program = |length| Some(BiosImage::Program(vec![0; length]));
    for length in [0, 623_617] {
        let refused = error(&|params| {
            params.boot.hybrid_mbr = None;
            params.boot.bios_image = program(length);
        });
        assert_eq!(refused, Error::BiosProgramSize(length));
    }
    assert_eq!(
        error(&|params| params.boot.bios_image = program(4096)),
        Error::HybridWithoutBios,
        "GRUB's boot code does not start it"
    );
    let missing = BiosImage::File("boot/none".to_owned());
    let expected = Error::BiosImageFile("boot/none".to_owned());
    assert_eq!(
        error(&|params| params.boot.bios_image = Some(missing.clone())),
        expected
    );
}
