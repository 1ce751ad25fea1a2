//! Which boot files are chosen for which firmware. The programs are signed by sbsign, and the real list is that of the
//! firmware of virtual machines.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "common/signed_programs.rs"]
mod signed_programs;

use media_format::manifest::hex;
use sha2::{Digest as _, Sha256};
use signed_programs::{Authority, SHA256, X509, X509_SHA256, list, program};
use windows_setup::secure_boot::{About, BootFiles, Choice, Database, Firmware, Program, Refused, choose};

use BootFiles::{Ca2023, Pca2011};

struct Image {
    old: Authority,
    new: Authority,
    there: [(BootFiles, Option<Program>); 2],
    signed: Vec<u8>,
}

fn image() -> Image {
    let old = Authority::new("Microsoft Windows Production PCA 2011");
    let new = Authority::new("Windows UEFI CA 2023");
    let signed = old.sign(&program("boot manager"));
    let there = [
        (Pca2011, Some(Program::read(&signed).unwrap())),
        (
            Ca2023,
            Some(Program::read(&new.sign(&program("the same"))).unwrap()),
        ),
    ];
    Image {
        old,
        new,
        there,
        signed,
    }
}

fn firmware(db: &[&Vec<u8>], dbx: &[&Vec<u8>]) -> Firmware {
    let read = |lists: &[&Vec<u8>]| {
        let all: Vec<u8> = lists.iter().flat_map(|list| list.iter().copied()).collect();
        Database::read(&all).unwrap()
    };
    Firmware {
        secure_boot: true,
        db: Some(read(db)),
        dbx: read(dbx),
    }
}

/// What sbsign says is signed: the digest in the signature's content.
fn signed_digest(signed: &[u8]) -> Vec<u8> {
    // SEQUENCE { SEQUENCE { sha256, NULL }, OCTET STRING (32) }
    let before = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let at = signed
        .windows(before.len())
        .position(|part| part == before)
        .unwrap()
        + before.len();
    signed[at..at + 32].to_vec()
}

/// The first part of a certificate, which its issuer signs.
fn body(certificate: &[u8]) -> &[u8] {
    // Both lengths have two bytes.
    let length = usize::from(certificate[6]) << 8 | usize::from(certificate[7]);
    &certificate[4..8 + length]
}

/// GRUB as Debian packs it; objcopy takes the same out of it, and the section that a program does not have is none.
#[test]
fn what_revokes_a_program_is_what_its_section_says() {
    const GRUB: &str = "/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi";
    let read = |bytes: &[u8]| About::read(bytes).unwrap().unwrap();
    let grub = std::fs::read(GRUB).unwrap();
    let unsigned = read(&grub);
    let dumped = tempfile::NamedTempFile::new().unwrap();
    let dump = std::process::Command::new("objcopy")
        .args(["-O", "binary", "-j", ".sbat", GRUB])
        .arg(dumped.path())
        .status();
    assert!(dump.unwrap().success());
    let text = std::fs::read_to_string(dumped.path()).unwrap();
    let lines = text.trim_end_matches('\0').lines();
    let expected: Vec<String> = lines
        .map(|line| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(","))
        .collect();
    assert!(
        expected[0].starts_with("sbat,") && expected[1].starts_with("grub,"),
        "{expected:?}"
    );
    assert_eq!((unsigned.signers.as_str(), &unsigned.sbat), ("nobody", &expected));
    let signed = read(&image().old.sign(&grub));
    assert_eq!(
        signed.signers,
        "Microsoft Windows (Microsoft Windows Production PCA 2011)"
    );
    assert_eq!(signed.sbat, expected);
    let mut other = program("a boot manager");
    assert_eq!(read(&other).sbat, [""; 0]);
    // A program of Windows is not for UEFI.
    other[0x58 + 68] = 3;
    assert_eq!(About::read(&other), Ok(None));
}

#[test]
fn the_firmwares_lists_decide() {
    let image = image();
    let (old, new) = (
        list(X509, &[&image.old.certificate]),
        list(X509, &[&image.new.certificate]),
    );
    let both = [&old, &new];
    let chosen = |firmware: Firmware| choose(None, &image.there, &firmware).map(|choice| choice.files);
    assert_eq!(chosen(firmware(&[&old], &[])), Ok(Pca2011));
    assert_eq!(chosen(firmware(&[&new], &[])), Ok(Ca2023));
    assert_eq!(chosen(firmware(&both, &[])), Ok(Pca2011));
    assert_eq!(chosen(firmware(&both, &[&old])), Ok(Ca2023));
    // By the digest of its certificate, with the time of the revocation; and by that of the program itself.
    let digest = [&Sha256::digest(body(&image.old.certificate))[..], &[0; 16]].concat();
    assert_eq!(
        chosen(firmware(&both, &[&list(X509_SHA256, &[&digest])])),
        Ok(Ca2023)
    );
    let of_program = list(SHA256, &[&signed_digest(&image.signed)]);
    assert_eq!(chosen(firmware(&both, &[&of_program])), Ok(Ca2023));
    assert_eq!(chosen(firmware(&[&of_program], &[])), Ok(Pca2011));
    assert_eq!(
        chosen(Firmware {
            secure_boot: true,
            ..Firmware::default()
        }),
        Ok(Pca2011)
    );
}

#[test]
fn what_no_list_allows_is_refused_by_name_while_secure_boot_is_on() {
    let image = image();
    let other = list(X509, &[&Authority::new("Somebody").certificate]);
    let refused = choose(None, &image.there, &firmware(&[&other], &[]))
        .unwrap_err()
        .to_string();
    for named in [
        "Microsoft Windows (Microsoft Windows Production PCA 2011)",
        "Windows UEFI CA 2023",
        "Somebody",
    ] {
        assert!(refused.contains(named), "{refused}");
    }
    let off = Firmware {
        secure_boot: false,
        ..firmware(&[&other], &[])
    };
    assert_eq!(choose(None, &image.there, &off).unwrap().files, Pca2011);
    // Another kind of entry may be what trusts it.
    let odd = firmware(
        &[&other, &list("0ac0ffee-0000-4000-8000-000000000000", &[b"?"])],
        &[],
    );
    assert_eq!(choose(None, &image.there, &odd).unwrap().files, Pca2011);
}

#[test]
fn a_wish_counts_where_the_machine_starts_it() {
    let image = image();
    let old = firmware(&[&list(X509, &[&image.old.certificate])], &[]);
    let new = firmware(&[&list(X509, &[&image.new.certificate])], &[]);
    let wish = |files, firmware| choose(Some(files), &image.there, firmware);
    assert!(matches!(wish(Ca2023, &new), Ok(Choice { files: Ca2023, .. })));
    assert!(matches!(wish(Ca2023, &old), Err(Refused::Untrusted { .. })));
    assert!(matches!(wish(Pca2011, &new), Err(Refused::Untrusted { .. })));
    let without = &image.there[..1];
    assert_eq!(choose(Some(Ca2023), without, &new), Err(Refused::Missing(Ca2023)));
    assert!(matches!(
        choose(None, without, &new),
        Err(Refused::Untrusted { .. })
    ));
    let nothing = [(Pca2011, None)];
    assert!(matches!(
        choose(None, &nothing, &old),
        Err(Refused::Untrusted { .. })
    ));
}

#[test]
fn the_list_of_a_real_firmware_is_understood() {
    let flash = std::fs::read("/usr/share/OVMF/OVMF_VARS_4M.ms.fd").unwrap();
    // An authenticated variable: lengths of name and content, the GUID, the name.
    let guid = uuid::uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f").to_bytes_le();
    let named = [&guid[..], b"d\0b\0\0\0"].concat();
    let at = flash.windows(named.len()).position(|part| part == named).unwrap();
    let length = u32::from_le_bytes(flash[at - 4..at].try_into().unwrap()) as usize;
    let content = &flash[at + named.len()..][..length];
    let db = Database::read(content).unwrap();
    assert!(db.is_understood());
    let names = db.names();
    for known in [
        "Microsoft Windows Production PCA 2011",
        "Microsoft Corporation UEFI CA 2011",
    ] {
        assert!(names.iter().any(|name| name == known), "{names:?}");
    }
    assert!(names.iter().all(|name| !name.contains('=')), "{names:?}");
    for end in 0..length {
        // A part is damaged, or ends behind one of the lists.
        let _ = Database::read(&content[..end]);
    }
}

/// Debian's firmware for tests has such a one.
#[test]
fn a_certificate_without_a_common_name_is_named_in_full() {
    let file = "/usr/share/ovmf/PkKek-1-snakeoil.pem";
    let output = std::process::Command::new("openssl")
        .args(["x509", "-in", file, "-outform", "DER"])
        .output()
        .unwrap();
    let db = Database::read(&list(X509, &[&output.stdout])).unwrap();
    assert_eq!(db.names(), ["O=SnakeOil,L=Fort Collins,ST=Colorado,C=US"]);
}

#[test]
fn what_is_no_program_is_an_error() {
    let signed = image().signed;
    assert_eq!(Program::read(&program("x")).unwrap().signers(), "nobody");
    assert!(Program::read(b"the boot manager of Windows").is_err());
    for end in (0..signed.len()).step_by(3) {
        assert!(
            Program::read(&signed[..end]).is_err(),
            "{end} of {}: {}",
            signed.len(),
            hex(&signed[..2])
        );
    }
    for at in 0..0x200 {
        for value in [0, 0x7f, 0xff] {
            let mut changed = signed.clone();
            changed[at] = value;
            let _ = Program::read(&changed);
        }
    }
}
