//! The files that start a WinPE, and where each is found.
//!
//! Facts: the file list of the package Microsoft-Windows-BootEnvironment-Dvd (`\\Windows\\Boot\\DVD`), the folders that
//! copype copies of the ADK, and what iPXE's wimboot takes out of a boot.wim. `bootfix.bin` is left out: with it,
//! `etfsboot.com` asks for a key to be pressed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{BIOS_PROGRAM, UEFI_IMAGE};
use crate::boot_image::{Error, Result};

/// The member that an UEFI starts from a stick.
pub(in crate::boot_image) const UEFI_LOADER: &str = "media/efi/boot/bootx64.efi";

/// A file of the boot image.
struct BootFile {
    member: &'static str,
    /// Where it can lie: on a disc or in a folder, then in the WIM.
    places: &'static [&'static str],
    /// The one that the Windows UEFI CA 2023 signed, in the WIM.
    signed_2023: Option<&'static str>,
    needed: bool,
}

const fn needed(member: &'static str, places: &'static [&'static str]) -> BootFile {
    BootFile {
        member,
        places,
        signed_2023: None,
        needed: true,
    }
}

const fn wanted(member: &'static str, places: &'static [&'static str]) -> BootFile {
    BootFile {
        needed: false,
        ..needed(member, places)
    }
}

const fn signed(file: BootFile, place: &'static str) -> BootFile {
    BootFile {
        signed_2023: Some(place),
        ..file
    }
}

const FILES: [BootFile; 12] = [
    needed(
        "bios/etfsboot.com",
        &[
            "boot/etfsboot.com",
            BIOS_PROGRAM,
            "Windows/Boot/DVD/PCAT/etfsboot.com",
        ],
    ),
    signed(
        needed(
            "bios/efisys_noprompt.bin",
            &[
                "efi/microsoft/boot/efisys_noprompt.bin",
                UEFI_IMAGE,
                "Windows/Boot/DVD/EFI/en-US/efisys_noprompt.bin",
            ],
        ),
        "Windows/Boot/DVD_EX/EFI/en-US/efisys_noprompt_EX.bin",
    ),
    needed("media/bootmgr", &["bootmgr", "Windows/Boot/PCAT/bootmgr"]),
    signed(
        needed(
            "media/bootmgr.efi",
            &["bootmgr.efi", "Windows/Boot/EFI/bootmgr.efi"],
        ),
        "Windows/Boot/EFI_EX/bootmgr_EX.efi",
    ),
    signed(
        needed(
            UEFI_LOADER,
            &["efi/boot/bootx64.efi", "Windows/Boot/EFI/bootmgfw.efi"],
        ),
        "Windows/Boot/EFI_EX/bootmgfw_EX.efi",
    ),
    needed(
        "media/boot/boot.sdi",
        &[
            "boot/boot.sdi",
            "Windows/Boot/DVD/EFI/boot.sdi",
            "Windows/Boot/DVD/PCAT/boot.sdi",
        ],
    ),
    wanted(
        "media/boot/memtest.exe",
        &["boot/memtest.exe", "Windows/Boot/PCAT/memtest.exe"],
    ),
    wanted(
        "media/efi/microsoft/boot/memtest.efi",
        &["efi/microsoft/boot/memtest.efi", "Windows/Boot/EFI/memtest.efi"],
    ),
    wanted(
        "media/boot/resources/bootres.dll",
        &["boot/resources/bootres.dll", "Windows/Boot/Resources/bootres.dll"],
    ),
    wanted(
        "media/efi/microsoft/boot/resources/bootres.dll",
        &[
            "efi/microsoft/boot/resources/bootres.dll",
            "Windows/Boot/Resources/bootres.dll",
        ],
    ),
    wanted(
        "media/efi/microsoft/boot/boot.stl",
        &["efi/microsoft/boot/boot.stl", "Windows/Boot/EFI/boot.stl"],
    ),
    wanted(
        "media/efi/microsoft/boot/winsipolicy.p7b",
        &[
            "efi/microsoft/boot/winsipolicy.p7b",
            "Windows/Boot/EFI/winsipolicy.p7b",
        ],
    ),
];

/// Where fonts lie, and where the media have them.
const FONTS: [&str; 2] = ["boot/fonts", "Windows/Boot/Fonts"];
const FONTS_2023: &str = "Windows/Boot/Fonts_EX";
const FONTS_ON_MEDIA: [&str; 2] = ["media/boot/fonts", "media/efi/microsoft/boot/fonts"];

/// The members with their files. Everything that is missing is one error.
pub(super) fn collect(
    source: &Path,
    folders: &[PathBuf],
    signed_2023: bool,
) -> Result<BTreeMap<String, PathBuf>> {
    let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
    for file in &FILES {
        let newer = file.signed_2023.as_ref().filter(|_| signed_2023);
        let places = newer.map_or(file.places, std::slice::from_ref);
        match find_in(folders, places) {
            Some(path) => {
                found.insert(file.member.to_owned(), path);
            }
            None if file.needed => missing.push(format!("  {}", places.join(", or "))),
            None => {}
        }
    }
    if !missing.is_empty() {
        return Err(Error::WinPeFiles {
            source_path: source.to_owned(),
            missing: missing.join("\n"),
        });
    }
    found.extend(fonts(folders, signed_2023)?);
    Ok(found)
}

/// The first place in the first folder that has it; all folders are asked for a place before the next one.
fn find_in(folders: &[PathBuf], places: &[&str]) -> Option<PathBuf> {
    let mut all = places
        .iter()
        .flat_map(|place| folders.iter().filter_map(move |folder| find(folder, place)));
    all.find(|path| path.is_file())
}

fn fonts(folders: &[PathBuf], signed_2023: bool) -> Result<Vec<(String, PathBuf)>> {
    let places = signed_2023.then_some(FONTS_2023).into_iter().chain(FONTS);
    let mut all = places.flat_map(|place| folders.iter().filter_map(move |folder| find(folder, place)));
    let Some(folder) = all.find(|path| path.is_dir()) else {
        return Ok(vec![]);
    };
    let mut fonts = Vec::new();
    for entry in fs::read_dir(&folder).map_err(Error::io("listing", &folder))? {
        let path = entry.map_err(Error::io("listing", &folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        if let Some(name) = name.filter(|name| name.ends_with(".ttf")) {
            let name = name.replace("_ex.ttf", ".ttf");
            fonts.extend(FONTS_ON_MEDIA.map(|folder| (format!("{folder}/{name}"), path.clone())));
        }
    }
    Ok(fonts)
}

/// A path beneath a folder, whatever the case of its names.
pub(super) fn find(folder: &Path, path: &str) -> Option<PathBuf> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.into_iter().try_fold(folder.to_owned(), |folder, part| {
        let exact = folder.join(part);
        if exact.exists() {
            return Some(exact);
        }
        let mut names: Vec<_> = fs::read_dir(&folder)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| name.eq_ignore_ascii_case(part))
            .collect();
        names.sort();
        names.first().map(|name| folder.join(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        path
    }

    #[test]
    fn a_disc_goes_before_the_wim_and_all_that_is_missing_is_named_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (disc, inside) = (root.path().join("disc"), root.path().join("inside"));
        let folders = [disc.clone(), inside.clone()];
        let manager = file(disc.join("BOOTMGR"));
        file(inside.join("Windows/Boot/PCAT/bootmgr"));
        let loader = file(inside.join("Windows/Boot/EFI/bootmgfw.efi"));
        file(inside.join("Windows/Boot/EFI/bootmgr.efi"));
        file(inside.join("Windows/Boot/DVD/EFI/boot.sdi"));
        let said = collect(Path::new("boot.wim"), &folders, false)
            .unwrap_err()
            .to_string();
        for part in [
            "boot.wim lacks",
            "boot/etfsboot.com, or etfsboot.com, or Windows/Boot/DVD/PCAT/etfsboot.com",
            "Windows/Boot/DVD/EFI/en-US/efisys_noprompt.bin",
            "a Windows ISO does",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("memtest") && !said.contains("bootmgfw"), "{said}");
        file(disc.join("boot/etfsboot.com"));
        file(disc.join("efi/microsoft/boot/efisys_noprompt.bin"));
        file(disc.join("boot/bootfix.bin"));
        let font = file(inside.join("Windows/Boot/Fonts/WGL4_BOOT.TTF"));
        let found = collect(Path::new("boot.wim"), &folders, false).unwrap();
        assert_eq!(found["media/bootmgr"], manager);
        assert_eq!(found[UEFI_LOADER], loader);
        assert_eq!(found["media/boot/fonts/wgl4_boot.ttf"], font);
        assert_eq!(found["media/efi/microsoft/boot/fonts/wgl4_boot.ttf"], font);
        assert_eq!(found.len(), 8, "bootfix.bin asks for a key: {found:?}");
    }

    #[test]
    fn files_that_the_ca_of_2023_signed_are_not_mixed_with_others() {
        let root = tempfile::tempdir().unwrap();
        let folders = [root.path().to_owned()];
        for name in [
            "boot/etfsboot.com",
            "bootmgr",
            "bootmgr.efi",
            "boot/boot.sdi",
            "boot/fonts/old_boot.ttf",
            "efi/boot/bootx64.efi",
            "efi/microsoft/boot/efisys_noprompt.bin",
        ] {
            file(root.path().join(name));
        }
        let said = collect(Path::new("iso"), &folders, true).unwrap_err().to_string();
        assert!(
            said.contains("EFI_EX/bootmgfw_EX.efi") && said.contains("DVD_EX"),
            "{said}"
        );
        let loader = file(root.path().join("Windows/Boot/EFI_EX/bootmgfw_EX.efi"));
        file(root.path().join("Windows/Boot/EFI_EX/bootmgr_EX.efi"));
        file(
            root.path()
                .join("Windows/Boot/DVD_EX/EFI/en-US/efisys_noprompt_EX.bin"),
        );
        let font = file(root.path().join("Windows/Boot/Fonts_EX/wgl4_boot_EX.ttf"));
        let found = collect(Path::new("iso"), &folders, true).unwrap();
        assert_eq!(found[UEFI_LOADER], loader);
        assert_eq!(found["media/boot/fonts/wgl4_boot.ttf"], font);
        assert!(!found.contains_key("media/boot/fonts/old_boot.ttf"));
    }
}
