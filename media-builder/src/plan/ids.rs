//! Every identifier of an image follows from the id of its media, so that two builds are the same.

use uuid::Uuid;

/// The GUID of a part of the media.
pub(super) fn guid(media: Uuid, part: &str) -> Uuid {
    Uuid::new_v5(&media, part.as_bytes())
}

/// The serial number of a volume.
pub(super) fn serial(media: Uuid, volume: &str) -> u32 {
    let [a, b, c, d, ..] = *guid(media, volume).as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The id as ISO 9660 can carry it.
pub(super) fn iso_id(media: Uuid) -> String {
    media.simple().to_string().to_uppercase()
}
