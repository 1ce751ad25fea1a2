//! The ISO: one volume with everything. With a Linux PE it is a hybrid, which also starts from a stick; with a WinPE it is
//! laid out as oscdimg does it, for optical drives.

use disk_image::iso9660::{self, BiosImage, Boot, Guids, Params};
use disk_image::{Extent, FileTree, Layout, fat};
use media_format::manifest::{MediaLayout, Volume};
use media_format::paths::BOOT_LABEL;
use uuid::Uuid;

use super::{Contents, Format, MediaPlan, PlanError, PlanOptions, VolumePlan, files, ids};
use crate::boot_image::{Kind, winpe};
use crate::resolve::ResolvedMedia;

/// Plans the image.
pub(super) fn plan(media: &ResolvedMedia, options: PlanOptions) -> Result<MediaPlan, PlanError> {
    let mut all = files::boot_files(media);
    all.extend(files::package_files(media, Volume::Boot));
    all.extend(files::windows_runtime(media, Volume::Boot));
    let contents = Contents::new(media, MediaLayout::Iso, all);
    let mut tree = FileTree::default();
    contents.insert_files(&mut tree, Volume::Boot, &media.sources)?;
    for folder in files::package_folders(media) {
        tree.insert_folder(folder).map_err(PlanError::Path)?;
    }
    contents.insert_manifest(&mut tree)?;
    let joliet = joliet(media)?;
    let (layout, warnings) = lay_out(&tree, params(media, options)?, joliet)?;
    let label = volume_id();
    let volume = VolumePlan {
        label,
        file_system: "iso9660",
        offset: 0,
        size: layout.size,
    };
    Ok(contents.finish(Format::Iso, layout, vec![volume], warnings))
}

/// What was asked for. Windows sees no other names, so a WinPE cannot do without them.
fn joliet(media: &ResolvedMedia) -> Result<Option<bool>, PlanError> {
    match (media.boot.kind, media.project.settings.iso.joliet) {
        (Kind::WinPe, Some(false)) => Err(PlanError::WindowsNeedsJoliet),
        (Kind::WinPe, _) => Ok(Some(true)),
        (Kind::LinuxPe, asked) => Ok(asked),
    }
}

/// Joliet's names are shorter than those of every other view of the media: unless it was asked for, it gives way.
fn lay_out(
    tree: &FileTree,
    params: Params,
    joliet: Option<bool>,
) -> Result<(Layout, Vec<String>), PlanError> {
    let wanted = Params {
        joliet: joliet.unwrap_or(true),
        ..params
    };
    match iso9660::plan(tree, &wanted) {
        Err(iso9660::Error::JolietNameTooLong { path, .. }) if joliet.is_none() => {
            let warning = format!(
                "the ISO has no Joliet names, and Windows sees short ones: the name of {path} has more than 64 \
                 characters (shorten it, or write `joliet = false` under [iso])"
            );
            let layout = iso9660::plan(
                tree,
                &Params {
                    joliet: false,
                    ..wanted
                },
            )?;
            Ok((layout, vec![warning]))
        }
        other => Ok((other?, vec![])),
    }
}

fn params(media: &ResolvedMedia, options: PlanOptions) -> Result<Params, PlanError> {
    let is_winpe = media.boot.kind == Kind::WinPe;
    Ok(Params {
        volume_id: volume_id(),
        system_id: "LINUX".into(),
        volume_set_id: ids::iso_id(media.media_id),
        publisher: String::new(),
        application: "MEDIA-BUILDER".into(),
        timestamp: u64::from(options.timestamp),
        joliet: true,
        plain_names: is_winpe,
        boot: match media.boot.kind {
            Kind::LinuxPe => linux_pe_boot(media, options)?,
            Kind::WinPe => winpe_boot(media)?,
        },
        guids: (!is_winpe).then(|| guids(media.media_id)),
    })
}

fn linux_pe_boot(media: &ResolvedMedia, options: PlanOptions) -> Result<Boot, PlanError> {
    Ok(Boot {
        bios_image: Some(BiosImage::Bytes(media.boot.bios_code("eltorito.img")?.to_vec())),
        efi_image: Some(efi_image(media, options)?),
        hybrid_mbr: Some(media.boot.bios_code("boot_hybrid.img")?.to_vec()),
    })
}

/// Both are the user's own, unchanged: they find the boot manager on the disc by themselves, and ask for no key.
fn winpe_boot(media: &ResolvedMedia) -> Result<Boot, PlanError> {
    let volume = media.boot.bios_code(winpe::UEFI_IMAGE)?.to_vec();
    Ok(Boot {
        bios_image: Some(BiosImage::Program(
            media.boot.bios_code(winpe::BIOS_PROGRAM)?.to_vec(),
        )),
        efi_image: Some(Layout {
            size: volume.len() as u64,
            extents: vec![Extent::bytes(0, volume)],
        }),
        hybrid_mbr: None,
    })
}

/// The label in the letters that ISO 9660 has.
fn volume_id() -> String {
    BOOT_LABEL.replace('-', "_")
}

fn guids(media: Uuid) -> Guids {
    Guids {
        disk: ids::guid(media, "disk"),
        data: ids::guid(media, "data"),
        efi: ids::guid(media, "esp"),
    }
}

/// What UEFI starts from a CD: a small FAT volume with the loaders alone.
fn efi_image(media: &ResolvedMedia, options: PlanOptions) -> Result<Layout, PlanError> {
    let mut tree = FileTree::default();
    for file in files::efi_files(media) {
        file.insert(&mut tree, &media.sources)?;
    }
    let params = fat::Params {
        kind: fat::Kind::Fat16,
        size: fat::minimum_size(&tree, fat::Kind::Fat16),
        sector_size: 512,
        serial: ids::serial(media.media_id, "esp"),
        label: BOOT_LABEL.into(),
        hidden_sectors: 0,
        timestamp: i64::from(options.timestamp),
    };
    Ok(fat::plan(&tree, &params)?)
}
