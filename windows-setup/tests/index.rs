//! What the index says of INF files of the shapes that vendors ship.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Package, fixture, list, sign};
use media_format::drivers::{Architecture, DriverInf, Signature};

fn only(package: &Package) -> DriverInf {
    let (mut infs, refused) = package.index("p");
    assert_eq!((infs.len(), refused.len()), (1, 0), "{refused:?}");
    infs.remove(0)
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{FEFF}{}", text.replace('\n', "\r\n"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[test]
fn a_storage_driver_is_boot_critical_and_all_its_files_are_known() {
    let package = Package::default()
        .with("F6/VMD/vmd.inf", utf16(&fixture("vmd.inf")))
        .with("F6/VMD/VMDSTOR.SYS", "x");
    let inf = only(&package);
    assert!(inf.boot_critical);
    assert_eq!(inf.class_guid, "{4d36e97b-e325-11ce-bfc1-08002be10318}");
    assert_eq!(
        (inf.date.to_string(), inf.version.to_string()),
        ("2023-03-14".into(), "19.5.7.1058".into())
    );
    assert_eq!(inf.architectures(), [Architecture::Amd64]);
    let models = &inf.manufacturers[0].models[0];
    assert_eq!(
        (models.target.major, models.target.build),
        (Some(10), Some(17763))
    );
    assert_eq!(models.devices.len(), 4);
    assert_eq!(
        models.devices[1].compatible_ids,
        ["PCI\\VEN_8086&DEV_467F&CC_0104"]
    );
    assert_eq!(models.devices[0].feature_score, 0x30);
    let files: Vec<_> = inf
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.present))
        .collect();
    assert_eq!(
        files,
        [("F6/VMD/vmdlog.dll", false), ("F6/VMD/VMDSTOR.SYS", true)]
    );
    assert_eq!(inf.files[0].destination, "%11%\\vmdlog.dll");
    let service = &inf.services[0];
    assert_eq!(
        (service.name.as_str(), service.start, service.function_driver),
        ("vmdstor", 0, true)
    );
    assert_eq!(service.binary, "%13%\\vmdstor.sys");
    assert!(inf.warnings.is_empty(), "{:?}", inf.warnings);
}

#[test]
fn files_belong_to_architectures_and_needs_within_the_file_are_followed() {
    let package = Package::default()
        .with("nic.inf", fixture("nic.inf"))
        .with("x64/nicx.sys", "x")
        .with("x64/lang/nicmsg.dl_", "x");
    let inf = only(&package);
    let of = |architecture| {
        let files = inf
            .files
            .iter()
            .filter(|file| file.architectures.contains(&architecture));
        files
            .map(|file| (file.path.as_str(), file.present))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(Architecture::Amd64),
        [("x64/lang/nicmsg.dll", true), ("x64/nicx.sys", true)]
    );
    assert_eq!(
        of(Architecture::X86),
        [("x86/lang/nicmsg.dll", false), ("x86/nicx.sys", false)]
    );
    assert!(!inf.boot_critical);
    assert_eq!(inf.provider, "Adapters & Co");
    let devices: Vec<_> = inf.manufacturers[0]
        .models
        .iter()
        .map(|models| models.devices.len())
        .collect();
    assert_eq!(
        devices,
        [1, 3, 0, 1],
        "the empty list is kept: it excludes servers"
    );
}

#[test]
fn extensions_components_and_copied_infs_are_known() {
    let package = Package::default()
        .with("a/audio.inf", fixture("audio.inf"))
        .with("a/ext.inf", fixture("ext.inf"));
    let (infs, _) = package.index("p");
    assert_eq!(infs[0].copies, ["a/panel.inf"]);
    assert_eq!(
        infs[1].extension.as_deref(),
        Some("{11111111-2222-3333-4444-555555555555}")
    );
    assert_eq!(infs[1].components, ["SWC\\VID10EC_PANEL"]);
}

#[test]
fn a_catalog_must_list_the_inf_and_be_the_one_that_was_signed() {
    let text = fixture("vmd.inf");
    let of = |catalog: Vec<u8>| {
        only(
            &Package::default()
                .with("vmd.inf", &*text)
                .with("VMD.CAT", catalog),
        )
        .signature
    };
    let (catalog, signer) = ("vmd.cat".to_owned(), "Test Hardware Compatibility".to_owned());
    let listed = Signature::Listed {
        catalog: catalog.clone(),
        signer: signer.clone(),
    };
    assert_eq!(of(sign(&list(text.as_bytes(), true))), listed);
    assert_eq!(of(sign(&list(text.as_bytes(), false))), listed, "SHA-1");
    let other = sign(&list(b"another file", true));
    assert_eq!(
        of(other.clone()),
        Signature::NotListed {
            catalog: catalog.clone(),
            signer
        }
    );
    let mut altered = other;
    let digest = list(b"another file", true)[4..].to_vec();
    let place = altered.windows(32).position(|window| window == digest).unwrap();
    altered[place..place + 32].copy_from_slice(&list(text.as_bytes(), true)[4..]);
    let reason = |signature| match signature {
        Signature::CatalogDamaged { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(of(altered)), "its list was changed after it was signed");
    assert!(reason(of(b"MZ".to_vec())).starts_with("it is no signed list"));
    let unsigned = only(&Package::default().with("vmd.inf", &*text)).signature;
    assert_eq!(unsigned, Signature::CatalogMissing { catalog });
    let nameless = text.replace("CatalogFile", ";");
    assert_eq!(
        only(&Package::default().with("v.inf", nameless)).signature,
        Signature::Unsigned
    );
}

#[test]
fn an_inf_with_errors_is_refused_with_its_line_and_the_others_stay() {
    let broken = fixture("vmd.inf").replace("[Stor_Service]", "[Stor_Service");
    let package = Package::default()
        .with("good.inf", fixture("audio.inf"))
        .with("sub/bad.inf", broken);
    let (infs, refused) = package.index("p");
    assert_eq!(infs.len(), 1);
    assert_eq!(refused[0].path, "sub/bad.inf");
    assert_eq!(
        refused[0].reason,
        "line 51: the section name does not end with `]` in this line"
    );
    let escaping = fixture("nic.inf").replace("\\x64", "..\\..\\windows");
    let (_, refused) = Package::default().with("n/nic.inf", escaping).index("p");
    assert!(
        refused[0].reason.contains("leads out of the package"),
        "{refused:?}"
    );
}

#[test]
fn a_device_without_install_section_is_left_out_with_a_warning() {
    let text = fixture("audio.inf").replace("=Audio,", "=Missing,");
    let inf = only(&Package::default().with("a.inf", text));
    assert!(inf.manufacturers[0].models[0].devices.is_empty());
    assert_eq!(
        inf.warnings,
        [
            "line 11: the device `High Definition Audio` names the section [Missing], which does not exist for amd64"
        ]
    );
}
