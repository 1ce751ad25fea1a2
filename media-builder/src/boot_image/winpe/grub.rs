//! What starts a stick on a BIOS: Microsoft's boot sectors may not be passed on, so the GRUB of a Linux PE stands in for them.

use std::path::Path;

use crate::boot_image::archive::{self, Content, Data};
use crate::boot_image::{Error, Kind, Result};

/// Its first sector and its core image, called alike in both boot images.
const MEMBERS: [&str; 2] = ["bios/boot.img", "bios/core-usb.img"];

/// The members, as that Linux PE has them.
pub(super) fn take(linux_pe: &Path) -> Result<Vec<Content>> {
    let image = archive::inspect(linux_pe)?;
    if image.manifest.kind != Kind::LinuxPe {
        return Err(Error::NoLinuxPe(linux_pe.to_owned()));
    }
    let take = |name: &str| {
        let member = image.member(name).map(|(member, _)| member);
        Ok(Content {
            package: member.and_then(|member| member.package.clone()),
            ..Content::new(name, Data::Bytes(image.code(name)?))
        })
    };
    MEMBERS.into_iter().map(take).collect()
}
