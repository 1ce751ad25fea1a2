//! Identifiers of the partition tables that runs of this media make: by them a disk is known as the run's own.

use uuid::Uuid;

use crate::boot_state;
use crate::context::{Context, Failure};
use crate::platform::Disk;
use crate::target;

/// Disks without serial numbers look alike; each gets an identifier that no other disk has.
const MOST_ALIKE: u32 = 8;

/// Whether an interrupted or failed run of this media has partitioned the disk: it may be done again, and what lies on
/// it is nobody's.
pub fn is_interrupted(context: &Context<'_>, disk: &Disk) -> bool {
    is_own(disk, &context.media.manifest.media_id)
        && !boot_state::is_complete(context.platform, disk, &context.media.manifest.media_id)
}

/// Whether a run of that media has partitioned the disk, at any time.
pub fn is_own(disk: &Disk, media_id: &str) -> bool {
    (0..MOST_ALIKE)
        .map(|number| own_guid(disk, media_id, number))
        .any(|guid| {
            [signature(&guid), guid]
                .iter()
                .any(|id| id.eq_ignore_ascii_case(&disk.table_id))
        })
}

fn own_guid(disk: &Disk, media_id: &str, number: u32) -> String {
    let namespace = Uuid::parse_str(media_id).unwrap_or(Uuid::NAMESPACE_OID);
    let name = format!("{}#{number}", target::identity(disk));
    Uuid::new_v5(&namespace, name.as_bytes()).to_string()
}

/// What an MBR has room for.
fn signature(guid: &str) -> String {
    guid.chars().take(8).collect()
}

/// An identifier for the disk that no other disk of the machine has.
///
/// # Errors
/// When other disks have all of them.
pub fn free_guid(context: &Context<'_>, disk: &Disk) -> Result<String, Failure> {
    let disks = context.platform.disks()?;
    let taken = |id: &str| {
        let others = disks.iter().filter(|other| other.path != disk.path);
        others
            .into_iter()
            .any(|other| other.table_id.eq_ignore_ascii_case(id))
    };
    let mut candidates =
        (0..MOST_ALIKE).map(|number| own_guid(disk, &context.media.manifest.media_id, number));
    let free = candidates.find(|guid| !taken(guid) && !taken(&signature(guid)));
    free.ok_or_else(|| {
        Failure::new(format!(
            "{MOST_ALIKE} other disks carry systems of this media; detach them"
        ))
    })
}
