//! `boot-image inspect` of a boot image that somebody else has made.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::fs;

use common::Fixture;
use media_format::manifest::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const LOADER: &str = "media/efi/boot/bootx64.efi";

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The smallest program of UEFI with a section `.sbat`, which nobody has signed.
fn program(sbat: &str) -> Vec<u8> {
    const OPTIONAL: usize = 0x58;
    const SECTION: usize = OPTIONAL + 240;
    let mut file = vec![0; 0x400];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3C, &[0x40]);
    put(&mut file, 0x40, b"PE\0\0\x64\x86\x01\0");
    put(&mut file, 0x54, &[240, 0, 0x22, 0]);
    // What it is, its alignments and sizes, its subsystem (10), its directories; and the place of its section.
    let numbers = [
        (OPTIONAL, 0x20B),
        (OPTIONAL + 32, 0x1000),
        (OPTIONAL + 36, 0x200),
        (OPTIONAL + 56, 0x2000),
        (OPTIONAL + 60, 0x200),
        (OPTIONAL + 68, 10),
        (OPTIONAL + 108, 16),
        (SECTION + 8, sbat.len() as u32),
        (SECTION + 12, 0x1000),
        (SECTION + 16, 0x200),
        (SECTION + 20, 0x200),
    ];
    for (at, number) in numbers {
        put(&mut file, at, &u32::to_le_bytes(number));
    }
    put(&mut file, SECTION, b".sbat");
    put(&mut file, 0x200, sbat.as_bytes());
    file
}

/// A WinPE of these members, of which it says that Microsoft has signed them.
fn winpe(fixture: &Fixture, members: &[(&str, Vec<u8>)]) {
    let described = members.iter().map(|(path, bytes)| {
        json!({
            "path": path, "size": bytes.len(), "sha256": hex(&Sha256::digest(bytes)),
            "signers": "Microsoft", "sbat": ["shim,9"],
        })
    });
    let about = json!({
        "format": 1, "kind": "winpe", "architecture": "x86_64", "members": described.collect::<Vec<_>>(),
        "winpe": {
            "name": "PE\u{1b}[2J\nUEFI boot files signed by: anybody", "version": "10", "language": "nl-NL", "index": 1,
            "uefi_signers": "Microsoft",
        },
    });
    let mut archive = tar::Builder::new(fs::File::create(fixture.path("winpe.tar")).unwrap());
    let about = ("boot-image.json", about.to_string().into_bytes());
    for (path, bytes) in std::iter::once(&about).chain(members) {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn who_signed_a_program_is_read_from_it_and_not_from_the_description() {
    let fixture = Fixture::new();
    winpe(
        &fixture,
        &[
            (LOADER, program("sbat,1,S\nshim,4,U\n")),
            ("media/bootmgr", b"MZ no program".to_vec()),
        ],
    );
    for arguments in [&["winpe.tar"][..], &["winpe.tar", "--verify"]] {
        let said = fixture.succeed(&[&["boot-image", "inspect"], arguments].concat());
        assert!(!said.contains("Microsoft"), "{said}");
        assert!(said.contains("\nUEFI boot files signed by: nobody\n"), "{said}");
        let program = format!("{LOADER}\n              signed by nobody\n              SBAT sbat,1 shim,4\n");
        assert!(said.contains(&program), "{said}");
        assert!(said.ends_with("media/bootmgr\n"), "{said}");
    }
    let said = fixture.succeed(&["boot-image", "inspect", "winpe.tar", "--json"]);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["winpe"]["uefi_signers"], "nobody");
    assert_eq!(json["members"][0]["signers"], "nobody");
    assert_eq!(json["members"][0]["sbat"], json!(["sbat,1", "shim,4"]));
    assert_eq!(json["members"][1]["signers"], Value::Null);
    assert_eq!(json["members"][1]["sbat"], Value::Null);
}

#[test]
fn a_foreign_boot_image_does_not_lead_the_terminal() {
    let fixture = Fixture::new();
    winpe(&fixture, &[(LOADER, program("shim\u{1b}[2J,4,U\n"))]);
    let said = fixture.succeed(&["boot-image", "inspect", "winpe.tar"]);
    assert!(said.contains(r"(PE\u{1b}[2J\nUEFI boot files"), "{said}");
    assert!(said.contains(r"SBAT shim\u{1b}[2J,4"), "{said}");
    assert!(!said.contains('\u{1b}') && said.lines().count() == 5, "{said}");
    winpe(&fixture, &[("media/\u{1b}[2J", b"x".to_vec())]);
    let said = fixture.fail(&["boot-image", "inspect", "winpe.tar"]);
    assert!(
        said.contains(r#""media/\u{1b}[2J" is no name of a member"#),
        "{said:?}"
    );
}
