//! Sticks that start a WinPE: an MBR, and GRUB for a BIOS where a Linux PE has given it.

use std::fs;

use media_format::paths;

use super::fixture::{Fixture, failed, out, run, succeeded};
use super::{same, with_project};

/// The partitions of a stick, by sfdisk: where each lies in bytes, with the rest of its line.
fn stick_partitions(stick: &str) -> Vec<(u64, u64, String)> {
    assert!(run("sfdisk", &["--verify", stick]).contains("No errors detected"));
    let table = run("sfdisk", &["--dump", stick]);
    assert!(table.contains("label: dos\n"), "{table}");
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(name).expect(name);
        let number = rest.split(',').next().expect("a number").trim();
        number.parse::<u64>().expect("a number") * 512
    };
    let lines = table.lines().filter(|line| line.contains("start="));
    lines
        .map(|line| {
            let kind = line.split_once("type=").expect("a type").1;
            (field(line, "start="), field(line, "size="), kind.to_owned())
        })
        .collect()
}

/// Both volumes by themselves, for the foreign checkers.
fn judge_volumes(fixture: &Fixture, stick: &str, partitions: &[(u64, u64, String)]) {
    for ((start, size, _), checker) in partitions.iter().zip(["fsck.fat", "fsck.exfat"]) {
        let volume = fixture.text("volume");
        let (from, to) = (format!("if={stick}"), format!("of={volume}"));
        let (skip, count) = (format!("skip={start}"), format!("count={size}"));
        let flags = "iflag=skip_bytes,count_bytes";
        run(
            "dd",
            &[
                &from,
                &to,
                &skip,
                &count,
                flags,
                "bs=1M",
                "conv=sparse",
                "status=none",
            ],
        );
        run(checker, &["-n", &volume]);
    }
}

#[test]
fn a_stick_has_an_active_boot_partition_with_the_chain_and_without_a_linux_pe_nothing_of_grub() {
    let fixture = with_project();
    let built = fixture.media_builder(&["build", "-o", "media.img"]);
    let warned = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(
        built.status.success() && warned.contains("starts on UEFI only"),
        "{warned}"
    );
    fixture.succeed(&["verify", "media.img"]);
    let stick = fixture.text("media.img");
    let partitions = stick_partitions(&stick);
    let kinds: Vec<&str> = partitions.iter().map(|(.., kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["c, bootable", "7"]);
    judge_volumes(&fixture, &stick, &partitions);
    let volume = format!("{stick}@@2M");
    for path in [
        "sources/boot.wim",
        "efi/boot/bootx64.efi",
        "EFI/Microsoft/Boot/BCD",
    ] {
        let copied = fixture.text("copied");
        run("mcopy", &["-o", "-i", &volume, &format!("::{path}"), &copied]);
        same(
            &fixture,
            "copied",
            &format!("image/media/{}", path.to_lowercase()),
        );
    }
    assert!(!run("mdir", &["-/", "-b", "-i", &volume, "::boot"]).contains("grub"));
    let bytes = fs::read(&stick).expect("the stick");
    assert!(
        bytes[..440].iter().all(|byte| *byte == 0),
        "a BIOS finds no boot code"
    );
    fixture.succeed(&["build", "-o", "again.img"]);
    same(&fixture, "media.img", "again.img");
    let said = fixture.succeed(&["inspect", "media.img"]);
    assert!(
        said.contains("efi/boot/bootx64.efi") && said.contains("1 (type 0x0c, active): "),
        "{said}"
    );
    assert!(!said.contains("BIOS:"), "{said}");
}

/// A project whose WinPE has GRUB, from the Linux PE that is given or lies where the default one does.
fn with_grub(given: bool) -> Fixture {
    let fixture = Fixture::new();
    fixture.boot_wim("boot.wim", true);
    let linux_pe = out("boot-image/linux-pe.tar");
    let name = linux_pe.display().to_string();
    let more: &[&str] = if given { &["--bios-from", &name] } else { &[] };
    if !given {
        let place = fixture.path("cache/media-builder");
        fs::create_dir_all(&place).expect("the cache");
        std::os::unix::fs::symlink(&linux_pe, place.join("linux-pe.tar")).expect("a link");
    }
    let built = fixture.build("boot.wim", "winpe.tar", more);
    assert!(
        !String::from_utf8_lossy(&built.stderr).contains("UEFI only"),
        "{built:?}"
    );
    let said = succeeded(&built);
    assert!(
        said.contains("bios/core-usb.img") && said.contains("grub-pc-bin="),
        "{said}"
    );
    fixture.unpack("winpe.tar", "image");
    fixture.project();
    fixture
}

#[test]
fn a_stick_has_the_grub_of_a_linux_pe_for_a_bios() {
    let fixture = with_grub(true);
    let built = fixture.media_builder(&["build", "-o", "media.img"]);
    assert!(built.status.success() && !String::from_utf8_lossy(&built.stderr).contains("UEFI only"));
    fixture.succeed(&["verify", "media.img"]);
    let stick = fixture.text("media.img");
    let partitions = stick_partitions(&stick);
    assert_eq!(partitions.len(), 2, "GRUB's core has no partition");
    judge_volumes(&fixture, &stick, &partitions);
    let bytes = fs::read(&stick).expect("the stick");
    let linux_pe = fixture.text("linux-pe");
    let unpack = format!(
        "mkdir {linux_pe} && tar -xf {} -C {linux_pe} bios",
        out("boot-image/linux-pe.tar").display()
    );
    run("sh", &["-c", &unpack]);
    let grub = |name: &str| fs::read(fixture.path(&format!("linux-pe/bios/{name}"))).expect(name);
    let (first, core) = (grub("boot.img"), grub("core-usb.img"));
    // But for the place of the core, which each of the two names, and a jump.
    assert_eq!(
        (&bytes[..0x5c], &bytes[0x68..440]),
        (&first[..0x5c], &first[0x68..440])
    );
    let place = 1 << 20;
    assert!(
        bytes[place..place + 500] == core[..500] && bytes[place + 512..][..core.len() - 512] == core[512..]
    );
    let volume = format!("{stick}@@2M");
    let menu = run("mtype", &["-i", &volume, "::boot/grub/grub.cfg"]);
    assert!(
        menu.contains("set root=$media_root\n\tntldr /bootmgr\n"),
        "{menu}"
    );
    assert!(!menu.contains('@') && !menu.contains("linux"), "{menu}");
    // What a run puts onto the disk of a machine with a BIOS.
    for (path, code) in [(paths::BIOS_BOOT, &first), (paths::BIOS_CORE, &core)] {
        let copied = fixture.text("copied");
        run("mcopy", &["-o", "-i", &volume, &format!("::{path}"), &copied]);
        assert!(fs::read(copied).expect(path) == *code, "{path}");
    }
    fixture.succeed(&["build", "-o", "again.img"]);
    same(&fixture, "media.img", "again.img");
    let said = fixture.succeed(&["inspect", "media.img"]);
    assert!(said.contains("BIOS: boot code in sector 0"), "{said}");
    let said = fixture.succeed(&["plan", "--format", "usb"]);
    assert!(said.contains("grub-core"), "{said}");
    damage_is_found(&fixture, bytes);
    // The disc has no use for it.
    fixture.succeed(&["build", "-o", "media.iso"]);
    let names = run("isoinfo", &["-i", &fixture.text("media.iso"), "-f"]);
    assert!(!names.contains("/GRUB"), "{names}");
}

/// Code, core, a partition's type and place, and what is active.
fn damage_is_found(fixture: &Fixture, mut bytes: Vec<u8>) {
    for (place, word) in [
        (100, "440 bytes from byte 0, which are in no file"),
        ((1 << 20) + 5000, "from byte 1048576, which are in no file"),
        (446, "neither an ISO"),
        (450, "type of another file system"),
        (454, "there is no boot volume"),
        (466, "type of another file system"),
        (510, "neither an ISO"),
    ] {
        bytes[place] ^= 1;
        fixture.write("damaged.img", &bytes);
        bytes[place] ^= 1;
        let output = fixture.media_builder(&["verify", "damaged.img"]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains(word), "{place}: {said}");
    }
    bytes[446] = 0;
    fixture.write("damaged.img", &bytes);
    let output = fixture.media_builder(&["verify", "damaged.img"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("0 active partitions"), "{said}");
}

#[test]
fn grub_comes_from_the_default_linux_pe_and_from_nothing_else_that_is_named() {
    let fixture = with_grub(false);
    let said = failed(&fixture.build(
        "boot.wim",
        "other.tar",
        &["--bios-from", &fixture.text("winpe.tar")],
    ));
    assert!(said.contains("winpe.tar is no Linux PE"), "{said}");
    let said = failed(&fixture.build("boot.wim", "other.tar", &["--bios-from", "nowhere.tar"]));
    assert!(said.contains("nowhere.tar"), "{said}");
    assert!(!fixture.path("other.tar").exists());
    fs::remove_dir_all(fixture.path("cache")).expect("the cache");
    let built = fixture.build("boot.wim", "other.tar", &[]);
    let warned = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(
        built.status.success() && warned.contains("start on UEFI only") && warned.contains("--bios-from"),
        "{warned}"
    );
}

#[test]
fn a_stick_that_an_mbr_cannot_describe_is_refused() {
    let fixture = with_project();
    let media = fs::read_to_string(fixture.path("media.toml")).expect("the project");
    let with_size = |size: &str| media.replace("free = \"40 MiB\"", &format!("size = \"{size}\""));
    fixture.write("media.toml", with_size("2049 GiB").as_bytes());
    let said = failed(&fixture.media_builder(&["plan", "--format", "usb"]));
    assert!(
        said.contains("is too large: it has an MBR") && said.contains("usb.size"),
        "{said}"
    );
    fixture.write("media.toml", with_size("2048 GiB").as_bytes());
    fixture.succeed(&["plan", "--format", "usb"]);
}
