//! Whether Windows has put an NTFS volume away, read from the volume's own structures: nothing is mounted.
//!
//! Facts: the Linux-NTFS project's documentation ("File Record", "$Volume", "$LogFile"), and what NTFS-3G calls a clean
//! log.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, anyhow};

const LOG_FILE: u64 = 2;
const VOLUME: u64 = 3;
const VOLUME_INFORMATION: u32 = 0x70;
const DATA: u32 = 0x80;
const END: u32 = 0xFFFF_FFFF;
/// Of `$VOLUME_INFORMATION`.
const DIRTY: u64 = 1;
/// Of the log's restart area.
const IS_CLEAN: u64 = 2;
const NO_CLIENT: u64 = 0xFFFF;
/// The unit of the update sequence, whatever the disk's sectors are.
const PROTECTED: usize = 512;
/// No record and no page of a log is larger.
const LARGEST: u64 = 64 << 10;
/// So many records have a copy, and as many more as fill its cluster.
const COPIED: u64 = 4;
/// Windows makes none larger.
const LARGEST_CLUSTER: u64 = 2 << 20;

/// Set when the volume is to be checked before it is used.
pub(super) fn is_dirty(file: &File) -> Result<bool> {
    let volume = Volume::open(file)?;
    let record = volume.record(VOLUME)?;
    let attribute = attribute(&record, VOLUME_INFORMATION)?;
    let content = number(attribute, 0x14, 2)? as usize;
    Ok(number(attribute, content + 10, 2)? & DIRTY != 0)
}

/// Set when the newest changes are in the log only: the machine was cut off, or Windows sleeps.
pub(super) fn has_open_log(file: &File) -> Result<bool> {
    let volume = Volume::open(file)?;
    let record = volume.record(LOG_FILE)?;
    let start = volume.first_run(attribute(&record, DATA)?)?;
    let mut newest: Option<(u64, bool)> = None;
    for page in 0..2 {
        let place = start.checked_add(page * 4096).ok_or_else(damaged)?;
        if let Some(found) = restart_area(file, place)? {
            newest = newest.max(Some(found));
        }
    }
    // A log without restart areas is an empty one.
    Ok(newest.is_some_and(|(_, open)| open))
}

/// How new it is, and whether somebody had not yet closed the log.
fn restart_area(file: &File, offset: u64) -> Result<Option<(u64, bool)>> {
    let mut page = vec![0; 4096];
    file.read_exact_at(&mut page, offset)
        .context("reading the NTFS log")?;
    if page[..4] != *b"RSTR" || !restore(&mut page) {
        return Ok(None);
    }
    let area = number(&page, 24, 2)? as usize;
    let client = number(&page, area + 12, 2)?;
    let flags = number(&page, area + 14, 2)?;
    let open = client != NO_CLIENT && flags & IS_CLEAN == 0;
    Ok(Some((number(&page, area, 8)?, open)))
}

/// Makes the copy of the first records of the master file table what these are; gives whether it was another. The kernel's ntfs3 writes it
/// some time after them, and NTFS-3G reads no volume on which a power cut came in between.
pub(super) fn mend_copy(file: &File) -> Result<bool> {
    let volume = Volume::open(file)?;
    let count = COPIED.max(volume.cluster / volume.record);
    let length = usize::try_from(count * volume.record)?;
    let (mut records, mut copy) = (vec![0; length], vec![0; length]);
    let read = |bytes: &mut Vec<u8>, at| {
        file.read_exact_at(bytes, at)
            .context("reading the master file table")
    };
    read(&mut records, volume.records)?;
    read(&mut copy, volume.copy)?;
    if records == copy {
        return Ok(false);
    }
    (0..COPIED).try_for_each(|index| volume.record(index).map(drop))?;
    file.write_all_at(&records, volume.copy)
        .and_then(|()| file.sync_all())
        .context("writing the copy of the master file table")?;
    Ok(true)
}

struct Volume<'a> {
    file: &'a File,
    cluster: u64,
    records: u64,
    /// Where the copy of the first records lies.
    copy: u64,
    record: u64,
}

impl<'a> Volume<'a> {
    fn open(file: &'a File) -> Result<Self> {
        let mut boot = [0; 512];
        file.read_exact_at(&mut boot, 0)
            .context("reading the boot sector of an NTFS volume")?;
        let sector = number(&boot, 0x0B, 2)?;
        let cluster = sector.saturating_mul(power(boot[0x0D], 0x80));
        if cluster == 0 || cluster > LARGEST_CLUSTER {
            return Err(damaged());
        }
        let record = match boot[0x40] {
            clusters @ 0..0x80 => cluster * u64::from(clusters),
            size => 1_u64.checked_shl(256 - u32::from(size)).unwrap_or(0),
        };
        let place = |at: usize| number(&boot, at, 8)?.checked_mul(cluster).ok_or_else(damaged);
        let (records, copy) = (place(0x30)?, place(0x38)?);
        if !(PROTECTED as u64..=LARGEST).contains(&record) {
            return Err(damaged());
        }
        Ok(Self {
            file,
            cluster,
            records,
            copy,
            record,
        })
    }

    /// The first ones lie together, so no list of the table's parts is needed.
    fn record(&self, index: u64) -> Result<Vec<u8>> {
        let mut record = vec![0; usize::try_from(self.record)?];
        let offset = self
            .records
            .checked_add(index * self.record)
            .ok_or_else(damaged)?;
        self.file
            .read_exact_at(&mut record, offset)
            .context("reading the master file table")?;
        if record[..4] != *b"FILE" || !restore(&mut record) {
            return Err(damaged());
        }
        Ok(record)
    }

    /// Where the data of an attribute begins on the volume.
    fn first_run(&self, attribute: &[u8]) -> Result<u64> {
        let runs = number(attribute, 0x20, 2)? as usize;
        let sizes = *attribute.get(runs).ok_or_else(damaged)?;
        let (length, place) = (usize::from(sizes & 15), usize::from(sizes >> 4));
        if length > 8 || !(1..=8).contains(&place) {
            return Err(damaged());
        }
        let cluster = number(attribute, runs + 1 + length, place)?;
        cluster.checked_mul(self.cluster).ok_or_else(damaged)
    }
}

/// Numbers over the limit stand for powers of two.
fn power(value: u8, limit: u8) -> u64 {
    if value <= limit {
        u64::from(value)
    } else {
        1_u64.checked_shl(256 - u32::from(value)).unwrap_or(0)
    }
}

fn attribute(record: &[u8], kind: u32) -> Result<&[u8]> {
    let mut at = number(record, 0x14, 2)? as usize;
    loop {
        let (found, length) = (number(record, at, 4)?, number(record, at + 4, 4)? as usize);
        if found == u64::from(END) || length < 16 {
            return Err(damaged());
        }
        if found == u64::from(kind) {
            return record.get(at..at + length).ok_or_else(damaged);
        }
        at += length;
    }
}

/// Puts back what the update sequence has replaced at the end of each protected block; false where one was not written.
fn restore(bytes: &mut [u8]) -> bool {
    let (Ok(list), Ok(count)) = (number(bytes, 4, 2), number(bytes, 6, 2)) else {
        return false;
    };
    let (list, count) = (list as usize, count as usize);
    let Some(entries) = bytes.get(list..list + 2 * count).map(<[u8]>::to_vec) else {
        return false;
    };
    let entries: Vec<&[u8]> = entries.chunks(2).collect();
    let Some((mark, originals)) = entries.split_first() else {
        return false;
    };
    for (number, original) in originals.iter().enumerate() {
        let end = (number + 1) * PROTECTED;
        match bytes.get_mut(end - 2..end) {
            Some(last) if last == *mark => last.copy_from_slice(original),
            // Pages that are longer than what was read.
            None => return true,
            Some(_) => return false,
        }
    }
    true
}

fn number(bytes: &[u8], offset: usize, length: usize) -> Result<u64> {
    let found = bytes.get(offset..offset + length).ok_or_else(damaged)?;
    let mut all = [0; 8];
    all[..length].copy_from_slice(found);
    Ok(u64::from_le_bytes(all))
}

fn damaged() -> anyhow::Error {
    anyhow!("its NTFS structures are damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn made() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(32 << 20).unwrap();
        let mut command = Command::new("mkntfs");
        command.args([
            "-F", "-Q", "-q", "-p", "2048", "-H", "255", "-S", "63", "-s", "512",
        ]);
        let status = command
            .arg(file.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        file
    }

    /// As Windows writes the first page of the log.
    fn restart_page(lsn: u64, client: u16, flags: u16) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..4].copy_from_slice(b"RSTR");
        page[4..6].copy_from_slice(&30_u16.to_le_bytes());
        page[6..8].copy_from_slice(&9_u16.to_le_bytes());
        page[24..26].copy_from_slice(&64_u16.to_le_bytes());
        page[64..72].copy_from_slice(&lsn.to_le_bytes());
        page[76..78].copy_from_slice(&client.to_le_bytes());
        page[78..80].copy_from_slice(&flags.to_le_bytes());
        for end in (512..=4096).step_by(512) {
            page[end - 2..end].copy_from_slice(&7_u16.to_le_bytes());
        }
        page[30..32].copy_from_slice(&7_u16.to_le_bytes());
        page
    }

    #[test]
    fn a_new_volume_is_clean_and_a_marked_one_dirty() {
        let file = made();
        assert!(!is_dirty(file.as_file()).unwrap() && !has_open_log(file.as_file()).unwrap());
        // ntfsfix asks Windows for a check.
        let fixed = Command::new("ntfsfix")
            .arg(file.path())
            .stdout(Stdio::null())
            .status();
        assert!(fixed.unwrap().success());
        assert!(is_dirty(file.as_file()).unwrap());
    }

    #[test]
    fn a_log_that_nobody_closed_is_open_and_the_newer_page_counts() {
        let file = made();
        let device = file.as_file();
        let volume = Volume::open(device).unwrap();
        let record = volume.record(LOG_FILE).unwrap();
        let log = volume.first_run(attribute(&record, DATA).unwrap()).unwrap();
        let put = |page: u64, lsn, client, flags| {
            device
                .write_all_at(&restart_page(lsn, client, flags), log + page * 4096)
                .unwrap();
        };
        put(0, 10, 0, 0);
        assert!(has_open_log(device).unwrap());
        put(1, 11, 0, 2);
        assert!(!has_open_log(device).unwrap());
        put(0, 12, 0xFFFF, 0);
        assert!(!has_open_log(device).unwrap());
        put(1, 13, 0, 0);
        assert!(has_open_log(device).unwrap());
    }

    /// Whether NTFS-3G would read it.
    fn is_read(file: &tempfile::NamedTempFile) -> bool {
        let probed = Command::new("ntfs-3g.probe")
            .arg("--readonly")
            .arg(file.path())
            .stderr(Stdio::null())
            .status();
        probed.expect("ntfs-3g.probe").success()
    }

    #[test]
    fn a_copy_of_the_table_that_a_cut_has_left_behind_is_written_again() {
        let file = made();
        assert!(!mend_copy(file.as_file()).unwrap());
        let volume = Volume::open(file.as_file()).unwrap();
        let flags = volume.copy + 3 * volume.record + 22;
        file.as_file().write_all_at(&[0x55], flags).unwrap();
        assert!(!is_read(&file));
        assert!(mend_copy(file.as_file()).unwrap());
        assert!(is_read(&file) && !mend_copy(file.as_file()).unwrap());
        // What cannot be a record is not copied.
        file.as_file().write_all_at(b"BAAD", volume.records).unwrap();
        assert!(mend_copy(file.as_file()).is_err());
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let file = made();
        for (offset, byte) in [(0x0D, 0), (0x40, 0x7F), (0x30, 0xFF), (0x37, 0xFF)] {
            let before = &mut [0];
            file.as_file().read_exact_at(before, offset).unwrap();
            file.as_file().write_all_at(&[byte], offset).unwrap();
            assert!(is_dirty(file.as_file()).is_err(), "{offset}");
            file.as_file().write_all_at(before, offset).unwrap();
        }
    }
}
