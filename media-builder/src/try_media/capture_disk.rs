//! An additional disk for captures: one exFAT partition on a GPT.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use disk_image::partition_table::{GptParams, GptPartition, plan_gpt};
use disk_image::{Content, FileTree, Layout, exfat};
use uuid::{Uuid, uuid};

use super::storage::Size;

/// Label of the volume.
const LABEL: &str = "CAPTURE";
const BASIC_DATA: Uuid = uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
const DISK: Uuid = uuid!("5e1f3a52-7c1b-4c86-9b5e-2f6b6b9d1c01");
const PARTITION: Uuid = uuid!("5e1f3a52-7c1b-4c86-9b5e-2f6b6b9d1c02");
const SECTOR: u32 = 512;
const MEBIBYTE: u64 = 1 << 20;

/// Makes the disk in a folder.
///
/// # Errors
/// When the size is too small or the file cannot be written.
pub(super) fn make(folder: &Path, size: Size) -> Result<PathBuf> {
    let path = folder.join("second-disk.img");
    let layout = plan(size.0 / MEBIBYTE * MEBIBYTE)?;
    write(&layout, &path).with_context(|| format!("making the second disk {}", path.display()))?;
    Ok(path)
}

fn plan(disk_size: u64) -> Result<Layout> {
    if disk_size < 16 * MEBIBYTE {
        bail!("a second disk needs at least 16 MiB");
    }
    let (start, size) = (MEBIBYTE, disk_size - 2 * MEBIBYTE);
    let table = GptParams {
        disk_guid: DISK,
        disk_size,
        sector_size: SECTOR,
        boot_code: None,
        partitions: vec![GptPartition {
            type_guid: BASIC_DATA,
            unique_guid: PARTITION,
            name: LABEL.to_owned(),
            start,
            size,
            attributes: 0,
        }],
    };
    let volume = exfat::Params {
        size,
        sector_size: SECTOR,
        serial: 0x4341_5054,
        label: LABEL.to_owned(),
        partition_offset: start,
        timestamp: 0x5000_0000,
    };
    let mut layout = plan_gpt(&table).context("laying out the second disk")?;
    layout.embed(
        start,
        exfat::plan(&FileTree::default(), &volume).context("laying out the second disk")?,
    );
    Ok(layout.finish())
}

/// An empty volume consists of nothing but computed bytes.
fn write(layout: &Layout, path: &Path) -> Result<()> {
    let mut file = File::create(path)?;
    for extent in &layout.extents {
        match &extent.content {
            Content::Bytes(bytes) => {
                file.seek(SeekFrom::Start(extent.offset))?;
                file.write_all(bytes)?;
            }
            Content::Zero => {}
            other => bail!("an empty volume has no content like {other:?}"),
        }
    }
    file.set_len(layout.size)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use disk_image::read::Image;

    use super::*;

    #[test]
    fn the_disk_is_an_empty_clean_volume() {
        let folder = tempfile::tempdir().unwrap();
        let path = make(folder.path(), Size(64 << 20)).unwrap();
        let image = Image::open(&path).unwrap();
        assert_eq!(image.check(), Vec::<String>::new());
        let volume = image.data().unwrap();
        assert_eq!((volume.label(), volume.walk().unwrap().len()), (LABEL, 0));
        assert!(make(folder.path(), Size(1 << 20)).is_err());
    }
}
